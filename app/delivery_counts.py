"""What became of each try of a delivery, counted in this process and now and then added to the counts of all."""

from collections import Counter

from app.context import Context
from app.domain.channel import Channel
from app.domain.delivery import Delivery, DeliveryStatus

RETRIED = "retried"
"""The outcome of a try after which there is another."""

_counts: Counter[tuple[str, str]] = Counter()


def count_outcome(channel: Channel | None, tried: Delivery) -> None:
    """`channel` None is one that is gone."""
    outcome = RETRIED if tried.status is DeliveryStatus.PENDING else tried.status.value
    _counts["gone" if channel is None else channel.kind.value, outcome] += 1


async def add_outcomes(context: Context) -> None:
    """Adds what was counted since the last time; what cannot be added now is added later."""
    counts = dict(_counts)
    if not counts:
        return
    # Before the write: what is counted meanwhile is for the next time.
    _counts.clear()
    try:
        await context.store.delivery_figures.add_outcomes(counts)
    except BaseException:
        _counts.update(counts)
        raise
