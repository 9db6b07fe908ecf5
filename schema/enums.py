"""The vocabulary: the domain's own enums under their own names."""

import strawberry

from app.domain.alert import AlertEventType, AlertStatus, Resolution, Severity
from app.domain.beat import HealthStatus
from app.domain.channel import ChannelKind, WebhookFormat
from app.domain.delivery import DeliveryStatus
from app.domain.device import DeviceStatus
from app.domain.operational_event import EventKind, EventOutcome
from app.domain.rule import Aggregation, Comparison, NoDataPolicy
from app.domain.subject import SubjectKind
from app.domain.tenant import Role
from app.errors import ErrorCode
from app.store.alert_lists import AlertOrder

for _enum in (
    AlertEventType,
    AlertOrder,
    AlertStatus,
    Aggregation,
    ChannelKind,
    Comparison,
    DeliveryStatus,
    DeviceStatus,
    ErrorCode,
    EventKind,
    EventOutcome,
    HealthStatus,
    NoDataPolicy,
    Role,
    Severity,
    SubjectKind,
    WebhookFormat,
):
    strawberry.enum(_enum)
strawberry.enum(Resolution, name="ResolutionKind")
