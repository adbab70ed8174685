"""What handlers share: how a fact leaves for the next step, and how a refusal is recorded and answered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import structlog

from lienthong.bus.messages import Outgoing
from lienthong.document.ids import derive
from lienthong.document.messages import DocumentToRoute, DocumentToVerify, Lane, NoticeToSend, ProblemModel, Refused
from lienthong.ledger.rows import Mark, RecordedRefusal, RefusalRow
from lienthong.telemetry import metrics
from lienthong.telemetry.events import Event
from lienthong.topology.names import DELIVERY, QUARANTINE, WORK, Header, Step, work_key
from lienthong.worker.handler import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from lienthong.bus.messages import Incoming
    from lienthong.document.messages import Found
    from lienthong.errors import Problem
    from lienthong.ledger.rows import RecordedDocument
    from lienthong.ledger.unit import Unit

__all__ = [
    "answer",
    "quarantine",
    "refusal_row",
    "refuse",
    "to_notifier",
    "to_receivers",
    "to_router",
    "to_signature_verify",
]


URGENT_PRIORITY = 9

log = structlog.stdlib.get_logger(__name__)


def to_signature_verify(message: DocumentToVerify) -> Outgoing:
    """Return what asks signature-verify to judge a document, in the document's lane; an id for each judgement."""
    first = message.judgement == 1
    subject = message.document if first else derive("judgement", message.document, message.judgement)
    return _work(Step.SIGNATURE_VERIFY, message.lane, subject, message.encode())


def to_router(message: DocumentToRoute, lane: Lane, payload_bytes: int) -> Outgoing:
    """Return what asks the router to deliver a document; it takes fewer at once of those with a large payload."""
    routed = _work(Step.ROUTER, lane, message.document, message.encode())
    return replace(routed, headers={Header.PAYLOAD_BYTES: payload_bytes})


def to_receivers(document: RecordedDocument, carriers: Sequence[str], found: Found, body: bytes) -> Outgoing:
    """Return what puts a document into the delivery queues of these agencies, at least one; always the same id."""
    first, *others = carriers
    return Outgoing(
        exchange=DELIVERY,
        routing_key=first,
        bcc=tuple(others),
        message_id=str(derive("delivery", document.document)),
        body=body,
        content_type="application/edxml+xml",
        type="document",
        headers={
            Header.DOCUMENT: str(document.document),
            Header.DOCUMENT_ID: document.document_id,
            Header.SENDER: document.sender,
            Header.BUSINESS: document.business,
            Header.SHA256: document.sha256,
            Header.VERDICT: found.verdict,
            Header.VALUE: found.value,
            Header.FOUND_VI: found.vi,
            Header.FOUND_EN: found.en,
            **({Header.TEST: 1} if document.test else {}),
        },
        priority=URGENT_PRIORITY if document.lane == Lane.URGENT else 0,
    )


def to_notifier(message: NoticeToSend) -> Outgoing:
    """Return what asks the notifier to tell an agency something."""
    return _work(Step.NOTIFIER, Lane.ORDINARY, message.notice_id, message.encode())


def quarantine(message: Incoming, digest: str, reason: str) -> Outgoing:
    """Return the message on its way to the quarantine queue, and alarm the operator."""
    log.error(Event.MESSAGE_QUARANTINED, reason=reason, queue=message.queue, sha256=digest)
    metrics.QUARANTINED.inc()
    return Outgoing(
        exchange=QUARANTINE,
        routing_key=QUARANTINE,
        message_id=str(derive("quarantine", message.message_id, digest)),
        body=message.body,
        content_type=message.content_type or "application/octet-stream",
        headers={Header.REASON: reason, "original-routing-key": message.routing_key},
    )


def refusal_row(
    step: Step,
    about: Literal["document", "status"],
    submission: tuple[str, str],
    digest: str,
    problems: Iterable[Problem],
    document_id: str | None = None,
) -> RefusalRow:
    """Return the row of a refused submission (user, message id); its id is derived from that and the content."""
    user, message_id = submission
    return RefusalRow(
        derive("refusal", step, user, message_id, digest),
        step,
        about,
        user,
        message_id,
        document_id,
        digest,
        [ProblemModel.of(problem).model_dump() for problem in problems],
    )


async def refuse(unit: Unit, rows: Sequence[RefusalRow]) -> dict[UUID, Outcome]:
    """Record refusals and return, by their ids, what has to leave for each: nothing when its sender was told before."""
    recorded = await unit.record_refusals(rows)
    return {key: answer(refusal) for key, refusal in recorded.items()}


def answer(refusal: RecordedRefusal) -> Outcome:
    """Return what tells the sender of a recorded refusal; nothing when that has left already."""
    if refusal.forwarded_at is not None:
        return Outcome()
    codes = [str(problem["code"]) for problem in refusal.problems]
    log.info(Event.MESSAGE_REFUSED, user=refusal.user_name, message_id=refusal.message_id, codes=codes)
    for code in codes:
        metrics.REFUSED.labels(code).inc()
    notice = Refused(
        about=refusal.about,
        submission_message_id=refusal.message_id,
        document_id=refusal.document_id,
        problems=tuple(ProblemModel.model_validate(problem) for problem in refusal.problems),
        refused_at=refusal.recorded_at,
    )
    message = NoticeToSend(
        notice_id=refusal.refusal, agency=refusal.user_name, notice=notice, caused_at=refusal.recorded_at
    )
    return Outcome((to_notifier(message),), Mark("refusal", refusal.refusal))


def _work(step: Step, lane: Lane, subject: UUID, body: bytes) -> Outgoing:
    return Outgoing(WORK, work_key(step, lane), str(derive("work", step, subject)), body)
