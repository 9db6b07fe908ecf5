"""All three ways (without plans, with them, and at the connection) answer the same, byte for byte, and do the same. `DIFFERENTIAL_CASES=20000` tries more than the suite does."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.compiled.generating import requests
from tests.compiled.on_the_wire import CountingProtocol, Short
from tests.compiled.twins import CALLERS, Twin

CASES = int(os.environ.get("DIFFERENTIAL_CASES", "200"))
ACCEPTS = ["*/*", "application/json", "application/graphql-response+json", "text/html"]
_counts = {"cases": 0, "plans": 0, "short": 0}


@pytest.mark.timeout(60 + CASES // 4)
@settings(
    max_examples=CASES,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    body=requests(), caller=st.sampled_from([*CALLERS, "olga", "acme:till-1"]), accept=st.sampled_from(ACCEPTS[:3] * 5 + ACCEPTS)
)
async def test_all_ways_answer_the_same_and_do_the_same(
    compiling: Twin, general: Twin, short: Short, body: bytes, caller: str, accept: str
) -> None:
    # A document's first call goes the general way in any case, and the third may be known by its beginning.
    for _ in range(3):
        served, at_once = compiling.served, CountingProtocol.short
        one = await compiling.post(body, caller, accept=accept)
        other = await general.post(body, caller, accept=accept)
        third = await short.connection.post(body, authorization=caller, accept=accept)
        assert one == other
        assert third == other
        assert b"INTERNAL" not in one[2]
        assert compiling.taken == general.taken
        assert short.twin.taken == general.taken
    _counts["cases"] += 1
    _counts["plans"] += compiling.served > served
    _counts["short"] += CountingProtocol.short > at_once
    compiling.taken.clear()
    general.taken.clear()
    short.twin.taken.clear()


def test_the_cases_took_both_ways(record_property: Any) -> None:
    if not _counts["cases"]:
        pytest.skip("the cases ran elsewhere")
    record_property(
        "figure", f"{_counts['cases']} requests, {_counts['plans']} of them by a plan, {_counts['short']} at the connection"
    )
    assert CASES // 5 < _counts["plans"] < CASES
    assert _counts["plans"] < _counts["short"]
