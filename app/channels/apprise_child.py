"""A process that sends one message by apprise: asked by a line of JSON, it answers by one, and is gone."""

import logging
import os
import signal
import sys
from enum import Enum

import msgspec

from app.channels.apprise_guard import Refusal, set_guard
from app.channels.apprise_url import service_of


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` is apprise's: info, success, warning or failure. After `seconds` the process ends itself."""

    url: str
    title: str
    body: str
    kind: str
    allow_private: bool
    seconds: float


class Result(Enum):
    SENT = "sent"
    FAILED = "failed"
    UNUSABLE = "unusable"
    INSIDE = "inside"
    MACHINE = "machine"


_OF_REFUSAL = {Refusal.INSIDE: Result.INSIDE, Refusal.MACHINE: Result.MACHINE}


def main() -> None:
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    # Should the parent die, nobody else would end it.
    signal.setitimer(signal.ITIMER_REAL, asked.seconds)
    answers = _take_over_output()
    logging.disable(logging.CRITICAL)
    result = _send(asked)
    os.write(answers, msgspec.json.encode(result))


def _take_over_output() -> int:
    """What libraries print is for nobody: it may hold the URL."""
    answers, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answers


def _send(asked: Asked) -> Result:
    from apprise import NotifyFormat, NotifyType  # noqa: PLC0415 - half a second, which only the child has to wait
    from apprise.common import OverflowMode  # noqa: PLC0415

    guard = set_guard(asked.allow_private)
    service = service_of(asked.url)
    if isinstance(service, str):
        return Result.UNUSABLE
    # What is longer than the service takes is cut off, and not sent as twenty messages; the beginning matters most.
    service.overflow_mode = OverflowMode.TRUNCATE
    try:
        sent = service.notify(
            body=asked.body, title=asked.title, notify_type=NotifyType(asked.kind), body_format=NotifyFormat.TEXT
        )
    except Exception:  # noqa: BLE001 - whatever a plugin raises, it has not sent it
        sent = False
    if sent:
        return Result.SENT
    return Result.FAILED if guard.refused is None else _OF_REFUSAL[guard.refused]


if __name__ == "__main__":
    main()
