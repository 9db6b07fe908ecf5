"""Starts a program that ends when its parent does: `python -I -S tether.py PARENT_PID PROGRAM ARGUMENT...`.

Run as a script of its own, between fork and exec: code in `preexec_fn` may deadlock where the parent has threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # The parent may have died before the call above: then nobody would ever tell this process.
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
