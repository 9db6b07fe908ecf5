"""Whose turn it is: the first message of a burst by itself, what comes after it together, at most three in a minute. Many recipients
are looked after at once."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import msgspec

from app.context import Context
from app.domain.channel import Channel
from app.domain.delivery import LEASE, Delivery, DeliveryStatus, NotYet, Skip, after
from app.domain.message import Bundling
from app.domain.pace import MOST_IN_BUNDLE, not_before, recent_of
from app.domain.telling import before_sending
from app.messages import Parcel, alerts_of
from app.outcomes import Ended, Outcomes
from app.store.deliveries import UNREADABLE_FOR
from app.store.mongo import Session
from app.store.paces import Turn

Recipient = tuple[str, str, str]
"""Tenant, channel, address."""


def recipient_of(delivery: Delivery) -> Recipient:
    return (delivery.tenant_id, delivery.channel_id, delivery.address)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a recipient may hear now: the times of the last messages, what is told, and what turned out to be nobody's to hear."""

    recipient: Recipient
    sent: tuple[datetime, ...]
    told: Sequence[Delivery]
    left: Sequence[Delivery]

    @property
    def is_alone(self) -> bool:
        return len(self.told) == 1 and self.told[0].held is None

    def turn(self, now: datetime) -> Turn:
        after_ = (*recent_of(self.sent, now), now)
        return Turn(recipient=_key(self.recipient), tenant_id=self.recipient[0], before=self.sent, after=after_)


Judge = Callable[[Delivery], Skip | NotYet | None]


async def take_turns(
    context: Context, outcomes: Outcomes, channels: Mapping[str, Channel], firsts: Sequence[Delivery]
) -> list[Parcel]:
    """What goes out now to the recipients of `firsts`: a delivery or a bundle each, or nothing yet."""
    now, lease = context.clock.now(), uuid4().hex
    due, sent = await _due(context, firsts, now)
    alerts, unread = await alerts_of(context, [one for rows in due.values() for one in rows])

    def judge(one: Delivery) -> Skip | NotYet | None:
        if one.alert_id in unread:
            return None  # whoever sends it says so
        return before_sending(one, alerts.get(one.alert_id or ""), channels.get(one.channel_id), now)

    plans = [_plan(recipient, rows, sent[recipient], judge, now) for recipient, rows in due.items()]
    turns = [plan.turn(now) for plan in plans if plan.told]
    # Before anything is claimed: of two at once, each would claim a part of the storm, and the one's would miss the bundle.
    won = await context.store.paces.take(turns, lease) if turns else set()
    won_by = [plan for plan in plans if _key(plan.recipient) in won]
    alone = [plan.told[0].id for plan in won_by if plan.is_alone]
    chosen = [one.id for plan in plans for one in plan.left] + [
        one.id for plan in won_by if not plan.is_alone for one in plan.told
    ]
    taken = await context.store.deliveries.claim_in_turn(chosen, alone, lease, now) if chosen or alone else []
    told = await _told(context, outcomes, judge, taken, channels)
    together = [some for rows in told.values() if (some := [one for one in rows if not one.by_itself])]
    parcels = [Parcel(one, lease) for rows in told.values() for one in rows if one.by_itself]
    return [*parcels, *(await _bundled(context, together, lease) if together else [])]


async def _due(
    context: Context, firsts: Sequence[Delivery], now: datetime
) -> tuple[dict[Recipient, list[Delivery]], dict[Recipient, tuple[datetime, ...]]]:
    """What is due for recipients whose time it is, and when they were told something last; the others wait for theirs."""
    known = await context.store.paces.sent([_key(recipient_of(one)) for one in firsts])
    sent = {recipient_of(one): known.get(_key(recipient_of(one)), ()) for one in firsts}
    later, free = dict[datetime, list[Delivery]](), list[Delivery]()
    for one in firsts:
        at = not_before(sent[recipient_of(one)], now)
        (later.setdefault(at, []) if at > now else free).append(one)
    for at, some in later.items():
        await context.store.deliveries.put_off(at, some, now)
    due: dict[Recipient, list[Delivery]] = {}
    for one in await context.store.deliveries.of_recipients(free, now, MOST_IN_BUNDLE) if free else []:
        due.setdefault(recipient_of(one), []).append(one)
    return due, sent


def _plan(recipient: Recipient, due: Sequence[Delivery], sent: tuple[datetime, ...], judge: Judge, now: datetime) -> _Plan:
    left = [one for one in due if judge(_taken(one)) is not None]
    told = [one for one in due if judge(_taken(one)) is None]
    alone = not recent_of(sent, now) and all(one.held is None for one in told)
    return _Plan(recipient, sent, told[:1] if alone else told, left)


