"""Who there is: five tenants, 25 shops, 500 devices, and the services behind them."""

import random
from dataclasses import dataclass

from bench.accuracy.calendar import HOUR, ZONES

SHOPS_PER_TENANT = 5
_KINDS = ("pos",) * 10 + ("kiosk",) * 5 + ("gate",) * 4 + ("gateway",)
_SIZES = (25.0, 25.0, 70.0, 70.0, 160.0)
"""Sales an hour, when it is busy, in the shops of a tenant."""

_HOURS = ((9, 20), (9, 22), (10, 21), (9.5, 21.5), (10, 22))
"""When shops open and close: each within nine to ten in the evening, many right at the edge."""

HOT = 0.1
"""The share of devices that are loaded up to their bounds when it is busy."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A device; a hot one is nearly at its bounds when the shop is busy."""

    id: str
    kind: str
    shop: str
    hot: bool


@dataclass(frozen=True, slots=True)
class Shop:
    """A store. `sales` an hour when it is busy; `opens` and `closes` in seconds of its local day."""

    id: str
    tenant: str
    zone: str
    sales: float
    opens: int
    closes: int
    machines: tuple[Machine, ...]


@dataclass(frozen=True, slots=True)
class Watched:
    """A service and how much hangs on it."""

    key: str
    tier: str


SERVICES = (
    Watched("database", "critical"),
    Watched("checkout-api", "critical"),
    Watched("stock-sync", "core"),
    Watched("loyalty", "core"),
    Watched("payment-provider", "integration"),
    Watched("weather", "external"),
)
"""Every tenant has these."""


def shops(seed: int) -> list[Shop]:
    return [_shop(seed, number, place) for number in range(len(ZONES)) for place in range(SHOPS_PER_TENANT)]


def tenants() -> list[tuple[str, str]]:
    """Each with its zone."""
    return [(f"tenant-{number + 1}", zone) for number, zone in enumerate(ZONES)]


def _shop(seed: int, number: int, place: int) -> Shop:
    shop_id = f"shop-{number * SHOPS_PER_TENANT + place + 1}"
    rng = random.Random(f"{seed}:{shop_id}")
    opens, closes = _HOURS[(number + place) % len(_HOURS)]
    machines = tuple(Machine(f"{shop_id}-{kind}-{n + 1}", kind, shop_id, rng.random() < HOT) for n, kind in enumerate(_KINDS))
    tenant, zone = tenants()[number]
    return Shop(shop_id, tenant, zone, _SIZES[place] * rng.uniform(0.85, 1.15), int(opens * HOUR), int(closes * HOUR), machines)
