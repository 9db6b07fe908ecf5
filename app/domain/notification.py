"""What a person is told inside Fleetbeat. Pure."""

from datetime import datetime

import msgspec

from app.domain.alert import Severity

MOST_MARKED = 500
"""Notifications that are marked as read in one call."""


class InAppNotification(msgspec.Struct, frozen=True, kw_only=True):
    """One message for one person. `at` is when it was told, `written_at` when the database first had it: in that order it is
    streamed. Who leaves a tenant no longer sees what it told."""

    id: str
    tenant_id: str
    user_id: str
    at: datetime
    title: str
    body: str
    severity: Severity
    expire_at: datetime
    alert_id: str | None = None
    read_at: datetime | None = None
    written_at: datetime | None = None


def notification_id(key: str, user_id: str) -> str:
    """The same for every try to tell the same person the same thing."""
    return f"{key}:{user_id}"
