"""The way out to Slack: an incoming webhook, or a bot's token, with which later news of an alert changes its first message."""

from collections.abc import Sequence
from typing import Any

import msgspec

from app.channels.http import Http, Reply, answer_of, code_of
from app.channels.slack_message import payload_of
from app.domain.alert import AlertEventType
from app.domain.channel import SlackConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.domain.message import Message

_CHANGES_THE_FIRST = (
    AlertEventType.RESOLVED,
    AlertEventType.ACKNOWLEDGED,
    AlertEventType.UNACKNOWLEDGED,
    AlertEventType.SEVERITY_CHANGED,
)
_BUSY = (
    "ratelimited",
    "rate_limited",
    "message_limit_exceeded",
    "internal_error",
    "service_unavailable",
    "fatal_error",
    "request_timeout",
)
_CANNOT_BE_CHANGED = (
    "message_not_found",
    "edit_window_closed",
    "cant_update_message",
    "channel_not_found",
    "not_in_channel",
    "is_archived",
)
"""The first message is gone, or is where the bot is no longer: then it is told anew."""


class SlackWay:
    """`chosen` posts to a webhook, whose address a tenant chose; `known` to the API at `api_url`."""

    def __init__(self, chosen: Http, known: Http, api_url: str) -> None:
        self._chosen = chosen
        self._known = known
        self._api_url = api_url.rstrip("/")

    async def send(self, config: SlackConfig, message: Message) -> Answer:
        if config.webhook_url is not None:
            return await self._to_webhook(config.webhook_url, message)
        if config.token is None or config.channel is None:
            return Never("the channel has neither a webhook's address nor a token with a channel")
        payload, first = payload_of(message), _first_of(message)
        if first is not None:
            reply = await self._call("chat.update", config.token, {**payload, "channel": first[0], "ts": first[1]}, message)
            if not (isinstance(reply, Reply) and reply.said.get("error") in _CANNOT_BE_CHANGED):
                return _answer(reply)
        return _answer(await self._call("chat.postMessage", config.token, {**payload, "channel": config.channel}, message))

    async def _call(self, method: str, token: str, said: dict[str, Any], message: Message) -> Reply | TryAgain | Never:
        headers = {**_headers(message), "Authorization": f"Bearer {token}"}
        return await self._known.post(f"{self._api_url}/{method}", message.now, data=msgspec.json.encode(said), headers=headers)

    async def _to_webhook(self, url: str, message: Message) -> Answer:
        """It answers in plain words, and by its status."""
        data = msgspec.json.encode(payload_of(message))
        http = self._chosen.of(message.tenant_id)
        reply = await http.post(url, message.now, data=data, headers=_headers(message))
        if isinstance(reply, (TryAgain, Never)):
            return reply
        answer = answer_of(reply)
        code = code_of((reply.body or b"").decode(errors="replace"))
        return answer if code is None or not isinstance(answer, Never) else Never(f"Slack refused: {code}")


def _headers(message: Message) -> dict[str, str]:
    return {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": message.id}


def _first_of(message: Message) -> Sequence[str] | None:
    """Channel and time of the message that is to be changed."""
    if message.note is None or message.first_receipt is None or message.note.type not in _CHANGES_THE_FIRST:
        return None
    channel, _, at = message.first_receipt.partition(":")
    return (channel, at) if channel and at else None


def _answer(reply: Reply | TryAgain | Never) -> Answer:
    """Slack says with 200 that something failed."""
    if isinstance(reply, (TryAgain, Never)):
        return reply
    if not reply.is_success:
        return answer_of(reply)
    said = reply.said
    if said.get("ok") is True:
        channel, at = said.get("channel"), said.get("ts")
        return Sent(f"{channel}:{at}" if isinstance(channel, str) and isinstance(at, str) else None)
    if said.get("ok") is not False:
        return TryAgain(f"answered {reply.status}, but not as Slack does")
    code = code_of(said.get("error")) or "no code"
    return TryAgain(f"Slack is busy: {code}", reply.retry_after) if code in _BUSY else Never(f"Slack refused: {code}")
