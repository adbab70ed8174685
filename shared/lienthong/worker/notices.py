"""What agencies are told about a document, each notice made of what the ledger holds: told again, it says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lienthong.document.ids import derive
from lienthong.document.messages import (
    Addressee,
    Delivered,
    Found,
    FoundSignature,
    Lane,
    NoticeToSend,
    Receipt,
    Verified,
    Waiting,
)
from lienthong.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from lienthong.ledger.rows import RecordedDelivery, RecordedDocument, VerificationRow

__all__ = ["delivered", "first_delivered", "found", "receipt", "verified", "waiting"]

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
        lane=Lane(document.lane),
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


def first_delivered(rows: Sequence[VerificationRow]) -> VerificationRow:
    """Return the judgement by which a document was sent to its receivers; `Unavailable` when none lets it be."""
    for row in rows:
        if not row.held:
            return row
    raise Unavailable("no judgement lets it be delivered")


def waiting(document: RecordedDocument, deliveries: Sequence[RecordedDelivery], at: datetime) -> NoticeToSend:
    """Return what the sender is told when its document waits for some addressees, by which are `parked`."""
    late = [_addressee(one) for one in deliveries if one.parked]
    names = ", ".join(one.code for one in late)
    told = Waiting(
        document=document.document,
        document_id=document.document_id,
        addressees=tuple(late),
        delivered=tuple(_addressee(one) for one in deliveries if not one.parked),
        vi=f"Văn bản đang chờ tại trục vì nơi nhận chưa lấy văn bản trong hàng đợi: {names}; sẽ giao ngay khi họ lấy, "
        "quý cơ quan không phải gửi lại",
        en=f"The document waits in the exchange because these do not collect what is in their queue: {names}; it is "
        "delivered as soon as they do, there is no need to send it again",
        waiting_since=at,
    )
    return NoticeToSend(
        notice_id=derive("waiting", document.document),
        agency=document.user_name,
        document=document.document,
        notice=told,
        caused_at=at,
    )


def delivered(document: RecordedDocument, deliveries: Iterable[RecordedDelivery], at: datetime) -> NoticeToSend:
    """Return what the sender is told when the queues of all addressees had its document."""
    told = Delivered(
        document=document.document,
        document_id=document.document_id,
        addressees=tuple(map(_addressee, deliveries)),
        delivered_at=at,
    )
    return NoticeToSend(
        notice_id=derive("delivered", document.document),
        agency=document.user_name,
        document=document.document,
        notice=told,
        caused_at=at,
    )


def _addressee(one: RecordedDelivery) -> Addressee:
    return Addressee(code=one.written, agency=one.addressee, carrier=one.carrier)
