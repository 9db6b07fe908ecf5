"""Prints how right the platform's rules are, writes `bench/accuracy.json`, and fails where a bound is broken."""

import argparse
import os
import sys
import time
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from app.domain.rule import OutsideHoursCondition, RatioCondition, Rule as ProductRule, ServiceCondition, SpikeCondition
from bench.accuracy.calendar import DAYS, ZONES
from bench.accuracy.detect import detect, rules
from bench.accuracy.fleet import SERVICES, tenants
from bench.accuracy.generate import Month, month
from bench.accuracy.score import Row, Rule, Score, score

SEED = 2026
MOST_WRONG_CRITICAL, MOST_WRONG, LEAST_CAUGHT = 0.02, 0.05, 0.95
RESULT = Path(__file__).parents[1] / "accuracy.json"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    options.add_argument("--wrong", action="store_true", help="list every false alert")
    chosen = options.parse_args()
    began = time.perf_counter()
    whole = month(chosen.seed)
    found = score(_scored(whole), whole.incidents, detect(chosen.seed, chosen.processes))
    broken = bounds_broken(found)
    _print(Console(width=120), found, chosen.wrong)
    for line in broken:
        print(f"BROKEN: {line}")
    print(f"{time.perf_counter() - began:.0f} s, seed {chosen.seed}")
    _write(chosen.seed, whole, found, broken)
    return 1 if broken else 0


def bounds_broken(found: Score) -> list[str]:
    """Which bounds do not hold, in words."""
    bounds = [
        ("of critical alerts are false", found.critical.share, MOST_WRONG_CRITICAL),
        ("of all alerts are false", found.all.share, MOST_WRONG),
    ]
    broken = [f"{share:.1%} {what}, not under {bound:.0%}" for what, share, bound in bounds if share >= bound]
    if found.all.recall < LEAST_CAUGHT:
        broken.append(f"{found.all.recall:.1%} of incidents caught, not at least {LEAST_CAUGHT:.0%}")
    return broken


def _scored(whole: Month) -> list[Rule]:
    return [Rule(key=one.key, window_sec=_window(one), subjects=_subjects(one, whole)) for one in rules()]


def _window(rule: ProductRule) -> int:
    return int(getattr(rule.condition, "window_sec", 0))


def _subjects(rule: ProductRule, whole: Month) -> int:
    condition = rule.condition
    if isinstance(condition, ServiceCondition):
        return len(tenants()) * (1 if condition.service else len(SERVICES))
    if isinstance(condition, RatioCondition) and condition.event.value == "webhook_delivery":
        return len(tenants())
    if isinstance(condition, RatioCondition | SpikeCondition | OutsideHoursCondition):
        return len(whole.shops)
    kinds = rule.scope.kinds
    return sum(not kinds or machine.kind in kinds for shop in whole.shops for machine in shop.machines)


def _print(console: Console, found: Score, every_wrong: bool) -> None:
    table = Table(title=f"{DAYS} days, {len(ZONES)} zones, {found.all.incidents} incidents")
    for name in ("rule", "incidents", "caught", "missed", "right", "wrong", "quiet days", "false", "strict", "delay"):
        table.add_column(name, justify="left" if name == "rule" else "right", no_wrap=True)
    for row in found.rules:
        table.add_row(*_cells(row))
    table.add_section()
    table.add_row(*_cells(found.critical))
    table.add_row(*_cells(found.all))
    console.print(table)
    for one in found.missed:
        print(f"missed: {one.rule}, {one.what}, {(one.end - one.start) / 60:.0f} min, {', '.join(sorted(one.subjects))}")
    for alarm in found.wrong if every_wrong else found.wrong[:10]:
        print(f"false: {alarm.rule} {alarm.subject} {alarm.fired_at:.0f} {alarm.reason}")


def _cells(row: Row) -> list[str]:
    delay = "" if row.delay_sec is None else f"{row.delay_sec:.0f} s"
    counts = [str(n) for n in (row.incidents, row.caught, row.missed, row.right, row.wrong)]
    quiet = "" if row.quiet_days is None else f"{row.quiet_days:,}"
    return [row.name, *counts, quiet, f"{row.share:.1%}", f"{row.strict_share:.1%}", delay]


def _write(seed: int, whole: Month, found: Score, broken: list[str]) -> None:
    rows = [*found.rules, found.critical, found.all]
    result = {
        "seed": seed,
        "days": DAYS,
        "devices": sum(len(shop.machines) for shop in whole.shops),
        "holds": not broken,
        "rows": [
            {**msgspec.structs.asdict(row), "false_share": round(row.share, 4), "strict_share": round(row.strict_share, 4)}
            for row in rows
        ],
    }
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
