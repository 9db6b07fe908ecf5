"""What a condition saw."""

from datetime import datetime

import msgspec


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a subject. With a recovery threshold a value may be neither breach nor good: then what is stays.

    `still` says that nothing new was heard: the last value is taken to hold at `at`. `since` is from when on it has been so,
    where the data tells; `reason` says it in words with value and bound. `look_again` is when time alone may change what was
    seen.
    """

    at: datetime
    breach: bool
    good: bool
    reason: str
    since: datetime
    value: float | None = None
    threshold: float | None = None
    unit: str | None = None
    still: bool = False
    look_again: datetime | None = None


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to judge, and why: no value, too few samples, no history yet. `look_again` is when time alone may
    bring something."""

    reason: str
    look_again: datetime | None = None


Seen = Observation | Nothing


def is_breach(seen: Seen) -> bool:
    return isinstance(seen, Observation) and seen.breach


def is_worth_watching(seen: Seen) -> bool:
    """Whether time alone may make it bad: what is nothing now does not become something by itself."""
    return isinstance(seen, Observation) and seen.look_again is not None and (seen.breach or bool(seen.value))
