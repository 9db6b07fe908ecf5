"""Counts of a simulation, and the table that shows them."""

from collections import Counter, deque
from dataclasses import dataclass, field

from rich.table import Table

_SHOWN_TENANTS = 12


@dataclass(slots=True)
class Tally:
    """What became of the beats, for each tenant."""

    sent: Counter[str] = field(default_factory=Counter)
    acknowledged: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=4_096))

    def median_ms(self) -> float:
        return self._quantile(0.5)

    def p95_ms(self) -> float:
        return self._quantile(0.95)

    def _quantile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


def progress_table(tally: Tally, title: str, elapsed: float) -> Table:
    """The state of the run; tenants beyond the first dozen are only in the sum."""
    total = tally.sent.total()
    rate = total / elapsed if elapsed > 0 else 0.0
    caption = f"{elapsed:.0f} s · {rate:,.0f} beats/s · answer p50 {tally.median_ms():.0f} ms, p95 {tally.p95_ms():.0f} ms"
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    table.add_column("tenant")
    for name in ("sent", "acknowledged", "refused", "no answer", "kept back"):
        table.add_column(name, justify="right")
    columns = (tally.sent, tally.acknowledged, tally.refused, tally.unanswered, tally.kept)
    for tenant in sorted(tally.sent)[:_SHOWN_TENANTS]:
        table.add_row(tenant, *(f"{column[tenant]:,}" for column in columns))
    table.add_section()
    table.add_row("all", *(f"{column.total():,}" for column in columns), style="bold")
    return table


def summary(tally: Tally) -> str:
    """One line for people and for scripts."""
    reasons = ", ".join(f"{code} {count:,}" for code, count in tally.reasons.most_common())
    return (
        f"sent {tally.sent.total():,}, acknowledged {tally.acknowledged.total():,}, refused {tally.refused.total():,}, "
        f"no answer {tally.unanswered.total():,}" + (f" ({reasons})" if reasons else "")
    )
