"""One look of the rule tick at a lane: what it works with, read once."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import structlog

from app.context import Context
from app.domain.device import Device
from app.domain.failing import PREFIX, failing_key, failing_rule, observe_failure, observe_success
from app.domain.judgement import Sighting
from app.domain.rule import Condition, Rule, RuleState, state_id
from app.domain.stages import Around
from app.domain.subject import SubjectKind, of_tenant
from app.domain.tenant import Tenant, most_alerts_per_hour
from app.domain.windows import LaneWindows
from app.rules import effective_rules

Kind = TypeVar("Kind", bound=Condition)
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Look:
    """What came in (after, now], what is remembered, and the rules of the tenants that it turns out to be about.

    `last` is when the lane was last looked at, and `since` a little before that, however long ago it was: what is counted or
    kept as a state is never too old.
    """

    context: Context
    lane: int
    last: datetime
    since: datetime
    after: datetime
    now: datetime
    states: dict[str, RuleState]
    windows: LaneWindows = field(default_factory=LaneWindows)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    rules: dict[str, list[Rule]] = field(default_factory=dict)
    failures: dict[tuple[str, str], tuple[Rule, str]] = field(default_factory=dict)
    """By tenant and key: the rules that failed in this look, and how."""

    evaluated: set[tuple[str, str]] = field(default_factory=set)
    """By tenant and key: the rules that saw something in this look."""

    async def learn(self, tenant_ids: Iterable[str]) -> None:
        """Reads tenants and their enabled rules, each once in a look."""
        missing = sorted(set(tenant_ids) - self.tenants.keys())
        if not missing:
            return
        found = await self.context.store.tenants.get_many(missing)
        self.tenants.update(found)
        rules = await effective_rules(self.context, list(found.values()))
        self.rules.update({tenant_id: [rule for rule in of_one if rule.enabled] for tenant_id, of_one in rules.items()})

    def rules_with(self, tenant_id: str, kind: type[Kind]) -> list[tuple[Rule, Kind]]:
        """A tenant's enabled rules of a family, with their conditions."""
        return [(rule, rule.condition) for rule in self.rules.get(tenant_id, ()) if isinstance(rule.condition, kind)]

    def due(self, *families: str) -> list[RuleState]:
        """The states whose time has come, and those that change as their window empties."""
        mine = (state for state in self.states.values() if state.family in families)
        return [state for state in mine if state.windowed or (state.next_due is not None and state.next_due <= self.now)]

    def is_overdue(self, before: datetime) -> bool:
        """Whether anything that is remembered should have been looked at by then."""
        return any(state.next_due is not None and state.next_due < before for state in self.states.values())

    def around(self, tenant_id: str, rule: Rule, device: Device | None = None) -> Around:
        """What holds around a subject of a rule."""
        most = most_alerts_per_hour(rule, self.tenants[tenant_id])
        return Around(most_per_hour=most, silent_after=None if device is None else device.offline_after)

    def heard_at(self, rule: Rule, device: Device) -> datetime | None:
        """When a rule that minds silence last heard a value of the device."""
        state = self.states.get(state_id(device.tenant_id, rule.key, SubjectKind.DEVICE, device.device_id))
        return None if state is None else state.heard_at

    async def guarded(
        self, tenant_id: str, rule: Rule, work: Callable[[], Coroutine[Any, Any, Sequence[Sighting]]]
    ) -> Sequence[Sighting]:
        """What a rule sees; nothing where it fails. A rule that fails never stops the others, and what the database throws is
        not the rule's."""
        try:
            return await work()
        except (ValueError, ArithmeticError, LookupError, TypeError) as error:
            _log.exception("rule.failed", rule=rule.key, tenant=tenant_id)
            self.failures[tenant_id, rule.key] = rule, f"{type(error).__name__}: {error}"
            return []

    async def failure_sightings(self) -> list[Sighting]:
        """Notes what failed, and sees the rules that failed and those that did so before and were evaluated now."""
        for rule, error in {rule.id: (rule, error) for rule, error in self.failures.values()}.values():
            await self.context.store.rules.note_error(rule.id, error)
        sightings = [
            Sighting(failing_rule(rule), of_tenant(tenant_id), [observe_failure(rule, error, self.now)])
            for (tenant_id, _), (rule, error) in self.failures.items()
        ]
        tenants = {tenant_id for tenant_id, _ in self.evaluated}
        remembered = await self.context.store.rule_states.of_prefix(tenants, PREFIX) if tenants else []
        failed_before = {(state.tenant_id, key) for state in remembered if (key := failing_key(state.rule_key)) is not None}
        for tenant_id, key in sorted(failed_before & self.evaluated - self.failures.keys()):
            rule = next(rule for rule in self.rules[tenant_id] if rule.key == key)
            sightings.append(Sighting(failing_rule(rule), of_tenant(tenant_id), [observe_success(rule, self.now)]))
        return sightings
