"""The list of gauges: what was ever sent is there within a tick, by its unit, and a flood of names does no harm."""

from typing import Any

from hypothesis import given, strategies as st

from app.domain.beat import METRIC_FIELDS, Metric
from app.domain.ids import lane_of
from app.domain.seen_metric import MOST_NAMES, SeenMetric, admit
from jobs.evaluate import roll_up
from tests.cast import NOW, both, outsider, owner, root, viewer
from tests.devices.world import the_device
from tests.rollups.test_series import written
from tests.rollups.world import MINUTE, Rolling, gauge, neighbour
from tests.wire import ask, refusal

METRICS = "query ($tenantId: ID) { metrics(tenantId: $tenantId) { name unit subjectKind lastAt } }"


async def listed(rolling: Rolling, principal: Any = owner, **variables: Any) -> dict[str, Any]:
    shown = (await ask(rolling.context, principal, METRICS, **variables))["metrics"]
    assert all(one["subjectKind"] == "DEVICE" for one in shown)
    assert [one["name"] for one in shown] == sorted(one["name"] for one in shown)
    return {one["name"]: (one["unit"], one["lastAt"]) for one in shown}


async def test_a_gauge_is_listed_within_a_tick(rolling: Rolling) -> None:
    assert await listed(rolling) == {}
    await rolling.beat(30, cpu_usage=0.0, error_rate_5m=0.5, metrics=gauge("queue.depth", 1.0, "jobs"))
    await rolling.roll(MINUTE)
    at = written(rolling.at(30))
    assert await listed(rolling) == {"cpuUsage": ("%", at), "errorRate5m": (None, at), "queue.depth": ("jobs", at)}


async def test_it_is_listed_with_its_newest_value(rolling: Rolling) -> None:
    await rolling.beat(10, metrics=gauge("queue", 1.0))
    await rolling.roll(MINUTE)
    await rolling.beat(70, metrics=gauge("queue", 1.0, "jobs"))
    await rolling.beat(20, came=80, metrics=gauge("queue", 1.0, "jobs"))
    await rolling.roll(2 * MINUTE)
    await rolling.beat(130, cpu_usage=1.0)
    await rolling.roll(3 * MINUTE)
    assert (await listed(rolling))["queue"] == ("jobs", written(rolling.at(70)))


async def test_a_name_of_a_standard_gauge_stands_for_that_alone(rolling: Rolling) -> None:
    await rolling.beat(0, metrics=gauge("cpuUsage", 1.0, "cores"))
    await rolling.roll(MINUTE)
    assert await listed(rolling) == {}


async def test_of_a_flood_of_names_the_first_are_listed_and_keep_their_place(rolling: Rolling) -> None:
    await rolling.beat(0, metrics=gauge("zz.real", 1.0), cpu_usage=1.0)
    await rolling.roll(MINUTE)
    for number in range(6):
        flood = (Metric(f"flood.{number}.{at:03}", 1.0) for at in range(100))
        await rolling.beat(70 + number, metrics=tuple(flood))
    await rolling.roll(2 * MINUTE)
    names = await listed(rolling)
    assert len(names) == MOST_NAMES
    assert {"zz.real", "cpuUsage", "flood.0.000"} <= names.keys()


async def test_a_flood_in_one_tenant_pushes_nothing_out_of_another(rolling: Rolling) -> None:
    await rolling.context.store.tenants.insert(neighbour())
    for number in range(15):
        flood = (Metric(f"flood.{number}.{at:03}", 1.0) for at in range(100))
        await rolling.beat(number, tenant_id="hooli", metrics=tuple(flood))
    await rolling.beat(0, metrics=gauge("queue", 1.0))
    await rolling.roll(MINUTE)
    assert (await listed(rolling)).keys() == {"queue"}
    assert len(await listed(rolling, root, tenantId="hooli")) == MOST_NAMES


async def test_everybody_sees_those_of_their_tenants(rolling: Rolling) -> None:
    for tenant_id in ("acme", "umbrella"):
        await rolling.beat(0, tenant_id=tenant_id, metrics=(Metric(f"only.{tenant_id}", 1.0), Metric("both", 1.0, tenant_id)))
        await rolling.roll(MINUTE, tenant_id)
    assert (await listed(rolling, viewer)).keys() == {"both", "only.acme"}
    assert (await listed(rolling, outsider)).keys() == {"both", "only.umbrella"}
    for everybody in (both, root):
        assert (await listed(rolling, everybody)).keys() == {"both", "only.acme", "only.umbrella"}
        assert (await listed(rolling, everybody, tenantId="umbrella")).keys() == {"both", "only.umbrella"}
    assert await refusal(rolling.context, outsider, METRICS, tenantId="acme") == ("FORBIDDEN", [])
    assert await refusal(rolling.context, the_device("till-1"), METRICS) == ("FORBIDDEN", [])


async def test_tenants_of_one_lane_have_lists_of_their_own(rolling: Rolling) -> None:
    await rolling.context.store.tenants.insert(neighbour())
    await rolling.beat(0, metrics=gauge("queue", 1.0, "jobs"))
    await rolling.beat(5, tenant_id="hooli", metrics=gauge("queue", 1.0, "people"))
    await rolling.roll(MINUTE)
    assert await listed(rolling) == {"queue": ("jobs", written(NOW))}
    assert await listed(rolling, root, tenantId="hooli") == {"queue": ("people", written(rolling.at(5)))}


async def test_a_lane_that_another_rolls_up_is_left_alone(rolling: Rolling) -> None:
    lane, leases = lane_of("acme"), rolling.context.store.leases
    await rolling.beat(0, cpu_usage=1.0)
    assert await leases.hold_lane("rollups", lane, "another", NOW, 5)
    await roll_up(rolling.context, lane)
    assert await listed(rolling) == {}
    await leases.release_lane("rollups", lane, "another", NOW)
    await roll_up(rolling.context, lane)
    assert (await listed(rolling)).keys() == {"cpuUsage"}


NAMES = st.sets(st.sampled_from([*METRIC_FIELDS, *(f"m{number}" for number in range(600))]), max_size=600)


@given(NAMES, NAMES)
def test_a_list_never_grows_too_long_and_nobody_loses_a_place(known: set[str], names: set[str]) -> None:
    known = set(sorted(known)[:MOST_NAMES])
    seen = [SeenMetric(tenant_id="acme", name=name, unit=None, last_at=NOW) for name in sorted(names)]
    admitted, left_out = admit(known, seen)
    after = known | {one.name for one in admitted}
    assert len(after) <= MOST_NAMES
    assert names & known <= {one.name for one in admitted}
    assert len(admitted) + left_out == len(names)
    assert not left_out or len(after) == MOST_NAMES


def test_a_list_that_is_longer_than_it_may_be_counts_those_left_out_as_they_are() -> None:
    known = [f"m{number}" for number in range(MOST_NAMES + 10)]
    seen = [SeenMetric(tenant_id="acme", name=name, unit=None, last_at=NOW) for name in ("m0", "new")]
    assert admit(known, seen) == (seen[:1], 1)
