"""From bytes to a recorded document, or to a refusal that names every problem."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

from lienthong.document import reasons
from lienthong.document.acts import Acts, Replaces
from lienthong.document.ids import document_uuid
from lienthong.document.messages import DocumentToVerify, Lane
from lienthong.errors import Problem
from lienthong.ledger.rows import (
    AttachmentRow,
    DocumentRow,
    Mark,
    RecordedDocument,
    RefusalRow,
)
from lienthong.telemetry import metrics
from lienthong.topology.names import Step, diverted_queue, returned_queue, work_queue
from lienthong.worker import notices
from lienthong.worker.answers import quarantine, refusal_row, refuse, to_notifier, to_signature_verify
from lienthong.worker.handler import Outcome
from lienthong.worker.submissions import (
    Examined,
    examine,
    is_flagged,
    quarantined_row,
    submission_key,
    submission_row,
    submitted_at,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from lienthong import edxml
    from lienthong.bus.messages import Incoming, Outgoing
    from lienthong.ledger.directory import Directory
    from lienthong.ledger.unit import Unit
    from lienthong.payload import PayloadStore
    from lienthong.worker.quotas import Quotas

__all__ = ["IngestDocument"]

URGENT = work_queue(Step.INGEST, Lane.URGENT)
DIVERTED = diverted_queue(Step.INGEST)
ASIDE = {DIVERTED, returned_queue(Step.INGEST)}
"""What its sender sends too fast comes by these; from here it is not put aside once more."""

LARGE_BYTES = 256 * 1024
"""From here on decoding is worth a thread of its own, so that small messages do not wait for it."""


class IngestDocument:
    """Examine submitted documents, keep their payloads, record them once.

    What comes from an agency that sends very much at once is put aside, to be taken slowly (see
    `lienthong.worker.quotas`); and what is taken from one that is over its quota most likely is too much again, so that
    it is neither decoded nor kept before the ledger has counted it.

    Args:
        store: where payloads are kept.
        quotas: how much agencies may send; None for no limit.
    """

    step = Step.INGEST

    def __init__(self, store: PayloadStore, quotas: Quotas | None = None) -> None:
        self._store = store
        self._quotas = quotas

    def puts_aside(self, message: Incoming) -> bool:
        """Tell whether its sender sends so much that this message waits; see `Quotas.puts_aside`."""
        if self._quotas is None or message.user_id is None or message.queue in ASIDE:
            return False
        # One that came back may have been received before: it is not sent away without a look.
        if message.delivery_count or message.attempts:
            return False
        return self._quotas.puts_aside(
            message.user_id,
            len(message.body),
            urgent=message.queue == URGENT,
            # The keys of the version before name nobody.
            divertible=message.routing_key.startswith(f"{message.user_id}."),
        )

    async def decide(self, message: Incoming) -> Examined:
        """Decode a message and keep its payload durably; `Unavailable` when the store is."""
        if self._quotas is not None and message.user_id is not None and message.queue in ASIDE:
            self._quotas.note_aside(message.user_id)
        # Had it been received before, it is looked into after all once the ledger knows it again.
        unread = message.queue == DIVERTED and message.user_id is not None
        if self._quotas is not None and (unread or self._quotas.over(message.user_id)):
            return Examined(sha256(message.body).hexdigest(), unread=True)
        return await self._examine(message)

    async def _examine(self, message: Incoming) -> Examined:
        if len(message.body) > LARGE_BYTES:
            examined = await asyncio.to_thread(examine, message, "document")
        else:
            examined = examine(message, "document")
        if not examined.problems and not examined.unanswerable:
            await self._store.put(message.body)
        return examined

    async def record(self, unit: Unit, batch: Sequence[tuple[Incoming, Examined]]) -> Sequence[Outcome]:
        """Record submissions, documents and refusals; the first message of a document speaks for all of them."""
        await unit.record_quarantined([quarantined_row(*item) for item in batch if item[1].unanswerable])
        first_content, batch, excess = await self._count(unit, batch)
        rows, refusals = await self._sort(unit, batch, first_content, excess)
        recorded = await self._record_documents(unit, batch, rows)
        for index, row in rows.items():
            if recorded[row.document].sha256 != row.sha256:
                taken = reasons.document_id_taken(row.document_id, recorded[row.document].sha256)
                refusals[index] = _refusal(*batch[index], taken)
        answers = await refuse(unit, list(refusals.values()))
        outcomes = []
        for index, (message, examined) in enumerate(batch):
            if examined.unanswerable:
                outcomes.append(Outcome((quarantine(message, examined.sha256, examined.unanswerable),)))
            elif index in refusals:
                outcomes.append(answers[refusals[index].refusal])
            else:
                outcomes.append(_forward(message, recorded[rows[index].document]))
        return outcomes

    async def _count(
        self, unit: Unit, batch: Sequence[tuple[Incoming, Examined]]
    ) -> tuple[dict[tuple[str, str], str], list[tuple[Incoming, Examined]], dict[int, Problem]]:
        """Record submissions, and count those that are new.

        Returns:
            The SHA-256 each submission was first seen with; the batch, with what is not too much examined by now; and
            what is too much, by position.
        """
        answerable = [(index, item) for index, item in enumerate(batch) if not item[1].unanswerable]
        first_content, fresh = await unit.record_submissions(
            [submission_row(*item) for _, item in answerable if item[0].message_id]
        )
        if self._quotas is None:
            return first_content, list(batch), {}
        new: list[int] = []
        for index, (message, _) in answerable:
            if not message.message_id or submission_key(message) in fresh:
                fresh.discard(submission_key(message))
                new.append(index)
        counted = [
            (submission_key(message)[0], len(message.body), message.queue == DIVERTED)
            for message, _ in (batch[index] for index in new)
        ]
        problems = await self._quotas.excess(unit, counted) if counted else []
        excess = {index: problem for index, problem in zip(new, problems, strict=True) if problem is not None}
        read = [
            (message, await self._examine(message) if examined.unread and index not in excess else examined)
            for index, (message, examined) in enumerate(batch)
        ]
        return first_content, read, excess

    async def _sort(
        self,
        unit: Unit,
        batch: Sequence[tuple[Incoming, Examined]],
        first_content: dict[tuple[str, str], str],
        excess: dict[int, Problem],
    ) -> tuple[dict[int, DocumentRow], dict[int, RefusalRow]]:
        """Tell what is to be recorded as a document from what is refused, by position in the batch.

        What was decided about this very message before stays so, whatever the directory says now.
        """
        answerable = {index: item for index, item in enumerate(batch) if not item[1].unanswerable}
        refused_before = await unit.refusals({_refusal(*item).refusal for item in answerable.values()})
        rows: dict[int, DocumentRow] = {}
        problems: dict[int, Problem] = dict(excess)
        for index, (message, examined) in answerable.items():
            if index in excess:
                continue
            content = first_content.get(submission_key(message), examined.sha256)
            if content != examined.sha256:
                problems[index] = reasons.message_id_reused(submission_key(message)[1])
                continue
            row = _document_row(message, examined, unit.directory)
            if isinstance(row, Problem):
                problems[index] = row
            elif row is not None and _refusal(message, examined).refusal not in refused_before:
                rows[index] = row
        received_before = await unit.documents_of({submission_key(batch[index][0]) for index in problems})
        for index in problems:
            message, examined = batch[index]
            before = received_before.get(submission_key(message))
            if before is not None and before.sha256 == examined.sha256:
                rows[index] = _row(message, examined, _readable(examined), before.sender)
        refusals = {
            index: _refusal(*item, *([problems[index]] if index in problems else []))
            for index, item in answerable.items()
            if index not in rows
        }
        return rows, refusals

    async def _record_documents(
        self, unit: Unit, batch: Sequence[tuple[Incoming, Examined]], rows: dict[int, DocumentRow]
    ) -> dict[UUID, RecordedDocument]:
        attachments = [
            AttachmentRow(row.document, ordinal, one.name, one.content_type, one.size, one.sha256)
            for index, row in rows.items()
            for ordinal, one in enumerate(batch[index][1].attachments, 1)
        ]
        return await unit.record_documents(list(rows.values()), attachments) if rows else {}


def _document_row(message: Incoming, examined: Examined, directory: Directory) -> DocumentRow | Problem | None:
    document, user = examined.document, message.user_id
    if examined.problems or document is None or user is None:
        return None
    written = document.sender.organ_id
    sender = directory.resolve(written)
    if sender is None:
        return reasons.sender_not_registered(written)
    if not directory.speaks_for(user, sender):
        if (merged := directory.named(written)) is not None and merged.code == user != sender.code:
            return reasons.sender_merged(written, sender.code)
        return reasons.sender_not_user(written, user)
    return _row(message, examined, document, sender.code, on_trial=directory.on_trial(sender))


def _row(
    message: Incoming, examined: Examined, document: edxml.Document, sender: str, *, on_trial: bool = False
) -> DocumentRow:
    user, message_id = submission_key(message)
    flagged = is_flagged(message)
    return DocumentRow(
        document=document_uuid(sender, document.document_id, document.business.type, examined.sha256),
        sender=sender,
        document_id=document.document_id,
        business=int(document.business.type),
        user_name=user,
        message_id=message_id,
        sha256=examined.sha256,
        size=len(message.body),
        subject=document.subject,
        code=str(document.code) if document.code else None,
        promulgated_on=document.promulgation.date if document.promulgation else None,
        type_name=document.document_type.type_name if document.document_type else None,
        due_on=document.due_date,
        priority=document.priority,
        lane=Lane.URGENT if document.urgent else Lane.ORDINARY,
        addressees=tuple(addressee.organ_id for addressee in document.addressees),
        submitted_at=submitted_at(message),
        received_at=message.received_at,
        acts=_acts(document.business),
        test=on_trial or flagged,
        flagged=flagged,
        signer_name=document.signer.full_name if document.signer else None,
        signer_position=_office(document.signer) if document.signer else None,
    )


def _office(signer: edxml.Signer) -> str | None:
    """Return authority and office of who signed, as they stand above the name."""
    return " ".join(filter(None, (signer.competence, signer.position))) or None


def _acts(business: edxml.Business) -> Acts | None:
    """Return what the ledger keeps of what a document does to an earlier one; None when it does nothing."""
    if business.type == 0:
        return None
    return Acts(
        earlier=business.document_id,
        reason=business.reason,
        content_changed=business.content_changed,
        added=tuple(one.organ_id for one in business.receivers if one.added),
        removed=tuple(one.organ_id for one in business.receivers if not one.added),
        replaces=tuple(Replaces(document_id=one.document_id, codes=one.organ_ids) for one in business.replacements),
    )


def _readable(examined: Examined) -> edxml.Document:
    assert examined.document is not None, "a message that was recorded as a document can be read"
    return examined.document


def _forward(message: Incoming, document: RecordedDocument) -> Outcome:
    first = document.user_name == message.user_id and document.message_id == message.message_id
    forwarded = document.forwarded_at is not None
    if first and forwarded:
        return Outcome(document=document.document)
    original = _receipt(document, document.user_name, document.message_id, repeated=False)
    own = original if first else _receipt(document, *submission_key(message), repeated=True)
    # A document recorded by another message goes no further only once that message's outputs have left: until then
    # its input may be dead-lettered, and this one is all that is left to carry it on.
    if forwarded:
        return Outcome((own,), document=document.document)
    verify = DocumentToVerify(
        document=document.document,
        sha256=document.sha256,
        user=document.user_name,
        received_at=document.received_at,
        lane=Lane(document.lane),
    )
    metrics.PAYLOAD_BYTES.labels(document.lane).observe(document.size)
    # The mark also ends what the first message has to say, so its receipt leaves before: twice is told once.
    receipts = (own,) if first else (original, own)
    return Outcome(
        (to_signature_verify(verify), *receipts), Mark("document", document.document), document=document.document
    )


def _receipt(document: RecordedDocument, user: str, message_id: str, *, repeated: bool) -> Outgoing:
    return to_notifier(notices.receipt(document, user, message_id, repeated=repeated))


def _refusal(message: Incoming, examined: Examined, *problems: Problem) -> RefusalRow:
    return refusal_row(
        Step.INGEST,
        "document",
        submission_key(message),
        examined.sha256,
        problems or examined.problems,
        examined.document_id,
    )
