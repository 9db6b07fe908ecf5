"""Where channels lead, as clients write it."""

import strawberry
from strawberry import ID, UNSET

from app.domain import channel_input as domain
from app.domain.alert import Severity
from app.domain.channel import WebhookFormat
from app.errors import bad_field
from schema.given import given, listed

_SECRETS = "A secret is needed to create a channel, and kept when it is left out of a patch."


@strawberry.input
class EmailConfig:
    to: list[str]


@strawberry.input(description="Numbers as in E.164, such as +4915112345678.")
class SmsConfig:
    to: list[str]


@strawberry.input(description=f"The address of an incoming webhook, or the token of a bot with a channel. {_SECRETS}")
class SlackConfig:
    webhook_url: str | None = UNSET
    token: str | None = UNSET
    channel: str | None = UNSET


@strawberry.input(description=f"Where the settings have a bot, a channel may go without a token of its own. {_SECRETS}")
class TelegramConfig:
    chat_id: str
    bot_token: str | None = UNSET


@strawberry.input(description=_SECRETS)
class PagerDutyConfig:
    routing_key: str | None = UNSET


@strawberry.input(
    description=f"{_SECRETS} A new secret lets the one before sign beside it for 24 hours. In a patch, a url as `target` shows it "
    "is kept as it is, and so is the format where it is null."
)
class WebhookConfig:
    url: str
    secret: str | None = UNSET
    format: WebhookFormat | None = WebhookFormat.FLEETBEAT


@strawberry.input(description="Without ids, everybody of the tenant; in a personal channel, its owner.")
class InAppConfig:
    user_ids: list[ID] | None = UNSET


@strawberry.input(description=_SECRETS)
class AppriseConfig:
    url: str | None = UNSET


@strawberry.input(one_of=True)
class ChannelConfigInput:
    email: EmailConfig | None = UNSET
    sms: SmsConfig | None = UNSET
    slack: SlackConfig | None = UNSET
    telegram: TelegramConfig | None = UNSET
    pagerduty: PagerDutyConfig | None = UNSET
    webhook: WebhookConfig | None = UNSET
    in_app: InAppConfig | None = UNSET
    apprise: AppriseConfig | None = UNSET


@strawberry.input(description="A personal channel is its maker's own: nobody else sees it, and any role may make one.")
class ChannelInput:
    name: str
    config: ChannelConfigInput
    tenant_id: ID | None = UNSET
    enabled: bool | None = True
    severities: list[Severity] | None = UNSET
    fallback_channel_id: ID | None = UNSET
    personal: bool | None = False


@strawberry.input(
    description="A patch: what is left out stays as it is; null severities are all of them, a null fallback is none. The kind stays."
)
class ChannelPatch:
    name: str | None = UNSET
    config: ChannelConfigInput | None = UNSET
    enabled: bool | None = UNSET
    severities: list[Severity] | None = UNSET
    fallback_channel_id: ID | None = UNSET


_READ: dict[str, type[domain.ConfigInput]] = {
    "email": domain.EmailInput,
    "sms": domain.SmsInput,
    "slack": domain.SlackInput,
    "telegram": domain.TelegramInput,
    "pagerduty": domain.PagerDutyInput,
    "webhook": domain.WebhookInput,
    "in_app": domain.InAppInput,
    "apprise": domain.AppriseInput,
}


def channel_input(written: ChannelInput) -> domain.ChannelInput:
    """In a new channel null says no more than leaving out does."""
    values = {name: listed(value) for name, value in given(written).items() if value is not None}
    return domain.ChannelInput(**{**values, "config": _config(written.config, "input")})


def channel_patch(written: ChannelPatch) -> domain.ChannelPatch:
    values = {name: listed(value) for name, value in given(written).items()}
    if written.config:
        values["config"] = _config(written.config, "patch")
    return domain.ChannelPatch(**values)


def _config(written: ChannelConfigInput, prefix: str) -> domain.ConfigInput:
    """Null, and a field that a form left empty, say no more than leaving out does."""
    match list(given(written).items()):
        case [(kind, inner)] if inner is not None:
            return _READ[kind](**{name: listed(value) for name, value in given(inner).items() if value not in (None, "")})
    raise bad_field(f"{prefix}.config", "should have exactly one kind")
