"""Real mail servers on the loopback: one that takes mail as it is told to, and ones that misbehave byte by byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app.settings import Settings

USER, PASSWORD = "fleetbeat", "a pässword of the tests"


@dataclass
class MailServer:
    """`answers` are what the commands are answered with instead of 250, by their names: RCPT, DATA, MAIL, …"""

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    protocols: list[SMTP] = field(default_factory=list)

    def settings(self, **values: Any) -> Settings:
        return Settings(**{"smtp_host": "localhost", "smtp_port": self.port, "smtp_tls": "off", **values})

    def hang_up(self) -> None:
        for protocol in self.protocols:
            assert isinstance(protocol.transport, asyncio.WriteTransport)
            protocol.transport.abort()

    async def handle_MAIL(self, _: SMTP, __: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, _: SMTP, __: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith("250"):
            content = envelope.original_content or b""
            self.mails.append(message_from_bytes(content, policy=default))
            self.envelopes.append(envelope)
            self.sessions.append(session)
        return answer

    def authenticate(self, _: SMTP, __: Session, ___: Envelope, ____: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        right = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)


@asynccontextmanager
async def mail_server(tls: ssl.SSLContext | None = None, implicit: bool = False, **options: Any) -> AsyncIterator[MailServer]:
    """`tls` is offered by STARTTLS, or from the first byte on where it is `implicit`."""
    server, loop = MailServer(), asyncio.get_running_loop()

    def protocol() -> SMTP:
        known = {"tls_context": None if implicit else tls, "hostname": "mail.example.com", "enable_SMTPUTF8": True}
        server.protocols.append(SMTP(server, authenticator=server.authenticate, loop=loop, **{**known, **options}))
        return server.protocols[-1]

    listening = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls if implicit else None)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server


@asynccontextmanager
async def raw_server(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[Settings]:
    """A server that says whatever `talk` writes; the settings that lead to it."""
    writers = list[asyncio.StreamWriter]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await talk(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        yield Settings(smtp_host="127.0.0.1", smtp_port=port, smtp_tls="off")
        for writer in writers:
            writer.close()
