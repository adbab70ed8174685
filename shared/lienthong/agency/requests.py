"""Documents that act on earlier ones: how a sender writes them, and how a receiver sees that it is asked something."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from lienthong.document.life_cycle import Event
from lienthong.edxml import Business, BusinessType, Receiver, Replacement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lienthong.agency.messages import Delivery, DocumentReference, Submission
    from lienthong.edxml import Document, Organization, StaffInfo

__all__ = ["Requests", "asked"]

OLD_LEVEL_ONE = "000.00.00."


class Requests(ABC):
    """What a client does about documents that were sent before."""

    @abstractmethod
    async def send(self, document: Document | bytes, *, message_id: str | None = None) -> Submission:
        """Sign a document and submit it."""

    @abstractmethod
    async def report_status(
        self,
        about: Delivery | DocumentReference,
        code: str,
        *,
        description: str | None = None,
        staff: StaffInfo | None = None,
    ) -> Submission:
        """Report what became of a document."""

    async def withdraw(
        self,
        sent: Document,
        *,
        reason: str,
        addressees: Sequence[Organization] | None = None,
        staff: StaffInfo | None = None,
    ) -> Submission:
        """Ask receivers to give a document back (thu hồi); each answers with a `StatusReport`, 15 or 16.

        After 15 the document is withdrawn there for good (Decision 28/2018/QĐ-TTg, Art. 9.2). The exchange answers
        with `Refused` when there is nothing to withdraw at one of them, and asks none of them then.

        Args:
            sent: the document as it was sent; its files do not travel again.
            reason: why, in words for the receivers.
            addressees: from whom; all of its receivers when left out.
            staff: the officer to ask.

        Raises:
            Unavailable: as with `send`.
        """
        return await self.send(withdrawal(sent, reason, addressees, staff))

    async def update(
        self,
        revised: Document,
        *,
        of: str,
        reason: str,
        added: Sequence[str] = (),
        removed: Sequence[str] = (),
        staff: StaffInfo | None = None,
    ) -> Submission:
        """Send a revised document as an update (cập nhật); receivers answer with 15, and then it is in force, or 16.

        Args:
            revised: the document as it shall be. Who is added or removed is an addressee of it as well: on the
                national axis, too, it is how an agency learns that it is removed.
            of: the DocumentId (edXML) of the document to update; `revised` may have the same, or one of its own.
            reason: why, in words for the receivers.
            added: codes of the agencies for whom it is new.
            removed: codes of those who shall give back what they got.
            staff: the officer to ask.

        Raises:
            Unavailable: as with `send`.
        """
        return await self.send(updated(revised, of, reason, added, removed, staff))

    async def replace(
        self,
        revised: Document,
        *,
        replaces: Mapping[str, Sequence[str]],
        reason: str,
        staff: StaffInfo | None = None,
    ) -> Submission:
        """Send a document that takes the place of others (thay thế); nobody is asked, and those others have ended.

        Args:
            revised: the document, with a DocumentId of its own.
            replaces: the DocumentId (edXML) of each document it replaces, and for whom, by agency code; for all its
                addressees when that is empty.
            reason: why, in words for the receivers.
            staff: the officer to ask.

        Raises:
            Unavailable: as with `send`.
        """
        return await self.send(replacement(revised, replaces, reason, staff))

    async def agree(self, delivery: Delivery, *, staff: StaffInfo | None = None) -> Submission:
        """Agree (15) to what a delivery asks (`Delivery.asks`): who agrees to a withdrawal has destroyed the document.

        Raises:
            Unavailable: as with `report_status`.
        """
        return await self.report_status(delivery, Event.AGREE.value, staff=staff)

    async def decline(self, delivery: Delivery, *, reason: str, staff: StaffInfo | None = None) -> Submission:
        """Decline (16) what a delivery asks (`Delivery.asks`); the earlier document stays as it was.

        Raises:
            Unavailable: as with `report_status`.
        """
        return await self.report_status(delivery, Event.DECLINE.value, description=reason, staff=staff)


def withdrawal(
    sent: Document, reason: str, addressees: Sequence[Organization] | None, staff: StaffInfo | None
) -> Document:
    """Return what takes a document back: under its own DocumentId, as on the national axis, and without its files."""
    return replace(
        sent,
        addressees=tuple(addressees) if addressees is not None else sent.addressees,
        attachments=(),
        business=Business(BusinessType.WITHDRAW, reason=reason, staff=staff),
    )


def updated(
    revised: Document, of: str, reason: str, added: Sequence[str], removed: Sequence[str], staff: StaffInfo | None
) -> Document:
    """Return a revised document as an update of the one with the DocumentId `of`."""
    receivers = [Receiver(code, added=True) for code in added] + [Receiver(code, added=False) for code in removed]
    business = Business(
        BusinessType.UPDATE,
        reason=reason,
        document_id=of,
        staff=staff,
        content_changed=True,
        receivers_changed=bool(receivers),
        receivers=tuple(receivers),
    )
    return replace(revised, business=business)


def replacement(
    revised: Document, replaces: Mapping[str, Sequence[str]], reason: str, staff: StaffInfo | None
) -> Document:
    """Return a revised document as the replacement of others, by DocumentId, each for these agencies or for all."""
    replacements = tuple(Replacement(document_id, tuple(codes)) for document_id, codes in replaces.items())
    return replace(
        revised, business=Business(BusinessType.REPLACE, reason=reason, staff=staff, replacements=replacements)
    )


def asked(document: Document, code: str) -> Event | None:
    """Return what a document asks of a receiver, to be answered by 15 or 16; None when it asks nothing.

    Args:
        document: the document.
        code: the receiver's; whom an update adds has a new document, and whom it removes is asked to give it back.
    """
    match document.business.type:
        case BusinessType.WITHDRAW:
            return Event.WITHDRAW
        case BusinessType.UPDATE:
            mine = [one for one in document.business.receivers if one.organ_id in (code, f"{OLD_LEVEL_ONE}{code}")]
            if any(one.added for one in mine):
                return None
            return Event.REMOVE if mine else Event.UPDATE
        case _:
            return None
