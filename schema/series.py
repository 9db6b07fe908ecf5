"""A gauge over time, and which gauges there are, on the wire."""

from datetime import datetime

import strawberry
from strawberry import ID

from app import metrics
from app.domain.device import Device
from app.domain.subject import SubjectKind
from app.series import series_of
from schema.context import Info
from schema.paging import TimeRange


@strawberry.type(
    description="A step of a series: it begins at `at`, a multiple of `intervalSec` (UTC). `value` is the average, percentiles are "
    "within 1 %. Steps without a value are left out."
)
class SeriesPoint:
    at: datetime
    value: float | None
    min: float | None
    max: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    count: int


@strawberry.type(
    description="A gauge that devices sent in the last year, to write rules on; `lastAt` is when its newest value was measured."
)
class MetricInfo:
    name: str
    unit: str | None
    subject_kind: SubjectKind
    last_at: datetime | None


@strawberry.type
class MetricQuery:
    @strawberry.field
    async def metrics(self, info: Info, tenant_id: ID | None = None) -> list[MetricInfo]:
        seen = await metrics.list_metrics(info.context.context, info.context.principal, tenant_id)
        return [MetricInfo(name=one.name, unit=one.unit, subject_kind=SubjectKind.DEVICE, last_at=one.last_at) for one in seen]


async def device_series(
    info: Info, device: Device, metric: str, within: TimeRange, interval_sec: int | None
) -> list[SeriesPoint]:
    start, end = within.checked("range")
    points = await series_of(info.context.context, device, metric, start, end, interval_sec)
    return [
        SeriesPoint(at=one.at, value=one.value, min=one.min, max=one.max, p50=one.p50, p95=one.p95, p99=one.p99, count=one.count)
        for one in points
    ]
