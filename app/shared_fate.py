"""Folding alerts of devices that share a fate under one parent, and ending the parent when the group is back.

Each group is settled in a transaction of its lane: who is folded under whom is decided on what is then there, so any number
of workers, and a sweep that was killed half way, come to the same.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from app.context import Context
from app.domain import lifecycle
from app.domain.alert import Alert, AlertEventType, Change, Resolution, device_of
from app.domain.conditions.absence import absence_deadline
from app.domain.fate import PRECEDENCE, Group, back, decide, groups_of, window_of
from app.domain.ids import lane_of, new_id
from app.domain.parent import group_of, open_parent, recount
from app.domain.rule import AbsenceCondition, Rule
from app.domain.silence import GAP
from app.domain.tenant import EVERY_TENANT, Scope
from app.fate_book import FateBook, own_after
from app.rules import effective_rules
from app.store.mongo import Session
from app.transitions import Writes, transact

MOST_AT_ONCE = 500
"""Most alerts that one transaction folds."""

Rules = dict[tuple[str, str], Rule]
"""Absence rules that are on, by tenant and key."""


async def share_fates(context: Context, scope: Scope, gap_end: datetime) -> int:
    """Folds what is held and shares a fate; how many alerts were folded."""
    held = await context.store.folds.held(scope, context.clock.now())
    if not held:
        return 0
    rules = await _absence_rules(context, {alert.tenant_id for alert in held})
    folded: set[str] = set()
    for kind in PRECEDENCE:
        book = FateBook(context, gap_end)
        for (rule_key, group), news in _by_group(alert for alert in held if alert.id not in folded).items():
            rule = rules.get((group.tenant_id, rule_key))
            if group.kind is kind and rule is not None:
                folded |= await _settle(context, book, rule, group, news)
    return len(folded)


async def mend_fates(context: Context, scope: Scope) -> int:
    """Ends the parents whose groups are back, and counts those that are not; how many were looked at.

    Nobody is judged while no intake writes.
    """
    signs = await context.store.intakes.signs()
    if signs is None or context.clock.now() - signs.alive_at > GAP:
        return 0
    await share_fates(context, scope, signs.gap_end)
    parents = {parent.id: parent for parent in await context.store.folds.parents(scope, context.clock.now())}
    # A person may have ended a parent whose members are still down.
    others = [one for one in await context.store.folds.parent_ids_with_live_children(scope) if one not in parents]
    parents |= await context.store.alerts.get_many(scope, others) if others else {}
    rules = await _absence_rules(context, {parent.tenant_id for parent in parents.values()}) if parents else {}
    unfolded = 0
    for parent in parents.values():
        book = FateBook(context, signs.gap_end)
        unfolded += await _mend(context, book, rules.get((parent.tenant_id, parent.rule_key)), parent)
    if unfolded:
        # What is on its own again may share the fate of a smaller group.
        await share_fates(context, scope, signs.gap_end)
    return len(parents)


async def _settle(context: Context, book: FateBook, rule: Rule, group: Group, news: Sequence[Alert]) -> set[str]:
    """Opens the parent of a group if it shares a fate, and folds its alerts under it; which ones."""
    thresholds = await book.thresholds(group.tenant_id)
    after = max(alert.threshold or 0.0 for alert in news)
    window = window_of(after)
    deadlines = [alert.first_seen for alert in news]
    explained = await book.explained(rule, group)
    if not await book.has_parent(rule, group):
        # No transaction for those that are merely suspect.
        fate = decide(group, await book.standing(rule, group, context.clock.now()), thresholds, window, deadlines)
        if fate is None or not fate.shared:
            return set()

    async def parent_of(session: Session, now: datetime) -> Change | Alert | None:
        ended_after = now - timedelta(seconds=rule.cooldown_sec)
        parent = await context.store.folds.parent(rule.key, group, ended_after, session)
        if parent is not None:
            return parent
        standing = await context.store.siblings.standing(
            group, own_after(rule), book.gap_end, now, explained=explained, session=session
        )
        fate = decide(group, standing, thresholds, window, deadlines)
        if fate is None or not fate.shared:
            return None
        opened = open_parent(new_id(now), rule, group, fate, now)
        return lifecycle.held(opened, await book.hold(rule, opened.after, after, now))

    async def work(session: Session) -> Writes:
        now = context.clock.now()
        found = await parent_of(session, now)
        if found is None:
            return Writes()
        opened = [found] if isinstance(found, Change) else []
        parent = found.after if isinstance(found, Change) else found
        members = await context.store.folds.foldable(rule.key, group, parent.first_seen, MOST_AT_ONCE, session)
        return Writes(changes=[*opened, *(lifecycle.fold(alert, parent, now) for alert in members)])

    folded: set[str] = set()
    while True:
        events = await transact(context, lane_of(group.tenant_id), work)
        moved = {event.alert_id for event in events if event.type is AlertEventType.GROUPED}
        folded |= moved
        if len(moved) < MOST_AT_ONCE:
            return folded


async def _mend(context: Context, book: FateBook, rule: Rule | None, parent: Alert) -> int:
    """Looks whether the group of a parent is back; how many alerts are on their own again."""
    group = group_of(parent)
    thresholds = await book.thresholds(group.tenant_id)
    await book.set_aside(parent)

    async def work(session: Session) -> Writes:
        now = context.clock.now()
        there = (await context.store.alerts.get_many(EVERY_TENANT, [parent.id], session=session)).get(parent.id)
        if there is None:
            return Writes()
        children = await context.store.folds.live_children(there, MOST_AT_ONCE, session)
        if rule is None:
            return Writes(changes=_ended(there, "the rule is off or gone", Resolution.RULE_CHANGED, now))
        standing = await context.store.siblings.standing(group, own_after(rule), book.gap_end, now, session=session)
        after = max((child.threshold or 0.0 for child in children), default=0.0)
        reason = back(group, standing, thresholds, window_of(after), there.first_seen, now)
        if reason is None or (there.live and not rule.auto_resolve):
            missing = sum(one.count for one in standing.fallen if one.last >= there.first_seen)
            counted = recount(there, missing, standing.total, now) if there.live else None
            return Writes(changes=[] if counted is None else [counted])
        down = await _still_down(context, rule, children, book.gap_end, now, session)
        why = f"{group.name} is back; this one is not"
        # What a person ended is not begun again under another name.
        holds = [await book.hold(rule, child, after, now) if there.live else None for child in down]
        unfolded = [lifecycle.unfold(child, why, until, now) for child, until in zip(down, holds, strict=True)]
        return Writes(changes=[*_ended(there, reason, Resolution.RECOVERED, now), *unfolded])

    count = 0
    while True:
        events = await transact(context, lane_of(group.tenant_id), work)
        count += sum(1 for event in events if event.type is AlertEventType.UNGROUPED)
        if len(events) < MOST_AT_ONCE:
            return count


def _ended(parent: Alert, reason: str, kind: Resolution, now: datetime) -> list[Change]:
    return [lifecycle.resolve(parent, None, reason, kind, now)] if parent.live else []


async def _still_down(
    context: Context, rule: Rule, children: Sequence[Alert], gap_end: datetime, now: datetime, session: Session
) -> list[Alert]:
    """Those whose subject is still missed; the others end by themselves, and nobody needs to hear of them."""
    keys = [key for child in children if (key := device_of(child)) is not None]
    devices = await context.store.connectivity.get_many(keys, session)
    condition = rule.condition
    if not isinstance(condition, AbsenceCondition):
        return []

    def is_down(child: Alert) -> bool:
        key = device_of(child)
        if key is None:
            return True
        bound = absence_deadline(condition, devices[key], gap_end) if key in devices else None
        return bound is not None and bound <= now

    return [child for child in children if is_down(child)]


def _by_group(alerts: Iterable[Alert]) -> dict[tuple[str, Group], list[Alert]]:
    found: dict[tuple[str, Group], list[Alert]] = {}
    for alert in alerts:
        for group in groups_of(alert):
            found.setdefault((alert.rule_key, group), []).append(alert)
    return found


async def _absence_rules(context: Context, tenant_ids: Iterable[str]) -> Rules:
    tenants = await context.store.tenants.get_many(tenant_ids)
    by_tenant = await effective_rules(context, list(tenants.values()))
    return {
        (tenant_id, rule.key): rule
        for tenant_id, rules in by_tenant.items()
        for rule in rules
        if rule.enabled and isinstance(rule.condition, AbsenceCondition)
    }
