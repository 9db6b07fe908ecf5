"""What is measured: from breach to message, from dispatch to receipt, and what is left when the far ends and workers fail."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from app.domain.alert import Severity
from app.domain.channel import ChannelKind
from app.domain.delivery import Delivery, DeliveryStatus
from app.domain.tenant import only
from bench.deliveries.installation import OFFLINE_AFTER_SEC, Installation
from bench.deliveries.loading import add_channel, add_tenant, kinds_here, open_alerts, rows
from bench.deliveries.receivers import Receipt

TENANTS = 10
REGISTER = "mutation($input: DeviceInput!) { registerDevice(input: $input) { token } }"
BEAT = "mutation($input: HeartbeatInput!) { heartbeat(input: $input) { accepted } }"


class Breach(msgspec.Struct, frozen=True):
    """Seconds from the breaching beat, or from the deadline of the one that fell silent, by kind of channel."""

    gauge_sec: dict[str, float]
    silence_sec: dict[str, float]

    @property
    def longest_sec(self) -> float:
        return max([*self.gauge_sec.values(), *self.silence_sec.values()])


class Burst(msgspec.Struct, frozen=True):
    """Seconds from the row in the outbox to the receipt, over everything that was told at once."""

    deliveries: int
    kinds: dict[str, int]
    p50_sec: float
    p99_sec: float
    worst_sec: float
    worker_cpu_ms_each: float


class Chaos(msgspec.Struct, frozen=True):
    """What became of deliveries whose receivers failed. `other_key` are repetitions that came with another key."""

    deliveries: int
    kills: int
    failed: dict[str, int]
    seconds: float
    statuses: dict[str, int]
    lost: int
    repeated: int
    other_key: int


async def breach(here: Installation) -> Breach:
    """One device crosses a bound, another falls silent; ticks are as they are by default."""
    tenant_id, context = "breach", here.context
    await add_tenant(context, tenant_id)
    kinds = await kinds_here(context)
    for number, kind in enumerate(kinds):
        await add_channel(context, tenant_id, kind, number, here.far)
    admin, tokens = here.admin_of(tenant_id), dict[str, str]()
    for device_id in ("full", "silent"):
        said = await here.ask(REGISTER, admin, input={"deviceId": device_id})
        tokens[device_id] = f"Device {said['registerDevice']['token']}"  # type: ignore[index]
    began = time.time()
    await here.ask(BEAT, tokens["full"], input={"deviceId": "full", "diskUsage": 95})
    silent_at = time.time()
    await here.ask(BEAT, tokens["silent"], input={"deviceId": "silent"})
    deadline, found = silent_at + OFFLINE_AFTER_SEC, dict[str, dict[str, float]]()
    async with asyncio.timeout(90):
        while sum(len(times) for times in found.values()) < 2 * len(kinds):
            # The one with the full disk has to go on, or it would fall silent too.
            await here.ask(BEAT, tokens["full"], input={"deviceId": "full", "diskUsage": 95})
            await asyncio.sleep(0.5)
            found = await _first_heard(here, tenant_id, {"disk_full": began, "device_offline": deadline})
    return Breach(found["disk_full"], found["device_offline"])


async def burst(here: Installation, count: int) -> Burst:
    """Every channel is told of one alert, all at the same time: nobody hears so much that it would be put together."""
    context, each = here.context, count // TENANTS
    kinds = await kinds_here(context)
    tenants = [f"burst-{number}" for number in range(TENANTS)]
    for tenant_id in tenants:
        await add_tenant(context, tenant_id)
        for number in range(each):
            await add_channel(context, tenant_id, kinds[number % len(kinds)], number, here.far)
    cpu = here.worker_cpu_sec()
    alerts = [(tenant_id, f"b-{tenant_id}", Severity.HIGH) for tenant_id in tenants]
    await open_alerts(context, alerts)
    async with asyncio.timeout(300):
        made = await _until_finished(here, tenants, [alert_id for _, alert_id, _ in alerts], each * TENANTS)
    cpu = here.worker_cpu_sec() - cpu
    heard = _by_place(await here.receipts())
    waits = sorted(heard[place][0].at - one.created_at.timestamp() for one in made if (place := _place(one)) in heard)
    if len(waits) < len(made):
        raise RuntimeError(f"{len(made) - len(waits)} of {len(made)} were not received")
    return Burst(
        deliveries=len(made),
        kinds=Counter(one.channel_id.split("-")[0] for one in made),
        p50_sec=round(statistics.median(waits), 3),
        p99_sec=round(waits[int(len(waits) * 0.99) - 1], 3),
        worst_sec=round(waits[-1], 3),
        worker_cpu_ms_each=round(1000 * cpu / len(made), 2),
    )


async def chaos(here: Installation, count: int, kills: int, percent: int, seed: int) -> Chaos:
    """The far ends fail at random; a worker is killed now and then, and another one begins."""
    context, hooks = here.context, 20
    kinds = await kinds_here(context)
    tenants = [f"chaos-{number}" for number in range(TENANTS)]
    for tenant_id in tenants:
        await add_tenant(context, tenant_id)
        for number in range(hooks):
            await add_channel(context, tenant_id, ChannelKind.WEBHOOK, number, here.far)
        for kind in kinds:
            if kind is not ChannelKind.WEBHOOK:
                await add_channel(context, tenant_id, kind, 0, here.far, rare=True)
    alerts = [
        (tenant_id, f"c-{tenant_id}-{number}", Severity.LOW if number else Severity.CRITICAL)
        for tenant_id in tenants
        for number in range(-(-count // (TENANTS * hooks)))
    ]
    wanted = len(alerts) * hooks + TENANTS * (len(kinds) - 1)
    await here.fail(percent, seed)
    began = time.monotonic()
    killing = asyncio.create_task(_kill(here, wanted, kills))
    try:
        await open_alerts(context, alerts)
        async with asyncio.timeout(60 + wanted / 10):
            made = await _until_finished(here, tenants, [alert_id for _, alert_id, _ in alerts], wanted)
    finally:
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
        await here.fail(0, seed)
    return judged(made, await here.receipts(), kills, here.failed, time.monotonic() - began)


def judged(made: Sequence[Delivery], receipts: Iterable[Receipt], kills: int, failed: dict[str, int], seconds: float) -> Chaos:
    heard = _by_place(receipts)
    of_each = [heard.get(_place(one), []) for one in made]
    keys = [
        {receipt.key for receipt in came if receipt.key is not None} - {one.id} for one, came in zip(made, of_each, strict=True)
    ]
    return Chaos(
        deliveries=len(made),
        kills=kills,
        failed=dict(failed),
        seconds=round(seconds, 1),
        statuses=Counter(one.status.name for one in made),
        lost=sum(1 for came in of_each if not any(receipt.taken for receipt in came)),
        repeated=sum(1 for came in of_each if sum(receipt.taken for receipt in came) > 1),
        other_key=sum(1 for others in keys if others),
    )


async def _kill(here: Installation, wanted: int, kills: int) -> None:
    """Kills the worker whenever another share of it has been received."""
    before = len(await here.receipts())
    for number in range(1, kills + 1):
        while len(await here.receipts()) - before < wanted * number / (kills + 1):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.2)
        await asyncio.to_thread(here.kill_worker)
        here.start_worker()


async def _until_finished(here: Installation, tenants: Sequence[str], alert_ids: Sequence[str], wanted: int) -> list[Delivery]:
    while await here.context.store.delivery_figures.unfinished():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.5)
    # A channel that does not want an alert of that severity has a row that says so.
    made = [one for one in await rows(here.context, tenants, alert_ids) if one.status is not DeliveryStatus.SKIPPED]
    if len(made) != wanted:
        raise RuntimeError(f"{len(made)} deliveries were to be sent, not {wanted}")
    return made


async def _first_heard(here: Installation, tenant_id: str, began: dict[str, float]) -> dict[str, dict[str, float]]:
    """By rule and kind of channel: seconds until the first message of its alert."""
    receipts = await here.receipts()
    ids = sorted({alert_id for receipt in receipts for alert_id in receipt.alerts})
    alerts = await here.context.store.alerts.get_many(only(tenant_id), ids)
    found: dict[str, dict[str, float]] = {rule_key: {} for rule_key in began}
    for receipt in receipts:
        for alert_id in receipt.alerts:
            if alert_id in alerts and (rule_key := alerts[alert_id].rule_key) in found:
                found[rule_key].setdefault(receipt.kind, round(receipt.at - began[rule_key], 2))
    return found


def _by_place(receipts: Iterable[Receipt]) -> dict[tuple[str, str, str], list[Receipt]]:
    """By kind, where it came, and alert."""
    found: dict[tuple[str, str, str], list[Receipt]] = {}
    for receipt in receipts:
        for alert_id in receipt.alerts:
            found.setdefault((receipt.kind, receipt.where.removesuffix("@example.com"), alert_id), []).append(receipt)
    return found


def _place(delivery: Delivery) -> tuple[str, str, str]:
    kind, _, where = delivery.channel_id.partition("-")
    return kind, where, delivery.alert_id or ""


def is_clean(result: Chaos) -> bool:
    """Each was received, none was given up, and what came twice came with its own key."""
    return result.lost == 0 and result.other_key == 0 and result.statuses == {DeliveryStatus.SENT.name: result.deliveries}
