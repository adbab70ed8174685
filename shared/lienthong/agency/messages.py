"""What an agency sends and gets, typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lienthong.document.life_cycle import Event
from lienthong.edxml import BusinessType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import date, datetime
    from uuid import UUID

    from lienthong.document.verdicts import Value, Verdict
    from lienthong.edxml import Document, Status

__all__ = ["Delivery", "DocumentReference", "StatusReport", "Submission"]


@dataclass(frozen=True, slots=True)
class Submission:
    """A document the broker holds durably from now on; the exchange's receipt follows as a status.

    Attributes:
        message_id: the AMQP ``message_id``; the receipt names it as ``submission_message_id``.
        document_id: edXML's ``DocumentId``; None when bytes were sent that could not be read here.
        sha256: hexadecimal SHA-256 of the bytes sent.
    """

    message_id: str
    document_id: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class DocumentReference:
    """Names a document in a status: who issued it, and its id there.

    Attributes:
        organ_id: the agency the status is for: the document's sender; for code 13 the receiver who shall give back.
        document_id: edXML's ``DocumentId``.
        code: number and notation, ``7816/VPCP-TTĐT``.
        promulgation_date: the document's date.
    """

    organ_id: str
    document_id: str
    code: str | None = None
    promulgation_date: date | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A document that was delivered to this agency.

    Attributes:
        document: what the envelope says.
        body: the edXML bytes exactly as the sender submitted them.
        sender: the sender's canonical agency code, as the exchange knows it.
        message_id: the delivery's AMQP ``message_id``, one for the document.
        document_uuid: the exchange's id of the document.
        sha256: hexadecimal SHA-256 of `body`, checked on arrival.
        urgent: whether it came in the urgent lane.
        received_at: when this process took it from the queue, UTC.
        verdict: what the exchange found about its signatures; None when the exchange does not say.
        value: what it is worth by that: paper's value, or for information; None likewise.
        found_vi: the same in words for a clerk, in Vietnamese.
        found_en: the same in English.
        asks: what it asks of this agency, which answers with 15 or 16: that a document is withdrawn, updated, or, since
            the agency is removed from its receivers, given back; None when it asks nothing.
        test: whether it is a test, from or to an agency on trial, and no official document.
    """

    document: Document
    body: bytes = field(repr=False)
    sender: str
    message_id: str
    document_uuid: UUID
    sha256: str
    urgent: bool
    received_at: datetime
    verdict: Verdict | None
    value: Value | None
    found_vi: str | None
    found_en: str | None
    asks: Event | None
    test: bool
    _settle: Callable[[Delivery], Awaitable[None]] = field(repr=False, compare=False)

    async def done(self) -> None:
        """Say that the document is in safe hands: 01 is reported and the message acknowledged.

        Coming back to the loop does the same, and so does reporting a status of it; this is for code that wants it
        earlier or leaves the loop. Doing it twice does nothing more.
        """
        await self._settle(self)

    @property
    def earlier_document_id(self) -> str | None:
        """The DocumentId (edXML) of the document that it withdraws or updates; None when it does neither."""
        if self.document.business.type not in (BusinessType.WITHDRAW, BusinessType.UPDATE):
            return None
        return self.document.business.document_id or self.document.document_id

    @property
    def reference(self) -> DocumentReference:
        """How statuses name this document."""
        document = self.document
        return DocumentReference(
            organ_id=document.sender.organ_id,
            document_id=document.document_id,
            code=str(document.code) if document.code else None,
            promulgation_date=document.promulgation.date if document.promulgation else None,
        )


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What a receiver says of a document this agency sent, or (code 13) a sender who asks for one back.

    Attributes:
        status: what the status says.
        body: its edXML bytes exactly as the reporter submitted them.
        reporter: the reporting agency's canonical code.
        code: the status code, ``03``.
        message_id: the AMQP ``message_id``.
        document_uuid: the exchange's id of the document.
        document_id: edXML's ``DocumentId`` of the document.
        verdict: what the exchange found about the reporter's signature; None when the exchange does not say.
        found_vi: the same in words for a clerk, in Vietnamese.
        found_en: the same in English.
    """

    status: Status
    body: bytes = field(repr=False)
    reporter: str
    code: str
    message_id: str
    document_uuid: UUID
    document_id: str
    verdict: Verdict | None
    found_vi: str | None
    found_en: str | None

    @property
    def event(self) -> Event:
        """What the code means in the life cycle."""
        return Event(self.code)
