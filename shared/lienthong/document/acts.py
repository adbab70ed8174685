"""What a document does to an earlier one, as the ledger keeps it: the part of edXML's ``Bussiness`` that is applied."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Acts", "Replaces"]


class Replaces(BaseModel):
    """Which earlier document is replaced, and for which receivers, as the sender wrote their codes; none means all."""

    model_config = ConfigDict(frozen=True)

    document_id: str
    codes: tuple[str, ...] = ()


class Acts(BaseModel):
    """What a withdrawal, an update or a replacement says of the earlier document.

    Attributes:
        earlier: the DocumentId (edXML) it is about; None where a withdrawal leaves it out and means its own.
        reason: free text.
        content_changed: of an update, whether the content changed, as far as it says.
        added: receivers that an update adds, as the sender wrote their codes.
        removed: receivers that it removes.
        replaces: what a replacement replaces.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    earlier: str | None = None
    reason: str | None = None
    content_changed: bool | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    replaces: tuple[Replaces, ...] = ()
