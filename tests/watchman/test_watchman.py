"""Who watches the watchman: each trouble is an alert, told once, and while there is one nobody is told that all is well."""

import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
import structlog

from app.domain import lifecycle
from app.domain.alert import AlertStatus, Resolution, Severity
from app.domain.delivery import DeliveryStatus
from app.domain.ids import lane_of
from app.domain.tenant import PLATFORM
from app.embedded import free_port, redis_url as url_of
from app.logging import configure_logging
from app.store.mongo import Session
from app.transitions import Writes, transact
from app.watchman import HOLD_SEC, PING_EVERY_SEC
from tests.cast import NOW, open_test_context
from tests.elsewhere import Client, failing
from tests.watchman.platform import Platform

SWEEP_OPENED = ("tick_late", "sweep", "OPENED")
SWEEP_RESOLVED = ("tick_late", "sweep", "RESOLVED")


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    yield stream
    structlog.reset_defaults()


async def test_while_all_is_well_the_monitor_outside_is_called_each_minute_and_nobody_else(platform: Platform) -> None:
    await platform.pass_time(300)
    assert platform.pings() == 5
    assert platform.told() == []
    assert await platform.story() == []


async def test_a_tick_that_hangs_opens_one_alert_is_told_once_and_silences_the_call(platform: Platform) -> None:
    await platform.pass_time(10)
    platform.hanging.add("sweep")
    await platform.pass_time(180)
    assert [one for one in await platform.story() if one[2] != "REPEATED"] == [SWEEP_OPENED]
    assert platform.told() == [("platform.trouble", ["sweep"])]
    assert platform.pings() == 1
    [alert] = await platform.alerts()
    assert (alert.status, alert.severity, alert.source) == (AlertStatus.OPEN, Severity.CRITICAL, "platform")
    assert alert.title == "A tick of Fleetbeat is late: sweep"
    assert alert.message.startswith("the sweep tick is late: ")


async def test_a_tick_that_recovers_resolves_its_alert_is_told_once_and_the_call_comes_again(platform: Platform) -> None:
    platform.hanging.add("sweep")
    await platform.pass_time(60)
    platform.hanging.clear()
    before = platform.pings()
    await platform.pass_time(120)
    assert await platform.story() == [SWEEP_OPENED, SWEEP_RESOLVED]
    assert platform.told() == [("platform.trouble", ["sweep"]), ("platform.well", ["sweep"])]
    assert platform.pings() == before + 2
    [alert] = await platform.alerts()
    assert (alert.resolution, alert.resolution_note) == (Resolution.RECOVERED, "sweep is in time again")


async def test_a_trouble_that_comes_and_goes_within_half_a_minute_is_one_trouble(platform: Platform) -> None:
    for _ in range(4):
        platform.hanging.add("sweep")
        await platform.pass_time(20)
        platform.hanging.clear()
        await platform.pass_time(20)
    assert [one for one in await platform.story() if one[2] != "REPEATED"] == [SWEEP_OPENED]
    assert platform.told() == [("platform.trouble", ["sweep"])]


async def test_a_tick_that_ends_only_with_errors_is_late_and_says_which(platform: Platform) -> None:
    await platform.pass_time(10)
    platform.hanging.add("rules fails")
    await platform.pass_time(70)
    [alert] = await platform.alerts()
    assert (alert.rule_key, alert.subject_id) == ("tick_late", "rules")
    assert "its interval is 15 s, it fails with OSError" in alert.message


async def test_lanes_that_nobody_judges_are_found_though_the_ticks_end(platform: Platform) -> None:
    await platform.pass_time(10)
    platform.hanging.add("judging")
    await platform.pass_time(60)
    assert await platform.story() == [("tick_late", "judging", "OPENED")]


async def test_a_delivery_that_is_due_for_a_minute_is_a_trouble_until_it_is_gone(platform: Platform) -> None:
    due = await platform.delivery(1, DeliveryStatus.PENDING, platform.clock.now())
    await platform.pass_time(60)
    assert await platform.story() == []
    await platform.pass_time(5)
    assert await platform.story() == [("deliveries_late", "deliveries", "OPENED")]
    [alert] = await platform.alerts()
    assert alert.message == "the oldest delivery waits for 65 s, over 60 s"
    assert (alert.value, alert.threshold, alert.unit) == (65.0, 60.0, "s")
    assert await platform.context.store.deliveries.claim([due.id], "somebody", platform.clock.now())
    await platform.pass_time(35)
    assert platform.told() == [("platform.trouble", ["deliveries"]), ("platform.well", ["deliveries"])]


async def test_a_delivery_whose_sender_died_is_late_a_minute_after_its_lease(platform: Platform) -> None:
    lease_end = platform.clock.now() + timedelta(seconds=30)
    await platform.delivery(1, DeliveryStatus.SENDING, lease_end, lease="gone", attempts=1)
    await platform.pass_time(90)
    assert await platform.story() == []
    await platform.pass_time(5)
    assert [subject for _, subject, _ in await platform.story()] == ["deliveries"]


