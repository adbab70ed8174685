"""Rows of what broker and ledger disagree on, and of what was mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID  # noqa: TC003 - pydantic reads the annotations

__all__ = ["RepairRow", "StatusInput", "UnreportedDelivery"]


@dataclass(frozen=True, slots=True)
class StatusInput:
    """The message that reported a status, as far as it takes to put it back."""

    status: UUID
    document: UUID
    user_name: str
    message_id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class UnreportedDelivery:
    """A document in a carrier's queue, or taken from it without a word; `repeated`: delivered again before."""

    document: UUID
    carrier: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class RepairRow:
    """What an operator's command mended."""

    kind: str
    document: UUID | None
    agency: str | None
    digest: str | None
    facts: dict[str, Any]
