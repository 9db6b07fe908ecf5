"""What is foretold is what is sent: a storm is lived through with its courier, and replayed."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings, strategies as st

from app.channel_changes import create_channel
from app.clock import ManualClock
from app.courier import deliver
from app.domain.channel_input import ChannelInput, SlackInput, WebhookInput
from app.domain.preferences import Preferences
from app.domain.quiet_hours import QuietHours
from app.domain.tenant import Member
from app.foretold import foretold
from app.principal import Principal
from app.store.encoding import to_document
from tests.backtest.live import JUDGE_SEC, SWEEP_SEC, TILL, begin, replayed
from tests.cast import NOW, mate, open_test_context, owner, viewer
from tests.delivery.receiver import Receiver, receiving
from tests.delivery.world import KEY
from tests.domain.making import a_rule, cpu_over
from tests.evaluation.fleet import Fleet, numbered

LATER = NOW + timedelta(days=3_650)
"""Ahead of the clock on the wall, by which the database forgets when somebody was last told something."""

SECONDS = 240
HELD_SEC = 130
"""Until what was held back in that time has gone."""

TILLS = numbered(12)
HOT = a_rule(cpu_over(90), id="hot", key="hot")

Heat = tuple[int, int, int]
"""Which till is hot, from which second on, and for how long."""


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


class Storm:
    """A fleet, and where everybody is told of it."""

    def __init__(self, fleet: Fleet, receiver: Receiver) -> None:
        self.fleet = fleet
        self.receiver = receiver


@pytest.fixture
async def storm(mongo_uri: str, redis_url: str, database: str, receiver: Receiver) -> AsyncIterator[Storm]:
    """Shared channels by which people and programs are told, and three people with their own, who wish to be told in three ways."""
    clock = ManualClock(LATER)
    ticks = {"deadline_sweep_seconds": SWEEP_SEC, "rule_tick_seconds": JUDGE_SEC}
    async with open_test_context(mongo_uri, redis_url, database, clock, allow_private_webhooks=True, **ticks) as context:
        fleet = Fleet(context, clock)
        await fleet.sign()
        for one in (viewer, mate, owner):
            await note(fleet, one)
            hook = WebhookInput(url=f"{receiver.url}/{one.id}", secret=KEY)
            slack = SlackInput(webhook_url=f"{receiver.url}/{one.id}")
            config = hook if one is owner else slack
            await create_channel(context, one, ChannelInput(name="own", config=config, personal=True))
        program = WebhookInput(url=f"{receiver.url}/program", secret=KEY)
        await create_channel(context, owner, ChannelInput(name="program", config=program))
        await create_channel(context, owner, ChannelInput(name="room", config=SlackInput(webhook_url=f"{receiver.url}/room")))
        yield Storm(fleet, receiver)


async def note(fleet: Fleet, one: Principal) -> None:
    assert one.role is not None
    tenants = sorted(one.tenant_ids or ())
    await fleet.context.store.members.note(Member(id=one.id, email=one.email, role=one.role, tenant_ids=tenants, last_seen=LATER))


async def wish(fleet: Fleet) -> None:
    """Vera is not to be woken from the first minute on to the third, and Mats wants to be told once a minute."""
    now = fleet.clock.now()
    start, end = (f"{now + timedelta(minutes=minutes):%H:%M}" for minutes in (1, 3))
    quiet = QuietHours(enabled=True, start=start, end=end, timezone="UTC")
    for wanted in (Preferences(id="vera", quiet_hours=quiet), Preferences(id="mats", digest_sec=60)):
        document = to_document(wanted)
        await fleet.context.store.preferences.change(document.pop("_id"), document)


async def live_through(fleet: Fleet, heats: Sequence[Heat]) -> None:
    """Each second: what the tills say, the rules at their ticks, and the courier."""
    for second in range(SECONDS + 1):
        for number, till in enumerate(TILLS):
            changes = {moment for place, start, lasts in heats if place == number for moment in (start, start + lasts)}
            if second in changes or second % 60 == 0:
                hot = any(place == number and start <= second < start + lasts for place, start, lasts in heats)
                await fleet.beat(till, cpu_usage=95 if hot else 20)
        if second % JUDGE_SEC == 0:
            await fleet.judge()
        await deliver(fleet.context, fleet.lane)
        await fleet.pass_time(1)


async def run(storm: Storm, heats: Sequence[Heat]) -> tuple[dict[str, int], dict[str, int]]:
    """How many messages everybody got, and how many are foretold."""
    fleet, receiver = storm.fleet, storm.receiver
    receiver.calls.clear()
    for name in ("deliveries", "paces"):
        await fleet.context.mongo.database[name].delete_many({})
    since = await begin(fleet, [HOT], 120)
    await fleet.add(*(till for till in TILLS if till != TILL))
    await wish(fleet)
    await live_through(fleet, heats)
    found = await replayed(fleet, HOT, since)
    foreseen = dict(await foretold(fleet.context, HOT, found.alerts, (since, fleet.clock.now())))
    for _ in range(HELD_SEC):
        await deliver(fleet.context, fleet.lane)
        await fleet.pass_time(1)
    return dict(Counter(call.path.removeprefix("/hook/") for call in receiver.calls)), foreseen


async def test_a_storm_that_was_lived_through_is_foretold_to_the_message(storm: Storm) -> None:
    heats = [*((number, 15, 70) for number in range(12)), *((number, 100 + number, 40) for number in range(6))]
    got, foreseen = await run(storm, heats)
    assert got == foreseen
    assert got["program"] == got["olga"] == 36
    assert got["room"] < 8


@pytest.mark.timeout(120)  # minutes are lived through second by second
@settings(max_examples=3)
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 170), st.integers(1, 60)), max_size=20))
async def test_whatever_happens_is_foretold_to_the_message(storm: Storm, heats: list[Heat]) -> None:
    got, foreseen = await run(storm, heats)
    assert got == foreseen