async def test_deliveries_that_are_taken_again_and_again_and_come_to_nothing_are_a_trouble(platform: Platform) -> None:
    later = platform.clock.now() + timedelta(hours=1)
    await platform.delivery(1, DeliveryStatus.SENDING, later, attempts=9, error="answered 503")  # it fails, and that is known
    await platform.delivery(2, DeliveryStatus.SENDING, later, attempts=3)
    await platform.pass_time(5)
    assert await platform.story() == []
    await platform.delivery(3, DeliveryStatus.SENDING, later, attempts=4)
    await platform.pass_time(5)
    assert await platform.story() == [("deliveries_late", "outcomes", "OPENED")]
    [alert] = await platform.alerts()
    assert alert.message == "deliveries were taken 4 times and more without an outcome: 1"


async def test_what_is_held_on_purpose_or_finished_is_not_late(platform: Platform) -> None:
    later = platform.clock.now() + timedelta(hours=8)
    await platform.delivery(1, DeliveryStatus.PENDING, later)  # quiet hours
    await platform.delivery(2, DeliveryStatus.PENDING, later, attempts=3)  # a pause before the next try
    await platform.delivery(3, DeliveryStatus.PENDING, None)  # behind the one before it
    for number, status in enumerate((DeliveryStatus.SENT, DeliveryStatus.DEAD, DeliveryStatus.SKIPPED), start=4):
        await platform.delivery(number, status, None)
    await platform.pass_time(300)
    assert await platform.story() == []
    assert platform.pings() == 5


async def test_streams_that_fall_behind_are_a_trouble_of_their_process(platform: Platform) -> None:
    platform.stream_lag_sec = 12.5
    await platform.pass_time(5)
    assert await platform.story() == [("streams_late", "api-1", "OPENED")]
    platform.stream_lag_sec = 0.4
    await platform.pass_time(35)
    assert (await platform.story())[1:] == [("streams_late", "api-1", "RESOLVED")]


async def test_a_process_that_is_gone_is_behind_with_nothing(platform: Platform) -> None:
    platform.stream_lag_sec = 12.5
    await platform.pass_time(5)
    platform.hanging.add("api")
    await platform.pass_time(45)
    assert ("streams_late", "api-1", "RESOLVED") in await platform.story()


async def test_without_any_process_that_takes_beats_all_is_not_well(platform: Platform) -> None:
    await platform.pass_time(5)
    platform.hanging.add("api")
    await platform.pass_time(60)
    assert await platform.story() == []
    await platform.pass_time(5)
    assert await platform.story() == [("streams_late", "api", "OPENED")]


async def test_whoever_starts_after_a_standstill_gives_everything_its_time(platform: Platform) -> None:
    await platform.pass_time(10)
    platform.clock.advance(3_600)
    assert await platform.watchman.round()
    assert await platform.story() == []
    platform.hanging.add("rules")
    await platform.pass_time(50)
    assert await platform.story() == [("tick_late", "rules", "OPENED")]


async def test_after_a_start_the_monitor_outside_is_called_once_everything_was_seen_in_time(platform: Platform) -> None:
    assert await platform.watchman.round()
    assert platform.pings() == 0
    await platform.work()
    assert await platform.watchman.round()
    assert platform.pings() == 1


async def test_a_tick_that_was_never_run_is_late_too(platform: Platform) -> None:
    platform.hanging.add("sweep")
    assert await platform.watchman.round()
    assert await platform.story() == []
    await platform.pass_time(15)
    assert await platform.story() == [SWEEP_OPENED]


async def test_two_workers_make_one_of_each(platform: Platform) -> None:
    mates = [platform.watchman, await platform.another_watchman()]
    await platform.pass_time(60, *mates)
    platform.hanging.add("sweep")
    await platform.pass_time(30, *mates)
    platform.hanging.clear()
    await platform.pass_time(60, *mates)
    assert await platform.story() == [SWEEP_OPENED, SWEEP_RESOLVED]
    assert platform.told() == [("platform.trouble", ["sweep"]), ("platform.well", ["sweep"])]
    assert platform.pings() == 3


async def test_another_worker_goes_on_where_one_died_and_repeats_nothing(platform: Platform) -> None:
    platform.hanging.add("sweep")
    await platform.pass_time(30)
    mate = await platform.another_watchman()
    assert not await mate.round()
    await platform.pass_time(HOLD_SEC + 5, mate)
    assert await mate.round()
    platform.hanging.clear()
    await platform.pass_time(60, mate)
    assert [one for one in await platform.story() if one[2] != "REPEATED"] == [SWEEP_OPENED, SWEEP_RESOLVED]
    assert platform.told() == [("platform.trouble", ["sweep"]), ("platform.well", ["sweep"])]


async def test_a_worker_that_leaves_makes_room_at_once(platform: Platform) -> None:
    mate = await platform.another_watchman()
    assert await platform.watchman.round()
    await platform.watchman.leave()
    assert await mate.round()


