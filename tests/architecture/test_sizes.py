"""Files and functions stay small enough to be read."""

import ast
from pathlib import Path

import pytest

MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 60

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("app", "schema", "jobs", "tests") for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_and_its_functions_are_not_too_long(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_FILE_LINES, f"{name(path)} has {lines} lines: split it by its nouns"
    for function in functions(path):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        assert length <= MOST_FUNCTION_LINES, f"{name(path)}:{function.lineno} {function.name} has {length} lines"


@pytest.mark.parametrize("path", [path for path in SOURCES if name(path).startswith(("app", "schema", "jobs"))], ids=name)
def test_own_modules_are_imported_at_the_top(path: Path) -> None:
    for function in functions(path):
        for node in ast.walk(function):
            imported = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            assert imported.partition(".")[0] not in {"app", "schema", "jobs"}, f"{name(path)}:{function.name} imports {imported}"


def test_most_files_and_functions_are_much_smaller() -> None:
    product = [path for path in SOURCES if not name(path).startswith("tests")]
    files = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in product)
    lengths = sorted((one.end_lineno or one.lineno) - one.lineno + 1 for path in product for one in functions(path))
    assert files[len(files) // 2] <= 120
    assert files[len(files) * 9 // 10] <= 250
    assert lengths[len(lengths) // 2] <= 10
    assert lengths[len(lengths) * 9 // 10] <= 35
