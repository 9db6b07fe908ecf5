"""What a condition saw."""

from datetime import datetime

import msgspec


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a subject. With a recovery threshold a value may be neither breach nor good: then what is stays.

    `look_again` is when time alone may change what was seen. `still` says that nothing new was heard: the last value is taken
    to hold at `at`. `since` is from when on it has been so, where the data tells; `reason` says it in words with value and
    bound.
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
    """A look that found nothing to judge, and why. `look_again` is when time alone may bring something."""

    reason: str
    look_again: datetime | None = None
