"""A part that dies is started again, and a little later each time."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from app.child import Child, spawn, wait_until_dead
from app.keeper import Keeper
from app.log_watch import LogWatch


def sleeper(folder: Path) -> Child:
    return spawn("sleeper", [sys.executable, "-c", "import signal; signal.pause()"], folder / "sleeper.log")


def until_it_says(keeper: Keeper, word: str) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if (line := keeper.look_after()) and word in line:
            return line
        time.sleep(0.02)
    raise AssertionError(f"never said {word!r}")


def test_a_part_that_was_killed_runs_again(tmp_path: Path) -> None:
    keeper = Keeper("sleeper", "worker", lambda: sleeper(tmp_path), 1)
    keeper.start()
    first = keeper.pid
    assert first is not None
    assert keeper.look_after() is None
    os.kill(first, signal.SIGKILL)
    assert "signal 9" in until_it_says(keeper, "starts again in 1 s")
    until_it_says(keeper, "runs again")
    assert keeper.pid != first
    keeper.stop()
    assert keeper.child is not None
    assert keeper.child.exit_code == -signal.SIGTERM


def test_the_pause_grows_when_a_part_dies_at_once(tmp_path: Path) -> None:
    keeper = Keeper("broken", "worker", lambda: spawn("broken", ["/bin/false"], tmp_path / "broken.log"), 1)
    keeper.start()
    until_it_says(keeper, "exit code 1); it starts again in 1 s")
    until_it_says(keeper, "starts again in 2 s")


def test_a_start_that_fails_is_tried_again(tmp_path: Path) -> None:
    turns = iter(range(3))

    def start() -> Child:
        if next(turns) == 1:
            raise ValueError("no port")
        return sleeper(tmp_path)

    keeper = Keeper("shaky", "redis", start, 1)
    keeper.start()
    keeper.kill()
    until_it_says(keeper, "could not be started (no port); it starts again in 2 s")
    until_it_says(keeper, "runs again")
    keeper.stop()


def test_what_does_not_stop_when_asked_is_killed(tmp_path: Path) -> None:
    program = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    child = spawn("deaf", [sys.executable, "-c", program], tmp_path / "deaf.log")
    while "deaf" not in child.last_lines():
        assert not child.wait(0.02)
    child.stop(0.1)
    assert child.exit_code == -signal.SIGKILL
    assert wait_until_dead(child.pid, 1)


def test_a_program_that_is_not_there_is_told_by_its_exit(tmp_path: Path) -> None:
    child = spawn("nothing", ["/no/such/program"], tmp_path / "nothing.log")
    assert child.wait(5)
    assert child.exit_code != 0
    assert "No such file" in child.last_lines()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"event": "cannot write", "level": "error"}', ["api: cannot write"]),
        ('{"event": "failed", "level": "error", "exception": "Traceback\\nValueError: x"}', ["api: failed · ValueError: x"]),
        ('{"event": "fine", "level": "info"}', []),
        ("ModuleNotFoundError: No module named 'x'", ["api: ModuleNotFoundError: No module named 'x'"]),
        ("  File somewhere", []),
    ],
)
def test_only_problems_of_a_log_are_shown_and_each_once(tmp_path: Path, line: str, said: list[str]) -> None:
    path = tmp_path / "api.log"
    path.write_text('{"event": "of an earlier run", "level": "error"}\n')
    watch = LogWatch("api", path)
    with path.open("a") as log:
        log.write(f"{line}\n{line}\n" + '{"half a li')
    assert watch.problems() == said
    assert watch.problems() == []
