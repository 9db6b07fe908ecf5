"""What a way out is: one method, which says whether trying again helps."""

from typing import Protocol, TypeVar

from app.domain.channel import Config
from app.domain.delivery import Answer
from app.domain.message import Message

Given_contra = TypeVar("Given_contra", bound=Config, contravariant=True)


class Way(Protocol[Given_contra]):
    """Sends messages of one kind of channel. It raises nothing: every failure is an answer, in our own words, in which no
    address, no secret and nothing that the receiver wrote can be. It gives up after a time of its own."""

    async def send(self, config: Given_contra, message: Message) -> Answer: ...
