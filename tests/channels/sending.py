"""Sending a message by a way, to a far end on the loopback."""

import json
from typing import Any

from app.channels.ways import open_ways
from app.domain.channel import ChannelKind, Config
from app.domain.delivery import Answer
from app.domain.message import Message
from app.settings import Settings
from tests.delivery.receiver import Receiver


async def send(config: Config, message: Message, **settings: Any) -> Answer:
    async with open_ways(Settings(allow_private_webhooks=True, **settings), timeout_sec=5) as ways:
        return await ways[ChannelKind(config.__struct_config__.tag)].send(config, message)


def only_body(receiver: Receiver) -> dict[str, Any]:
    [call] = receiver.calls
    said: dict[str, Any] = json.loads(call.body)
    return said
