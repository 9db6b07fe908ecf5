"""What a notification inside Fleetbeat says: its title, which is one line, and its body. The severity is shown beside them."""

from app.channels.brief import facts
from app.channels.gathered import lines, summary
from app.channels.rendering import render
from app.channels.wording import test_title, test_words, what_became
from app.channels.words import one_line, tenants
from app.domain.message import Message

MOST_LISTED = 100
"""Of a bundle, the worst; the dashboard has them all."""


def title_of(message: Message) -> str:
    note = message.note
    if message.is_test:
        return test_title(message)
    return f"{what_became(note)}{one_line(note.alert.title)}" if note is not None else f"{tenants(message)}: {summary(message)}"


def body_of(message: Message) -> str:
    note = message.note
    if note is not None:
        said = facts(note, message)
    elif message.is_test:
        said = [test_words(message)]
    else:
        said = _listed(message)
    return render("in_app.txt", message, said=said).strip()


def _listed(message: Message) -> list[str]:
    every = [line for _, line in lines(message)]
    more = len(every) - MOST_LISTED
    return [*every[:MOST_LISTED], *([f"… and {more} more"] if more > 0 else [])]
