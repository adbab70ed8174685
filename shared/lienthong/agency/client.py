"""The client: one agency's connection to the exchange."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Self

from lienthong.agency.inbox import Inbox, Taken
from lienthong.agency.messages import Delivery, DocumentReference, Submission
from lienthong.agency.reading import EDXML, LARGE_BYTES, Told, read_delivery, read_edxml, read_told
from lienthong.agency.requests import Requests
from lienthong.agency.seen import open_seen
from lienthong.agency.signing import MessageSigning, is_signed
from lienthong.agency.streams import Stream
from lienthong.bus.backoff import Backoff
from lienthong.bus.connection import Bus
from lienthong.bus.link import addresses_of
from lienthong.bus.messages import Outgoing
from lienthong.document.codes import is_agency_code
from lienthong.document.ids import derive
from lienthong.document.messages import Refused
from lienthong.edxml import BusinessType, Document, Organization, ResponseFor, StaffInfo, Status, encode
from lienthong.errors import MisconfiguredError, Refusal, Unavailable
from lienthong.topology.names import (
    SUBMISSION,
    Header,
    SubmissionKey,
    delivery_queue,
    status_queue,
    submission_key,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from types import TracebackType

    from lienthong.bus.messages import Incoming
    from lienthong.signature import Signer

__all__ = ["AgencyClient"]

log = logging.getLogger(__name__)

ARRIVED = "01"
REFUSED = "02"
REASON_LENGTH = 500
"""No source limits a status' ``Description``; it gets what ``Subject`` and ``Content`` get."""
HEARTBEAT_SECONDS = 15
CONNECT_SECONDS = 20.0


