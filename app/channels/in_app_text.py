"""What a notification inside Fleetbeat says: its title, which is one line, and its body."""

from app.channels.rendering import render
from app.domain.message import Message


def title_of(message: Message) -> str:
    return " ".join(render("in_app_title.txt", message).split())


def body_of(message: Message) -> str:
    return render("in_app_body.txt", message).strip()
