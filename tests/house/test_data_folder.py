"""The folder of `fleetbeat up`: locked by one, private, and read whole or not at all."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.data_folder import DataFolder, DataInUseError


def test_a_second_instance_on_the_same_data_is_refused_with_the_first_ones_process(tmp_path: Path) -> None:
    refused = pytest.raises(DataInUseError, match=f"process {os.getpid()}")
    with DataFolder(tmp_path).locked(), refused, DataFolder(tmp_path).locked():
        pass


def test_the_lock_of_a_killed_instance_holds_nobody_back(tmp_path: Path) -> None:
    program = "import signal, sys; from pathlib import Path; from app.data_folder import DataFolder\n"
    program += "with DataFolder(Path(sys.argv[1])).locked(): print('locked', flush=True); signal.pause()"
    holder = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == b"locked\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with DataFolder(tmp_path).locked():
        pass


def test_the_secret_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    first = DataFolder(tmp_path).secret()
    assert len(first) >= 32
    assert DataFolder(tmp_path).secret() == first
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_what_runs_is_told_until_it_is_removed(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert folder.read_run() is None
    folder.write_run({"http": "x"})
    assert folder.read_run() == {"http": "x"}
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600
    folder.remove_run()
    folder.remove_run()
    assert folder.read_run() is None


def test_a_log_that_grew_large_is_put_aside(tmp_path: Path) -> None:
    path = DataFolder(tmp_path).log("api")
    with path.open("wb") as log:
        log.truncate(21 * 1024 * 1024)
    assert not DataFolder(tmp_path).log("api").exists()
    assert path.with_suffix(".log.1").exists()
