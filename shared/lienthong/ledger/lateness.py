"""How far the law's deadlines were kept in a period, as `lienthong.ledger.figures` returns it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - part of public dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

__all__ = ["Late", "Lateness", "Punctuality"]


@dataclass(frozen=True, slots=True)
class Punctuality:
    """Of the clocks of one kind that were due in a period and that one agency had to meet.

    `due` is the sum of the others: met in time, met late, not met though over, and not over yet.
    """

    clock: str
    agency: str
    due: int
    in_time: int
    late: int
    overdue: int
    running: int


@dataclass(frozen=True, slots=True)
class Late:
    """One clock that was not met in time.

    Attributes:
        clock: which; see `lienthong.document.deadlines.Clock`.
        agency: who had to act.
        due_at: by when.
        met_at: when it was done; None while it is not.
        document: the exchange's id of the document.
        evidence: the status that did it, or for the sending the document; None when nothing did.
        document_id: the sender's id of it.
        sender: its sender.
        number: its number and notation.
        seconds: how long after `due_at`; of what is not done, by the moment that was asked for.
    """

    clock: str
    agency: str
    due_at: datetime
    met_at: datetime | None
    document: UUID
    evidence: UUID | None
    document_id: str
    sender: str
    number: str | None
    seconds: int


@dataclass(frozen=True, slots=True)
class Lateness:
    """The clocks that were due in a period.

    Attributes:
        counts: by clock and agency; each clock of each document in one of them.
        worst: those that were late longest.
        names: of every agency in them.
    """

    counts: Sequence[Punctuality]
    worst: Sequence[Late]
    names: Mapping[str, str]
