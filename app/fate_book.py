"""What one pass of a sweep knows of groups: read once, though many of their devices fall in it."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from app.context import Context
from app.domain.alert import Alert
from app.domain.fate import HOLD, FateThresholds, Group, Standing, groups_of, hold_until, thresholds_of
from app.domain.ids import lane_of
from app.domain.rule import AbsenceCondition, Rule
from app.domain.subject import SubjectKind
from app.domain.tenant import Tenant, only
from app.store.siblings import Explained
from app.tenants import offline_after

_EXPLAINED_BY = {
    SubjectKind.STORE: (SubjectKind.VERSION,),
    SubjectKind.GATEWAY: (SubjectKind.STORE, SubjectKind.VERSION),
    SubjectKind.VERSION: (SubjectKind.STORE, SubjectKind.GATEWAY),
}
"""Whose fall explains that of a device, so that it does not count for a group of this kind. A store takes over from a gateway."""

LONGEST_COOLDOWN = timedelta(days=7)


class FateBook:
    """Remembers for one pass alone. What it says is good enough to hold a telling; a parent is decided in a transaction."""

    def __init__(self, context: Context, gap_end: datetime) -> None:
        self._context = context
        self.gap_end = gap_end
        self._tenants: dict[str, Tenant | None] = {}
        self._parents: dict[str, list[Alert]] = {}
        self._standings: dict[tuple[Group, str], Standing] = {}
        self._silent: dict[tuple[int, int | None, float], Counter[Group]] = {}
        self._may_have_fallen: dict[tuple[Group, str, float], bool] = {}

    async def thresholds(self, tenant_id: str) -> FateThresholds:
        if tenant_id not in self._tenants:
            self._tenants |= {tenant_id: None, **await self._context.store.tenants.get_many([tenant_id])}
        tenant = self._tenants[tenant_id]
        return FateThresholds() if tenant is None else thresholds_of(tenant)

    async def has_parent(self, rule: Rule, group: Group) -> bool:
        """Also one that a person ended: that holds for the rule's cooldown."""
        return group.id in (await self._parents_of(group.tenant_id, rule)).get(group.kind, ())

    async def explained(self, rule: Rule, group: Group) -> Explained:
        """The groups of other kinds whose devices another parent of the rule speaks for."""
        live = await self._parents_of(group.tenant_id, rule)
        return {kind: live[kind] for kind in _EXPLAINED_BY[group.kind] if kind in live}

    async def standing(self, rule: Rule, group: Group, now: datetime) -> Standing:
        key = group, rule.key
        if key not in self._standings:
            explained = await self.explained(rule, group)
            self._standings[key] = await self._context.store.siblings.standing(
                group, own_after(rule), self.gap_end, now, explained=explained
            )
        return self._standings[key]

    async def set_aside(self, parent: Alert) -> None:
        """It explains nothing any more."""
        there = await self._all_parents_of(parent.tenant_id)
        self._parents[parent.tenant_id] = [one for one in there if one.id != parent.id]

    async def read_up(self, asked: Iterable[tuple[Rule, Alert]], now: datetime) -> None:
        """Reads together what `hold` would read for each of these alerts."""
        wanted = {(group, rule.key): (rule, alert.threshold or 0.0) for rule, alert in asked for group in groups_of(alert)}
        unknown: list[tuple[Rule, Group, float]] = []
        for (group, key), (rule, after) in wanted.items():
            if (group, key) not in self._standings and not await self.has_parent(rule, group):
                await self.thresholds(group.tenant_id)
                await self._silent_in_lane(rule, group.tenant_id, after, now)
                unknown.append((rule, group, after))
        may_fall = await asyncio.gather(*(self._may_fall(*one, now) for one in unknown))
        suspect: dict[tuple[str, str, SubjectKind], list[tuple[Rule, Group]]] = {}
        for (rule, group, _), it_may in zip(unknown, may_fall, strict=True):
            if it_may:
                suspect.setdefault((rule.key, group.tenant_id, group.kind), []).append((rule, group))
        for pairs in suspect.values():
            rule, groups = pairs[0][0], [group for _, group in pairs]
            explained = await self.explained(rule, groups[0])
            found = await self._context.store.siblings.standings(groups, own_after(rule), self.gap_end, now, explained=explained)
            self._standings |= {(group, rule.key): standing for group, standing in found.items()}

    async def hold(self, rule: Rule, alert: Alert, after: float, now: datetime) -> datetime | None:
        """Until when the telling of an alert waits, whose subject was missed after so many seconds of silence."""
        thresholds = await self.thresholds(alert.tenant_id)
        ends: list[datetime] = []
        for group in groups_of(alert):
            if await self.has_parent(rule, group):
                ends.append(now + HOLD)
            elif await self._may_fall(rule, group, after, now):
                standing = await self.standing(rule, group, now)
                until = hold_until(group, standing, thresholds, after, alert.first_seen, now)
                ends += [] if until is None else [until]
        return max(ends, default=None)

    async def _may_fall(self, rule: Rule, group: Group, after: float, now: datetime) -> bool:
        """Whether so many of a group are silent that it is worth to count how it stands: it may be a hundred thousand devices.

        Reads as many devices as are silent, however many there are.
        """
        key = group, rule.key, after
        if key not in self._may_have_fallen:
            self._may_have_fallen[key] = await self._are_many_silent(rule, group, after, now)
        return self._may_have_fallen[key]

    async def _are_many_silent(self, rule: Rule, group: Group, after: float, now: datetime) -> bool:
        thresholds = await self.thresholds(group.tenant_id)
        silent = (await self._silent_in_lane(rule, group.tenant_id, after, now))[group]
        if silent < thresholds.min:
            return False
        if not thresholds.ratio:
            return True
        # With so many that are well, the silent ones are less than the share that is asked for.
        enough = int(silent * (1 - thresholds.ratio) / thresholds.ratio + 1e-9) + 1
        return await self._context.store.siblings.count_well(group, own_after(rule), now, enough) < enough

    async def _silent_in_lane(self, rule: Rule, tenant_id: str, after: float, now: datetime) -> Counter[Group]:
        lane, own = lane_of(tenant_id), own_after(rule)
        # Tenants of one lane differ in their usual time: what was counted for a short one misses what is silent for a long one.
        longest = after if own is not None else max(after, await self._usual_after(tenant_id))
        key = lane, own, longest
        if key not in self._silent:
            until = now + timedelta(seconds=longest / 2)
            self._silent[key] = await self._context.store.siblings.silent(lane, own, until, now)
        return self._silent[key]

    async def _usual_after(self, tenant_id: str) -> float:
        tenant = self._tenants.get(tenant_id)
        return 0.0 if tenant is None else await offline_after(self._context, tenant)

    async def _parents_of(self, tenant_id: str, rule: Rule) -> Mapping[SubjectKind, list[str]]:
        now = self._context.clock.now()
        found: dict[SubjectKind, list[str]] = {}
        for parent in await self._all_parents_of(tenant_id):
            ended = parent.resolved_at
            if parent.rule_key == rule.key and (ended is None or ended > now - timedelta(seconds=rule.cooldown_sec)):
                found.setdefault(parent.subject_kind, []).append(parent.subject_id)
        return found

    async def _all_parents_of(self, tenant_id: str) -> list[Alert]:
        if tenant_id not in self._parents:
            ended_after = self._context.clock.now() - LONGEST_COOLDOWN
            self._parents[tenant_id] = await self._context.store.folds.parents(only(tenant_id), ended_after)
        return self._parents[tenant_id]


def own_after(rule: Rule) -> int | None:
    """An absence rule's own seconds; None where it takes each device's."""
    return rule.condition.after_sec if isinstance(rule.condition, AbsenceCondition) else None
