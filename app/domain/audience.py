"""Who would hear of an alert if it opened now. Pure."""

from datetime import datetime, timedelta

import msgspec

from app.domain.delivery import DeliveryStatus
from app.domain.foretelling import opening_of
from app.domain.rule import Rule
from app.domain.subject import Subject
from app.domain.telling import Book, tellings, why_nobody


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """Shared channels by name, how many people by their own channels, and how many of those `later`, by their quiet hours or
    digests. `nobody` is why it reaches none."""

    channels: tuple[str, ...] = ()
    people: int = 0
    later: int = 0
    nobody: str | None = None


def audience_of(book: Book, rule: Rule, subject: Subject, now: datetime) -> Audience:
    opening = opening_of(rule, subject, now)
    rows = list(tellings(opening, book, rule, {}, now, timedelta(0)))
    told = [one for one in rows if one.status is not DeliveryStatus.SKIPPED]
    shared = dict.fromkeys(one.channel_id for one in told if one.user_id is None)
    return Audience(
        channels=tuple(book.shared[one].name for one in shared),
        people=len({one.user_id for one in told if one.user_id is not None}),
        later=len({one.user_id for one in told if one.held is not None}),
        nobody=why_nobody(opening, rows),
    )


def words_for(audience: Audience) -> str:
    """What follows "it tells"."""
    if audience.nobody is not None:
        return f"nobody: {audience.nobody}"
    parts = [", ".join(audience.channels)] if audience.channels else []
    if audience.people:
        later = f" ({audience.later} of them later, by quiet hours or a digest)" if audience.later else ""
        people = "1 person by an own channel" if audience.people == 1 else f"{audience.people} people by their own channels"
        parts.append(f"{people}{later}")
    return " and ".join(parts)