async def test_what_the_platforms_webhook_did_not_take_is_told_again_in_order_with_the_same_key(platform: Platform) -> None:
    await platform.pass_time(5)
    platform.receiver.answers = [500, "reset", 404]
    platform.hanging.add("sweep")
    await platform.pass_time(40)
    platform.hanging.clear()
    await platform.pass_time(60)
    assert platform.told()[-2:] == [("platform.trouble", ["sweep"]), ("platform.well", ["sweep"])]
    assert platform.told()[:-1] == [("platform.trouble", ["sweep"])] * 4
    keys = [call.headers["Idempotency-Key"] for call in platform.receiver.calls if call.path.endswith("/platform")]
    assert len(set(keys[:4])) == 1
    assert keys[4] != keys[0]


async def test_a_message_says_what_is_wrong_since_when_and_which_alert_it_is(platform: Platform) -> None:
    await platform.delivery(1, DeliveryStatus.PENDING, platform.clock.now())
    await platform.pass_time(65)
    [alert] = await platform.alerts()
    [said] = [call.said for call in platform.receiver.calls if call.path.endswith("/platform")]
    assert said == {
        "event": "platform.trouble",
        "text": "Fleetbeat is in trouble: the oldest delivery waits for 65 s, over 60 s",
        "troubles": [
            {
                "rule": "deliveries_late",
                "subject": "deliveries",
                "message": "the oldest delivery waits for 65 s, over 60 s",
                "since": NOW.isoformat().replace("+00:00", "Z"),
                "alertId": alert.id,
            }
        ],
        "at": platform.clock.now().isoformat().replace("+00:00", "Z"),
    }


async def test_a_monitor_that_fails_is_said_once_and_called_again_without_its_address(
    platform: Platform, output: io.StringIO
) -> None:
    platform.receiver.answers = [503] * 10
    await platform.pass_time(2 * PING_EVERY_SEC)
    said = [line for line in output.getvalue().splitlines() if "deadman" in line]
    assert len(said) == 2  # that it fails, and that it does not any more
    assert "answered 503" in said[0]
    assert platform.pings() == 12  # ten that failed, at each look, and one a minute
    assert "/alive" not in output.getvalue()


async def test_an_alert_that_a_person_ended_stays_so_while_its_trouble_goes_on(platform: Platform) -> None:
    platform.hanging.add("sweep")
    await platform.pass_time(20)
    [alert] = await platform.alerts()

    async def by_hand(_: Session) -> Writes:
        return Writes([lifecycle.resolve(alert, "root", "known", Resolution.MANUAL, platform.clock.now())])

    await transact(platform.context, lane_of(PLATFORM), by_hand)
    await platform.pass_time(60)
    assert await platform.story() == [SWEEP_OPENED, SWEEP_RESOLVED]
    platform.hanging.clear()
    await platform.pass_time(60)
    platform.hanging.add("sweep")
    await platform.pass_time(20)
    assert await platform.story() == [SWEEP_OPENED, SWEEP_RESOLVED, SWEEP_OPENED]


async def test_the_watch_goes_on_without_redis(platform: Platform) -> None:
    settings = platform.context.settings
    urls = {"deadman_url": settings.deadman_url, "platform_webhook_url": settings.platform_webhook_url}
    async with open_test_context(
        settings.mongo_uri, url_of(free_port()), settings.mongo_database, platform.clock, **urls
    ) as context:
        mate = await platform.another_watchman(context)
        await platform.pass_time(60, mate)
        platform.hanging.add("sweep")
        await platform.pass_time(30, mate)
        assert platform.pings() == 2
        assert platform.told() == [("platform.trouble", ["sweep"])]
        assert await platform.story() == [SWEEP_OPENED]


async def test_without_the_database_nobody_is_told_that_all_is_well(
    platform: Platform, mongo_client: Client, output: io.StringIO
) -> None:
    await platform.pass_time(60)
    before = platform.pings()
    platform.clock.advance(PING_EVERY_SEC)
    with failing(mongo_client, "findAndModify", 1_000, errorCode=11602):
        for _ in range(3):
            await platform.watchman.try_round()
    assert platform.pings() == before
    assert output.getvalue().count("watchman.blind") == 1
    await platform.pass_time(5)
    assert platform.pings() == before + 1


async def test_alerts_that_cannot_be_written_are_told_outside_nevertheless_and_written_later(
    platform: Platform, mongo_client: Client
) -> None:
    platform.hanging.add("sweep")
    await platform.pass_time(15)
    with failing(mongo_client, "insert", 1_000, errorCode=2):
        await platform.pass_time(5)
    assert platform.told() == [("platform.trouble", ["sweep"])]
    assert await platform.story() == []
    await platform.pass_time(5)
    assert await platform.story() == [SWEEP_OPENED]
    assert platform.told() == [("platform.trouble", ["sweep"])]


async def test_without_addresses_there_are_alerts_alone(platform: Platform) -> None:
    settings = platform.context.settings
    async with open_test_context(settings.mongo_uri, settings.redis_url, settings.mongo_database, platform.clock) as context:
        mate = await platform.another_watchman(context)
        platform.hanging.add("sweep")
        await platform.pass_time(30, mate)
        assert await platform.story() == [SWEEP_OPENED]
        assert platform.receiver.calls == []
        watch = await context.store.watch.get()
        assert watch is not None
        assert watch.tellings == ()
