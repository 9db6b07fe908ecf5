"""A channel as it was asked for, a patch of one, and the config that is made of what was written and what is kept. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from msgspec import UNSET, UnsetType

from app.domain import channel_check as check
from app.domain.alert import Severity
from app.domain.channel import (
    AppriseConfig,
    ChannelConfig,
    ChannelKind,
    EmailConfig,
    InAppConfig,
    PagerDutyConfig,
    SlackConfig,
    SmsConfig,
    TelegramConfig,
    WebhookConfig,
    WebhookFormat,
)
from app.domain.channel_shown import masked_apprise, masked_url
from app.domain.faults import Faults
from app.domain.plain import wire_name

SECRET_OVERLAP = timedelta(hours=24)
"""For how long the secret before signs too."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """Where a channel is to lead. What may be None keeps what is there; a new channel needs it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class EmailInput(Written, frozen=True, kw_only=True):
    to: tuple[str, ...]


class SmsInput(Written, frozen=True, kw_only=True):
    to: tuple[str, ...]


class SlackInput(Written, frozen=True, kw_only=True):
    """The address of an incoming webhook, or the token of a bot with a channel: naming one takes the place of the other."""

    webhook_url: str | None = None
    token: str | None = None
    channel: str | None = None


class TelegramInput(Written, frozen=True, kw_only=True):
    chat_id: str
    bot_token: str | None = None


class PagerDutyInput(Written, frozen=True, kw_only=True):
    routing_key: str | None = None


class WebhookInput(Written, frozen=True, kw_only=True):
    url: str
    secret: str | None = None
    format: WebhookFormat | None = None


class InAppInput(Written, frozen=True, kw_only=True):
    """None is everybody of the tenant; in a personal channel, its owner."""

    user_ids: tuple[str, ...] | None = None


class AppriseInput(Written, frozen=True, kw_only=True):
    url: str | None = None


ConfigInput = EmailInput | SmsInput | SlackInput | TelegramInput | PagerDutyInput | WebhookInput | InAppInput | AppriseInput

KIND_OF_INPUT: dict[type, ChannelKind] = {
    EmailInput: ChannelKind.EMAIL,
    SmsInput: ChannelKind.SMS,
    SlackInput: ChannelKind.SLACK,
    TelegramInput: ChannelKind.TELEGRAM,
    PagerDutyInput: ChannelKind.PAGERDUTY,
    WebhookInput: ChannelKind.WEBHOOK,
    InAppInput: ChannelKind.IN_APP,
    AppriseInput: ChannelKind.APPRISE,
}


class ChannelInput(msgspec.Struct, frozen=True, kw_only=True):
    """A channel to make; without severities it hears of all. A `personal` one is its maker's own."""

    name: str
    config: ConfigInput
    tenant_id: str | None = None
    enabled: bool = True
    severities: tuple[Severity, ...] | None = None
    fallback_channel_id: str | None = None
    personal: bool = False


class ChannelPatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is left out stays as it is. Severities None are all of them; a fallback None is none."""

    name: str | UnsetType | None = UNSET
    config: ConfigInput | UnsetType | None = UNSET
    enabled: bool | UnsetType | None = UNSET
    severities: tuple[Severity, ...] | UnsetType | None = UNSET
    fallback_channel_id: str | UnsetType | None = UNSET


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a config is held against. `missing` is what is said of a secret that is needed; `people` are those whom an in-app
    channel may name, and `owner_id` has whose own the channel is."""

    now: datetime
    missing: str = "is needed"
    allow_inside: bool = False
    has_telegram_bot: bool = False
    people: frozenset[str] = frozenset()
    owner_id: str | None = None


def config_path(prefix: str, written: ConfigInput) -> str:
    """Where a config stands in the input: `input.config.inApp`."""
    return f"{prefix}.config.{wire_name(KIND_OF_INPUT[type(written)].value)}"


def config_of(written: ConfigInput, kept: ChannelConfig | None, terms: Terms, path: str, faults: Faults) -> ChannelConfig:
    """The config as it is to be; it holds only where no fault was added. `kept` is of the same kind."""
    match written:
        case EmailInput(to=to):
            check.check_mail_addresses(to, path, faults)
            return EmailConfig(to=_once(to))
        case SmsInput(to=to):
            check.check_numbers(to, path, faults)
            return SmsConfig(to=_once(to))
        case SlackInput():
            return _slack(written, kept if isinstance(kept, SlackConfig) else SlackConfig(), terms, path, faults)
        case TelegramInput():
            return _telegram(written, kept if isinstance(kept, TelegramConfig) else None, terms, path, faults)
        case PagerDutyInput():
            return _pagerduty(written, kept if isinstance(kept, PagerDutyConfig) else None, terms, path, faults)
        case WebhookInput():
            return _webhook(written, kept if isinstance(kept, WebhookConfig) else None, terms, path, faults)
        case InAppInput(user_ids=user_ids):
            return _in_app(user_ids, terms, path, faults)
        case AppriseInput():
            return _apprise(written, kept if isinstance(kept, AppriseConfig) else None, terms, path, faults)


