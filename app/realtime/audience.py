"""Subscribers of one question who have had everything so far: one stream is read and answered, and all of them are told."""

import asyncio
from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar


class Post(Protocol):
    """What a stream says of itself while it is read. `subscribers` is how many it counts for."""

    subscribers: int

    def at_head(self, positions: Mapping[int, int], news: asyncio.Event) -> bool:
        """Everything there is was told, up to these positions. True ends the stream: somebody else goes on from here.

        Else it rests until `news` is set; what does not concern it passes meanwhile.
        """
        ...

    def leaving_head(self) -> None:
        """There may be something to read again."""
        ...

    def telling(self, positions: Mapping[int, int]) -> None:
        """The next item is about to be told; these are the positions behind it."""
        ...


class Alone:
    """A stream that is shared with nobody."""

    subscribers = 1

    def at_head(self, positions: Mapping[int, int], news: asyncio.Event) -> bool:
        return False

    def leaving_head(self) -> None:
        """Nobody else hears of it."""

    def telling(self, positions: Mapping[int, int]) -> None:
        """Nobody else hears of it."""


ALONE = Alone()


class Seat(Protocol):
    """A subscriber who is told by others' work."""

    def sit(self) -> None:
        """From now on what is told comes from the audience."""
        ...


Listening = TypeVar("Listening", bound=Seat)


class Audience(Generic[Listening]):
    """Where the shared stream stands, who is told by it, and who waits until it stands where they do.

    Items are announced when they are read, answered when it is known what goes out, and told, several at once, when it has.
    Nobody joins between the first and the last: they would have an item twice, or never.
    """

    subscribers = 0
    """Those who listen are counted where they sit."""

    def __init__(self) -> None:
        self.seats: dict[Listening, None] = {}
        self.told: Mapping[int, int] = {}
        """Where the seats stand, or stood before events passed that do not concern them."""
        self._announced: Mapping[int, int] = self.told
        self._answered: Mapping[int, int] = self.told
        self._telling: Mapping[int, int] = self.told
        self._head: Mapping[int, int] | None = None
        self._settled = False
        self._news: asyncio.Event | None = None
        self._waiting: set[asyncio.Event] = set()

    def at_head(self, positions: Mapping[int, int], news: asyncio.Event) -> bool:
        """Of the shared stream itself."""
        self._head, self._news = dict(positions), news
        self._settle_if_told()
        return False

    def leaving_head(self) -> None:
        self._head, self._settled = None, False

    def telling(self, positions: Mapping[int, int]) -> None:
        self._announced, self._head, self._settled = dict(positions), None, False

    def answered(self) -> None:
        """What goes out for the item that was announced is known."""
        self._answered = self._announced

    def begins(self) -> None:
        """Everything that was answered goes out to every seat now."""
        self._telling = self._answered

    def has_told(self) -> None:
        self.told = self._telling
        self._settle_if_told()

    def _settle_if_told(self) -> None:
        if self._head is None or self.told is not self._announced:
            return
        self._announced = self.told = self._head
        self._settled = True
        waiting, self._waiting = self._waiting, set()
        for event in waiting:
            event.set()

    def join(self, seat: Listening, news: asyncio.Event) -> bool:
        """Of somebody at the head. False where the shared stream is not there; `news` is set when it is worth another try."""
        if self._settled and self._news is not None and not self._news.is_set():
            self.seats[seat] = None
            seat.sit()
            return True
        self._waiting.add(news)
        return False

    def leave(self, seat: Listening, news: asyncio.Event | None = None) -> None:
        self.seats.pop(seat, None)
        if news is not None:
            self._waiting.discard(news)
