"""Configuration as code on the wire."""

import strawberry
from strawberry import ID

from app import config_exchange
from app.domain.config_document import Change
from app.domain.rule_trials import run_tests
from schema.context import Info
from schema.scalars import JSON


@strawberry.type
class ConfigChange:
    kind: str = strawberry.field(description="threshold, rule or override")
    key: str
    action: str = strawberry.field(description="create, update or delete")
    before: JSON | None
    after: JSON | None


@strawberry.type(description="With errors, nothing was written, and there are no changes.")
class ConfigImport:
    dry_run: bool
    changes: list[ConfigChange]
    errors: list[str]


@strawberry.type
class ConfigQuery:
    @strawberry.field
    async def export_config(self, info: Info, tenant_id: ID | None = None) -> str:
        return await config_exchange.export_config(info.context.context, info.context.principal, tenant_id)


@strawberry.type
class ConfigMutation:
    @strawberry.mutation
    async def import_config(
        self, info: Info, document: str, tenant_id: ID | None = None, dry_run: bool | None = True
    ) -> ConfigImport:
        context, principal = info.context.context, info.context.principal
        done = await config_exchange.import_config(
            context, principal, tenant_id, document, dry_run=dry_run is not False, check=run_tests
        )
        return ConfigImport(dry_run=done.dry_run, changes=[_change(change) for change in done.changes], errors=list(done.errors))


def _change(change: Change) -> ConfigChange:
    return ConfigChange(
        kind=change.kind,
        key=change.key,
        action=change.action,
        before=None if change.before is None else JSON(change.before),
        after=None if change.after is None else JSON(change.after),
    )
