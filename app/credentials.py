"""What a process remembers of the credentials that it has checked, so that not every call asks again."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from app.domain.device import TokenHolder
from app.person_tokens import PersonTokens
from app.principal import Principal
from app.realtime.group_commit import GroupCommit
from app.settings import Settings

REMEMBERED = 8_192
"""Most credentials of a kind that are remembered; the least recently used is forgotten first."""

PROGRAMS_LAST = timedelta(seconds=5)
"""How long a device's token or a key may still work in another process after it was revoked."""

NOTE_EVERY = timedelta(minutes=1)
"""How often it is written down that a person was here, or a key was used."""


TOKENS_AT_ONCE = 1_000
MOST_SIGNING_IN = 20_000
READS_AT_ONCE = 2
ENOUGH = 32
"""Devices whose tokens are asked for together: a fleet beats less often than its tokens are remembered, so each beat would ask."""

ReadHolders = Callable[[Sequence[str]], Awaitable[Mapping[str, TokenHolder]]]
"""From ids of tokens to whose they are."""


class Recent:
    """Principals by the hash of their token, each until a time; bounded."""

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[str, tuple[Principal, datetime]] = OrderedDict()
        self.cleared = 0

    def get(self, token_hash: str, now: datetime) -> Principal | None:
        entry = self._entries.get(token_hash)
        if entry is None:
            return None
        if now >= entry[1]:
            del self._entries[token_hash]
            return None
        self._entries.move_to_end(token_hash)
        return entry[0]

    def put(self, token_hash: str, principal: Principal, until: datetime, cleared: int | None = None) -> None:
        """`cleared` is as often as it had been cleared when the principal was asked for: one from before is not remembered."""
        if cleared is not None and cleared != self.cleared:
            return
        self._entries[token_hash] = (principal, until)
        self._entries.move_to_end(token_hash)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        self._entries.clear()
        self.cleared += 1

    def __len__(self) -> int:
        return len(self._entries)


class Throttle:
    """Says yes once in a while for each name; bounded."""

    def __init__(self, every: timedelta = NOTE_EVERY, capacity: int = REMEMBERED) -> None:
        self._every = every
        self._capacity = capacity
        self._last: OrderedDict[str, datetime] = OrderedDict()

    def is_due(self, name: str, now: datetime) -> bool:
        last = self._last.get(name)
        if last is not None and now - last < self._every:
            return False
        self._last[name] = now
        self._last.move_to_end(name)
        if len(self._last) > self._capacity:
            self._last.popitem(last=False)
        return True


class Credentials:
    """One for each process: how people's tokens are checked, and whose were."""

    def __init__(self, settings: Settings, holders: ReadHolders) -> None:
        self.person_tokens = PersonTokens(settings)
        self.people = Recent()
        self.programs = Recent()
        self.noted = Throttle()
        self.holders = GroupCommit(holders, TOKENS_AT_ONCE, MOST_SIGNING_IN, READS_AT_ONCE, ENOUGH)

    def forget_programs(self) -> None:
        """After a device's token or a key was revoked here, it does not work here for a moment longer."""
        self.programs.clear()
