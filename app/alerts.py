"""Reading alerts: one, a list, how many, and from where on to stream."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from app.context import Context
from app.domain.alert import SEVERITY_RANK, Alert, AlertEvent
from app.domain.alert_filter import AlertFilter, filter_errors
from app.domain.cursor import StreamCursor, write_cursor
from app.domain.page import Page, decode_keyset, encode_keyset, require_first
from app.domain.tenant import Scope, lanes_of
from app.errors import BadInputError, FieldError, bad_field
from app.principal import Principal, read_scope
from app.store.alert_lists import AlertOrder, Place, place_of

MOST_EVENTS = 1_000
"""Of one timeline."""


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event of a timeline, with a cursor that stands behind it."""

    event: AlertEvent
    cursor: str


async def get_alert(context: Context, principal: Principal, alert_id: str) -> Alert | None:
    return await context.store.alerts.get(read_scope(principal, None), alert_id)


async def list_alerts(
    context: Context, principal: Principal, chosen: AlertFilter, order: AlertOrder, first: int, after: str | None
) -> Page[Alert]:
    scope = read_scope(principal, chosen.tenant_id)
    errors, place = filter_errors(chosen), None
    with _noting(errors):
        require_first(first)
    with _noting(errors):
        place = _place(after, order)
    if errors:
        raise BadInputError(errors)
    found = await context.store.alert_lists.page(scope, chosen, order, place, first + 1)
    shown = found[:first]
    return Page(shown, len(found) > first, [encode_keyset(*place_of(alert, order)) for alert in shown])


async def count_alerts(context: Context, principal: Principal, chosen: AlertFilter) -> int:
    return await context.store.alert_lists.count(read_scope(principal, chosen.tenant_id), chosen)


async def alert_facets(context: Context, principal: Principal, chosen: AlertFilter) -> dict[str, list[tuple[str, int]]]:
    return await context.store.alert_lists.facets(read_scope(principal, chosen.tenant_id), chosen)


async def stream_cursor(context: Context, principal: Principal) -> str:
    """Where the streams of the caller's lanes now are. Read before a list, nothing between is missed."""
    lanes = lanes_of(read_scope(principal, None))
    positions = await context.store.events.positions()
    issued = _milliseconds(context.clock.now())
    return write_cursor(StreamCursor(await context.store.events.epoch(), issued, {lane: positions[lane] for lane in lanes}))


async def timelines(context: Context, asked: Sequence[tuple[Alert, int]]) -> list[list[PastEvent]]:
    """For alerts that the caller has already been given, the newest so many events of each, newest first."""
    found: dict[tuple[str, int], list[AlertEvent]] = {}
    for first in {first for _, first in asked}:
        alerts = {alert.id: alert.tenant_id for alert, wanted in asked if wanted == first}
        events = await context.store.events.timelines(Scope(frozenset(alerts.values())), list(alerts), first)
        found |= {(alert_id, first): past for alert_id, past in events.items()}
    epoch = await context.store.events.epoch() if found else ""
    return [[_past(event, epoch) for event in found.get((alert.id, first), [])] for alert, first in asked]


def _past(event: AlertEvent, epoch: str) -> PastEvent:
    return PastEvent(event, write_cursor(StreamCursor(epoch, _milliseconds(event.at), {event.lane: event.seq})))


def _place(after: str | None, order: AlertOrder) -> Place | None:
    if after is None:
        return None
    match order, decode_keyset(after):
        case AlertOrder.SEVERITY, [int(rank), int(at), str(alert_id)] if rank in SEVERITY_RANK.values() and _is_time(at):
            return [rank, at, alert_id]
        case ((AlertOrder.NEWEST | AlertOrder.OLDEST), [int(at), str(alert_id)]) if _is_time(at):
            return [at, alert_id]
    raise bad_field("after", "is not a cursor of this list in this order")


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _is_time(milliseconds: int) -> bool:
    return 0 <= milliseconds < 253_402_300_800_000


@contextmanager
def _noting(errors: list[FieldError]) -> Iterator[None]:
    """Goes on after a bad field, so that all are told at once."""
    try:
        yield
    except BadInputError as error:
        errors.extend(error.fields)
