"""The way out by webhook: one signed POST to an address that was checked."""

from app.channels.http import Http, answer_of
from app.domain.channel import WebhookConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.domain.message import Message, Note
from app.domain.webhook_message import body_of, has_word_for, headers_of


class WebhookWay:
    """Any 2xx is a success; the body of the answer is not read. What is bundled all the same goes one after the other, each with
    an id of its own, so that programs need to know one form alone."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def send(self, config: WebhookConfig, message: Message) -> Answer:
        if len(message.notes) <= 1:
            return await self._post(config, message, message.id, *message.notes)
        answer: Answer = Sent()
        for number, note in enumerate(message.notes, start=1):
            answer = await self._post(config, message, f"{message.id}-{number}", note)
            if not isinstance(answer, Sent):
                return answer
        return answer

    async def _post(self, config: WebhookConfig, message: Message, message_id: str, note: Note | None = None) -> Answer:
        if note is not None and not has_word_for(config.format, note.event):
            return Never(f"the format MACHINE has no word for {note.event}")
        body = body_of(config.format, note)
        headers = headers_of(message_id, config, body, message.now)
        reply = await self._http.post(config.url, message.now, data=body, headers=headers, read=False)
        return reply if isinstance(reply, (TryAgain, Never)) else answer_of(reply)
