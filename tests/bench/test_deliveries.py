"""The bench of deliveries counts rightly what was lost, repeated, or came under another key."""

from typing import Any

from app.domain.delivery import Delivery, DeliveryStatus
from bench.deliveries.__main__ import bounds_broken
from bench.deliveries.measures import Chaos, judged
from bench.deliveries.receivers import Receipt
from tests.cast import NOW


def delivery(number: int, status: DeliveryStatus = DeliveryStatus.SENT) -> Delivery:
    return Delivery(
        id=f"key-{number}",
        tenant_id="acme",
        lane=0,
        seq=number,
        event="alert.opened",
        channel_id=f"webhook-acme-{number}",
        recipient="pager",
        reason="every enabled channel of the tenant is told",
        status=status,
        created_at=NOW,
        expire_at=NOW,
        alert_id="alert-1",
    )


def receipt(number: int, **values: Any) -> Receipt:
    given = {
        "at": 0.0,
        "kind": "webhook",
        "where": f"acme-{number}",
        "alerts": ("alert-1",),
        "key": f"key-{number}",
        "taken": True,
    }
    return Receipt(**{**given, **values})


def result(*receipts: Receipt, status: DeliveryStatus = DeliveryStatus.SENT) -> Chaos:
    return judged([delivery(1, status), delivery(2)], receipts, 0, {}, 1.0)


def test_what_was_received_once_or_again_with_its_own_key_is_clean() -> None:
    found = result(receipt(1, taken=False), receipt(1), receipt(2), receipt(2))
    assert (found.lost, found.repeated, found.other_key) == (0, 1, 0)
    assert bounds_broken(found) == []


def test_what_was_only_refused_or_never_came_is_lost() -> None:
    found = result(receipt(1, taken=False), receipt(1, alerts=("alert-2",)))
    assert found.lost == 2
    assert bounds_broken(found) == ["2 lost, 0 with another key, Counter({'SENT': 2})"]


def test_another_key_and_a_delivery_that_was_given_up_are_seen() -> None:
    found = result(receipt(1), receipt(2, key="another"), status=DeliveryStatus.DEAD)
    assert (found.lost, found.other_key, found.statuses) == (0, 1, {"DEAD": 1, "SENT": 1})
    assert bounds_broken(found) != []
