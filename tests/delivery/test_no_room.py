"""What waits for room of ours waits, and nothing more."""

from app.courier import Courier
from app.domain.channel import ChannelKind
from app.domain.delivery import MOST_ATTEMPTS, Answer, DeliveryStatus, Sent, TryAgain
from app.fallbacks import FAILS_FOR
from tests.cast import owner
from tests.delivery.world import World


class FullWay:
    """Has no room at first."""

    def __init__(self) -> None:
        self.has_room = False

    async def send(self, config: object, message: object) -> Answer:
        return Sent() if self.has_room else TryAgain("no room", ours=True)


async def test_what_waited_for_room_of_ours_was_not_tried_and_tells_nothing_of_its_channel(world: World) -> None:
    channel = await world.channel()
    await world.open()
    way = FullWay()
    courier = Courier(world.context, {ChannelKind.WEBHOOK: way})
    for _ in range(2 * MOST_ATTEMPTS):
        await courier.work_off()
        world.later(FAILS_FOR.total_seconds())
    waiting = await world.only_one()
    assert (waiting.status, waiting.attempts, waiting.error) == (DeliveryStatus.PENDING, 0, None)
    kept = await world.context.store.channels.get(owner.scope, channel.id)
    assert kept is not None
    assert kept.failing_since is None
    way.has_room = True
    await courier.work_off()
    assert (await world.only_one()).status is DeliveryStatus.SENT