def _taken(one: Delivery) -> Delivery:
    return msgspec.structs.replace(one, attempts=one.attempts + 1)


async def _told(
    context: Context, outcomes: Outcomes, judge: Judge, taken: Sequence[Delivery], channels: Mapping[str, Channel]
) -> dict[Recipient, list[Delivery]]:
    """What somebody is to hear, by recipient; what nobody is to hear of any more, or not yet, is written so."""
    now, told = context.clock.now(), dict[Recipient, list[Delivery]]()
    ended: dict[int, list[Ended]] = {}
    held: list[tuple[Delivery, NotYet]] = []
    for one in sorted(taken, key=lambda one: (one.seq, one.id)):
        outcome = judge(one)
        if isinstance(outcome, Skip):
            gone = Ended(after(one, outcome, 0, now), one.lease, channels.get(one.channel_id), revocable=outcome.of_alert)
            ended.setdefault(one.lane, []).append(gone)
        elif isinstance(outcome, NotYet):
            held.append((one, outcome))
        else:
            told.setdefault(recipient_of(one), []).append(one)
    for some in ended.values():
        await outcomes.keep(some)
    await context.store.deliveries.settle(
        [msgspec.structs.replace(after(one, until, 0, now), by_itself=False) for one, until in held],
        [one.lease or "" for one, _ in held],
    )
    return told


async def _bundled(context: Context, groups: Sequence[Sequence[Delivery]], lease: str) -> list[Parcel]:
    """Makes bundles of what was taken and of what waits right behind it. A bundle is there with its members, or not at all: one that
    got members later could be over by then."""
    now, store = context.clock.now(), context.store.deliveries
    taken = {one.id: one for rows in groups for one in rows}
    made: list[Delivery] = []

    async def work(session: Session) -> None:
        ours = await store.still_under(lease, taken, session)
        mine = [some for rows in groups if (some := [one for one in rows if one.id in ours])]
        made[:] = [_bundle_of(rows, now, lease) for rows in mine]
        await store.insert(made, session)
        waiting = await store.behind([one for rows in mine for one in rows], session)
        for bundle, rows in zip(made, mine, strict=True):
            behind = [one.id for one in _behind(rows, waiting, now)]
            await store.freeze(bundle.id, [one.id for one in rows], behind, session)

    await context.mongo.transaction(work)
    return await parcels_of(context, lease, made)


async def parcels_of(context: Context, lease: str, taken: Sequence[Delivery]) -> list[Parcel]:
    """Bundles with their members, and what goes by itself. A bundle of which this version cannot read all is left for later, or for
    another version: what it left out would be told nobody."""
    bundles = [one.id for one in taken if one.bundling is not None]
    members, unread = await context.store.deliveries.members(bundles) if bundles else ({}, set())
    now = context.clock.now()
    late = [after(one, NotYet(now + UNREADABLE_FOR), 0, now) for one in taken if one.id in unread]
    await context.store.deliveries.settle(late, [lease] * len(late))
    return [Parcel(one, lease, members.get(one.id, ())) for one in taken if one.id not in unread]


def _key(recipient: Recipient) -> str:
    tenant_id, channel_id, address = recipient
    return f"{tenant_id}:{channel_id}:{hashlib.sha256(address.encode()).hexdigest()[:16]}"


def _bundle_of(rows: Sequence[Delivery], now: datetime, lease: str) -> Delivery:
    first = rows[0]
    return Delivery(
        id=f"bundle-{uuid4().hex}",
        tenant_id=first.tenant_id,
        lane=first.lane,
        seq=0,
        event="bundle",
        channel_id=first.channel_id,
        recipient=first.recipient,
        reason=f"{len(rows)} in one message",
        status=DeliveryStatus.SENDING,
        created_at=now,
        expire_at=max(one.expire_at for one in rows),
        address=first.address,
        user_id=first.user_id,
        bundling=next((one.held for one in rows if one.held is not None), Bundling.STORM),
        alert_ids=tuple(dict.fromkeys(one.alert_id for one in rows if one.alert_id is not None)),
        attempts=1,
        next_attempt_at=now + LEASE,
        lease=lease,
    )


def _behind(taken: Sequence[Delivery], waiting: Iterable[Delivery], now: datetime) -> list[Delivery]:
    """What waits for one of those that were taken and may be told with it, each line up to what is held for longer, or has
    a key of its own already."""
    lines = {one.line: one.seq for one in taken}
    behind: list[Delivery] = []
    for one in waiting:
        if one.line in lines and one.seq > lines[one.line]:
            if one.by_itself or (one.not_before is not None and one.not_before > now):
                del lines[one.line]
            else:
                behind.append(one)
    return behind
