"""What is wrong with where a channel leads. Pure.

Every check adds what is wrong below `path`. Nothing of what was written is repeated: much of it is secret.
"""

import re
from collections.abc import Callable, Collection, Sequence
from urllib.parse import urlsplit

from app.domain.addresses import is_address, is_public
from app.domain.faults import Faults

MOST_RECIPIENTS = 50
SHORTEST_SECRET, LONGEST_SECRET = 16, 256
MASKED = "should be the whole address: a masked one stands only for the one that is there"
INSIDE = "should be outside the network, or ALLOW_PRIVATE_WEBHOOKS be set"

_HIDDEN = "…"
"""Stands for what is not shown."""

_Test = Callable[[str], bool]
_LONGEST_URL = 2_048
_LONGEST_MAIL = 254
_MAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64})*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_SLACK_TOKEN = re.compile(r"xox[a-z][-.][A-Za-z0-9._-]{6,250}")
_SLACK_CHANNEL = re.compile(r"[#@]?[^\s#@,<>&:/]{1,80}")
_TELEGRAM_CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31}")
_TELEGRAM_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{30,100}")
_ROUTING_KEY = re.compile(r"[A-Za-z0-9]{32}")
_SCHEMA = re.compile(r"[a-z][a-z0-9]{0,19}(?=://.)")
_LOCAL_SCHEMAS = frozenset(("dbus", "file", "gio", "glib", "gnome", "kde", "macosx", "osx", "qt", "syslog", "windows"))
"""What Apprise would do on the machine that it runs on."""


def check_mail_addresses(to: Sequence[str], path: str, faults: Faults) -> None:
    _check_each(to, f"{path}.to", _is_mail_address, 'should be a mail address such as "ops@example.com"', faults)


def check_numbers(to: Sequence[str], path: str, faults: Faults) -> None:
    _check_each(to, f"{path}.to", _is_number, 'should be a number as in E.164, such as "+4915112345678"', faults)


def check_slack_bot(token: str | None, channel: str | None, path: str, faults: Faults) -> None:
    if token is None or channel is None:
        missing = "token" if token is None else "channel"
        faults.add(f"{path}.{missing}", "is needed: a bot has a token and a channel that it posts to")
    if token is not None:
        faults.require(
            _SLACK_TOKEN.fullmatch(token) is not None, f"{path}.token", "should be a bot's token, which begins with xoxb-"
        )
    if channel is not None:
        fits = _SLACK_CHANNEL.fullmatch(channel) is not None and channel.isprintable()
        faults.require(fits, f"{path}.channel", "should be a channel's name or id, such as #ops")


def check_telegram(chat_id: str, bot_token: str | None, path: str, faults: Faults) -> None:
    """`bot_token` None is the bot of the settings."""
    faults.require(
        _TELEGRAM_CHAT.fullmatch(chat_id) is not None,
        f"{path}.chatId",
        "should be the number of a chat, or the @name of a channel",
    )
    if bot_token is not None:
        said = "should be the token that BotFather gave: digits, a colon, and at least 30 letters, digits, - and _"
        faults.require(_TELEGRAM_TOKEN.fullmatch(bot_token) is not None, f"{path}.botToken", said)


def check_routing_key(routing_key: str, path: str, faults: Faults) -> None:
    said = "should be the 32 letters and digits of an integration of Events API v2"
    faults.require(_ROUTING_KEY.fullmatch(routing_key) is not None, f"{path}.routingKey", said)


def check_signing_secret(secret: str, path: str, faults: Faults) -> None:
    fits = SHORTEST_SECRET <= len(secret) <= LONGEST_SECRET and secret.isprintable() and secret.strip() == secret
    said = f"should be {SHORTEST_SECRET} to {LONGEST_SECRET} printable characters without blanks at the ends"
    faults.require(fits, path, said)


def check_web_address(url: str, path: str, allow_inside: bool, faults: Faults) -> None:
    """An http or https address outside the network. A name is looked up with each try: what it leads to may change."""
    before = len(faults.found)
    faults.web_address(path, url)
    faults.require(not _names_a_person(url), path, "should be without a user and a password")
    faults.require(_HIDDEN not in url, path, MASKED)
    if len(faults.found) == before:
        faults.require(allow_inside or not _is_inside(url), path, INSIDE)


def check_people(user_ids: Sequence[str], known: Collection[str], path: str, faults: Faults) -> None:
    """`known` are those who may be named."""
    _check_each(user_ids, f"{path}.userIds", lambda one: one in known, "is not a member who has been here", faults)


def check_apprise(url: str, allow_inside: bool, path: str, faults: Faults) -> None:
    """No more than what an address has to be like: each of its services knows the rest."""
    schema = _SCHEMA.match(url)
    if _HIDDEN in url:
        faults.add(f"{path}.url", MASKED)
        return
    fits = schema is not None and len(url) <= _LONGEST_URL and url.isprintable() and " " not in url
    faults.require(fits, f"{path}.url", "should be an address of Apprise, such as discord://…")
    if not fits or schema is None:
        return
    faults.require(schema.group() not in _LOCAL_SCHEMAS, f"{path}.url", "should lead to people elsewhere, not to our own machine")
    faults.require(allow_inside or not _is_inside(url), f"{path}.url", INSIDE)


def _check_each(values: Sequence[str], path: str, fits: _Test, said: str, faults: Faults) -> None:
    faults.require(bool(values), path, "should name one at least")
    faults.require(len(values) <= MOST_RECIPIENTS, path, f"has {len(values)} entries; at most {MOST_RECIPIENTS}")
    for index, value in enumerate(values[:MOST_RECIPIENTS]):
        faults.require(fits(value), f"{path}[{index}]", said)


def _is_mail_address(text: str) -> bool:
    return len(text) <= _LONGEST_MAIL and _MAIL.fullmatch(text) is not None


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _names_a_person(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # A port that is none raises as well, and only when it is looked at.
        return parts.username is not None or parts.password is not None or parts.port == 0
    except ValueError:
        return True


def _is_inside(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return True
    return host == "localhost" or host.endswith(".localhost") or (is_address(host) and not is_public(host))
