"""`fleetbeat rules`: what can be done with rules without a server."""

from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.config_yaml import read_yaml
from app.domain.config_document import read_config
from app.domain.config_plan import Book, wanted_rules
from app.domain.defaults import platform_rules
from app.domain.faults import Faults
from app.domain.rule import Rule
from app.domain.rule_tests import RuleTest
from app.domain.rule_trials import run_test
from app.errors import BadInputError

SYNC_LAG_WARN_SEC = 90


class RulesAction(Enum):
    TEST = "test"


def command(
    action: Annotated[RulesAction, typer.Argument(help="test: run the tests that the rules of a document bring along.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A configuration, as exportConfig writes it.")],
) -> None:
    """Run the tests of rules in a configuration document. Leaves with 1 when one fails, or when the document is not right."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        tested = _read(file.read_text(encoding="utf-8"))
    except BadInputError as error:
        for field in error.fields:
            console.print(f"{field.path}: {field.message}", markup=False)
        raise typer.Exit(1) from None
    results = [(rule.key, *_run(rule, test, place)) for rule, tests in tested for place, test in enumerate(tests)]
    console.print(_table(results))
    failed = sum(1 for _, _, said in results if said)
    console.print(f"{len(results)} tests, {failed} failed", markup=False)
    if failed:
        raise typer.Exit(1)


def _read(text: str) -> list[tuple[Rule, tuple[RuleTest, ...]]]:
    """Every rule of the document with its tests. Raises BadInputError with everything that is wrong."""
    faults, now = Faults(), datetime(2026, 1, 1, tzinfo=UTC)
    plain = read_yaml(text, faults)
    faults.refuse()
    config = read_config(plain, faults)
    defaults = {rule.key: rule for rule in platform_rules(SYNC_LAG_WARN_SEC, now)}
    wanted = wanted_rules(config, Book(tenant_id="tenant", now=now, own={}, defaults=defaults), faults)
    faults.refuse()
    return [(wanted[one.key], one.tests) for one in (*(config.rules or ()), *(config.overrides or ()))]


def _run(rule: Rule, test: RuleTest, place: int) -> tuple[str, list[str]]:
    name = test.name or f"test {place + 1}"
    return name, [said.removeprefix(f"{name}: ") for said in run_test(rule, test, name)]


def _table(results: list[tuple[str, str, list[str]]]) -> Table:
    table = Table("rule", "test", "outcome", "what differs")
    for key, name, said in results:
        table.add_row(key, name, "failed" if said else "passed", "\n".join(said))
    return table
