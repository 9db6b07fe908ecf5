"""The way out by webhook: one signed POST to an address that was checked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.channels.http import Http, answer_of
from app.domain.channel import WebhookConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.domain.message import Message
from app.domain.webhook_message import body_of, has_word_for, headers_of


@dataclass(frozen=True, slots=True)
class Post:
    body: bytes
    headers: Mapping[str, str]


class WebhookWay:
    """Any 2xx is a success; the body of the answer is not read."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def send(self, config: WebhookConfig, message: Message) -> Answer:
        answer: Answer = Sent()
        http = self._http.of(message.tenant_id)
        for post in posts_of(config, message):
            if isinstance(post, Never):
                return post
            reply = await http.post(config.url, message.now, data=post.body, headers=post.headers, read=False)
            answer = reply if isinstance(reply, (TryAgain, Never)) else answer_of(reply)
            if not isinstance(answer, Sent):
                return answer
        return answer


def posts_of(config: WebhookConfig, message: Message) -> Iterator[Post | Never]:
    """What is bundled all the same goes one after the other, each with an id of its own, so that programs need to know one form
    alone. Never is for what the format has no word for."""
    several = len(message.notes) > 1
    for number, note in enumerate(message.notes or (None,), start=1):
        if note is not None and not has_word_for(config.format, note.event):
            yield Never(f"the format MACHINE has no word for {note.event}")
            continue
        body = body_of(config.format, note)
        yield Post(body, headers_of(f"{message.id}-{number}" if several else message.id, config, body, message.now))
