"""What a bench found is put together rightly, and the README's table is what the script makes of it."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from bench.__main__ import KEYS
from bench.machine import this_machine
from bench.results import compared, measured_again, read, side, to_plain, write, write_machine
from bench.table import BEGIN, BOUND, END, ORDER, README, table, written

OURS = [{"per_sec": 300.0, "cpu_us": 10.0, "client_share": 0.1}, {"per_sec": 500.0, "cpu_us": 30.0, "client_share": 0.1}]
THEIRS = [{"per_sec": 100.0, "cpu_us": 40.0, "client_share": 0.1}]


def test_a_side_has_the_median_and_how_far_its_rounds_lie_apart() -> None:
    found = side([*OURS, {"per_sec": 310.0, "cpu_us": 11.0, "client_share": 0.1}]).figures["per_sec"]
    assert (found.median, found.lowest, found.highest) == (310, 300, 500)


def test_a_ratio_over_one_is_better_whether_the_figure_should_be_high_or_low() -> None:
    found = compared("beats", {"ours": side(OURS), "slow": side(THEIRS)})
    assert found.ratio == {"slow": {"per_sec": 4.0, "cpu_us": 2.0}}


@pytest.mark.parametrize(
    ("client", "server", "bound"), [(0.95, 0.5, True), (0.95, 0.97, False), (0.4, 0.5, False)], ids=["client", "both", "neither"]
)
def test_a_side_says_when_its_client_was_at_the_limit_and_the_server_was_not(client: float, server: float, bound: bool) -> None:
    assert side([{"per_sec": 1.0, "client_share": client, "server_share": server}]).client_bound is bound


def test_what_was_not_measured_this_time_stays(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write({"ack": {"what": "before"}, "tick": {"what": "before"}}, path)
    write({"tick": {"what": "now"}}, path)
    assert read(path) == {"ack": {"what": "before"}, "tick": {"what": "now"}}


def test_what_was_measured_again_says_when_and_beside_what(tmp_path: Path) -> None:
    path, before, later = tmp_path / "results.json", replace(this_machine(), at="2026-11-20"), replace(this_machine(), load=3.5)
    write_machine(before, (), path)
    write_machine(later, ["ack"], path)
    assert read(path)["machine"]["at"] == "2026-11-20"
    assert measured_again(read(path)) == f" Measured again: `ack` ({later.at}, load 3.5)."
    write_machine(later, (), path)
    assert (read(path)["machine"]["load"], measured_again(read(path))) == (3.5, "")


def test_the_table_shows_ratios_what_was_left_out_and_who_was_bound_by_its_client() -> None:
    bound = side([{"per_sec": 50.0, "cpu_us": 20.0, "client_share": 0.99, "server_share": 0.1}])
    found = compared("beats", {"ours": side(OURS), "mercurius": side(THEIRS), "yoga": bound}, {"alerta": "not here"})
    shown = table({"heartbeat_http": to_plain(found)})
    assert "| `heartbeat_http` | a second | **400** | 100 (×4.00) |" in shown  # noqa: RUF001
    assert f"50.0{BOUND}" in shown
    assert "Left out: Alerta (not here)." in shown


def test_every_measure_has_a_row_and_every_row_a_measure() -> None:
    assert sorted(ORDER) == sorted(KEYS)


def test_the_table_goes_between_its_marks_and_nowhere_else() -> None:
    readme = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    found = written(readme, {})
    assert found.startswith(f"before\n{BEGIN}\n")
    assert found.endswith(f"{END}\nafter\n")
    assert "old" not in found
    with pytest.raises(ValueError, match="no place for the table"):
        written("nothing", {})


def test_the_readme_holds_what_the_script_makes_of_the_results() -> None:
    text = README.read_text()
    assert written(text, read()) == text


def test_the_results_hold_known_keys_alone() -> None:
    assert set(read()) <= {*KEYS, "machine", "again"}
