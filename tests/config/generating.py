"""Rules as hypothesis makes them up: every family, every field, and texts that YAML might take for something else."""

from typing import Any

import msgspec
from hypothesis import assume, strategies as st

from app.domain.alert import Severity
from app.domain.beat import HealthStatus
from app.domain.defaults import platform_rules
from app.domain.faults import Faults
from app.domain.operational_event import EventKind, EventOutcome
from app.domain.rule import (
    AbsenceCondition,
    Aggregation,
    AnomalyCondition,
    Comparison,
    Condition,
    MetricCondition,
    NoDataPolicy,
    OutsideHoursCondition,
    RatioCondition,
    Rule,
    RuleScope,
    ServiceCondition,
    SpikeCondition,
)
from app.domain.rule_check import check_rule
from app.domain.rule_input import FIELDS, overlaid, override_of
from app.domain.subject import SubjectKind
from app.domain.tenant import Tenant
from tests.cast import NOW

DEFAULTS = {rule.key: rule for rule in platform_rules(90, NOW)}

_tricky = st.sampled_from(
    ["no", "22:00", "1e5", "010", "null", "~", "2026-11-21", "- a", "a: b", "#x", "'", '"', "0x1F", ".inf", "é", "=", "<<"]
)
titles = _tricky | st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(
    lambda text: text.isprintable() and text.strip() == text
)
_prose = st.text(st.characters(codec="utf-8") | st.sampled_from("\n\r\t "), max_size=60).filter(
    lambda text: all(char.isprintable() or char in "\n\r\t" for char in text)
)
_keys = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,20}", fullmatch=True)
_clocks = st.integers(0, 287).map(lambda five: f"{five // 12:02}:{five % 12 * 5:02}")
_numbers = st.floats(-1e12, 1e12) | st.integers(-1000, 1000).map(float)
_windows = st.integers(1, 2016).map(lambda buckets: buckets * 300)
_subjects = st.sampled_from([None, SubjectKind.DEVICE, SubjectKind.STORE, SubjectKind.TENANT])
_counted: dict[str, Any] = {"event": st.sampled_from(EventKind), "subject": _subjects}
_lists = st.lists(titles, max_size=3, unique=True).map(tuple)


@st.composite
def _metrics(draw: st.DrawFn) -> MetricCondition:
    aggregation = draw(st.sampled_from(Aggregation))
    return MetricCondition(
        metric=draw(titles),
        comparison=draw(st.sampled_from(Comparison)),
        threshold=draw(_numbers),
        recovery_threshold=draw(st.none() | _numbers),
        aggregation=aggregation,
        window_sec=0 if aggregation is Aggregation.LAST else draw(st.integers(1, 604_800)),
    )


conditions: st.SearchStrategy[Condition] = st.one_of(
    st.builds(AbsenceCondition, after_sec=st.none() | st.integers(1, 604_800)),
    _metrics(),
    st.builds(
        RatioCondition,
        threshold=st.floats(0, 1),
        window_sec=_windows,
        outcome=st.sampled_from(EventOutcome),
        recovery_threshold=st.none() | st.floats(0, 1),
        min_samples=st.integers(1, 1000),
        **_counted,
    ),
    st.builds(
        SpikeCondition,
        factor=st.floats(1, 1000),
        window_sec=_windows,
        baseline_days=st.integers(1, 28),
        min_count=st.integers(1, 1000),
        **_counted,
    ),
    st.builds(
        OutsideHoursCondition,
        opens=_clocks,
        closes=_clocks,
        timezone=st.sampled_from([None, "Europe/Vienna"]),
        days=st.none() | st.lists(st.integers(1, 7), unique=True).map(tuple),
        min_count=st.integers(1, 1000),
        **_counted,
    ),
    st.builds(
        ServiceCondition,
        service=st.none() | titles,
        status=st.lists(st.sampled_from(HealthStatus), min_size=1, unique=True).map(tuple),
        latency_ms=st.none() | st.floats(0.1, 1e6),
    ),
    st.builds(
        AnomalyCondition,
        metric=titles,
        sensitivity=st.floats(0.1, 100),
        window_sec=st.integers(300, 21_600),
        baseline_days=st.integers(7, 28),
    ),
)
_seconds = st.integers(0, 604_800)
_fields: dict[str, st.SearchStrategy[Any]] = {
    "name": titles,
    "description": st.none() | _prose,
    "severity": st.sampled_from(Severity),
    "condition": conditions,
    "scope": st.just(RuleScope())
    | st.builds(RuleScope, store_ids=_lists, device_ids=_lists, kinds=_lists, tags=_lists)
    | st.builds(RuleScope, service_keys=_lists),
    "enabled": st.booleans(),
    "for_sec": _seconds,
    "keep_firing_sec": _seconds,
    "cooldown_sec": _seconds,
    "max_alerts_per_hour": st.none() | st.integers(1, 1000),
    "auto_resolve": st.booleans(),
    "no_data": st.sampled_from(NoDataPolicy),
    "runbook_url": st.sampled_from([None, "https://wiki.example.com/a?b=c#d"]),
    "channel_ids": st.lists(st.sampled_from(["made-1", "made-2"]), unique=True).map(tuple),
}


@st.composite
def own_rules(draw: st.DrawFn) -> Rule:
    values = {name: draw(_fields[name]) for name in FIELDS}
    key = draw(_keys.filter(lambda key: key not in DEFAULTS))
    rule = Rule(id=f"id-{key}", tenant_id="acme", key=key, created_at=NOW, updated_at=NOW, **values)
    return _good(rule)


@st.composite
def versions(draw: st.DrawFn) -> Rule:
    """Of a default, setting a few fields."""
    default = DEFAULTS[draw(st.sampled_from(sorted(DEFAULTS)))]
    names = draw(st.sets(st.sampled_from(FIELDS), min_size=1, max_size=4))
    overridden = tuple(name for name in FIELDS if name in names)
    values = {name: draw(_fields[name]) for name in overridden}
    rule = msgspec.structs.replace(override_of(default, "acme", NOW), **values, overridden=overridden)
    return _good(overlaid(rule, default))


def _good(rule: Rule) -> Rule:
    faults = Faults()
    check_rule(rule, "rule", faults)
    paths = {fault.path for fault in faults.found}
    # What belongs together is not made up together; mended where that is cheap, else tried again.
    if rule.overridden is None and paths:
        rule = msgspec.structs.replace(rule, scope=RuleScope(), condition=_mended(rule.condition))
        faults = Faults()
        check_rule(rule, "rule", faults)
    assume(not faults.found)
    return rule


def _mended(condition: Condition) -> Condition:
    if isinstance(condition, MetricCondition | RatioCondition):
        return msgspec.structs.replace(condition, recovery_threshold=None)
    return condition


books = st.lists(own_rules() | versions(), max_size=6, unique_by=lambda rule: rule.key)

tenants = st.builds(
    Tenant,
    id=st.just("acme"),
    name=st.just("Acme"),
    created_at=st.just(NOW),
    offline_after_sec=st.none() | st.integers(1, 604_800),
    sync_lag_warn_sec=st.none() | st.integers(1, 604_800),
    cooldown_sec=_seconds,
    max_alerts_per_hour=st.none() | st.integers(1, 1000),
    shared_fate_ratio=st.floats(0.01, 1),
    shared_fate_min=st.integers(2, 1000),
)
