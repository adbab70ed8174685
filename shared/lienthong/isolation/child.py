"""What runs in a process that answers requests and may die of one: `serve`, called by the process's own ``main``.

Requests come on standard input, answers leave on standard output, each behind a header of fixed size. What a request
may use is limited by the kernel: processor time for each, address space as the process limits itself.
"""

from __future__ import annotations

import os
import resource
import signal
import struct
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "ANSWER",
    "EXHAUSTED",
    "MEBIBYTE",
    "OK",
    "REQUEST",
    "address_space",
    "limit_address_space",
    "on_own_account",
    "serve",
]

MEBIBYTE: Final = 1024 * 1024

REQUEST: Final = struct.Struct(">Qd")
"""Length of the request, and the seconds of processor time it may take."""

ANSWER: Final = struct.Struct(">BQd")
"""`OK` or `EXHAUSTED`, length of the answer, and the seconds of processor time it took."""

OK: Final = 0
EXHAUSTED: Final = 1


def serve(answer: Callable[[bytes], bytes], *, file_megabytes: int = 0) -> None:
    """Answer requests until standard input ends, which it also does when the parent dies, however it dies.

    A request that needs more memory than there is ends the process after saying so: what is left of the heap is nothing
    to go on with. One that takes more processor time than it may is ended by the kernel, with SIGPROF.

    Args:
        answer: makes the answer; whatever it raises but MemoryError ends the process.
        file_megabytes: the largest file the process may write.
    """
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing that a library prints gets between the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # time is up: end at once, whatever is running
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_megabytes * MEBIBYTE, file_megabytes * MEBIBYTE))
    _write(answers, OK, b"", 0)
    while (header := requests.read(REQUEST.size)) and len(header) == REQUEST.size:
        size, seconds = REQUEST.unpack(header)
        begun = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            request = requests.read(size)
            if len(request) < size:
                return
            answered = answer(request)
        except MemoryError:
            _write(answers, EXHAUSTED, b"", time.process_time() - begun)
            return
        signal.setitimer(signal.ITIMER_PROF, 0)
        del request
        _write(answers, OK, answered, time.process_time() - begun)


def address_space() -> int:
    """Return the bytes of address space this process has."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - the least there is to allocate
        return int(statm.read().split()[0]) * resource.getpagesize()


def limit_address_space(size: int | None, *, for_good: bool = False) -> None:
    """Let this process have so many bytes of address space at most.

    Args:
        size: how many; None for as many as there are.
        for_good: whether the process can never have more again.
    """
    soft = resource.RLIM_INFINITY if size is None else size
    hard = soft if for_good else resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def on_own_account() -> Iterator[None]:
    """Do what no request is to blame for: its processor time does not count."""
    left, _ = signal.setitimer(signal.ITIMER_PROF, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, left)


def _write(stream: BinaryIO, status: int, data: bytes, seconds: float) -> None:
    stream.write(ANSWER.pack(status, len(data), seconds) + data)
    stream.flush()
