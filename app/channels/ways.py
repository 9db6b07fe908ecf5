"""The ways out, one for each kind of channel: a new one is a file of its own, and a line here."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from app.channels.apprise import AppriseWay
from app.channels.email import open_email
from app.channels.http import TIMEOUT_SEC, open_http
from app.channels.pagerduty import PagerDutyWay
from app.channels.slack import SlackWay
from app.channels.sms import SmsWay, Twilio
from app.channels.telegram import TelegramWay
from app.channels.way import Way
from app.channels.webhook import WebhookWay
from app.domain.channel import ChannelKind, InAppConfig
from app.settings import Settings

Ways = Mapping[ChannelKind, Way[Any]]


@asynccontextmanager
async def open_ways(
    settings: Settings, in_app: Way[InAppConfig] | None = None, timeout_sec: float = TIMEOUT_SEC
) -> AsyncIterator[Ways]:
    """`chosen` is for addresses that tenants chose, which may not be inside the network; `known` for those of the settings."""
    async with (
        open_http(not settings.allow_private_webhooks, timeout_sec) as chosen,
        open_http(False, timeout_sec) as known,
        open_email(settings) as email,
    ):
        yield {
            ChannelKind.EMAIL: email,
            ChannelKind.APPRISE: AppriseWay(settings),
            ChannelKind.WEBHOOK: WebhookWay(chosen),
            ChannelKind.SLACK: SlackWay(chosen, known, settings.slack_api_url),
            ChannelKind.TELEGRAM: TelegramWay(known, settings.telegram_api_url, _shown(settings.telegram_bot_token)),
            ChannelKind.PAGERDUTY: PagerDutyWay(known, settings.pagerduty_api_url),
            ChannelKind.SMS: SmsWay(known, _twilio(settings)),
            **({} if in_app is None else {ChannelKind.IN_APP: in_app}),
        }


def _twilio(settings: Settings) -> Twilio:
    token = _shown(settings.twilio_auth_token)
    return Twilio(settings.twilio_api_url, settings.twilio_account_sid, token, settings.twilio_from)


def _shown(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
