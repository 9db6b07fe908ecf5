"""Which fields are hot: those by which devices speak."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from app import heartbeats, operational_events
from app.context import Context
from app.domain.beat import Metric, ServiceReport
from app.domain.beat_input import BeatInput
from app.domain.event_input import EventInput
from app.principal import Principal
from schema.devices import DeviceMutation, beat_input
from schema.operational_events import OperationalEventMutation, event_input

UseCase = Callable[[Context, Principal, Any], Awaitable[Any]]

STRUCTS: Mapping[str, type[msgspec.Struct]] = {
    "HeartbeatInput": BeatInput,
    "MetricInput": Metric,
    "ServiceReportInput": ServiceReport,
    "OperationalEventInput": EventInput,
}
"""What the inputs of the hot fields are to the domain."""


@dataclass(frozen=True, slots=True)
class HotField:
    """A root field whose resolver does no more than to call `use_case` with its one argument.

    `origin` is the type that has it, to tell it from another field of its name; `taken` makes of an argument as Strawberry
    gives it what the use case is given.
    """

    name: str
    origin: type
    argument: str
    taken: Callable[[Any], Any]
    use_case: UseCase


HOT_FIELDS: Mapping[str, HotField] = {
    field.name: field
    for field in (
        HotField("heartbeat", DeviceMutation, "input", beat_input, heartbeats.record),
        HotField(
            "heartbeats", DeviceMutation, "inputs", lambda written: [beat_input(one) for one in written], heartbeats.record_many
        ),
        HotField(
            "recordEvents",
            OperationalEventMutation,
            "events",
            lambda written: [event_input(one) for one in written],
            operational_events.record_events,
        ),
    )
}
