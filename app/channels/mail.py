"""A mail as it goes out: its headers, by which clients put all mails of an alert into one thread, and its two texts."""

import hashlib
from email.errors import HeaderParseError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from app.channels.mail_text import mail_text
from app.channels.words import one_line
from app.domain.message import Message


class UnusableAddressError(Exception):
    """No mail can go to it, or from it. The text does not hold the address."""


def compose(message: Message, sender: str) -> EmailMessage:
    """The mail to `message.to`; the same for every try. `sender` is an address, with or without a name before it.

    Raises UnusableAddressError.
    """
    name, written = parseaddr(sender)
    from_ = _address(written, "SMTP_FROM", one_line(name))
    said, mail = mail_text(message), EmailMessage()
    mail["From"] = from_
    mail["To"] = _address(message.to or "", "the address")
    _set_subject(mail, said.subject)
    mail["Date"] = format_datetime(message.now)
    mail["Message-ID"] = f"<{_digest(message.id)}@{from_.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if message.note is not None:
        _put_into_thread(mail, message, message.note.alert.id, from_.domain)
    # Quoted-printable, so that lines of any length and every letter pass through whatever server.
    mail.set_content(said.text, cte="quoted-printable")
    mail.add_alternative(said.html, subtype="html", cte="quoted-printable")
    return mail


def _set_subject(mail: EmailMessage, subject: str) -> None:
    """Where words outside ASCII are folded, EmailMessage loses blanks between them, and others once "Re: " stands in front."""
    if subject.isascii():
        mail["Subject"] = subject
    else:
        mail.set_raw("Subject", Header(subject, "utf-8", header_name="Subject").encode())


def _put_into_thread(mail: EmailMessage, message: Message, alert_id: str, domain: str) -> None:
    """Each mail refers to a root that never was a mail: the first of them may have been lost, or been part of a bundle."""
    root = f"<{_digest('thread', alert_id, message.to or '')}@{domain}>"
    first = message.first_receipt if _is_message_id(message.first_receipt) else None
    mail["References"] = root if first is None else f"{root} {first}"
    mail["In-Reply-To"] = first or root


def _address(text: str, what: str, name: str = "") -> Address:
    """The domain as DNS knows it, so that only a local part outside ASCII needs a server that takes such."""
    local, _, domain = text.strip().rpartition("@")
    try:
        known = domain.encode("idna").decode("ascii")
        # The parser knows ASCII alone; what letters outside it are makes no difference to the form.
        Address(addr_spec="".join(char if char.isascii() else "x" for char in f"{local}@{known}"))
        found = Address(name, local, known)
    except (UnicodeError, HeaderParseError, ValueError, IndexError):
        raise UnusableAddressError(f"{what} is no mail address") from None
    if not local or not known or not local.isprintable() or any(char in ' <>"' for char in local):
        raise UnusableAddressError(f"{what} is no mail address")
    return found


def _digest(*parts: str) -> str:
    """Ids may hold what has no place in a header, and addresses are nobody's business."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def _is_message_id(text: str | None) -> bool:
    return text is not None and text.isascii() and text.isprintable() and text.startswith("<") and text.endswith(">")
