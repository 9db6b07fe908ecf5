"""A store whose devices fall silent together is one story, told once."""

from datetime import timedelta

from app.domain.alert import Alert, AlertEventType, AlertStatus, Resolution
from app.domain.fate import is_told
from app.domain.subject import SubjectKind
from app.domain.tenant import EVERY_TENANT
from app.store.encoding import from_document
from tests.evaluation.fleet import Fleet, numbered


async def everything(fleet: Fleet) -> list[Alert]:
    kept = fleet.context.mongo.tenant_collection("provider_alerts")
    return [from_document(row, Alert) for row in await kept.find(EVERY_TENANT, {}, sort=[("_id", 1)])]


async def test_two_hundred_devices_that_lose_their_line_are_one_page(fleet: Fleet) -> None:
    names = numbered(200)
    await fleet.add(*names, store_id="north")
    for name in names:
        await fleet.beat(name)
        await fleet.pass_time(0.3)
    told: set[str] = set()
    for _ in range(125):
        await fleet.pass_time(1)
        await fleet.sweep()
        told |= {alert.id for alert in await everything(fleet) if is_told(alert, fleet.clock.now())}
    alerts = await everything(fleet)
    [parent] = [alert for alert in alerts if alert.subject_kind is SubjectKind.STORE]
    members = [alert for alert in alerts if alert.parent_id == parent.id]
    assert (len(members), len(alerts)) == (200, 201)
    assert told == {parent.id}
    assert (parent.rule_key, parent.subject_id, parent.store_id) == ("device_offline", "north", "north")
