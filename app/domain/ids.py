"""Identifiers: how they are made, and what they look like."""

import re
import secrets
import zlib
from datetime import datetime

LANES = 16

_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def lane_of(tenant_id: str) -> int:
    """The lane of a tenant's alerts: its events are ordered by that lane's counter. Never changes for a tenant."""
    return zlib.crc32(tenant_id.encode()) % LANES


def new_id(now: datetime) -> str:
    """26 hexadecimal digits that sort by time: 12 of milliseconds, 14 of chance."""
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(7)}"


def is_tenant_id(text: str) -> bool:
    return _TENANT.fullmatch(text) is not None


def is_rule_key(text: str) -> bool:
    return _SLUG.fullmatch(text) is not None


def is_device_id(text: str) -> bool:
    """1 to 128 printable characters; blanks at the ends would make two devices look like one."""
    return 0 < len(text) <= 128 and text.isprintable() and text == text.strip()


def device_key(tenant_id: str, device_id: str) -> str:
    """A device's id over all tenants. A tenant id holds no colon, so no two pairs meet."""
    return f"{tenant_id}:{device_id}"


def dedup_key(rule_key: str, subject_kind: str, subject_id: str) -> str:
    """What makes two alerts the same one inside a tenant; versioned, so that the form may change without clashes."""
    return f"rule:1:{rule_key}:{subject_kind}:{subject_id}"
