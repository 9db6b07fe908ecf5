"""Alerts that reach nobody: their record says so, and the admins of their tenant are told inside Fleetbeat."""

from collections.abc import Sequence

import structlog

from app.context import Context
from app.domain.alert import AlertEvent, Severity
from app.notifications import Notice, tell_admins

_log = structlog.get_logger(__name__)


async def tell_of_unheard(context: Context, events: Sequence[AlertEvent]) -> None:
    """Once an hour for each tenant. The alerts are written by now: what fails here is said and nothing else."""
    unheard: dict[str, AlertEvent] = {}
    for event in events:
        if "nobody" in (event.detail or {}):
            unheard.setdefault(event.tenant_id, event)
    for tenant_id, event in unheard.items():
        why = (event.detail or {})["nobody"]
        notice = Notice(
            key=f"unheard-{context.clock.now():%Y%m%d%H}",
            title="An alert reaches nobody",
            body=f"{event.alert.title}: {why}. This is told once an hour; the timeline of each alert says who was told.",
            severity=Severity.HIGH,
            alert_id=event.alert_id,
        )
        try:
            await tell_admins(context, tenant_id, notice)
        except Exception as error:  # noqa: BLE001 - the alert itself is safe
            _log.warning("unheard.not_told", tenant=tenant_id, error=type(error).__name__)
