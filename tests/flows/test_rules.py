"""Rules end to end, with the ticks as they are out of the box."""

import asyncio
import time
from collections.abc import Callable

from tests.flows.documents import BEAT, CREATE_TENANT, EVENTS
from tests.flows.installation import Installation

RECORD = "mutation($events: [OperationalEventInput!]!) { recordEvents(events: $events) { accepted rejected { message } } }"
WITHIN_SEC = 30


async def test_what_becomes_true_is_an_alert_within_thirty_seconds(
    installation: Installation, figure: Callable[[str], None]
) -> None:
    root = installation.person()
    await root.ask(CREATE_TENANT, id="acme", name="Acme")
    async with root.subscribe(EVENTS, filter={"ruleKeys": ["sync_lag_high", "payment_failure_rate"]}) as stream:
        began = time.monotonic()
        await root.ask(BEAT, input={"tenantId": "acme", "deviceId": "till-1", "syncLagSec": 143})
        failed = {"tenantId": "acme", "storeId": "north", "kind": "PAYMENT", "outcome": "FAILURE", "count": 20}
        assert (await root.ask(RECORD, events=[failed]))["recordEvents"] == {"accepted": 1, "rejected": []}
        async with asyncio.timeout(WITHIN_SEC):
            opened = [one["alertEvents"] for one in await stream.take(2, seconds=WITHIN_SEC)]
        took = time.monotonic() - began
    figure(f"a gauge and a ratio were alerts {took:.1f} s after they became bad (bound {WITHIN_SEC})")
    assert {(one["type"], one["alert"]["ruleKey"], one["alert"]["subjectId"]) for one in opened} == {
        ("OPENED", "sync_lag_high", "till-1"),
        ("OPENED", "payment_failure_rate", "north"),
    }
