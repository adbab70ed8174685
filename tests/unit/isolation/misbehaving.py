"""A process for the tests of the pool: does to itself what it is asked to."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lienthong.isolation.child import MEBIBYTE, address_space, limit_address_space, serve

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT: list[bytearray] = []


def echo(rest: str) -> str:
    """Answer the same, after talking where answers leave."""
    print("a library says something")  # noqa: T201 - that it does not get between the answers is a rule
    return rest


def spin(_rest: str) -> str:
    """Never answer."""
    while True:
        pass


def take(rest: str) -> str:
    """Take so many megabytes for a moment."""
    return str(len(bytearray(int(rest) * MEBIBYTE)))


def keep(rest: str) -> str:
    """Take them for good."""
    KEPT.append(bytearray(int(rest) * MEBIBYTE))
    return "kept"


def write(rest: str) -> str:
    """Write a file."""
    Path(rest).write_bytes(b"x")
    return "written"


def crash(_rest: str) -> str:
    """Crash as a library does."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return "never said"


def killed(rest: str) -> str:
    """Be killed by somebody else, as far as can be seen; only once when there is a file to remember it by."""
    if not rest or not Path(rest).exists():
        if rest:
            write(rest)
        os.kill(os.getpid(), signal.SIGKILL)
    return "not again"


def who(_rest: str) -> str:
    """Tell which process this is."""
    return str(os.getpid())


ACTIONS: dict[str, Callable[[str], str]] = {
    action.__name__: action for action in (echo, spin, take, keep, write, crash, killed, who)
}


def answer(request: bytes) -> bytes:
    """Do what the first word says, with the rest."""
    word, _, rest = request.decode().partition(" ")
    return ACTIONS[word](rest).encode()


if __name__ == "__main__":
    limit_address_space(address_space() + 100 * MEBIBYTE, for_good=True)
    serve(answer, file_megabytes=int(sys.argv[1]))
