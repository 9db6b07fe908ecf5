"""What people do with alerts, on the wire."""

from datetime import datetime

import strawberry
from strawberry import ID

from app import alert_actions
from app.acting import ActionResult
from app.domain.alert import Resolution
from app.errors import ErrorCode
from schema.alerts import Alert, alert
from schema.context import Info


@strawberry.type
class AlertActionResult:
    id: ID
    alert: Alert | None
    code: ErrorCode | None = strawberry.field(description="null where it worked")
    message: str | None


@strawberry.type
class AlertMutation:
    @strawberry.mutation
    async def acknowledge_alert(
        self,
        info: Info,
        id: ID,  # noqa: A002
        note: str | None = None,
        until: datetime | None = None,
        version: int | None = None,
    ) -> Alert:
        return alert(
            await alert_actions.acknowledge_alert(info.context.context, info.context.principal, id, note, until, version)
        )

    @strawberry.mutation
    async def unacknowledge_alert(self, info: Info, id: ID, version: int | None = None) -> Alert:  # noqa: A002
        return alert(await alert_actions.unacknowledge_alert(info.context.context, info.context.principal, id, version))

    @strawberry.mutation
    async def resolve_alert(
        self,
        info: Info,
        id: ID,  # noqa: A002
        reason: str,
        kind: Resolution | None = Resolution.MANUAL,
        version: int | None = None,
    ) -> Alert:
        how = kind or Resolution.MANUAL
        return alert(await alert_actions.resolve_alert(info.context.context, info.context.principal, id, reason, how, version))

    @strawberry.mutation
    async def reopen_alert(self, info: Info, id: ID, reason: str, version: int | None = None) -> Alert:  # noqa: A002
        return alert(await alert_actions.reopen_alert(info.context.context, info.context.principal, id, reason, version))

    @strawberry.mutation
    async def assign_alert(
        self,
        info: Info,
        id: ID,  # noqa: A002
        assignee: str | None = None,
        version: int | None = None,
    ) -> Alert:
        return alert(await alert_actions.assign_alert(info.context.context, info.context.principal, id, assignee, version))

    @strawberry.mutation
    async def comment_alert(self, info: Info, id: ID, text: str) -> Alert:  # noqa: A002
        return alert(await alert_actions.comment_alert(info.context.context, info.context.principal, id, text))

    @strawberry.mutation
    async def acknowledge_alerts(self, info: Info, ids: list[ID], note: str | None = None) -> list[AlertActionResult]:
        results = await alert_actions.acknowledge_alerts(info.context.context, info.context.principal, ids, note)
        return [_result(one) for one in results]

    @strawberry.mutation
    async def resolve_alerts(
        self, info: Info, ids: list[ID], reason: str, kind: Resolution | None = Resolution.MANUAL
    ) -> list[AlertActionResult]:
        how = kind or Resolution.MANUAL
        results = await alert_actions.resolve_alerts(info.context.context, info.context.principal, ids, reason, how)
        return [_result(one) for one in results]


def _result(result: ActionResult) -> AlertActionResult:
    shown = None if result.alert is None else alert(result.alert)
    return AlertActionResult(id=ID(result.id), alert=shown, code=result.code, message=result.message)
