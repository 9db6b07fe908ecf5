"""Sending what was taken from the outbox, and keeping what came of it."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec
import structlog

from app.channels.ways import Ways
from app.context import Context
from app.delivery_counts import count_outcome
from app.domain.channel import Channel, ChannelKind
from app.domain.delivery import (
    LEASE,
    Answer,
    Delivery,
    DeliveryStatus,
    Ending,
    Never,
    NotYet,
    Outcome,
    Pass,
    Sent,
    Skip,
    TryAgain,
    after,
)
from app.domain.message import TEST_EVENT
from app.domain.telling import before_sending
from app.fallbacks import FAILS_FOR, fallback_of
from app.messages import Desk, Parcel
from app.notifications import Notice, tell_owner
from app.outcomes import BATCH, CAPACITY, Ended, Outcomes
from app.realtime.group_commit import GroupCommit
from app.sealing import UnreadableError, unseal

LONGEST_TRY_SEC = 30.0
"""No way takes longer: another may take the delivery when its lease has ended."""

NO_ROOM_FOR = timedelta(seconds=5)
"""After so long it is tried again where we had no room for it."""

MOST_REFUSALS = 5
"""So many permanent errors without a success between them switch a channel off."""

NOTED_EVERY = timedelta(seconds=10)
"""That a channel works is noted no more often."""

NOT_KEPT = "what it tells of is no longer kept"
UNREAD = "what it tells of cannot be read by this version"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fare:
    """Who stands in for a channel that failed, and from when on that is better than another try."""

    other: Channel | None = None
    patience_until: datetime | None = None


WELL = Fare()


@dataclass(slots=True)
class Sender:
    """Sends parcels and notes how channels fare."""

    context: Context
    ways: Ways
    outcomes: Outcomes
    well: GroupCommit[str, None] = field(init=False)

    def __post_init__(self) -> None:
        self.well = GroupCommit(self._note_well, BATCH, CAPACITY)

    async def deliver(self, desk: Desk, parcel: Parcel) -> None:
        channel = desk.channels.get(parcel.delivery.channel_id)
        parcel = await self._without_lost(desk, parcel, channel)
        delivery = parcel.delivery
        outcome: Outcome | None = self._instead(desk, parcel, channel)
        if outcome is not None or channel is None:
            other = await fallback_of(self.context, channel, delivery) if channel is not None and delivery.ending else None
            await self._keep(parcel, channel, outcome or Skip("the channel was deleted"), Fare(other))
            return
        outcome = await self._send(channel, desk, parcel)
        if isinstance(outcome, Sent):
            # First of all: whatever fails before it is written, it would be sent again.
            await self._keep(parcel, channel, outcome, WELL)
            await self._note_sent(channel)
        elif isinstance(outcome, TryAgain) and outcome.ours:
            _log.warning(
                "delivery.no_room", tenant=delivery.tenant_id, delivery=delivery.id, kind=channel.kind.name, error=outcome.error
            )
            await self._keep(parcel, channel, NotYet(self.context.clock.now() + NO_ROOM_FOR), WELL)
        else:
            await self._keep(parcel, channel, outcome, await self._fare(channel, delivery, outcome))

    async def _without_lost(self, desk: Desk, parcel: Parcel, channel: Channel | None) -> Parcel:
        """The parcel as far as it can be told of; what became of it already became of all that was in it."""
        lost = [self._lost(desk, row) for row in parcel.members if not desk.is_known(row)]
        if not lost or parcel.delivery.sent_at is not None or parcel.delivery.ending is not None:
            return parcel
        # First of all: tried again with those that were not in it, it would say more under its key.
        bundle = msgspec.structs.replace(parcel.delivery, broken_up=True)
        await self.context.store.deliveries.settle([bundle], [parcel.lease])
        await self._tell_of_dead(channel, await self._keep_members(lost, channel, None))
        return replace(parcel, delivery=bundle, members=[row for row in parcel.members if desk.is_known(row)])

    def _lost(self, desk: Desk, member: Delivery) -> Delivery:
        """The end of what cannot be in its bundle."""
        return after(member, Never(UNREAD) if desk.is_unread(member) else Skip(NOT_KEPT), 0, self.context.clock.now())

    def _instead(self, desk: Desk, parcel: Parcel, channel: Channel | None) -> Outcome | None:
        """What becomes of it where nothing is sent."""
        delivery = parcel.delivery
        if delivery.sent_at is not None:
            return Sent(delivery.receipt)  # it went out before, and whoever sent it could not say so
        if (ending := delivery.ending) is not None:
            return Skip(ending.because) if ending.skipped else Never(ending.because)
        if desk.is_unread(delivery):
            return TryAgain(UNREAD)
        if not desk.is_whose(delivery):
            return TryAgain("whom it is for cannot be read by this version")
        changed = before_sending(delivery, desk.alerts.get(delivery.alert_id or ""), channel, self.context.clock.now())
        if changed is not None:
            return changed
        if not desk.is_here(delivery):
            return Skip(f"{delivery.user_id} is not of the tenant any more")
        if delivery.bundling is not None and not parcel.members:
            return Skip("nothing was left to tell")
        return None if desk.is_known(delivery) else Skip(NOT_KEPT)

    async def _send(self, channel: Channel, desk: Desk, parcel: Parcel) -> Answer:
        if not channel.enabled:
            return Never(f"the channel is disabled: {channel.disabled_because}")
        try:
            config = unseal(self.context.settings, channel.sealed)
        except UnreadableError:
            return TryAgain("the channel's secret was sealed with another SECRETS_KEY")
        except msgspec.MsgspecError:
            return TryAgain("the channel's config cannot be read by this version")
        if channel.kind not in self.ways:
            return TryAgain(f"{channel.kind.name} is not set up here")
        try:
            async with asyncio.timeout(LONGEST_TRY_SEC):
                return await self.ways[channel.kind].send(config, desk.message(parcel))
        except TimeoutError:
            return TryAgain(f"no answer within {LONGEST_TRY_SEC:.0f} s")
        except Exception as error:  # noqa: BLE001 - a fault in a way must not end the courier
            _log.error("channel.fault", kind=channel.kind.name, channel=channel.id, error=type(error).__name__)
            return TryAgain("a fault of ours; the log has it")

    async def _note_sent(self, channel: Channel) -> None:
        now = self.context.clock.now()
        if channel.failing_since is not None or channel.last_sent_at is None or now - channel.last_sent_at > NOTED_EVERY:
            await self.well.take([channel.id])

    async def _fare(self, channel: Channel, delivery: Delivery, outcome: TryAgain | Never) -> Fare:
        """Notes how a channel fares that failed, and finds who stands in."""
        now, store = self.context.clock.now(), self.context.store.channels
        is_test = delivery.alert_id is None and delivery.bundling is None
        refused = isinstance(outcome, Never) and not is_test
        noted = await store.note_failure(channel.id, outcome.error, now, refused=refused) or channel
        if noted.enabled and noted.refusals >= MOST_REFUSALS:
            await self._disable(noted, outcome.error)
        if is_test:
            return WELL  # it is of this channel alone
        return Fare(await fallback_of(self.context, noted, delivery), (noted.failing_since or now) + FAILS_FOR)

    async def _note_well(self, channel_ids: Sequence[str]) -> None:
        await self.context.store.channels.note_sent(set(channel_ids), self.context.clock.now())

    async def _disable(self, channel: Channel, error: str) -> None:
        body = f"It failed {MOST_REFUSALS} times in a row, at last with: {error}. Mend it and enable it again."
        notice = Notice(key=f"disabled-{channel.id}-{channel.failing_since}", title=f"{channel.name} is disabled", body=body)
        # Told first: who dies in between leaves it to the next refusal, and the same notice is told nobody twice.
        await tell_owner(self.context, channel, notice)
        if await self.context.store.channels.disable(channel.id, error):
            _log.warning("channel.disabled", tenant=channel.tenant_id, channel=channel.id, error=error)

    async def _keep(self, parcel: Parcel, channel: Channel | None, outcome: Outcome, fare: Fare) -> None:
        now, other = self.context.clock.now(), fare.other
        done = after(
            parcel.delivery,
            outcome,
            random.random(),  # noqa: S311 - it spreads load, it hides nothing
            now,
            Pass(fallback=other is not None, by=fare.patience_until),
        )
        written = await self._written(parcel, done, channel, fare.other, revocable=isinstance(outcome, Skip) and outcome.of_alert)
        for one in [one for one in written if one.id == done.id]:
            count_outcome(channel, one)
            _say(one, channel, len(parcel.members))
        await self._tell_of_dead(channel, written)

    async def _written(
        self, parcel: Parcel, done: Delivery, channel: Channel | None, other: Channel | None, *, revocable: bool
    ) -> Sequence[Delivery]:
        """Writes it: the delivery as it then is, and the members that came to their end with it; but for what another has taken
        since."""
        if parcel.delivery.bundling is not None:
            return await self._keep_bundle(parcel, done, channel, other)
        if done.alert_id is None or not done.is_finished:
            return [done] if await self.context.store.deliveries.settle([done], [parcel.lease]) else []
        everybody = await self._everybody(done, other)
        return await self._keep_one(Ended(done, parcel.lease, channel, _if_failed(done, other), everybody, revocable))

    async def _tell_of_dead(self, channel: Channel | None, written: Sequence[Delivery]) -> None:
        """Once an hour for each channel."""
        dead = [one for one in written if one.status is DeliveryStatus.DEAD and one.event != TEST_EVENT]
        if channel is None or not dead:
            return
        first = next((one for one in dead if one.alert_id is not None), dead[0])
        body = f"{first.recipient} could not be told, and no fallback tells it instead: {first.error}."
        key = f"dead-{channel.id}-{self.context.clock.now():%Y%m%d%H}"
        title = f"{channel.name} did not get an alert through"
        await tell_owner(self.context, channel, Notice(key=key, title=title, body=body, alert_id=first.alert_id))

    async def _keep_one(self, ended: Ended) -> Sequence[Delivery]:
        try:
            return await self.outcomes.keep([ended])
        except Exception:
            # Whatever it is that cannot be written: who has it is not told again.
            if ended.done.status is DeliveryStatus.SENT and ended.lease is not None:
                sent = msgspec.structs.replace(
                    ended.done, status=DeliveryStatus.SENDING, lease=ended.lease, next_attempt_at=self.context.clock.now() + LEASE
                )
                await self.context.store.deliveries.settle([sent], [ended.lease])
            raise

    async def _keep_bundle(
        self, parcel: Parcel, done: Delivery, channel: Channel | None, other: Channel | None
    ) -> Sequence[Delivery]:
        """A bundle at its end says so first, so that nobody sends it, or what is left of it, again while its members are written."""
        store, told = self.context.store.deliveries, list[Delivery]()
        if done.is_finished and parcel.members:
            is_ours = await store.settle([_about_to_be(done, parcel.delivery)], [parcel.lease])
            if not is_ours and done.status is not DeliveryStatus.SENT:
                return []  # whoever has it may get it through
            told += await self._keep_members([_like(member, done) for member in parcel.members], channel, other)
        if done.status is DeliveryStatus.FAILED and told and all(one.status is DeliveryStatus.DEAD for one in told):
            done = msgspec.structs.replace(done, status=DeliveryStatus.DEAD)
        if done.is_finished:
            done = msgspec.structs.replace(done, ending=None)
        return [done, *told] if await store.settle([done], [parcel.lease]) else told

    async def _keep_members(self, done: Sequence[Delivery], channel: Channel | None, other: Channel | None) -> Sequence[Delivery]:
        everybody = await self._everybody(done[0], other)
        return await self.outcomes.keep([Ended(one, None, channel, _if_failed(one, other), everybody) for one in done])

    async def _everybody(self, done: Delivery, other: Channel | None) -> Sequence[str]:
        """Whom a channel is for that stands in and names nobody."""
        if (
            other is None
            or other.kind is not ChannelKind.IN_APP
            or other.to is not None
            or done.status is not DeliveryStatus.FAILED
        ):
            return ()
        if done.user_id is not None:
            return (done.user_id,)
        members = await self.context.store.members.of_tenants([done.tenant_id])
        return tuple(member.id for member in members if done.tenant_id in member.tenant_ids)


def _if_failed(done: Delivery, other: Channel | None) -> Channel | None:
    return other if done.status is DeliveryStatus.FAILED else None


def _about_to_be(done: Delivery, bundle: Delivery) -> Delivery:
    """A bundle whose end is known, and its members are still to be told so."""
    if done.status is DeliveryStatus.SENT:
        return msgspec.structs.replace(bundle, sent_at=done.sent_at, receipt=done.receipt)
    is_skipped = done.status is DeliveryStatus.SKIPPED
    return msgspec.structs.replace(bundle, ending=Ending((done.skipped_because if is_skipped else done.error) or "", is_skipped))


def _like(member: Delivery, bundle: Delivery) -> Delivery:
    """A member has its bundle's end, and no receipt: the message is not about its alert alone."""
    return msgspec.structs.replace(
        member,
        status=bundle.status,
        attempts=bundle.attempts,
        sent_at=bundle.sent_at,
        error=bundle.error,
        skipped_because=bundle.skipped_because,
    )


def _say(done: Delivery, channel: Channel | None, members: int) -> None:
    _log.info(
        "delivery.tried",
        tenant=done.tenant_id,
        delivery=done.id,
        kind=None if channel is None else channel.kind.name,
        channel=done.channel_id,
        status=done.status.name,
        attempts=done.attempts,
        members=members or None,
        error=done.error,
        reason=done.skipped_because,
    )
