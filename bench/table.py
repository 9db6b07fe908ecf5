"""The README's table of figures, made of `results.json`: `python -m bench.table` writes it between its marks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.results import measured_again, read

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- bench-table -->", "<!-- /bench-table -->"

COLUMNS = {
    "ours": "Fleetbeat",
    "mercurius": "mercurius",
    "yoga": "graphql-yoga",
    "strawberry": "Strawberry",
    "alerta": "Alerta",
    "starlette": "Starlette, no GraphQL",
    "raw_asgi": "bare ASGI",
}
WORDS = {
    "per_sec": "a second",
    "cpu_us": "CPU each, µs",
    "p50_ms": "p50, ms",
    "p99_ms": "p99, ms",
    "whole_p99_ms": "p99 with the write, ms",
    "kb_a_socket": "memory a socket, KB",
    "seconds": "seconds",
    "cpu_sec": "CPU seconds",
    "p50_sec": "p50, s",
    "p99_sec": "p99, s",
}
BOUND = "†"

Result = Mapping[str, Any]


def table(results: Mapping[str, Result]) -> str:
    """Medians; behind a peer's figure stands how many times better ours is."""
    rows = [f"| | | {' | '.join(COLUMNS.values())} |", "|---|---|" + "---:|" * len(COLUMNS)]
    bound = False
    for name, comparison in comparisons(results):
        sides = {"ours": comparison["ours"], **comparison.get("peers", {})}
        bound = bound or any(side.get("client_bound") for side in sides.values())
        for number, figure in enumerate(one for one in WORDS if one in comparison["ours"]["figures"]):
            cells = [_cell(comparison, sides.get(column), column, figure) for column in COLUMNS]
            rows.append(f"| {'' if number else name} | {WORDS[figure]} | {' | '.join(cells)} |")
    notes = [_machine(results["machine"]) + measured_again(results)] if "machine" in results else []
    notes += [f"{BOUND} The client was at its limit there, not the server: only the CPU counts."] if bound else []
    notes += [f"Left out: {COLUMNS.get(name, name)} ({reason})." for name, reason in sorted(_left_out(results).items())]
    return "\n".join([*rows, "", *notes]).rstrip() + "\n"


def comparisons(results: Mapping[str, Result]) -> Iterator[tuple[str, Result]]:
    """Every comparison with its name, which is its key and its case, where there are several."""
    for key in ORDER:
        found = results.get(key)
        if found is None:
            continue
        if "ours" in found:
            yield f"`{key}`", found
        else:
            for case in sorted(found, key=lambda one: (len(one), one)):
                yield f"`{key}`, {case.replace('_', ' ')}", found[case]


ORDER = (
    "heartbeat_http",
    "heartbeat_spread",
    "heartbeat_batch",
    "heartbeat_nodb",
    "query_small",
    "fanout",
    "fanout_latency",
    "tick",
    "offline_detect",
    "alert_list",
    "ack",
)


def written(readme: str, results: Mapping[str, Result]) -> str:
    """The README with the table of these results."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has no place for the table: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table(results)}{END}{after}"


def _cell(comparison: Result, side: Result | None, column: str, figure: str) -> str:
    if side is None or figure not in side["figures"]:
        return ""
    shown = _number(side["figures"][figure]["median"])
    if column == "ours":
        return f"**{shown}**{BOUND if side.get('client_bound') else ''}"
    ratio = comparison["ratio"][column].get(figure)
    mark = BOUND if side.get("client_bound") and figure != "cpu_us" else ""
    return shown + mark + ("" if ratio is None else f" (×{_number(ratio)})")  # noqa: RUF001


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _machine(machine: Result) -> str:
    return (
        f"{machine['at']}, {machine['cores']} cores ({machine['processor']}) for servers, database and clients together, "
        f"Python {machine['python']}, Node {machine['node']}; load before the start {machine['load']:g}."
    )


def _left_out(results: Mapping[str, Result]) -> dict[str, str]:
    return {name: reason for _, one in comparisons(results) for name, reason in one.get("left_out", {}).items()}


if __name__ == "__main__":
    README.write_text(written(README.read_text(), read()))
