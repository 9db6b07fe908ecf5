"""What a notification inside Fleetbeat says: its title, which is one line, and its body. The severity is shown beside them."""

from app.channels.brief import facts
from app.channels.gathered import lines, summary
from app.channels.rendering import render
from app.channels.wording import test_title, test_words, what_became
from app.channels.words import one_line, tenants
from app.domain.message import Message


def title_of(message: Message) -> str:
    note = message.note
    if message.is_test:
        return test_title(message)
    return f"{what_became(note)}{one_line(note.alert.title)}" if note is not None else f"{tenants(message)}: {summary(message)}"


def body_of(message: Message) -> str:
    note = message.note
    said = [line for _, line in lines(message)] if note is None else facts(note, message)
    return render("in_app.txt", message, said=[test_words(message)] if message.is_test else said).strip()
