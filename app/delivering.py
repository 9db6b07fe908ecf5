"""Sending what was taken from the outbox, and keeping what came of it."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
import structlog

from app.channels.ways import Ways
from app.context import Context
from app.delivery_counts import count_outcome
from app.domain.channel import Channel
from app.domain.delivery import Answer, Delivery, DeliveryStatus, Never, Outcome, Pass, Sent, Skip, TryAgain, after
from app.domain.message import TEST_EVENT, Message
from app.domain.telling import before_sending
from app.fallbacks import FAILS_FOR, fallback_of
from app.messages import Desk, Parcel
from app.notifications import Notice, tell_owner
from app.outcomes import BATCH, CAPACITY, Ended, Outcomes
from app.realtime.group_commit import GroupCommit
from app.sealing import UnreadableError, unseal

LONGEST_TRY_SEC = 30.0
"""No way takes longer: another may take the delivery when its lease has ended."""

MOST_REFUSALS = 5
"""So many permanent errors without a success between them switch a channel off."""

NOTED_EVERY = timedelta(seconds=10)
"""That a channel works is noted no more often."""

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
    well: GroupCommit[str] = field(init=False)

    def __post_init__(self) -> None:
        self.well = GroupCommit(self._note_well, BATCH, CAPACITY)

    async def deliver(self, desk: Desk, parcel: Parcel) -> None:
        delivery, now = parcel.delivery, self.context.clock.now()
        channel = desk.channels.get(delivery.channel_id)
        outcome: Outcome | None
        if delivery.bundling is not None:
            outcome = None if channel is not None and parcel.members else Skip("nothing was left to tell")
        else:
            outcome = before_sending(delivery, desk.alerts.get(delivery.alert_id or ""), channel, now)
        if outcome is not None or channel is None:
            await self._keep(parcel, channel, outcome or Skip("the channel was deleted"), WELL)
            return
        if delivery.sent_at is not None:
            outcome = Sent(delivery.receipt)  # it went out before, and whoever sent it could not say so
        else:
            outcome = await self._send(channel, desk.message(parcel))
        await self._keep(parcel, channel, outcome, await self._fare(channel, delivery, outcome))

    async def _send(self, channel: Channel, message: Message) -> Answer:
        if not channel.enabled:
            return Never(f"the channel is disabled: {channel.disabled_because}")
        try:
            config = unseal(self.context.settings, channel.sealed)
        except UnreadableError:
            return TryAgain("the channel's secret was sealed with another SECRETS_KEY")
        if channel.kind not in self.ways:
            return Never(f"{channel.kind.name} is not set up here")
        try:
            async with asyncio.timeout(LONGEST_TRY_SEC):
                return await self.ways[channel.kind].send(config, message)
        except TimeoutError:
            return TryAgain(f"no answer within {LONGEST_TRY_SEC:.0f} s")
        except Exception as error:  # noqa: BLE001 - a fault in a way must not end the courier
            _log.error("channel.fault", kind=channel.kind.name, channel=channel.id, error=type(error).__name__)
            return TryAgain("a fault of ours; the log has it")

    async def _fare(self, channel: Channel, delivery: Delivery, outcome: Outcome) -> Fare:
        """Notes how a channel fares, and finds who stands in where it failed."""
        now, store = self.context.clock.now(), self.context.store.channels
        if isinstance(outcome, Sent):
            if channel.failing_since is not None or channel.last_sent_at is None or now - channel.last_sent_at > NOTED_EVERY:
                await self.well.take([channel.id])
            return WELL
        if not isinstance(outcome, (TryAgain, Never)):
            return WELL
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
        if not await self.context.store.channels.disable(channel.id, error):
            return
        _log.warning("channel.disabled", tenant=channel.tenant_id, channel=channel.id, error=error)
        body = f"It failed {MOST_REFUSALS} times in a row, at last with: {error}. Mend it and enable it again."
        notice = Notice(key=f"disabled-{channel.id}-{channel.failing_since}", title=f"{channel.name} is disabled", body=body)
        await tell_owner(self.context, channel, notice)

    async def _keep(self, parcel: Parcel, channel: Channel | None, outcome: Outcome, fare: Fare) -> None:
        now, other = self.context.clock.now(), fare.other
        done = after(
            parcel.delivery,
            outcome,
            random.random(),  # noqa: S311 - it spreads load, it hides nothing
            now,
            Pass(fallback=other is not None, by=fare.patience_until),
        )
        if parcel.delivery.bundling is not None:
            await self._keep_bundle(parcel, done, channel, other)
        elif done.alert_id is None or not done.is_finished:
            await self.context.store.deliveries.settle([done], [parcel.lease])
        else:
            await self.outcomes.keep([await self._ended(done, parcel.lease, channel, other)])
        count_outcome(channel, done)
        _say(done, channel, len(parcel.members))
        if done.status is DeliveryStatus.DEAD and channel is not None and done.event != TEST_EVENT:
            await self._tell_of_dead(channel, done)

    async def _tell_of_dead(self, channel: Channel, done: Delivery) -> None:
        """Once an hour for each channel."""
        body = f"{done.recipient} could not be told, and there is no fallback: {done.error}."
        key = f"dead-{channel.id}-{self.context.clock.now():%Y%m%d%H}"
        title = f"{channel.name} did not get an alert through"
        await tell_owner(self.context, channel, Notice(key=key, title=title, body=body, alert_id=done.alert_id))

    async def _keep_bundle(self, parcel: Parcel, done: Delivery, channel: Channel | None, other: Channel | None) -> None:
        """A bundle that went out says so first, so that nobody sends it again while its members are written."""
        if done.is_finished and parcel.members:
            if done.status is DeliveryStatus.SENT:
                sent = msgspec.structs.replace(parcel.delivery, sent_at=done.sent_at, receipt=done.receipt)
                await self.context.store.deliveries.settle([sent], [parcel.lease])
            for start in range(0, len(parcel.members), BATCH):
                some = [_like(member, done) for member in parcel.members[start : start + BATCH]]
                await self.outcomes.keep([await self._ended(one, None, channel, other) for one in some])
        await self.context.store.deliveries.settle([done], [parcel.lease])

    async def _ended(self, done: Delivery, lease: str | None, channel: Channel | None, other: Channel | None) -> Ended:
        everybody: Sequence[str] = ()
        if other is not None and other.to is None and done.status is DeliveryStatus.FAILED:
            members = await self.context.store.members.of_tenants([done.tenant_id])
            of_tenant = tuple(member.id for member in members if done.tenant_id in member.tenant_ids)
            everybody = of_tenant if done.user_id is None else (done.user_id,)
        return Ended(done, lease, channel, other if done.status is DeliveryStatus.FAILED else None, everybody)


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
