"""Who else is told of an event, and what a channel called the first message about an alert."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.context import Context
from app.domain.channel import Channel
from app.domain.delivery import Delivery, Line, Telling
from app.domain.message import MOST_NAMED

Event = tuple[str, int]
"""An alert, and the place of a transition in its lane."""


@dataclass(slots=True)
class _Hearers:
    """Those who are told of one event, in the order of its tellings: people by their ids, shared channels by theirs."""

    first: dict[str, Telling] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)

    def add(self, one: Telling) -> None:
        who = one.user_id or one.channel_id
        self.first.setdefault(who, one)
        self.times[who] = self.times.get(who, 0) + 1

    def but(self, row: Delivery) -> tuple[list[Telling], int]:
        """The first of the others, and how many there are besides."""
        own = row.user_id or row.channel_id
        gone = own if self.times.get(own) == 1 else None
        named: list[Telling] = []
        for who, one in self.first.items():
            if len(named) == MOST_NAMED:
                break
            if who != gone:
                named.append(one)
        return named, len(self.first) - (gone is not None) - len(named)

    def nameable(self) -> Iterable[Telling]:
        return list(self.first.values())[: MOST_NAMED + 1]


@dataclass(frozen=True, slots=True)
class AlsoTold:
    """As it was when it was read."""

    _hearers: Mapping[Event, _Hearers]
    _receipts: Mapping[Line, Sequence[Telling]]
    _channels: Mapping[str, Channel]

    def beside(self, row: Delivery) -> tuple[tuple[str, ...], int]:
        """The names of others who are told of the same event, and how many there are besides."""
        hearers = self._hearers.get((row.alert_id or "", row.seq))
        if hearers is None:
            return (), 0
        named, more = hearers.but(row)
        return tuple(self._name(one) for one in named), more

    def _name(self, one: Telling) -> str:
        channel = self._channels.get(one.channel_id)
        return one.user_id or (one.recipient if channel is None else channel.name)

    def first_receipt(self, line: Line, seq: int) -> str | None:
        """What the channel called the first message about this alert alone."""
        return next((one.receipt for one in self._receipts.get(line, ()) if one.seq < seq), None)


async def read_also_told(context: Context, alone: Sequence[Delivery], channels: Mapping[str, Channel]) -> AlsoTold:
    """For deliveries that go by themselves."""
    hearers = {(one.alert_id, one.seq): _Hearers() for one in alone if one.alert_id is not None}
    receipts: dict[Line, list[Telling]] = {}
    for one in await context.store.deliveries.beside(alone) if hearers else ():
        if one.skipped_because is None and (one.alert_id, one.seq) in hearers:
            hearers[one.alert_id, one.seq].add(one)
        if one.receipt is not None and one.bundle_id is None:
            receipts.setdefault((one.alert_id, one.channel_id, one.address), []).append(one)
    shown = {one.channel_id for some in hearers.values() for one in some.nameable() if one.user_id is None} - channels.keys()
    known = await context.store.channels.to_tell_by_id(shown) if shown else {}
    return AlsoTold(hearers, receipts, {**channels, **known})
