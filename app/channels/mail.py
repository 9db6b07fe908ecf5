"""A mail as it goes out: its headers, by which clients put all mails of an alert into one thread, and its two texts."""

import hashlib
from dataclasses import dataclass
from email.charset import QP, Charset
from email.errors import HeaderParseError
from email.header import Header
from email.headerregistry import Address
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import compat32
from email.utils import format_datetime, parseaddr
from functools import lru_cache

from app.channels.mail_text import mail_text
from app.channels.words import one_line
from app.domain.message import Message

_CRLF = compat32.clone(linesep="\r\n")
_QUOTED = Charset("utf-8")
# So that lines of any length and every letter pass through whatever server.
_QUOTED.body_encoding = QP


class UnusableAddressError(Exception):
    """No mail can go to it. The text does not hold the address."""


class UnusableSenderError(Exception):
    """No mail can go from SMTP_FROM, whoever it is for."""


@dataclass(frozen=True, slots=True)
class Mail:
    """`sender` and `to` are bare addresses. The id is the same for every try."""

    sender: str
    to: str
    message_id: str
    whole: bytes


def compose(message: Message, sender: str) -> Mail:
    """The mail to `message.to`; the same for every try. `sender` is an address, with or without a name before it.

    Raises UnusableSenderError and UnusableAddressError.
    """
    name, written = parseaddr(sender)
    from_, to = _sender(written), _address(message.to or "")
    domain = from_.domain
    said, message_id = mail_text(message), f"<{_digest(message.id)}@{domain}>"
    # The older half of the email package: the newer one parses every header that it is given, which costs a millisecond a mail.
    mail = MIMEMultipart("alternative", policy=_CRLF)
    mail["Subject"] = Header(said.subject, "utf-8", header_name="Subject")  # type: ignore[assignment]  # it folds itself
    mail["Date"] = format_datetime(message.now)
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if message.note is not None:
        _put_into_thread(mail, message, message.note.alert.id, domain)
    mail.attach(_part(said.text, "plain"))
    mail.attach(_part(said.html, "html"))
    # By hand: an address with letters outside ASCII stands in its header as it is (SMTPUTF8).
    shown = f"{Header(one_line(name), 'utf-8').encode()} <{from_.addr_spec}>" if name else from_.addr_spec
    head = f"From: {shown}\r\nTo: {to.addr_spec}\r\n".encode()
    return Mail(from_.addr_spec, to.addr_spec, message_id, head + mail.as_bytes())


def _part(text: str, subtype: str) -> MIMENonMultipart:
    part = MIMENonMultipart("text", subtype)
    part.set_payload(text, _QUOTED)
    return part


def _put_into_thread(mail: MIMEMultipart, message: Message, alert_id: str, domain: str) -> None:
    """Each mail refers to a root that never was a mail: the first of them may have been lost, or been part of a bundle."""
    root = f"<{_digest('thread', alert_id, message.to or '')}@{domain}>"
    first = message.first_receipt if _is_message_id(message.first_receipt) else None
    mail["References"] = root if first is None else f"{root} {first}"
    mail["In-Reply-To"] = first or root


def _sender(text: str) -> Address:
    try:
        return _address(text)
    except UnusableAddressError:
        raise UnusableSenderError("SMTP_FROM is no mail address") from None


@lru_cache(maxsize=4096)
def _address(text: str) -> Address:
    """The domain as DNS knows it, so that only a local part outside ASCII needs a server that takes such."""
    local, _, domain = text.strip().rpartition("@")
    try:
        known = domain.encode("idna").decode("ascii")
        # The parser knows ASCII alone; what letters outside it are makes no difference to the form.
        Address(addr_spec="".join(char if char.isascii() else "x" for char in f"{local}@{known}"))
        found = Address("", local, known)
    except (UnicodeError, HeaderParseError, ValueError, IndexError):
        raise UnusableAddressError("the address is no mail address") from None
    if not local or not known or not local.isprintable() or any(char in ' <>"' for char in local):
        raise UnusableAddressError("the address is no mail address")
    return found


def _digest(*parts: str) -> str:
    """Ids may hold what has no place in a header, and addresses are nobody's business."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def _is_message_id(text: str | None) -> bool:
    return text is not None and text.isascii() and text.isprintable() and text.startswith("<") and text.endswith(">")
