"""The process that examines PDFs for somebody else, and may die of it: ``python -m lienthong.signature.pdf_child``.

It answers frames on standard input with frames on standard output; a frame is its length in eight bytes, then so many
bytes. What it may use is limited by the kernel: address space for good, processor time for each PDF.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import BinaryIO, Final

from lienthong.signature.pdf_examination import examine
from lienthong.signature.pdf_facts import Flaw, PdfFacts, encode_facts

__all__ = ["LENGTH_BYTES", "main"]

LENGTH_BYTES: Final = 8
_MIB: Final = 1024 * 1024


def main(arguments: list[str]) -> None:
    """Answer until standard input ends.

    Args:
        arguments: the seconds of processor time for one PDF, and the megabytes of address space.
    """
    seconds, megabytes = float(arguments[0]), int(arguments[1])
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing that a library prints gets between the frames
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # time is up: end at once, whatever is running
    for limit, value in (
        (resource.RLIMIT_AS, megabytes * _MIB),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    _write(answers, b"")
    while (pdf := _read(sys.stdin.buffer)) is not None:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            facts = examine(pdf)
        except MemoryError:
            _write(answers, encode_facts(PdfFacts(Flaw.TOO_MUCH_MEMORY)))
            return  # what is left of the heap is nothing to go on with
        signal.setitimer(signal.ITIMER_PROF, 0)
        del pdf
        _write(answers, encode_facts(facts))


def _read(stream: BinaryIO) -> bytes | None:
    length = stream.read(LENGTH_BYTES)
    if len(length) < LENGTH_BYTES:
        return None
    size = int.from_bytes(length, "big")
    pdf = stream.read(size)
    return pdf if len(pdf) == size else None


def _write(stream: BinaryIO, data: bytes) -> None:
    stream.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)
    stream.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
