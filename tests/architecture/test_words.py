"""What a finished tree does not hold."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THIS = Path(__file__)
FORBIDDEN = re.compile(r"\b(NotImplementedError|TODO|FIXME|XXX|HACK)\b")
SOURCES = sorted(path for folder in ("app", "schema", "jobs", "tests") for path in (ROOT / folder).rglob("*.py") if path != THIS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_left_for_later(path: Path) -> None:
    found = [line for line in path.read_text(encoding="utf-8").splitlines() if FORBIDDEN.search(line)]
    assert not found, f"{path.relative_to(ROOT)}: {found}"


def test_no_module_is_named_for_what_it_is_not() -> None:
    vague = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}
    found = [path for path in SOURCES if vague & set(path.stem.split("_"))]
    assert not found
