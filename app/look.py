"""One look of the rule tick at a lane: what it works with, read once."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import structlog

from app.context import Context
from app.domain.device import Device
from app.domain.judgement import Sighting
from app.domain.rule import Condition, Rule, RuleState, state_id
from app.domain.stages import Around
from app.domain.subject import SubjectKind
from app.domain.tenant import Tenant
from app.rules import effective_rules

Kind = TypeVar("Kind", bound=Condition)
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Look:
    """What came in (after, now], what is remembered, and the rules of the tenants that it turns out to be about."""

    context: Context
    lane: int
    after: datetime
    now: datetime
    states: dict[str, RuleState]
    tenants: dict[str, Tenant] = field(default_factory=dict)
    rules: dict[str, list[Rule]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

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

    def around(self, rule: Rule, device: Device | None = None) -> Around:
        """What holds around a subject of a rule."""
        return Around(most_per_hour=rule.max_alerts_per_hour, silent_after=None if device is None else device.offline_after)

    def heard_at(self, rule: Rule, device: Device) -> datetime | None:
        """When a rule that minds silence last heard a value of the device."""
        state = self.states.get(state_id(device.tenant_id, rule.key, SubjectKind.DEVICE, device.device_id))
        return None if state is None else state.heard_at

    async def guarded(self, rule: Rule, work: Callable[[], Coroutine[Any, Any, Sequence[Sighting]]]) -> Sequence[Sighting]:
        """What a rule sees; nothing where it fails. A rule that fails never stops the others, and what the database throws is
        not the rule's."""
        try:
            return await work()
        except (ValueError, ArithmeticError, LookupError, TypeError) as error:
            _log.exception("rule.failed", rule=rule.key, tenant=rule.tenant_id)
            self.failures[rule.id] = f"{type(error).__name__}: {error}"
            return []

    async def note_failures(self) -> None:
        for rule_id, message in self.failures.items():
            await self.context.store.rules.note_error(rule_id, message)
