"""What the tests of shared fate look at: who opened, who is folded, and who was told."""

from app.domain.alert import Alert
from app.domain.fate import SOURCE, is_told
from app.domain.tenant import EVERY_TENANT, Scope
from app.shared_fate import mend_fates
from app.store.encoding import from_document
from tests.evaluation.fleet import Fleet


async def everything(fleet: Fleet) -> list[Alert]:
    kept = fleet.context.mongo.tenant_collection("provider_alerts")
    return [from_document(row, Alert) for row in await kept.find(EVERY_TENANT, {}, sort=[("_id", 1)])]


async def parents(fleet: Fleet) -> list[Alert]:
    return sorted((alert for alert in await everything(fleet) if alert.source == SOURCE), key=lambda alert: alert.subject_id)


async def shape(fleet: Fleet) -> dict[str | None, int]:
    """How many live device alerts there are under each parent's subject; None: on their own."""
    alerts = await everything(fleet)
    names = {alert.id: alert.subject_id for alert in alerts}
    found: dict[str | None, int] = {}
    for alert in alerts:
        if alert.live and alert.source != SOURCE:
            under = None if alert.parent_id is None else names[alert.parent_id]
            found[under] = found.get(under, 0) + 1
    return found


async def pages(fleet: Fleet) -> set[str]:
    """Subjects of whose alerts people may be told now."""
    return {alert.subject_id for alert in await everything(fleet) if is_told(alert, fleet.clock.now())}


async def watch(fleet: Fleet, seconds: int, beating: tuple[str, ...] = ()) -> set[str]:
    """Lets time pass with a sweep each second and a mending each 15; whose alerts somebody was told of meanwhile."""
    told: set[str] = set()
    for second in range(seconds):
        await fleet.pass_time(1)
        for name in beating if second % 10 == 0 else ():
            await fleet.beat(name)
        await fleet.sweep()
        if second % 15 == 14:
            await mend(fleet)
        told |= await pages(fleet)
    return told


async def mend(fleet: Fleet) -> int:
    return await mend_fates(fleet.context, Scope(frozenset((fleet.tenant_id,))))


async def beat_all(fleet: Fleet, names: tuple[str, ...], apart: float = 0.0) -> None:
    for name in names:
        await fleet.beat(name)
        if apart:
            await fleet.pass_time(apart)


def tills(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}-{number}" for number in range(count))
