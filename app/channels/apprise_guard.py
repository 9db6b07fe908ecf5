"""What the child of apprise may not do. Audit hooks see it whatever library asks, and cannot be taken out again."""

import mimetypes
import os
import resource
import sys
import sysconfig
from dataclasses import dataclass
from enum import Enum
from typing import Any

from app.domain.addresses import is_public

_CALLS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn")
_LOGS = ("syslog.openlog", "syslog.syslog")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LIMITS = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_DATA: 512 * 1024 * 1024}
"""Nothing of the URL is left on a disk, and an answer without end takes no more memory than that."""


# The library and its packages, time zones, certificates; all else of this machine is none of a tenant's business.
_FOLDERS = tuple(
    os.path.realpath(path) + os.sep
    for path in (
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        "/usr/share/zoneinfo",
        "/etc/ssl",
        "/etc/pki/tls",
    )
)
_FILES = frozenset({os.devnull, "/etc/localtime", *mimetypes.knownfiles})


class Refusal(Enum):
    INSIDE = "inside"
    MACHINE = "machine"


class GuardError(PermissionError):
    """Something was refused; libraries take it for a failure of the system."""


@dataclass(slots=True)
class Guard:
    """`refused` is the first refusal, since libraries swallow errors."""

    allow_private: bool
    refused: Refusal | None = None

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if event in _CALLS:
            self._address(given[1])
        elif event == "open":
            self._file(given[0], given[2])
        elif event in _PROGRAMS or event in _LOGS:
            self._refuse(Refusal.MACHINE)

    def _address(self, address: object) -> None:
        # A socket that is connected already sends without saying where to.
        if address is None:
            return
        if not isinstance(address, tuple):
            self._refuse(Refusal.MACHINE)  # the path of a socket of this machine
        elif not self.allow_private and not is_public(str(address[0])):
            # A name is refused too: it would be resolved after this look at it.
            self._refuse(Refusal.INSIDE)

    def _file(self, path: object, flags: int) -> None:
        if isinstance(path, int):
            return
        name = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        if name == os.devnull:
            return
        if flags & _WRITES or not (name in _FILES or os.path.realpath(name).startswith(_FOLDERS)):
            self._refuse(Refusal.MACHINE)

    def _refuse(self, refusal: Refusal) -> None:
        self.refused = self.refused or refusal
        raise GuardError(1, "refused")


def set_guard(allow_private: bool) -> Guard:
    """From now on, for all of this process: no file is written, no program started, and only the addresses that may be are called."""
    for what, most in _LIMITS.items():
        hardest = resource.getrlimit(what)[1]
        least = most if hardest == resource.RLIM_INFINITY else min(most, hardest)
        resource.setrlimit(what, (least, least))
    guard = Guard(allow_private)
    sys.addaudithook(guard)
    return guard
