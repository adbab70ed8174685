"""What is promised for every input, and how it is demanded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pamqp import encode as amqp

if TYPE_CHECKING:
    from lienthong.bus.messages import Outgoing
    from lienthong.errors import Problem

__all__ = [
    "DATA",
    "MAX_BYTES",
    "MAX_SECONDS",
    "MIB",
    "SMALL",
    "BrokenPromiseError",
    "demand",
    "demand_problems",
    "demand_publishable",
    "demand_text",
]

DATA = Path(__file__).parents[1] / "data" / "fuzz"
MIB = 1024 * 1024
MAX_SECONDS = 5.0
"""Most processor time for one input."""
MAX_BYTES = 300 * MIB
"""Most memory above what the process had before."""
SMALL = 256 * 1024
"""Only so small inputs are read, written and compared again and again."""


class BrokenPromiseError(AssertionError):
    """A promise does not hold for this input."""


def demand(holds: bool, promise: str) -> None:
    """Raise unless a promise holds; not an assert, which an option can switch off."""
    if not holds:
        raise BrokenPromiseError(promise)


def demand_problems(problems: tuple[Problem, ...]) -> None:
    """Demand problems that can be kept and told."""
    for problem in problems:
        demand_text(problem.code, problem.path, problem.vi, problem.en)


def demand_text(*texts: str | None) -> None:
    """Demand what a database and a notice can hold: UTF-8 without NUL."""
    for text in texts:
        if text is not None:
            text.encode()
            demand("\0" not in text, "no NUL in a text that is kept")


def demand_publishable(output: Outgoing) -> None:
    """Demand that the client library can encode a message's properties."""
    amqp.field_table(dict(output.headers))
    for text in (output.routing_key, output.message_id, output.content_type, output.type, output.exchange):
        amqp.short_string(text)
