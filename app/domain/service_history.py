"""What rules of services could see of a service in its checks, at any time in the past. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

from app.domain.conditions.incidents import Incident
from app.domain.conditions.observation import Seen
from app.domain.conditions.service import observe_service
from app.domain.rule import RuleState, ServiceCondition
from app.domain.service import Service


class ServiceHistory:
    """`states` are the service as each check left it, oldest first."""

    def __init__(self, condition: ServiceCondition, states: Sequence[Service]) -> None:
        self._condition = condition
        self._states = states
        self._times = [state.changed_at for state in states]

    def wake(self, now: datetime, state: RuleState | None) -> datetime | None:
        count = bisect_right(self._times, now)
        return self._times[count] if count < len(self._times) else None

    def look(self, since: datetime, now: datetime, state: RuleState | None, troubles: Sequence[Incident]) -> Sequence[Seen]:
        count = bisect_right(self._times, now)
        return [observe_service(self._condition, self._states[count - 1], now)] if count else []
