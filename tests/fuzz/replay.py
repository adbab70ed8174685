"""Checks inputs one by one, without guidance: ``python -m tests.fuzz.replay [TARGET=FILE…]``; by default all kept ones.

Ends with 1 when anything does not hold, and says which input it was. In a process of its own, whose memory is its own.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz.promises import DATA
from tests.fuzz.targets import TARGETS, Target, feed, peak_bytes, quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Check the inputs and return the exit code."""
    quiet()
    failed = 0
    for target, path in _inputs(arguments):
        target.check(b"")  # what is kept for good is no cost of this input
        try:
            feed(target, path.read_bytes(), peak_bytes())
        except Exception:  # noqa: BLE001 - whatever it is, it is the finding
            failed += 1
            sys.stdout.write(f"{target.name}: {path.name}: {traceback.format_exc()}\n")
    return 1 if failed else 0


def _inputs(arguments: list[str]) -> Iterator[tuple[Target, Path]]:
    if not arguments:
        for name, target in TARGETS.items():
            yield from ((target, path) for path in sorted((DATA / name).iterdir()))
    for argument in arguments:
        name, _, path = argument.partition("=")
        yield TARGETS[name], Path(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
