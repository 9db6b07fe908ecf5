"""The way out by SMS: Twilio's API, one short text for each number.

The account and the sender are of the settings: what is wrong with them is no fault of a channel, and mended within the hour of tries.
"""

import base64
from dataclasses import dataclass
from urllib.parse import quote

from app.channels.brief import facts
from app.channels.gathered import groups, summary
from app.channels.http import Http, Reply, answer_of
from app.channels.rendering import render
from app.channels.wording import signal, test_words
from app.channels.words import one_line, tenants
from app.domain.channel import SmsConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.domain.message import Message, Note

LONGEST_TEXT = 300
"""Two texts in Latin letters, five in others: what is longer costs more than it tells."""

MOST_LISTED = 3
"""Of a bundle, the worst; the dashboard has them all."""

_NO_ACCOUNT = (401, 403, 404)
"""The account is part of the address: one that is not known is not found."""

_NO_SENDER = (21212, 21603, 21606, 21659, 21660, 21703, 21705)
"""No number, one that is not the account's or cannot send, or a messaging service that has none."""


@dataclass(frozen=True, slots=True, repr=False)
class Twilio:
    """The account of the settings. `sender` is a number, a name, or the id of a messaging service."""

    url: str
    account_sid: str | None
    auth_token: str | None
    sender: str | None


class SmsWay:
    def __init__(self, known: Http, twilio: Twilio) -> None:
        self._known = known
        self._twilio = twilio

    async def send(self, config: SmsConfig, message: Message) -> Answer:
        twilio = self._twilio
        if not (twilio.account_sid and twilio.auth_token and twilio.sender):
            return TryAgain("SMS is not set up: TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM are needed")
        url = f"{twilio.url.rstrip('/')}/2010-04-01/Accounts/{quote(twilio.account_sid, safe='')}/Messages.json"
        person = base64.b64encode(f"{twilio.account_sid}:{twilio.auth_token}".encode()).decode()
        headers = {"Authorization": f"Basic {person}", "Idempotency-Key": message.id}
        sender = {"MessagingServiceSid" if twilio.sender.startswith("MG") else "From": twilio.sender}
        answer: Answer = Never("the channel has no number")
        for number in config.to if message.to is None else (message.to,):
            form = {"To": number, **sender, "Body": text_of(message)}
            reply = await self._known.post(url, message.now, data=form, headers=headers)
            answer = _answer(reply) if isinstance(reply, Reply) else reply
            if not isinstance(answer, Sent):
                return answer
        return answer


def text_of(message: Message) -> str:
    """The link stays whole; what does not fit before it is left out."""
    note = message.note
    link = message.dashboard_url if note is None else note.url
    if message.is_test:
        title, lines, link = test_words(message), [], ""
    elif note is not None:
        title, lines = _short(note), facts(note, message)
    else:
        title = f"{tenants(message)}: {summary(message)}"
        lines = [_short(entry.last) for group in groups(message) for entry in group.entries][:MOST_LISTED]
    title, lines = _plain(title), [_plain(one) for one in lines]
    room = LONGEST_TEXT - len(title) - (len(link) + 1 if link else 0)
    said = []
    for one in lines:
        room -= len(one) + 1
        if room < 0:
            break
        said.append(one)
    return render("sms.txt", message, headline=title, facts=said, link=link).strip()


def _plain(text: str) -> str:
    """One sign outside of the alphabet of SMS makes every letter cost twice."""
    return text.replace("…", "...").replace(" · ", ", ")


def _short(note: Note) -> str:
    return f"{signal(note)}: {one_line(note.alert.title, 60)}"


def _answer(reply: Reply) -> Answer:
    if reply.is_success:
        sid = reply.said.get("sid")
        return Sent(sid if isinstance(sid, str) and sid.isalnum() else None)
    answer, code = answer_of(reply), reply.said.get("code")
    if not isinstance(answer, Never):
        return answer
    said = f"code {code}" if isinstance(code, int) else f"answered {reply.status}"
    if reply.status in _NO_ACCOUNT:
        return TryAgain(f"Twilio refused the account ({said}): TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
    if code in _NO_SENDER:
        return TryAgain(f"Twilio refused the sender ({said}): TWILIO_FROM")
    return Never(f"Twilio refused: {said}") if isinstance(code, int) else answer
