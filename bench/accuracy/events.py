"""What shops report: sales and what goes with them, by their opening hours, day after day a little different."""

import random
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.accuracy.calendar import DAY, END, HOUR, MINUTE, START, busy, local, seconds_of_day
from bench.accuracy.fleet import Shop
from bench.accuracy.incidents import Extra, Failing, Incident

KNOWN_FROM = START - 8 * DAY
"""When counting began: a week before the month, and a day."""

_SLOT = 5 * MINUTE

PER_SALE = {"sale": 1.0, "payment": 1.0, "redemption": 0.6, "refund": 0.02, "reprint": 0.015}
"""How many events of a kind come with a sale."""

FAILS = {"sale": 0.0, "payment": 0.007, "redemption": 0.02, "refund": 0.0, "reprint": 0.0, "webhook_delivery": 0.015}
"""The share that fails on a good day."""

HOOKS_AT_NIGHT = 12.0
HOOKS_PER_SALE = 0.5


@dataclass(frozen=True, slots=True)
class Stream:
    """Events of one kind at one place, oldest first."""

    times: "array[float]"
    failed: bytearray


def of_shop(seed: int, shop: Shop, kind: str, incidents: Sequence[Incident]) -> Stream:
    rng = random.Random(f"{seed}:{shop.id}:{kind}")
    rates = ((slot, PER_SALE[kind] * shop.sales * load) for slot, load in _open_slots(seed, shop))
    return _stream(rng, shop.id, kind, list(rates), incidents)


def of_tenant(seed: int, tenant: str, shops: Sequence[Shop], incidents: Sequence[Incident]) -> Stream:
    """The webhooks of a tenant: no shop's own. They come at night, too."""
    rng = random.Random(f"{seed}:{tenant}:webhooks")
    rates = dict.fromkeys(range(KNOWN_FROM, END, _SLOT), HOOKS_AT_NIGHT)
    for shop in shops:
        for slot, load in _open_slots(seed, shop):
            rates[slot] += HOOKS_PER_SALE * shop.sales * load
    return _stream(rng, tenant, "webhook_delivery", list(rates.items()), incidents)


def _open_slots(seed: int, shop: Shop) -> Iterator[tuple[int, float]]:
    """The five minutes in which a shop is open, and how busy it is in them."""
    first = local(shop.zone, KNOWN_FROM)[0]
    rng = random.Random(f"{seed}:{shop.id}:days")
    days = {first + day: rng.lognormvariate(0, 0.15) for day in range((END - KNOWN_FROM) // DAY + 2)}
    for slot in range(KNOWN_FROM, END, _SLOT):
        hour = slot // HOUR * HOUR
        if shop.opens <= seconds_of_day(shop.zone, slot) < shop.closes:
            yield slot, busy(shop.zone, hour, shop.opens, shop.closes) * days[local(shop.zone, hour)[0]]


def _stream(
    rng: random.Random, place: str, kind: str, rates: Sequence[tuple[int, float]], incidents: Sequence[Incident]
) -> Stream:
    mine = [
        one
        for one in incidents
        if isinstance(one.effect, Failing | Extra) and (one.effect.place, one.effect.kind) == (place, kind)
    ]
    events: list[tuple[float, bool]] = []
    for slot, an_hour in rates:
        for at in _arrivals(rng, slot, slot + _SLOT, an_hour):
            share = FAILS[kind]
            for one in mine:
                if isinstance(one.effect, Failing) and one.start <= at < one.end:
                    share = one.effect.share
            events.append((at, rng.random() < share))
    for one in mine:
        if isinstance(one.effect, Extra):
            events += [(at, False) for at in _arrivals(rng, one.start, one.end, one.effect.per_hour)]
    events.sort()
    return Stream(array("d", [at for at, _ in events]), bytearray(failed for _, failed in events))


def _arrivals(rng: random.Random, start: float, end: float, an_hour: float) -> Iterator[float]:
    """A Poisson process."""
    at = start + rng.expovariate(an_hour / HOUR)
    while at < end:
        yield at
        at += rng.expovariate(an_hour / HOUR)
