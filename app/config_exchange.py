"""Configuration as code: a tenant's thresholds, rules and overrides as one document, out and in again, whole or not at all."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from app.audit import audit_entry
from app.config_yaml import read_yaml, write_yaml
from app.context import Context
from app.domain.config_document import THRESHOLDS, Change, Config, read_config, threshold_changes, write_config
from app.domain.config_plan import Book, rule_changes, wanted_rules
from app.domain.faults import Faults
from app.domain.plain import wire_name
from app.domain.rule import Rule
from app.domain.rule_tests import Check
from app.domain.tenant import AuditEntry, Role, Tenant, only
from app.errors import ConflictError, FieldError, NotFoundError
from app.evaluation import refresh_wake_ups, withdraw_rule
from app.principal import Principal, write_tenant
from app.rule_following import end_outlived
from app.rule_overrides import next_version
from app.rules import rules_as_kept
from app.store.mongo import Session, is_duplicate
from app.tenant_changes import check_settings
from app.tenants import known_tenant

MOST_ERRORS = 1_000

_ACTIONS = {
    ("rule", "create"): "rule.create",
    ("rule", "update"): "rule.update",
    ("rule", "delete"): "rule.delete",
    ("override", "create"): "rule.override",
    ("override", "update"): "rule.override",
    ("override", "delete"): "rule.delete",
}


@dataclass(frozen=True, slots=True)
class Import:
    """What an import changes, or would change; with errors, nothing."""

    dry_run: bool
    changes: Sequence[Change] = ()
    errors: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Order:
    """Who wants which document for which tenant."""

    principal: Principal
    tenant_id: str
    config: Config


@dataclass(frozen=True, slots=True)
class _Plan:
    """The rules as they would be, and the changes, against what they were found against. With faults, there are no changes."""

    tenant: Tenant
    book: Book
    wanted: Mapping[str, Rule]
    changes: Sequence[Change]
    faults: Faults


async def export_config(context: Context, principal: Principal, tenant_id: str | None) -> str:
    """The tenant's document, which says nothing new when it is imported again."""
    tenant = await known_tenant(context, write_tenant(principal, tenant_id, Role.ADMIN))
    own, _ = rules_as_kept(context, await context.store.rules.applying([tenant.id]), tenant)
    return await asyncio.to_thread(write_yaml, write_config(tenant, own.values()))


async def import_config(
    context: Context,
    principal: Principal,
    tenant_id: str | None,
    document: str,
    *,
    dry_run: bool = True,
    check: Check | None = None,
) -> Import:
    """Brings the tenant to what the document says, in one transaction; a dry run says what that would change.

    `check` runs the tests that rules bring along; without it a document with tests is refused.
    """
    tenant_id = write_tenant(principal, tenant_id, Role.ADMIN)
    await known_tenant(context, tenant_id)
    faults = Faults()
    plain = await asyncio.to_thread(read_yaml, document, faults)
    if faults.found:
        return _refused(dry_run, faults.found)
    order = _Order(principal, tenant_id, read_config(plain, faults))
    plan = await _planned(context, order)
    errors = [*faults.found, *plan.faults.found]
    errors += [] if errors else await asyncio.to_thread(_run_tests, order.config, plan.wanted, check)
    if errors or dry_run:
        return _outcome(dry_run, plan, errors)
    try:
        done = await context.mongo.transaction(lambda session: _apply(context, order, session))
    except Exception as error:
        if is_duplicate(error):
            raise ConflictError("a rule of the same key was made meanwhile: try again") from error
        raise
    if not done.faults.found:
        await _follow(context, done)
    return _outcome(dry_run, done, done.faults.found)