def _slack(written: SlackInput, kept: SlackConfig, terms: Terms, path: str, faults: Faults) -> SlackConfig:
    url = _unmasked(written.webhook_url, kept.webhook_url, masked_url)
    if url is not None and (written.token is not None or written.channel is not None):
        faults.add(path, "should have webhookUrl, or token and channel, not both")
        return kept
    if url is not None:
        check.check_web_address(url, f"{path}.webhookUrl", terms.allow_inside, faults)
        return SlackConfig(webhook_url=url)
    if written.token is None and written.channel is None:
        faults.require(kept != SlackConfig(), path, f"should have webhookUrl, or token and channel: one of them {terms.missing}")
        return kept
    bot = SlackConfig(token=written.token or kept.token, channel=written.channel or kept.channel)
    check.check_slack_bot(bot.token, bot.channel, path, faults)
    return bot


def _telegram(written: TelegramInput, kept: TelegramConfig | None, terms: Terms, path: str, faults: Faults) -> TelegramConfig:
    token = written.bot_token if written.bot_token is not None or kept is None else kept.bot_token
    if token is None and kept is None and not terms.has_telegram_bot:
        faults.add(f"{path}.botToken", f"{terms.missing}: there is no TELEGRAM_BOT_TOKEN")
    check.check_telegram(written.chat_id, token, path, faults)
    return TelegramConfig(chat_id=written.chat_id, bot_token=token)


def _pagerduty(written: PagerDutyInput, kept: PagerDutyConfig | None, terms: Terms, path: str, faults: Faults) -> PagerDutyConfig:
    key = _needed(written.routing_key, kept.routing_key if kept else None, terms, f"{path}.routingKey", faults)
    if written.routing_key is not None:
        check.check_routing_key(key, path, faults)
    return PagerDutyConfig(routing_key=key)


def _webhook(written: WebhookInput, kept: WebhookConfig | None, terms: Terms, path: str, faults: Faults) -> WebhookConfig:
    url = _unmasked(written.url, kept.url if kept else None, masked_url) or ""
    check.check_web_address(url, f"{path}.url", terms.allow_inside, faults)
    secret = _needed(written.secret, kept.secret if kept else None, terms, f"{path}.secret", faults)
    if written.secret is not None:
        check.check_signing_secret(secret, f"{path}.secret", faults)
    chosen = written.format or (kept.format if kept else WebhookFormat.FLEETBEAT)
    made = WebhookConfig(url=url, secret=secret, format=chosen)
    if kept is None:
        return made
    if secret != kept.secret:
        return msgspec.structs.replace(made, previous_secret=kept.secret, previous_until=terms.now + SECRET_OVERLAP)
    return msgspec.structs.replace(made, previous_secret=kept.previous_secret, previous_until=kept.previous_until)


def _in_app(user_ids: tuple[str, ...] | None, terms: Terms, path: str, faults: Faults) -> InAppConfig:
    if terms.owner_id is not None:
        own = (terms.owner_id,)
        faults.require(user_ids in (None, own), f"{path}.userIds", "is of a personal channel: leave it out, it is for you alone")
        return InAppConfig(user_ids=own)
    if user_ids is not None:
        check.check_people(user_ids, terms.people, path, faults)
    return InAppConfig(user_ids=None if user_ids is None else _once(user_ids))


def _apprise(written: AppriseInput, kept: AppriseConfig | None, terms: Terms, path: str, faults: Faults) -> AppriseConfig:
    url = _needed(
        _unmasked(written.url, kept.url if kept else None, masked_apprise),
        kept.url if kept else None,
        terms,
        f"{path}.url",
        faults,
    )
    if url:
        check.check_apprise(url, terms.allow_inside, path, faults)
    return AppriseConfig(url=url)


def _needed(written: str | None, kept: str | None, terms: Terms, path: str, faults: Faults) -> str:
    found = kept if written is None else written
    faults.require(found is not None, path, terms.missing)
    return found or ""


def _unmasked(written: str | None, kept: str | None, mask: Callable[[str], str]) -> str | None:
    """What was shown, written back, keeps what is there."""
    return kept if written is not None and kept is not None and written == mask(kept) else written


def _once(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
