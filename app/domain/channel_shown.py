"""What may be shown of where a channel leads: no secret to anybody, and no more of an address than is needed to know it. Pure."""

from typing import Any
from urllib.parse import urlsplit

from app.domain.channel import (
    AppriseConfig,
    Channel,
    ChannelConfig,
    ChannelKind,
    EmailConfig,
    InAppConfig,
    PagerDutyConfig,
    SlackConfig,
    SmsConfig,
    TelegramConfig,
    WebhookConfig,
)
from app.domain.plain import wire_name

EVERYBODY = "everybody of the tenant"


def target_of(config: ChannelConfig) -> str:
    """One line that anybody of the tenant may read."""
    match config:
        case EmailConfig():
            return _and_more([masked_mail(one) for one in config.to])
        case SmsConfig():
            return _and_more([masked_number(one) for one in config.to])
        case SlackConfig():
            return config.channel or masked_url(config.webhook_url or "")
        case TelegramConfig():
            return masked_chat(config.chat_id)
        case PagerDutyConfig():
            return "a PagerDuty service"
        case WebhookConfig():
            return masked_url(config.url)
        case InAppConfig():
            return EVERYBODY if config.user_ids is None else _and_more(list(config.user_ids))
        case AppriseConfig():
            return masked_apprise(config.url)


def shown_config(channel: Channel, config: ChannelConfig | None, whole: bool) -> dict[str, Any]:
    """The config as it is written, without its secrets. `whole` is for those who may change the channel: it has addresses in
    full. `config` None is one that cannot be unsealed: what the channel itself says is left."""
    return {wire_name(channel.kind.value): _shown(channel, config, whole)}


def masked_mail(address: str) -> str:
    """`o…@example.com`"""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}…@{domain}"


def masked_number(number: str) -> str:
    """`+49…1234`"""
    return f"{number[:3]}…{number[-4:]}" if len(number) > 9 else f"{number[:3]}…"


def masked_chat(chat_id: str) -> str:
    """A channel's @name is public; a number leads to somebody."""
    return chat_id if chat_id.startswith("@") else f"chat …{chat_id[-4:]}"


def masked_url(url: str) -> str:
    """Scheme and host: paths and queries of webhooks are often secrets themselves."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}/…"


def masked_apprise(url: str) -> str:
    """The schema alone: what stands where a host does is a token in many of them."""
    return f"{url.partition('://')[0]}://…"


def _shown(channel: Channel, config: ChannelConfig | None, whole: bool) -> dict[str, Any]:
    match channel.kind:
        case ChannelKind.EMAIL:
            return {"to": [one if whole else masked_mail(one) for one in channel.to or ()]}
        case ChannelKind.SMS:
            return {"to": [one if whole else masked_number(one) for one in channel.to or ()]}
        case ChannelKind.SLACK:
            return {"webhookUrl" if "://" in channel.target else "channel": channel.target}
        case ChannelKind.TELEGRAM:
            return {"chatId": config.chat_id if whole and isinstance(config, TelegramConfig) else channel.target}
        case ChannelKind.WEBHOOK:
            return {"url": channel.target, "format": None if channel.format is None else channel.format.name}
        case ChannelKind.IN_APP:
            return {"userIds": None if channel.to is None else list(channel.to)}
        case ChannelKind.APPRISE:
            return {"url": channel.target}
        case ChannelKind.PAGERDUTY:
            return {}


def _and_more(shown: list[str]) -> str:
    return shown[0] if len(shown) == 1 else f"{shown[0]} and {len(shown) - 1} more"
