"""Mail over SMTP: connections to the one server of the settings, kept open for a while, and what its answers mean.

Nothing that the server says gets further than its three digits.
"""

import asyncio
import ssl

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from app.channels.mail import Mail
from app.domain.delivery import Answer, Never, TryAgain
from app.settings import Settings

IDLE_CONNECTIONS = 8
GOODBYE_SEC = 1.0
_TOO_LARGE = 552
_WANTS_LOGIN = (530, 534, 535, 538)


class RefusedError(Exception):
    """The mail cannot go; `answer` says what follows."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class MailServer:
    """Gives each mail a connection of its own while it is sent; whatever failed on the way closes it."""

    def __init__(self, settings: Settings, timeout_sec: float) -> None:
        self._settings = settings
        self._timeout_sec = timeout_sec
        self._tls: ssl.SSLContext | None = None
        self._idle: list[SMTP] = []
        self._own_name: str | None = None

    async def post(self, mail: Mail) -> None:
        """Raises RefusedError, SMTPException or OSError where the server did not take it; `answer_to` reads them."""
        connection = await self._announced(mail)
        try:
            await connection.rcpt(mail.to, encoding=_encoding(mail))
            await connection.data(mail.whole)
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        await asyncio.gather(*map(_say_goodbye, idle))

    async def _announced(self, mail: Mail) -> SMTP:
        """A connection on which the mail has begun."""
        while self._idle:
            connection = self._idle.pop()
            try:
                await _announce(connection, mail)
            except (SMTPServerDisconnected, OSError):
                # Servers hang up on who is idle: nothing is lost.
                connection.close()
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        connection = await self._connect()
        try:
            await _announce(connection, mail)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _connect(self) -> SMTP:
        mode = self._settings.smtp_tls
        if self._tls is None and mode != "off":
            self._tls = ssl.create_default_context()
        connection = SMTP(
            hostname=self._settings.smtp_host,
            port=self._settings.smtp_port,
            timeout=self._timeout_sec,
            local_hostname=self._own_name,  # None asks DNS, which may take its time: once is enough
            use_tls=mode == "tls",
            start_tls=False,
            tls_context=self._tls,
        )
        try:
            await connection.connect()
            self._own_name = connection.local_hostname
            await connection.ehlo()
            if mode == "starttls":
                await _start_tls(connection)
            if self._settings.smtp_user is not None:
                await self._log_in(connection, self._settings.smtp_user)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _log_in(self, connection: SMTP, user: str) -> None:
        if not connection.supports_extension("auth"):
            raise RefusedError(TryAgain("the mail server takes no login as SMTP_TLS has it"))
        secret = self._settings.smtp_password
        await connection.login(user.encode(), b"" if secret is None else secret.get_secret_value().encode())


async def _say_goodbye(connection: SMTP) -> None:
    try:
        await connection.quit(timeout=GOODBYE_SEC)
    except (SMTPException, OSError):
        pass  # it was idle: nothing is lost
    finally:
        connection.close()


async def _start_tls(connection: SMTP) -> None:
    # Without TLS nothing is said: whoever stands between could have taken the offer out.
    if not connection.supports_extension("starttls"):
        raise RefusedError(TryAgain("the mail server offers no STARTTLS, which SMTP_TLS wants"))
    await connection.starttls()
    await connection.ehlo()


async def _announce(connection: SMTP, mail: Mail) -> None:
    encoding, options = _encoding(mail), list[str]()
    if encoding != "ascii":
        if not connection.supports_extension("smtputf8"):
            if not mail.sender.isascii():
                raise RefusedError(TryAgain("the mail server takes no SMTP_FROM with letters outside ASCII (SMTPUTF8)"))
            raise RefusedError(Never("the mail server takes no addresses with letters outside ASCII (SMTPUTF8)"))
        options.append("SMTPUTF8")
    if connection.supports_extension("size"):
        options.append(f"SIZE={len(mail.whole)}")
    await connection.mail(mail.sender, options=options, encoding=encoding)


def _encoding(mail: Mail) -> str:
    return "ascii" if f"{mail.sender}{mail.to}".isascii() else "utf-8"


def answer_to(error: Exception) -> Answer:
    """A refusal of the recipient or of the mail is for good. Of the connection, the login or the sender it is not: no mail
    gets through then until somebody sets the server or the settings right, which is no fault of the channel."""
    match error:
        case RefusedError(answer=answer):
            return answer
        case SMTPResponseException(code=code) if not 200 <= code < 600:
            return TryAgain("the mail server gave no proper answer")
        case SMTPAuthenticationError(code=code) if code >= 500:
            # For this mail it would fail again, but the password can be mended within the hour of tries.
            return TryAgain(f"the mail server refused the login ({code}): SMTP_USER and SMTP_PASSWORD")
        case SMTPResponseException(code=code) if code in _WANTS_LOGIN:
            return TryAgain(f"answered {code}: it wants a login, or TLS (SMTP_USER, SMTP_TLS)")
        case SMTPRecipientRefused(code=code) | SMTPDataError(code=code) if code >= 500:
            return Never(f"answered {code}")
        case SMTPSenderRefused(code=code) if code == _TOO_LARGE:
            return Never(f"answered {code}: the mail is too large")
        case SMTPSenderRefused(code=code) if code >= 500:
            return TryAgain(f"answered {code} to SMTP_FROM")
        case SMTPResponseException(code=code):
            return TryAgain(f"answered {code}")
        case _:
            return TryAgain(_failure(error))


def _failure(error: Exception) -> str:
    if isinstance(error, ssl.CertificateError) or isinstance(error.__cause__, ssl.CertificateError):
        return "the mail server's certificate does not hold"
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return "no TLS with the mail server, which SMTP_TLS wants"
    match error:
        case SMTPTimeoutError():
            return "the mail server did not answer in time"
        case SMTPConnectError():
            return "no connection to the mail server"
        case SMTPServerDisconnected() | OSError():
            return "the mail server cut the connection"
        case _:
            return "the mail server gave no proper answer"
