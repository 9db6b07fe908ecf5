"""The month: everything that happens in it, from a seed alone. Made piece by piece, as it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.accuracy import events, services
from bench.accuracy.events import Stream
from bench.accuracy.fleet import Machine, Shop, Watched, shops
from bench.accuracy.gauges import Telemetry
from bench.accuracy.incidents import Incident, incidents
from bench.accuracy.services import Turn


@dataclass(frozen=True, slots=True)
class Month:
    seed: int
    shops: Sequence[Shop]
    incidents: Sequence[Incident]

    def telemetry(self, shop: Shop, machine: Machine) -> Telemetry:
        return Telemetry(self.seed, shop, machine, self.incidents)

    def events(self, shop: Shop, kind: str) -> Stream:
        return events.of_shop(self.seed, shop, kind, self.incidents)

    def webhooks(self, tenant: str) -> Stream:
        mine = [shop for shop in self.shops if shop.tenant == tenant]
        return events.of_tenant(self.seed, tenant, mine, self.incidents)

    def states(self, tenant: str, service: Watched) -> Sequence[Turn]:
        return services.turns_of(self.seed, tenant, service, self.incidents)


def month(seed: int) -> Month:
    places = shops(seed)
    return Month(seed, places, incidents(seed, places))
