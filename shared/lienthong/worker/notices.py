"""What agencies are told about a document, each notice made of what the ledger holds: told again, it says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lienthong.document.ids import derive
from lienthong.document.messages import (
    Addressee,
    Delivered,
    Found,
    FoundSignature,
    NoticeToSend,
    Receipt,
    Verified,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from lienthong.ledger.rows import RecordedDelivery, RecordedDocument, VerificationRow

__all__ = ["delivered", "found", "receipt", "verified"]

MOST_SIGNATURES = 100
"""Most signatures a notice lists; the ledger has all."""


def receipt(document: RecordedDocument, user: str, message_id: str, *, repeated: bool) -> NoticeToSend:
    """Return the receipt of a document for one message that submitted it; `repeated` when that was not the first."""
    told = Receipt(
        submission_message_id=message_id,
        document=document.document,
        document_id=document.document_id,
        sha256=document.sha256,
        received_at=document.received_at,
        repeated=repeated,
    )
    return NoticeToSend(
        notice_id=derive("receipt", user, message_id),
        agency=user,
        document=document.document,
        notice=told,
        caused_at=document.received_at,
    )


def verified(document: RecordedDocument, row: VerificationRow, agency: str) -> NoticeToSend:
    """Return what an agency is told about a judgement of a document."""
    told = Verified(
        document=document.document,
        document_id=document.document_id,
        found=found(row),
        signatures=tuple(
            FoundSignature.model_validate(one) for one in row.grounds.get("findings", ())[:MOST_SIGNATURES]
        ),
        held=row.held,
        final=row.final,
        judgement=row.judgement,
        judged_at=row.judged_at,
    )
    return NoticeToSend(
        notice_id=derive("verified", document.document, row.judgement, agency),
        agency=agency,
        document=document.document,
        notice=told,
        caused_at=row.judged_at,
    )


def found(row: VerificationRow) -> Found:
    """Return what a judgement found, in words."""
    return Found.model_validate({"verdict": row.verdict, "value": row.value, "vi": row.vi, "en": row.en})


def delivered(document: RecordedDocument, deliveries: Iterable[RecordedDelivery], at: datetime) -> NoticeToSend:
    """Return what the sender is told when the queues of all addressees had its document."""
    told = Delivered(
        document=document.document,
        document_id=document.document_id,
        addressees=tuple(Addressee(code=one.written, agency=one.addressee, carrier=one.carrier) for one in deliveries),
        delivered_at=at,
    )
    return NoticeToSend(
        notice_id=derive("delivered", document.document),
        agency=document.user_name,
        document=document.document,
        notice=told,
        caused_at=at,
    )
