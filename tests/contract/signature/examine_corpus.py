"""Examine every attack in this process, within limits, and print what was found: one JSON object a line.

Run by `test_attacks.py`, so that what would crash or exhaust a worker crashes or exhausts only this.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from lienthong.signature import examine_message
from lienthong.testing.attacks import attacks
from lienthong.testing.message_forge import Draft

MEBIBYTE = 1024 * 1024


def used() -> int:
    """Return the bytes of address space this process has now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def peak() -> int:
    """Return the most bytes of memory this process has had since the last `forget_peak`."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def forget_peak() -> None:
    """Let the peak begin at what is used now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main(megabytes: int) -> None:
    """Examine all of them, and a right message after each."""
    right = Draft().sign()
    examine_message(right)
    for attack in attacks():
        data = attack.make()
        resource.setrlimit(resource.RLIMIT_AS, (used() + megabytes * MEBIBYTE, resource.RLIM_INFINITY))
        forget_peak()
        before = peak()
        began = time.process_time()
        found = examine_message(data)
        seconds = time.process_time() - began
        added = peak() - before
        neighbour = examine_message(right).state
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        answer = {
            "name": attack.name,
            "state": found.state,
            "code": found.reason.code,
            "vi": found.reason.vi,
            "en": found.reason.en,
            "seconds": seconds,
            "megabytes": added / MEBIBYTE,
            "neighbour": neighbour,
        }
        sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
