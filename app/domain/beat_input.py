"""A beat as it was sent, and what may be wrong with it. Pure."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import attrgetter

import msgspec

from app.domain.beat import Metric, ServiceReport
from app.domain.ids import is_device_id
from app.errors import FieldError

FUTURE = timedelta(minutes=5)
"""How far ahead of us a device's clock may be; further is no skew but a mistake."""

OLDEST = timedelta(days=30)
LONGEST_CHECKS = 16_384
"""Bytes of JSON that a service may say of its checks."""

DEEPEST_CHECKS = 10
_TEXTS = (
    ("input.storeId", 64), ("input.status", 64), ("input.appVersion", 64), ("input.name", 200), ("input.hostname", 253),
    ("input.kind", 64), ("input.bootId", 128),
)  # fmt: skip
_GAUGES = (
    ("input.errorRate5m", 1.0), ("input.requestLatencyP95", math.inf), ("input.syncLagSec", math.inf),
    ("input.memoryUsage", 100.0), ("input.cpuUsage", 100.0), ("input.diskUsage", 100.0),
)  # fmt: skip
_SHORTEST = min(longest for _, longest in _TEXTS)
_texts_of = attrgetter("store_id", "status", "app_version", "name", "hostname", "kind", "boot_id")
_gauges_of = attrgetter("error_rate5m", "request_latency_p95", "sync_lag_sec", "memory_usage", "cpu_usage", "disk_usage")


class BeatInput(msgspec.Struct, kw_only=True):
    """A beat as it was sent; the names and units of `HeartbeatInput`."""

    device_id: str
    tenant_id: str | None = None
    store_id: str | None = None
    status: str | None = "online"
    sent_at: datetime | None = None
    sequence: int | None = None
    error_rate5m: float | None = None
    request_latency_p95: float | None = None
    sync_lag_sec: float | None = None
    app_version: str | None = None
    memory_usage: float | None = None
    cpu_usage: float | None = None
    disk_usage: float | None = None
    metrics: Sequence[Metric] = ()
    services: Sequence[ServiceReport] = ()
    name: str | None = None
    hostname: str | None = None
    kind: str | None = None
    boot_id: str | None = None


def check_beat(beat: BeatInput, now: datetime) -> list[FieldError]:
    """Every bad field of a beat."""
    errors: list[FieldError] = []
    if not is_device_id(beat.device_id):
        errors.append(FieldError("input.deviceId", "must have 1 to 128 printable characters, no blank at either end"))
    if not _are_within(beat):
        for (path, longest), text in zip(_TEXTS, _texts_of(beat), strict=True):
            errors += _check_text(path, text, longest)
        for (path, most), value in zip(_GAUGES, _gauges_of(beat), strict=True):
            errors += _check_gauge(path, value, most)
    if beat.sequence is not None and beat.sequence < 0:
        errors.append(FieldError("input.sequence", f"is {beat.sequence}; must not be negative"))
    if beat.sent_at is not None and not now - OLDEST <= beat.sent_at <= now + FUTURE:
        errors.append(
            FieldError(
                "input.sentAt",
                f"is {beat.sent_at.isoformat()}; it is {now.isoformat()} here: at most 5 min ahead and 30 days back",
            )
        )
    return errors + _check_lists(beat) if beat.metrics or beat.services else errors


def _are_within(beat: BeatInput) -> bool:
    """Whether texts and gauges are certainly within bounds, as those of most beats are: seen at once, without their paths."""
    rate, latency, lag, memory, cpu, disk = _gauges_of(beat)
    return (
        (rate is None or 0 <= rate <= 1)
        and (latency is None or 0 <= latency < math.inf)
        and (lag is None or 0 <= lag < math.inf)
        and (memory is None or 0 <= memory <= 100)
        and (cpu is None or 0 <= cpu <= 100)
        and (disk is None or 0 <= disk <= 100)
        and len("".join(filter(None, _texts_of(beat)))) <= _SHORTEST  # all of them together: one look instead of seven
    )


def _check_gauge(path: str, value: float | None, most: float) -> list[FieldError]:
    if value is None:
        return []
    if not math.isfinite(value):
        return [FieldError(path, f"is {value}; must be a finite number")]
    if value < 0 or value > most:
        return [
            FieldError(
                path, f"is {value:g}; must be 0 to {most:g}" if math.isfinite(most) else f"is {value:g}; must not be negative"
            )
        ]
    return []


def _check_lists(beat: BeatInput) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, entries in (("metrics", beat.metrics), ("services", beat.services)):
        if len(entries) > 100:
            errors.append(FieldError(f"input.{name}", f"has {len(entries)} entries; at most 100"))
        names = [entry.name for entry in entries]
        if len(set(names)) < len(names):
            errors.append(FieldError(f"input.{name}", "names one twice"))
        errors += [
            FieldError(f"input.{name}[{at}].name", "must have 1 to 100 characters")
            for at, one in enumerate(names)
            if not 0 < len(one) <= 100
        ]
    for at, metric in enumerate(beat.metrics):
        errors += _check_metric(f"input.metrics[{at}]", metric)
    for at, report in enumerate(beat.services):
        errors += _check_report(f"input.services[{at}]", report)
    return errors


def _check_metric(path: str, metric: Metric) -> list[FieldError]:
    errors: list[FieldError] = []
    if not math.isfinite(metric.value):
        errors.append(FieldError(f"{path}.value", f"is {metric.value}; must be a finite number"))
    return errors + _check_text(f"{path}.unit", metric.unit, 64)


def _check_report(path: str, report: ServiceReport) -> list[FieldError]:
    errors = _check_gauge(f"{path}.responseTimeMs", report.response_time_ms, math.inf)
    errors += _check_gauge(f"{path}.uptimeSec", report.uptime_sec, math.inf)
    errors += _check_text(f"{path}.url", report.url, 2_048)
    fault = _fault_of(report.checks) or _is_too_long(report.checks)
    return errors + ([FieldError(f"{path}.checks", fault)] if fault else [])


def _check_text(path: str, text: str | None, longest: int) -> list[FieldError]:
    if text is None or len(text) <= longest:
        return []
    return [FieldError(path, f"has {len(text)} characters; at most {longest}")]


def _fault_of(value: object, depth: int = 1) -> str | None:
    """Why a JSON value cannot be kept: the beats of many devices are written together, and one must not spoil it for all."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "has a whole number of more than 64 bits"
    if isinstance(value, float) and not math.isfinite(value):
        return "has a number that is not finite"
    if not isinstance(value, dict | list):
        return None
    if depth > DEEPEST_CHECKS:
        return f"is nested deeper than {DEEPEST_CHECKS}"
    if isinstance(value, dict) and any(str(key).startswith("$") or "\0" in str(key) for key in value):
        return "has a key that begins with $ or holds a NUL"
    inner = value.values() if isinstance(value, dict) else value
    return next((fault for one in inner if (fault := _fault_of(one, depth + 1)) is not None), None)


def _is_too_long(value: object) -> str | None:
    size = len(msgspec.json.encode(value))
    return f"has {size} bytes of JSON; at most {LONGEST_CHECKS}" if size > LONGEST_CHECKS else None
