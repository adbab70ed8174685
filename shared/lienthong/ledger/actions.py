"""Rows of what documents do to earlier ones; field names are the ledger's column names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID  # noqa: TC003 - pydantic reads the annotations

from lienthong.document.ids import UPDATE

__all__ = ["ActionRow", "EarlierDocument", "SettledAction"]


@dataclass(frozen=True, slots=True)
class ActionRow:
    """What a document does to an earlier one at one addressee.

    Attributes:
        document: the one that acts.
        addressee: where.
        earlier: the delivery it acts on, by its document; of an added addressee the document it is a version of.
        kind: withdraw, update, remove, add or replace.
        outcome: pending until the receiver answers; done where nobody is asked.
    """

    document: UUID
    addressee: str
    earlier: UUID
    kind: Literal["withdraw", "update", "remove", "add", "replace"]
    outcome: Literal["pending", "done"]


@dataclass(frozen=True, slots=True)
class SettledAction:
    """How a pending action ended, at one addressee; `status` is the receiver's answer, None when there was none."""

    document: UUID
    addressee: str
    outcome: Literal["agreed", "declined", "lapsed"]
    status: UUID | None = None


@dataclass(frozen=True, slots=True)
class EarlierDocument:
    """A document that others may act on, and how far it is; `refused` by the exchange, `forwarded` to its queues.

    `test`: it was sent on trial, and nothing official may act on it, nor it on what is official.
    """

    document: UUID
    sender: str
    document_id: str
    business: int
    refused: bool
    forwarded: bool
    test: bool

    @property
    def stands(self) -> bool:
        """Whether it is a document of its own that was not refused, and no update of another."""
        return self.business != UPDATE and not self.refused
