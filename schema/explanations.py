"""Why an alert is as it is and why a rule does or does not fire, on the wire."""

from datetime import datetime

import strawberry
from strawberry import ID

from app import explain
from app.domain import explanation as domain
from schema.context import Info
from schema.scalars import JSON


@strawberry.type
class ExplanationStep:
    at: datetime
    stage: str
    outcome: str
    reason: str
    detail: JSON | None


@strawberry.type
class PlannedStep:
    at: datetime
    what: str


@strawberry.type
class Explanation:
    summary: str
    steps: list[ExplanationStep]
    next: list[PlannedStep]


@strawberry.type
class ExplanationQuery:
    @strawberry.field
    async def explain_alert(self, info: Info, id: ID, user_id: ID | None = None) -> Explanation:  # noqa: A002
        return _explanation(await explain.explain_alert(info.context.context, info.context.principal, id, user_id))

    @strawberry.field
    async def explain_rule(self, info: Info, rule_id: ID, device_id: ID, tenant_id: ID | None = None) -> Explanation:
        context, principal = info.context.context, info.context.principal
        return _explanation(await explain.explain_rule(context, principal, rule_id, device_id, tenant_id))


def _explanation(found: domain.Explanation) -> Explanation:
    return Explanation(
        summary=found.summary,
        steps=[
            ExplanationStep(
                at=one.at,
                stage=one.stage,
                outcome=one.outcome,
                reason=one.reason,
                detail=JSON(one.detail) if one.detail else None,
            )
            for one in found.steps
        ],
        next=[PlannedStep(at=one.at, what=one.what) for one in found.next],
    )
