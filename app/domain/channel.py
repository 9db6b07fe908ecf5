"""A channel: a way out to people or programs, where it leads, and whom it is for. Pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum

import msgspec

from app.domain.alert import Severity

MOST_CHANNELS = 100
"""Shared ones of a tenant; a person may have as many personal ones."""


class ChannelKind(Enum):
    EMAIL = "email"
    SMS = "sms"
    SLACK = "slack"
    TELEGRAM = "telegram"
    PAGERDUTY = "pagerduty"
    WEBHOOK = "webhook"
    IN_APP = "in_app"
    APPRISE = "apprise"


class WebhookFormat(Enum):
    """MACHINE is for receivers that already know it: machines going offline and coming back, and nothing else."""

    FLEETBEAT = "fleetbeat"
    MACHINE = "machine"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Where a channel leads, with its secrets. Kept sealed; never shown, never logged."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class EmailConfig(Config, frozen=True, kw_only=True, tag="email"):
    to: tuple[str, ...]


class SmsConfig(Config, frozen=True, kw_only=True, tag="sms"):
    """Numbers as in E.164: + and digits."""

    to: tuple[str, ...]


class SlackConfig(Config, frozen=True, kw_only=True, tag="slack"):
    """An incoming webhook, or a bot's token with the channel that it posts to."""

    webhook_url: str | None = None
    token: str | None = None
    channel: str | None = None


class TelegramConfig(Config, frozen=True, kw_only=True, tag="telegram"):
    """Without a token of its own, the bot of the settings."""

    chat_id: str
    bot_token: str | None = None


class PagerDutyConfig(Config, frozen=True, kw_only=True, tag="pagerduty"):
    routing_key: str


class WebhookConfig(Config, frozen=True, kw_only=True, tag="webhook"):
    """`previous_secret` signs too until `previous_until`, so that a receiver can change over."""

    url: str
    secret: str
    format: WebhookFormat = WebhookFormat.FLEETBEAT
    previous_secret: str | None = None
    previous_until: datetime | None = None


class InAppConfig(Config, frozen=True, kw_only=True, tag="in_app"):
    """None is everybody of the tenant."""

    user_ids: tuple[str, ...] | None = None


class AppriseConfig(Config, frozen=True, kw_only=True, tag="apprise"):
    url: str


ChannelConfig = (
    EmailConfig | SmsConfig | SlackConfig | TelegramConfig | PagerDutyConfig | WebhookConfig | InAppConfig | AppriseConfig
)


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel. `sealed` is its config, encrypted; `target` is what may be shown of where it leads.

    `to` are those who get a message of their own each: mail addresses, numbers, people; None for one message to the channel,
    and, in an IN_APP channel, for everybody of the tenant. It hears of `severities` alone; none means all of them. `owner_id`
    has the person whose own it is; then it is used for that person's alerts in every tenant. `failing_since` is when it began
    to fail with nothing sent since; `refusals` counts permanent errors without a success between them.
    """

    id: str
    tenant_id: str
    name: str
    kind: ChannelKind
    target: str
    sealed: str
    created_at: datetime
    to: tuple[str, ...] | None = None
    format: WebhookFormat | None = None
    severities: tuple[Severity, ...] = ()
    enabled: bool = True
    fallback_id: str | None = None
    owner_id: str | None = None
    last_sent_at: datetime | None = None
    last_error: str | None = None
    failing_since: datetime | None = None
    refusals: int = 0
    disabled_because: str | None = None


def public_name(channel: Channel) -> str:
    """What everybody may know of it: nobody but its owner sees a personal one."""
    return channel.name if channel.owner_id is None else f"another channel of {channel.owner_id}"


def wants(channel: Channel, severity: Severity) -> bool:
    return not channel.severities or severity in channel.severities


def recipients_of(config: ChannelConfig) -> tuple[str, ...] | None:
    """Those who get a message of their own each; None for one message to the channel, and for everybody of the tenant."""
    match config:
        case EmailConfig(to=to) | SmsConfig(to=to):
            return to
        case InAppConfig(user_ids=user_ids):
            return user_ids
        case _:
            return None


def leads_back(channels: Mapping[str, Channel], first: str, channel_id: str) -> bool:
    """Whether one comes to a channel again by falling back from `first` on."""
    seen, at = set[str](), first
    while at not in seen:
        if at == channel_id:
            return True
        seen.add(at)
        fallback = channels[at].fallback_id if at in channels else None
        if fallback is None:
            return False
        at = fallback
    return False