async def _planned(context: Context, order: _Order, session: Session | None = None) -> _Plan:
    tenant = await context.store.tenants.get(order.tenant_id, session)
    if tenant is None:
        raise NotFoundError(f"tenant {order.tenant_id!r} is gone")
    kept = await context.store.rules.applying([tenant.id], session=session)
    own, defaults = rules_as_kept(context, kept, tenant)
    channels = frozenset(channel.id for channel in await context.store.channels.shared(only(tenant.id), session))
    book = Book(tenant_id=tenant.id, now=context.clock.now(), own=own, defaults=defaults, channel_ids=channels)
    faults = Faults()
    settings = {name: value for name, value in (order.config.thresholds or {}).items() if value is not None}
    check_settings(settings, "thresholds", faults)
    wanted = wanted_rules(order.config, book, faults)
    changes = [*threshold_changes(order.config, tenant), *rule_changes(order.config, book, wanted)]
    return _Plan(tenant, book, wanted, [] if faults.found else changes, faults)


def _run_tests(config: Config, wanted: Mapping[str, Rule], check: Check | None) -> list[FieldError]:
    errors: list[FieldError] = []
    for one in config.rules or ():
        if one.tests and check is None:
            errors.append(FieldError(f"{one.path}.tests", "tests cannot be run yet"))
        elif one.tests and check is not None:
            errors += [FieldError(f"{one.path}.tests", said) for said in check(wanted[one.key], one.tests)]
    return errors


async def _apply(context: Context, order: _Order, session: Session) -> _Plan:
    """Writes all of it, against what is there now."""
    plan = await _planned(context, order, session)
    by = order.principal
    for change in plan.changes:
        if change.was is not None and change.wanted is None:
            await context.store.rules.delete(change.was, session=session)
        elif change.was is not None and change.wanted is not None:
            moved = next_version(context, by, change.was, change.wanted)
            await context.store.rules.replace(moved, change.was.version, session)
    made = [change.wanted for change in plan.changes if change.was is None and change.wanted is not None]
    await context.store.rules.insert_all([msgspec.structs.replace(rule, updated_by=by.id) for rule in made], session)
    settings = {change.key: change.after for change in plan.changes if change.kind == "threshold"}
    if settings:
        named = {name: settings[wire_name(name)] for name in THRESHOLDS if wire_name(name) in settings}
        await context.store.tenants.change(order.tenant_id, named, session)
    await context.store.audit.insert(list(_audited(context, order, plan)), session)
    return plan


def _audited(context: Context, order: _Order, plan: _Plan) -> Iterator[AuditEntry]:
    settings = [change for change in plan.changes if change.kind == "threshold"]
    if settings:
        before = {change.key: change.before for change in settings}
        after = {change.key: change.after for change in settings}
        target = f"tenant:{order.tenant_id}"
        yield audit_entry(context, order.principal, order.tenant_id, "tenant.update", target, before, after)
    for change in plan.changes:
        if change.kind != "threshold":
            action = _ACTIONS[change.kind, change.action]
            target = f"rule:{change.key}"
            yield audit_entry(context, order.principal, order.tenant_id, action, target, change.was, change.wanted)


async def _follow(context: Context, plan: _Plan) -> None:
    """After the commit: ends what is live of rules that would not open it any more, and wakes the devices by the new ones."""
    scope = only(plan.tenant.id)
    after = {**plan.book.defaults, **plan.book.own}
    for change in plan.changes:
        after.pop(change.key, None)
        if change.wanted is None and change.key in plan.book.defaults:
            after[change.key] = plan.book.defaults[change.key]
        elif change.wanted is not None:
            after[change.key] = change.wanted
    for key in {change.key for change in plan.changes if change.kind != "threshold"}:
        was = plan.book.own.get(key) or plan.book.defaults.get(key)
        if key not in after:
            await withdraw_rule(context, scope, key, "the rule was deleted")
        else:
            await end_outlived(context, was or after[key], after[key], scope)
    # Also where nothing changed: what a crash left undone after an import is done by importing again.
    await refresh_wake_ups(context, scope)


def _outcome(dry_run: bool, plan: _Plan, errors: Sequence[FieldError]) -> Import:
    if not errors:
        return Import(dry_run, plan.changes)
    return _refused(dry_run, errors)


def _refused(dry_run: bool, errors: Sequence[FieldError]) -> Import:
    said = [f"{error.path}: {error.message}" for error in errors[:MOST_ERRORS]]
    if len(errors) > MOST_ERRORS:
        said.append(f"and {len(errors) - MOST_ERRORS:,} more")
    return Import(dry_run, errors=said)
