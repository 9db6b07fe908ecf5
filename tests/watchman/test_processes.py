"""The watch in processes as operators run them."""

from app.realtime.follower import Follower
from app.supervision import running
from tests.delivery.receiver import Receiver
from tests.elsewhere import Client, failing
from tests.flows.installation import installed
from tests.jobs.queue import until
from tests.watchman.platform import Platform


async def test_a_worker_calls_the_monitor_outside_once_all_is_well(
    mongo_uri: str, redis_url: str, database: str, receiver: Receiver
) -> None:
    async with installed(mongo_uri, redis_url, database, workers=2, DEADMAN_URL=receiver.url + "/alive"):
        [call] = await receiver.until(1)
    assert (call.path, call.body) == ("/hook/alive", b"")


async def test_streams_that_cannot_read_the_record_fall_behind(platform: Platform, mongo_client: Client) -> None:
    follower = Follower(platform.context.store.events, lambda _: None)

    async def behind() -> bool:
        return follower.lag_sec > 0.1

    with failing(mongo_client, "find", 1_000, errorCode=11602):
        async with running("follower", follower.run):
            await until(behind)
            assert not follower.ready.is_set()
