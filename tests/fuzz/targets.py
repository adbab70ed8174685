"""Every place where a stranger's bytes arrive, and what holds there whatever the bytes.

A target's `check` takes an input and raises when a promise is broken: an exception that no docstring names, a reading
that cannot be written and read again, a signature called intact over content that nobody signed.
"""

from __future__ import annotations

import logging
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from tests.fuzz import files, messages, mutations, properties
from tests.fuzz.promises import MAX_BYTES, MAX_SECONDS, demand

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

__all__ = ["TARGETS", "Target", "feed", "peak_bytes", "quiet"]


@dataclass(frozen=True)
class Target:
    """One place where bytes arrive.

    Attributes:
        name: also of its folder of kept inputs.
        check: raises when something does not hold for an input.
        mutate: changes an input in a way that keeps its form.
        max_bytes: the longest input tried.
        bounded: whether memory is counted here; where it is not, the kernel bounds it in production.
    """

    name: str
    check: Callable[[bytes], None]
    mutate: Callable[[bytes, Random], bytes]
    max_bytes: int = 16_384
    bounded: bool = True


def feed(target: Target, data: bytes, idle_bytes: int) -> None:
    """Check one input, and the time and the memory it takes.

    Args:
        target: where it arrives.
        data: the input.
        idle_bytes: the most memory this process has had without such inputs.

    Raises:
        BrokenPromiseError: a promise does not hold; any other error is one that nobody promised.
    """
    started = time.process_time()
    target.check(data)
    seconds = time.process_time() - started
    demand(seconds <= MAX_SECONDS, f"it takes {seconds:.1f} s")
    grown = peak_bytes() - idle_bytes
    demand(not target.bounded or grown <= MAX_BYTES, f"it takes {grown:,} bytes")


def quiet() -> None:
    """Log nothing: in this process hostile input is no news."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def peak_bytes(*, anew: bool = False) -> int:
    """Return the most memory this process has had so far; `anew` forgets the past and starts from what it has now."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


TARGETS = {
    target.name: target
    for target in (
        Target("edxml", messages.check_edxml, mutations.mutate_xml),
        Target("status", messages.check_status, mutations.mutate_xml, 8192),
        Target("properties", properties.check_properties, mutations.mutate_bytes, 2048),
        Target("internal", messages.check_internal, mutations.mutate_json, 4096),
        Target("signature", files.check_signature, mutations.mutate_xml),
        Target("attachment", files.check_attachment, mutations.mutate_attachment),
        Target("pdf", files.check_pdf, mutations.mutate_pdf, 65_536, bounded=False),
    )
}
"""Every target, by name."""
