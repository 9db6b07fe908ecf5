"""A channel: a way out to people, and whom it is for. Pure."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from urllib.parse import urlsplit

import msgspec

from app.domain.alert import Severity
from app.domain.faults import Faults

MOST_CHANNELS = 100
"""Of one tenant."""

SHORTEST_SECRET, LONGEST_SECRET = 16, 256


class ChannelKind(Enum):
    WEBHOOK = "webhook"


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel. `sealed` is its address with its secret, encrypted; `target` is what may be shown of the address.

    It hears of `severities` alone; none means all of them.
    """

    id: str
    tenant_id: str
    name: str
    kind: ChannelKind
    target: str
    sealed: str
    created_at: datetime
    severities: tuple[Severity, ...] = ()
    enabled: bool = True
    last_sent_at: datetime | None = None
    last_error: str | None = None


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where a webhook goes, and what it is signed with. Never shown, never logged, never kept in clear."""

    url: str
    secret: str

    def __repr__(self) -> str:
        return "Webhook(...)"


def masked(url: str) -> str:
    """Scheme and host: paths and queries of webhooks are often secrets themselves."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}/…"


def wants(channel: Channel, severity: Severity) -> bool:
    return not channel.severities or severity in channel.severities


def wanted_severities(channel: Channel) -> Sequence[Severity]:
    return channel.severities or tuple(Severity)


def check_webhook(url: str, secret: str | None, path: str, faults: Faults) -> None:
    """`secret` None keeps the one that is there."""
    faults.web_address(f"{path}.url", url)
    faults.require(not _names_a_person(url), f"{path}.url", "should be without a user and a password")
    if secret is not None:
        fits = SHORTEST_SECRET <= len(secret) <= LONGEST_SECRET and secret.isprintable() and secret.strip() == secret
        said = f"should be {SHORTEST_SECRET} to {LONGEST_SECRET} printable characters without blanks at the ends"
        faults.require(fits, f"{path}.secret", said)


def _names_a_person(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # A port that is none raises as well, and only when it is looked at.
        return parts.username is not None or parts.password is not None or parts.port == 0
    except ValueError:
        return True
