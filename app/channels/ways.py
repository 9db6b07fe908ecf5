"""The ways out, one for each kind of channel: a new one is a file of its own, and a line here."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from app.channels.apprise import AppriseWay
from app.channels.email import open_email
from app.channels.http import open_http
from app.channels.way import Way
from app.channels.webhook import WebhookWay
from app.domain.channel import ChannelKind
from app.settings import Settings

Ways = Mapping[ChannelKind, Way[Any]]


@asynccontextmanager
async def open_ways(settings: Settings) -> AsyncIterator[Ways]:
    """`chosen` is for addresses that tenants chose, which may not be inside the network; `known` for those of the settings."""
    async with open_http(checked=not settings.allow_private_webhooks) as chosen, open_email(settings) as email:
        yield {
            ChannelKind.EMAIL: email,
            ChannelKind.APPRISE: AppriseWay(settings),
            ChannelKind.WEBHOOK: WebhookWay(chosen),
        }
