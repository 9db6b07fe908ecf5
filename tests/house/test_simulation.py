"""A simulated fleet does what its scenario says, repeatably, and speaks the public contract."""

import itertools
from pathlib import Path
from random import Random

import pytest
from graphql import build_schema, parse, validate

from app.simulation import wire
from app.simulation.fleet import DEVICES_PER_STORE
from app.simulation.scenarios import Line, Moment, Place, Scenario, moment
from app.simulation.tally import Tally, summary

SCHEMA = Path(__file__).parents[2] / "frontend-contract" / "schema.graphql"
DOCUMENTS = [wire.BEAT, wire.BEATS, wire.CREATE_TENANT, wire.WIDEN_TENANT, wire.SAVE_STORE, wire.REGISTER, wire.ROTATE]
LONG = 30


def at(scenario: Scenario, number: int, progress: float, seed: int = 1) -> Moment:
    return moment(scenario, Place(number, number // DEVICES_PER_STORE), progress, Random(seed))


def lines(scenario: Scenario, number: int) -> list[Line]:
    return [at(scenario, number, step / 20).line for step in range(20)]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_its_documents_are_valid_against_the_contract(document: str) -> None:
    assert validate(build_schema(SCHEMA.read_text(encoding="utf-8")), parse(document)) == []


@pytest.mark.parametrize("scenario", Scenario)
def test_the_same_chance_gives_the_same_moment(scenario: Scenario) -> None:
    assert at(scenario, 3, 0.4, seed=7) == at(scenario, 3, 0.4, seed=7)
    assert at(scenario, 3, 0.4, seed=7).metrics != at(scenario, 3, 0.4, seed=8).metrics


@pytest.mark.parametrize("scenario", [one for one in Scenario if one not in (Scenario.FLAPPING, Scenario.MIXED)])
def test_every_device_beats_again_at_the_end(scenario: Scenario) -> None:
    assert {at(scenario, number, 0.99).line for number in range(LONG)} == {Line.SEND}


def test_in_an_outage_one_store_is_silent_and_the_others_are_not() -> None:
    during = [at(Scenario.STORE_OUTAGE, number, 0.5).line for number in range(LONG)]
    assert set(during[:DEVICES_PER_STORE]) == {Line.LOSE}
    assert set(during[DEVICES_PER_STORE:]) == {Line.SEND}


def test_a_flapping_device_comes_and_goes() -> None:
    seen = lines(Scenario.FLAPPING, 0)
    changes = sum(a is not b for a, b in itertools.pairwise(seen))
    assert changes >= 8
    assert set(lines(Scenario.FLAPPING, 1)) == {Line.SEND}


def test_lag_rises_over_the_warning_and_falls_again() -> None:
    lag = [at(Scenario.LAG, 0, step / 20).metrics["syncLagSec"] for step in range(21)]
    assert max(lag) > 200
    assert lag[0] < 10
    assert lag[-1] < 10


def test_drift_only_ever_rises() -> None:
    memory = [at(Scenario.SLOW_DRIFT, 0, step / 20).metrics["memoryUsage"] for step in range(21)]
    assert memory == sorted(memory)
    assert memory[-1] > 95


def test_a_backlog_is_kept_and_then_sent() -> None:
    seen = lines(Scenario.BACKLOG, 0)
    assert seen.count(Line.KEEP) == 6
    assert Line.LOSE not in seen
    assert seen[-1] is Line.SEND


def test_a_mixed_fleet_is_mostly_well() -> None:
    during = [at(Scenario.MIXED, number, 0.5).line for number in range(LONG)]
    assert during.count(Line.SEND) >= LONG * 0.7
    assert during.count(Line.LOSE) >= 3
    assert during.count(Line.KEEP) == 3


def test_the_counts_end_in_one_line() -> None:
    tally = Tally()
    tally.sent["a"] = 1_200
    tally.acknowledged["a"] = 1_199
    tally.refused["a"] = 1
    tally.reasons["FORBIDDEN"] = 1
    assert summary(tally) == "sent 1,200, acknowledged 1,199, refused 1, no answer 0 (FORBIDDEN 1)"
