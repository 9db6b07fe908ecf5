"""What became of deliveries, written together: one transaction of a lane for all that came to their end at the same time."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import msgspec
import structlog

from app.context import Context
from app.domain.alert import Alert, AlertEventType, Change
from app.domain.channel import Channel, public_name
from app.domain.delivery import Delivery, DeliveryStatus, Line, NotYet, Skip, after, let_go
from app.domain.telling import before_sending, placed, stand_ins
from app.messages import alerts_of
from app.realtime.group_commit import GroupCommit
from app.store.mongo import Session, is_away
from app.transitions import Writes, transact

BATCH = 100
CAPACITY = 100_000
SOON_SEC = 5.0
"""What fails later than that was tried again before."""

_log = structlog.get_logger(__name__)
_ON_TIMELINE = {
    DeliveryStatus.SENT: AlertEventType.NOTIFIED,
    DeliveryStatus.DEAD: AlertEventType.DELIVERY_DEAD,
    DeliveryStatus.FAILED: AlertEventType.DELIVERY_DEAD,
}


@dataclass(frozen=True, slots=True)
class Ended:
    """A delivery at its end. It is ours to write while it is under `lease`, or in the bundle that we sent.

    `other` is the channel that stands in for the one that failed, `everybody` whom it is for if it names nobody. What is
    `revocable` was left out for how its alert was, which may have changed.
    """

    done: Delivery
    lease: str | None
    channel: Channel | None = None
    other: Channel | None = None
    everybody: Sequence[str] = ()
    revocable: bool = False

    def is_ours(self, there: Delivery | None) -> bool:
        if there is None or there.is_finished:
            return False
        return there.lease == self.lease if self.lease is not None else there.bundle_id == self.done.bundle_id


@dataclass(slots=True)
class _Kept:
    """What is to be written, what of it was in the end, and why it could not be while what came with it was."""

    ended: Ended
    written: Delivery | None = None
    failure: Exception | None = None


@dataclass(slots=True)
class Outcomes:
    """One writer for each lane."""

    context: Context
    _lanes: dict[int, GroupCommit[_Kept, None]] = field(default_factory=dict)

    async def keep(self, ended: Sequence[Ended]) -> list[Delivery]:
        """Returns once the ends of deliveries of one lane are written with the record of their alerts, and what waited for
        them is let go: as they were written, which may be another end than was thought. What is no longer ours is left alone.
        Raises what kept one of them from being written; the others are."""
        lane = ended[0].done.lane
        if lane not in self._lanes:
            self._lanes[lane] = GroupCommit(partial(self._write, lane), BATCH, CAPACITY)
        kept = [_Kept(one) for one in ended]
        for start in range(0, len(kept), BATCH):
            await self._lanes[lane].take(kept[start : start + BATCH])
        for failure in [one.failure for one in kept if one.failure is not None]:
            raise failure
        return [one.written for one in kept if one.written is not None]

    async def _write(self, lane: int, kept: Sequence[_Kept]) -> None:
        began = asyncio.get_running_loop().time()
        try:
            await self._together(lane, kept)
        except Exception as error:
            # What was tried again for long is the database's trouble, and everybody's.
            if len(kept) == 1 or is_away(error) or asyncio.get_running_loop().time() - began > SOON_SEC:
                raise
            _log.warning("outcomes.apart", lane=lane, count=len(kept), error=type(error).__name__)
            await self._apart(lane, kept)

    async def _apart(self, lane: int, kept: Sequence[_Kept]) -> None:
        """Each by itself: what is wrong with one is not its neighbours' fault."""
        for one in kept:
            try:
                await self._together(lane, [one])
            except Exception as error:  # noqa: BLE001 - its own caller's to know
                one.failure = error

    async def _together(self, lane: int, kept: Sequence[_Kept]) -> None:
        ended, written = [one.ended for one in kept], dict[str, Delivery]()

        async def work(session: Session) -> Writes:
            others = {one.other.id for one in ended if one.other is not None}
            rows = await self.context.store.deliveries.of_lines([one.done for one in ended], others, session)
            there = {row.id: row for row in rows}
            ours = [(one, row) for one in ended if (row := there.get(one.done.id)) is not None and one.is_ours(row)]
            writes = await self._writes(ours, rows, session) if ours else Writes()
            written.clear()
            written.update((one.id, one) for one in writes.outcomes[: len(ours)])
            return writes

        await transact(self.context, lane, work)
        for one in kept:
            one.written = written.get(one.ended.done.id)

    async def _writes(self, found: Sequence[tuple[Ended, Delivery]], rows: Sequence[Delivery], session: Session) -> Writes:
        """`rows` are those of the same lines, and of the lines of those who stand in."""
        now = self.context.clock.now()
        alerts, _ = await alerts_of(self.context, [one for _, one in found], session)
        ours = [_reconsidered(one, row, alerts.get(row.alert_id or ""), now) for one, row in found]
        known = {row.id: row for row in rows}
        ours = [_without_hope(one, known, now) for one in ours]
        done = [one.done for one in ours]
        followers = let_go(done, rows, now)
        return Writes(
            changes=[change for one in ours if (change := self._change(one, alerts)) is not None],
            outcomes=[*done, *followers],
            deliveries=self._stand_ins(ours, followers, [*rows, *done, *followers]),
        )

    def _change(self, ended: Ended, alerts: Mapping[str, Alert]) -> Change | None:
        done = ended.done
        kind, alert = _ON_TIMELINE.get(done.status), alerts.get(done.alert_id or "")
        if alert is None or kind is None:
            return None
        reason = f"{done.event} to {done.recipient}"
        if done.error:
            reason += f": {done.error}"
        detail: dict[str, object] = {"deliveryId": done.id, "channelId": done.channel_id, "attempts": done.attempts}
        if ended.other is not None:
            reason += f"; {public_name(ended.other)} tells it instead"
            detail["fallbackChannelId"] = ended.other.id
        return Change(type=kind, at=self.context.clock.now(), before=alert, after=alert, reason=reason, detail=detail)

    def _stand_ins(self, ours: Sequence[Ended], followers: Sequence[Delivery], rows: Iterable[Delivery]) -> list[Delivery]:
        """For what was given up, and for what waited behind it. Of `rows` the last of each id holds."""
        now, made = self.context.clock.now(), list[Delivery]()
        known = {one.id: one for one in rows}
        lines: dict[Line, list[Delivery]] = {}
        for one in known.values():
            lines.setdefault(one.line, []).append(one)
        for ended in ours:
            if ended.other is None or ended.channel is None or ended.done.status is not DeliveryStatus.FAILED:
                continue
            behind = [one for one in followers if one.line == ended.done.line]
            for one in (ended.done, *behind):
                for new in stand_ins(one, ended.channel, ended.other, ended.everybody, now):
                    if new.id not in known:
                        line = lines.setdefault(new.line, [])
                        known[new.id] = placed(new, line)
                        line.append(known[new.id])
                        made.append(known[new.id])
        return made


def _reconsidered(ended: Ended, there: Delivery, alert: Alert | None, now: datetime) -> Ended:
    """What was left out for how its alert was is not, where the alert has changed meanwhile: whoever changed it saw that it was on
    its way, and wrote no other."""
    if not ended.revocable or alert is None:
        return ended
    again = before_sending(there, alert, ended.channel, now)
    return ended if isinstance(again, Skip) else replace(ended, done=after(there, again or NotYet(now), 0, now))


def _without_hope(ended: Ended, known: Mapping[str, Delivery], now: datetime) -> Ended:
    """Dead, and not handed over, where whoever would stand in was asked to tell the same already and cannot, or has no word for it."""
    if ended.other is None or ended.channel is None:
        return ended
    others = [known.get(new.id, new) for new in stand_ins(ended.done, ended.channel, ended.other, ended.everybody, now)]
    if any(not one.is_finished or one.status is DeliveryStatus.SENT for one in others):
        return ended
    return replace(ended, done=msgspec.structs.replace(ended.done, status=DeliveryStatus.DEAD), other=None)
