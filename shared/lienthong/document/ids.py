"""Derived identifiers: the same fact has the same id whenever and wherever it is computed again.

They are name-based UUIDs (RFC 9562 section 5.5), so a message that is published a second time after a crash carries
the id of the first time and receivers can drop it.
"""

from __future__ import annotations

from uuid import UUID, uuid5

__all__ = ["derive", "document_uuid", "submission_uuid"]

NAMESPACE = UUID("6f3c2f0e-6d0b-5d1c-9a3e-28201800aa11")


def derive(*parts: object) -> UUID:
    """Return the UUID of this sequence of parts; no two different sequences share one."""
    return uuid5(NAMESPACE, "".join(f"{len(text)}:{text}" for text in map(str, parts)))


WITHDRAW, UPDATE = 1, 2
"""``BussinessDocType`` of the requests, which may carry the ``DocumentId`` of the document they are about."""


def document_uuid(sender: str, document_id: str, business: int, sha256: str = "") -> UUID:
    """Return the exchange's id of a document.

    Args:
        sender: the sender's canonical agency code.
        document_id: edXML's ``DocumentId``; unique for its sender only (Decision 28/2018/QĐ-TTg, Art. 10.2b).
        business: edXML's ``BussinessDocType``. It is part of the name because a withdrawal carries the
            ``DocumentId`` of the document it withdraws.
        sha256: of the message. It is part of the name of a withdrawal or an update, because there may be several of
            one document, all with its ``DocumentId``: of this addressee first, of that one later.
    """
    named = ("document", sender, document_id, business)
    return derive(*named, sha256) if business in (WITHDRAW, UPDATE) else derive(*named)


def submission_uuid(sender: str, message_id: str, sha256: str) -> UUID:
    """Return the id of one submitted message: who sent it, under which AMQP ``message_id``, with which content."""
    return derive("submission", sender, message_id, sha256)
