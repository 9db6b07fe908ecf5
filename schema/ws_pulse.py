"""Pings, which find out who is gone without a word: one timer for all sockets of a server, none for each."""

import asyncio
import math
from typing import Protocol
from weakref import WeakKeyDictionary

_TURNS = 16
"""Parts of the interval; each takes a sixteenth of the sockets, so that they are not pinged all at once."""


class Pulsing(Protocol):
    """A socket that is asked whether it is alive."""

    turn: int

    def beat(self, patience: int) -> None:
        """Once an interval. Who has left `patience` of them unanswered is cut off."""
        ...


class Pulse:
    """The sockets of a server, in turns. Seconds."""

    def __init__(self, interval: float, timeout: float | None) -> None:
        self._every = interval / _TURNS
        self._patience = math.ceil(timeout / interval) if timeout is not None else 1_000_000_000
        self._turns: list[set[Pulsing]] = [set() for _ in range(_TURNS)]
        self._turn = 0
        self._sockets = 0
        self._timer: asyncio.TimerHandle | None = None

    def join(self, socket: Pulsing) -> None:
        # The turn that was just now: its next one is a whole interval away.
        socket.turn = self._turn
        self._turns[self._turn].add(socket)
        self._sockets += 1
        if self._timer is None:
            self._wind()

    def leave(self, socket: Pulsing) -> None:
        if socket in self._turns[socket.turn]:
            self._turns[socket.turn].discard(socket)
            self._sockets -= 1
            if not self._sockets and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _wind(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every, self._go_round)

    def _go_round(self) -> None:
        self._timer = None
        self._turn = (self._turn + 1) % _TURNS
        for socket in list(self._turns[self._turn]):
            socket.beat(self._patience)
        if self._sockets and self._timer is None:
            self._wind()


_pulses: WeakKeyDictionary[object, Pulse] = WeakKeyDictionary()


def pulse_of(server: object, interval: float | None, timeout: float | None) -> Pulse | None:
    """The one of a server; None where it sends no pings."""
    if not interval:
        return None
    pulse = _pulses.get(server)
    if pulse is None:
        pulse = _pulses[server] = Pulse(interval, timeout)
    return pulse
