"""The way out by mail: one mail for each message, by the mail server of the settings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from aiosmtplib import SMTPException

from app.channels.mail import Mail, UnusableAddressError, UnusableSenderError, compose
from app.channels.smtp import MailServer, RefusedError, answer_to
from app.domain.channel import EmailConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.domain.message import Message
from app.settings import Settings

TIMEOUT_SEC = 20.0
WAIT_SEC = 8.0
"""How long a mail waits for its turn at most; together less than a try may take."""

AT_ONCE = 8
"""Connections to the server. Many servers take no more than ten of one client."""

OF_ONE_TENANT = 6

NO_SERVER = "no mail server is set: SMTP_HOST"
CROWDED = "it waited too long here for other mails that are on their way"


class EmailWay:
    """The receipt is the Message-ID, which is the same for every try, so that a mail that came twice can be known."""

    def __init__(self, settings: Settings, timeout_sec: float = TIMEOUT_SEC, wait_sec: float = WAIT_SEC) -> None:
        self._settings = settings
        self._timeout_sec, self._wait_sec = timeout_sec, wait_sec
        self._server = MailServer(settings, timeout_sec)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tenants: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def send(self, config: EmailConfig, message: Message) -> Answer:
        if self._settings.smtp_host is None:
            return TryAgain(NO_SERVER)
        try:
            mail = compose(message, self._settings.smtp_from)
        except UnusableSenderError as error:
            return TryAgain(str(error))
        except UnusableAddressError as error:
            return Never(str(error))
        # One tenant's flood of mails leaves others a way through.
        share = self._tenants.setdefault(message.tenant_id, asyncio.Semaphore(OF_ONE_TENANT))
        try:
            async with asyncio.timeout(self._wait_sec) as waiting, share, self._room:
                waiting.reschedule(None)
                return await self._post(mail)
        except TimeoutError:
            return TryAgain(CROWDED, ours=True)

    async def _post(self, mail: Mail) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_sec):
                await self._server.post(mail)
        except TimeoutError:
            return TryAgain("the mail server did not answer in time")
        except (SMTPException, RefusedError, OSError, ValueError) as error:
            return answer_to(error)
        return Sent(mail.message_id)

    async def close(self) -> None:
        await self._server.close()


@asynccontextmanager
async def open_email(settings: Settings) -> AsyncIterator[EmailWay]:
    way = EmailWay(settings)
    try:
        yield way
    finally:
        await way.close()
