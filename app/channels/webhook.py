"""The way out by webhook: one signed POST to an address that was checked."""

from app.channels.http import Http, answer_of
from app.domain.channel import WebhookConfig
from app.domain.delivery import Answer, Never, TryAgain
from app.domain.message import Message
from app.domain.webhook_message import body_of, headers_of


class WebhookWay:
    """Any 2xx is a success; the body of the answer is not read."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def send(self, config: WebhookConfig, message: Message) -> Answer:
        body = body_of(message)
        headers = headers_of(message.id, config.secret, body, message.now)
        reply = await self._http.post(config.url, message.now, data=body, headers=headers, read=False)
        return reply if isinstance(reply, (TryAgain, Never)) else answer_of(reply)