class AgencyClient(Requests):
    """One agency's connection to the exchange; an async context manager.

    Withdrawals, updates and replacements, and the answers to them, are in `Requests`. It reconnects by itself. What
    sends or reports may be called from several tasks at once; `deliveries` and `statuses` are for one loop each, which
    may run side by side.

    Args:
        urls: AMQP addresses with user, password and virtual host; several, comma-separated, are tried in turn.
        signer: the key that signs documents and statuses (profile 1): `lienthong.signature.FileSigner`, or
            `lienthong.signature.pkcs11.Pkcs11Signer`. With None they are sent unsigned: documents are then worth no
            more than information to their receivers, where the exchange's policy takes them at all.
        agency: the agency's code; the user name of the address when left out.
        organization: how the agency writes itself as the sender of statuses; its code alone when left out.
        state: a file that remembers what was handled, so that a restart does not hand it out again, and what was
            signed, so that the same call is the same message after a restart, too; without it the client remembers
            as long as it lives.
        report_arrival: whether 01 is reported by itself for every document handled, withdrawals apart.
        send_seconds: how long connecting, `send` and `report_status` try when the broker is away.

    Raises:
        MisconfiguredError: the address names no agency, or the state file cannot be used.
    """

    def __init__(
        self,
        urls: str,
        *,
        signer: Signer | None,
        agency: str | None = None,
        organization: Organization | None = None,
        state: Path | None = None,
        report_arrival: bool = True,
        send_seconds: float = 60.0,
    ) -> None:
        self.code = agency or addresses_of(urls)[0].user or ""
        if not is_agency_code(self.code):
            raise MisconfiguredError(
                f"tên người dùng trong địa chỉ phải là mã cơ quan / {self.code!r} is no agency code; the user name of "
                "the address must be one"
            )
        self.organization = organization or Organization(organ_id=self.code)
        self.duplicates = 0  # how many repeated messages were dropped
        self._report_arrival = report_arrival
        self._seen = open_seen(state)
        self._signing = MessageSigning(signer, self._seen) if signer is not None else None
        self._bus = Bus(
            urls,
            name=f"agency {self.code}",
            heartbeat_seconds=HEARTBEAT_SECONDS,
            connect_seconds=min(CONNECT_SECONDS, send_seconds),
            give_up_seconds=send_seconds,
        )
        self._delivery_inbox = self._inbox(urls, delivery_queue(self.code))
        self._status_inbox = self._inbox(urls, status_queue(self.code))
        self._deliveries: Stream[Delivery] = Stream(self._delivery_inbox, self._read_delivery, self._settle_delivery)
        self._statuses: Stream[Told] = Stream(self._status_inbox, self._read_told, self._settle_told)

    async def __aenter__(self) -> Self:
        """Connect; raises `Unavailable` when no broker answers, `MisconfiguredError` when it refuses the user."""
        await self._bus.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave; loops over `deliveries` and `statuses` end, and what they had in hand goes back to its queue."""
        await self._deliveries.close()
        await self._statuses.close()
        await self._bus.__aexit__(kind, error, trace)
        await self._seen.close()

    async def send(
        self, document: Document | bytes, *, message_id: str | None = None, test: bool = False
    ) -> Submission:
        """Sign a document and submit it; returns when the broker has it on disk.

        The exchange answers in `statuses` with a `Receipt` or with `Refused`; with a `Refused` that has a `retry_at`
        this agency sends more than it may, and the same call after that time is a new message. Bytes that carry a
        signature already, or cannot be read here, are sent as they are: judging them is the exchange's office.

        Args:
            document: the document, or its edXML.
            message_id: the message's id. Left out, it is derived from the content, so that the same call made again
                after `Unavailable` is the same message, which the exchange answers once; give one of your own to be
                answered again for a document sent before.
            test: whether it is a test: it may then go from and to agencies on trial, and is no official document.

        Raises:
            Unavailable: the broker did not confirm in time, or will not have the message, or the key cannot be
                reached; it may have arrived all the same, and sending again is safe.
            Refusal: it can be read, but is so made that no signature of it would be accepted; nothing was sent.
        """
        body = await _encoded(document) if isinstance(document, Document) else document
        known = document if isinstance(document, Document) else await _readable(document)
        key = SubmissionKey.DOCUMENT_URGENT if known and known.urgent else SubmissionKey.DOCUMENT
        to_sign = known is not None and not await is_signed(body)
        identity = ("submitted", self.code, "test") if test else ("submitted", self.code)
        message = await self._submission(key, identity, body, sign=to_sign, message_id=message_id)
        if test:
            message = replace(message, headers={**message.headers, Header.TEST: 1})
        return await self._submit(message, known.document_id if known else None)

    def deliveries(self) -> AsyncIterator[Delivery]:
        """Iterate over the documents delivered to this agency, each once, waiting for more.

        Coming back to the loop says that the document is in safe hands: it is remembered, 01 is reported and the
        message acknowledged. A loop that is left early has not said so; use `Delivery.done`, or the next loop begins
        with the same document. Documents that cannot be read are refused to their sender (02) with the reason, put
        into the state file when there is one, and logged.

        Raises:
            MisconfiguredError: while iterating: the broker refuses the user.
        """
        return self._deliveries

    def statuses(self) -> AsyncIterator[Told]:
        """Iterate over what the exchange and the receivers tell this agency, each once, waiting for more.

        `Receipt`, `Verified`, `Refused`, `Waiting`, `Delivered` and `Deadline` are the exchange's own; a `StatusReport`
        is a receiver's, or with code 13 a sender's who asks for a document back. What cannot be read is put into the
        state file and logged.

        Raises:
            MisconfiguredError: while iterating: the broker refuses the user.
        """
        return self._statuses

    async def settle(self) -> None:
        """Put to rest what the loops over `deliveries` and `statuses` have in hand, for code that leaves them early."""
        await self._deliveries.settle()
        await self._statuses.settle()

    async def report_status(
        self,
        about: Delivery | DocumentReference,
        code: str,
        *,
        description: str | None = None,
        staff: StaffInfo | None = None,
        moment: datetime | None = None,
    ) -> Submission:
        """Report what became of a document; returns when the broker has the report on disk.

        Reporting on a delivery says as well that it is in safe hands (`Delivery.done`), so that 01 goes before.

        Args:
            about: the delivery, or a reference to the document.
            code: edXML's ``StatusCode``; see `lienthong.document.life_cycle.STATUS_CODES`.
            description: the reason; a refusal (02) without one helps nobody.
            staff: the officer to ask.
            moment: when it happened, aware; now when left out. With the same one the same call made again, also by a
                program that was started again with its state file, is the same message.

        Raises:
            Unavailable: the broker did not confirm in time, or the key cannot be reached.
        """
        if isinstance(about, Delivery):
            await about.done()
        reference = about.reference if isinstance(about, Delivery) else about
        return await self._report(reference, code, moment or datetime.now(UTC), description, staff)

    async def _report(
        self,
        about: DocumentReference,
        code: str,
        moment: datetime,
        description: str | None = None,
        staff: StaffInfo | None = None,
    ) -> Submission:
        status = Status(
            sender=self.organization,
            response_for=ResponseFor(
                organ_id=about.organ_id,
                document_id=about.document_id,
                code=about.code,
                promulgation_date=about.promulgation_date,
            ),
            status_code=code,
            staff=staff,
            description=description,
            timestamp=moment,
        )
        identity = ("reported", self.code, about.organ_id, about.document_id, code)
        message = await self._submission(SubmissionKey.STATUS, identity, encode(status))
        return await self._submit(message, about.document_id)

    async def _submission(
        self,
        key: SubmissionKey,
        identity: tuple[str, ...],
        body: bytes,
        *,
        sign: bool = True,
        message_id: str | None = None,
    ) -> Outgoing:
        """Return the message to publish; its id is derived from `identity` and the content before it was signed."""
        digest = sha256(body).hexdigest()
        identity = (*identity, digest)
        if self._signing is not None and sign:
            body = await self._signing.sign(body, digest)
            # Sent unsigned by a former setting it was another message.
            identity, digest = (*identity, "signed"), sha256(body).hexdigest()
        if message_id is None:
            message_id = str(derive(*identity))
            # Refused for the moment only: sent again it is a new message, or it would not be looked at.
            while await self._seen.handled_at(_refused_for_now(message_id)) is not None:
                message_id = str(derive("again", message_id))
        return Outgoing(
            exchange=SUBMISSION,
            routing_key=submission_key(self.code, key),
            message_id=message_id,
            body=body,
            content_type=EDXML,
            type=key.partition(".")[0],
            headers={
                Header.SHA256: digest,
                Header.SUBMITTED_AT: datetime.now(UTC).isoformat(timespec="microseconds"),
            },
            user_id=self._bus.user,
        )

    async def _submit(self, message: Outgoing, document_id: str | None) -> Submission:
        (failure,) = await self._bus.publish_many([message])
        if failure is not None:
            raise failure
        return Submission(message.message_id, document_id, str(message.headers[Header.SHA256]))

    def _inbox(self, urls: str, queue: str) -> Inbox:
        return Inbox(urls, queue, name=f"agency {self.code}", heartbeat_seconds=HEARTBEAT_SECONDS)

    async def _read_delivery(self, taken: Taken) -> Delivery | None:
        message = taken.message
        known_since = await self._seen.handled_at(_key(message))
        try:
            delivery = await read_delivery(message, self.code, self._deliveries.settle)
        except (Refusal, ValueError) as error:
            await self._put_aside(self._delivery_inbox, taken, error)
            return None
        if known_since is None:
            return delivery
        self.duplicates += 1
        await self._settle_delivery(taken, delivery)
        return None

    async def _settle_delivery(self, taken: Taken, delivery: Delivery) -> None:
        handled_at = await self._seen.remember(_key(taken.message))
        if self._report_arrival and delivery.document.business.type is not BusinessType.WITHDRAW:
            # The moment is the first time's, so a repeated 01 is the same message and the exchange knows it again.
            await self._insist(self._delivery_inbox, delivery.reference, ARRIVED, handled_at)
        await self._delivery_inbox.acknowledge(taken)

    async def _insist(
        self,
        inbox: Inbox,
        about: DocumentReference,
        code: str,
        moment: datetime,
        reason: str | None = None,
    ) -> None:
        """Report a status for as long as it takes, or until this client is closed and the message comes again anyway.

        A lost connection is no reason to give up, nor is a key that is away: what is reported afterwards would
        overtake this.
        """
        backoff = Backoff()
        while inbox.is_open:
            try:
                await self._report(about, code, moment, reason)
            except Unavailable as error:
                log.warning("%s for %s cannot be reported now: %s", code, about.document_id, error)
                await asyncio.sleep(backoff.next())
            except Refusal as error:
                log.error("%s for %s cannot be reported: %s", code, about.document_id, error)  # noqa: TRY400 - no bug
                return
            else:
                return

    async def _read_told(self, taken: Taken) -> Told | None:
        if await self._seen.handled_at(_key(taken.message)) is not None:
            self.duplicates += 1
            await self._status_inbox.acknowledge(taken)
            return None
        try:
            return await read_told(taken.message)
        except (Refusal, ValueError) as error:
            await self._put_aside(self._status_inbox, taken, error)
            return None

    async def _settle_told(self, taken: Taken, told: Told) -> None:
        if isinstance(told, Refused) and told.retry_at is not None:
            await self._seen.remember(_refused_for_now(told.submission_message_id))
        await self._seen.remember(_key(taken.message))
        await self._status_inbox.acknowledge(taken)

    async def _put_aside(self, inbox: Inbox, taken: Taken, error: Refusal | ValueError) -> None:
        message = taken.message
        log.error("message %s of %s cannot be read: %s", message.message_id, inbox.queue, error)
        await self._seen.keep_unreadable(_key(message), message.body, str(error))
        moment = await self._seen.remember(_key(message))
        sender, document_id = message.headers.get(Header.SENDER), message.headers.get(Header.DOCUMENT_ID)
        told = inbox is self._delivery_inbox and isinstance(sender, str) and isinstance(document_id, str)
        if told and isinstance(error, Refusal):
            about = DocumentReference(organ_id=str(sender), document_id=str(document_id))
            await self._insist(inbox, about, REFUSED, moment, str(error)[:REASON_LENGTH])
        await inbox.acknowledge(taken)


def _refused_for_now(message_id: str) -> str:
    return f"refused for now {message_id}"


def _key(message: Incoming) -> str:
    """Return what a message is remembered by; one without an id, which the exchange never sends, by its content."""
    return f"{message.queue} {message.message_id or sha256(message.body).hexdigest()}"


async def _encoded(document: Document) -> bytes:
    if sum(len(attachment.content) for attachment in document.attachments) > LARGE_BYTES:
        return await asyncio.to_thread(encode, document)
    return encode(document)


async def _readable(body: bytes) -> Document | None:
    try:
        decoded = await read_edxml(body)
    except Refusal:
        return None
    return decoded if isinstance(decoded, Document) else None
