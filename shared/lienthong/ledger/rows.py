"""The facts a worker writes and recalls, one class for each row; field names are the ledger's column names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime  # noqa: TC003 - pydantic reads the annotations
from typing import Any, Literal
from uuid import UUID  # noqa: TC003

from pydantic import TypeAdapter

from lienthong.document.acts import Acts  # noqa: TC001
from lienthong.document.life_cycle import Pending
from lienthong.document.verdicts import Value, Verdict
from lienthong.ledger.actions import ActionRow  # noqa: TC001

__all__ = [
    "AgencyRow",
    "AttachmentRow",
    "DeadLetterRow",
    "DeliveryRow",
    "DocumentRow",
    "DueJudgement",
    "Mark",
    "NoticeRow",
    "QuarantinedRow",
    "RecordedDeadLetter",
    "RecordedDelivery",
    "RecordedDocument",
    "RecordedRefusal",
    "RecordedRouting",
    "RecordedStatus",
    "RefusalRow",
    "ReportedDelivery",
    "RoutingRow",
    "StatusRow",
    "SubmissionRow",
    "VerificationRow",
    "as_json",
]

_ANY: TypeAdapter[Any] = TypeAdapter(Any)


def as_json(rows: object) -> str:
    """Return rows as the JSON array a statement takes."""
    return _ANY.dump_json(rows).decode()


@dataclass(frozen=True, slots=True)
class Mark:
    """Names a recorded fact that is to be marked *forwarded*.

    Attributes:
        table: the ledger table of the fact.
        key: its id.
    """

    table: Literal["document", "refusal", "verification", "routing", "status", "notice"]
    key: UUID


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """One AMQP message of an agency."""

    user_name: str
    message_id: str
    sha256: str
    size: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class AttachmentRow:
    """One file of a document."""

    document: UUID
    ordinal: int
    name: str
    content_type: str | None
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document that was received.

    `acts` says what it does to an earlier one, None when it is new; `test` that it is on trial, `flagged` that its
    sender said so itself. `signer_position` is authority and office: ``TM. Chủ tịch``.
    """

    document: UUID
    sender: str
    document_id: str
    business: int
    user_name: str
    message_id: str
    sha256: str
    size: int
    subject: str | None
    code: str | None
    promulgated_on: date | None
    type_name: str | None
    due_on: date | None
    priority: int
    lane: str
    addressees: tuple[str, ...]
    submitted_at: datetime
    received_at: datetime
    acts: Acts | None = None
    test: bool = False
    flagged: bool = False
    signer_name: str | None = None
    signer_position: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedDocument:
    """What the ledger holds of a document, whoever recorded it."""

    document: UUID
    sender: str
    document_id: str
    business: int
    user_name: str
    message_id: str
    sha256: str
    size: int
    lane: str
    addressees: list[str]
    received_at: datetime
    forwarded_at: datetime | None
    acts: dict[str, Any] | None = None
    test: bool = False
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """What was refused, with every problem."""

    refusal: UUID
    step: str
    about: Literal["document", "status"]
    user_name: str
    message_id: str
    document_id: str | None
    sha256: str
    problems: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RecordedRefusal:
    """A refusal as the ledger holds it."""

    refusal: UUID
    about: Literal["document", "status"]
    user_name: str
    message_id: str
    document_id: str | None
    problems: list[dict[str, Any]]
    recorded_at: datetime
    forwarded_at: datetime | None


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A message nobody can be answered for."""

    digest: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A message that was given up, as its sender published it; its body is in the payload store.

    Attributes:
        dead_letter: its id.
        step: whose dead letter it is: a worker's step, ``agency``, or ``quarantine``.
        queue: where it goes back to; None when nobody would take it there.
        routing_key: the key it was published with, as far as it is known.
        user_name: who published it; None when the broker could not tell.
        message_id: the publisher's.
        content_type: the publisher's.
        type: the publisher's.
        headers: those that travel on.
        sha256: of the body.
        size: of the body, in bytes.
        document: the document it is about, where it says so.
        reason: why it was given up.
        attempts: how often a worker tried it.
    """

    dead_letter: UUID
    step: str
    queue: str | None
    routing_key: str
    user_name: str | None
    message_id: str | None
    content_type: str | None
    type: str | None
    headers: dict[str, str | int]
    sha256: str
    size: int
    document: UUID | None
    reason: str
    attempts: int


@dataclass(frozen=True, slots=True)
class RecordedDeadLetter(DeadLetterRow):
    """A dead letter as the ledger holds it.

    Attributes:
        state: waiting; replaying or discarding, ordered and not yet known to have left; replayed; discarded.
        times: how often it became a dead letter.
        found_at: when it was found first.
        changed_at: when its state changed last.
        changed_by: the operator who changed it; None while nobody did.
        refusal: what its sender was told when it was discarded; None when there was nobody to tell.
    """

    state: Literal["waiting", "replaying", "replayed", "discarding", "discarded"]
    times: int
    found_at: datetime
    changed_at: datetime
    changed_by: str | None
    refusal: UUID | None


@dataclass(frozen=True, slots=True)
class VerificationRow:
    """One judgement of a document's signatures and files, and what it rests on.

    Attributes:
        verification: its id, derived from document and judgement.
        document: which document.
        judgement: its number; a document's first is 1.
        verdict: on all signatures together.
        value: what the document is worth.
        reason: the code of the first reason; empty when there is none.
        vi: what was found, as sender and receivers are told, in Vietnamese.
        en: the same in English.
        grounds: every signature and file, the evidence by digest, the rule that decided.
        judged_at: when.
        held_until: until when the document waits at most; None when it does not wait.
        judge_again_at: when it is to be judged again; None when never.
        forwarded_at: when everything it caused had left.
    """

    verification: UUID
    document: UUID
    judgement: int
    verdict: str
    value: str
    reason: str
    vi: str
    en: str
    grounds: dict[str, Any]
    judged_at: datetime
    held_until: datetime | None = None
    judge_again_at: datetime | None = None
    forwarded_at: datetime | None = None

    @property
    def held(self) -> bool:
        """Whether the document waits because of this judgement."""
        return self.held_until is not None

    @property
    def final(self) -> bool:
        """Whether it is for good: nothing about it is left to be found out."""
        return self.verdict != Verdict.INDETERMINATE or self.value == Value.REFUSED

    def for_good(self) -> VerificationRow:
        """Return it as one that is never made again."""
        return replace(self, judge_again_at=None)


@dataclass(frozen=True, slots=True)
class DueJudgement:
    """A judgement that is not for good and whose time has come; locked until the transaction ends."""

    verification: UUID
    document: UUID
    judgement: int
    held_until: datetime | None
    sha256: str
    user_name: str
    received_at: datetime
    lane: str


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A document for one addressee.

    Attributes:
        role: what it is there: see `lienthong.document.life_cycle.Role`.
        root: the document that it withdraws, updates or, for an added addressee, is a version of; else None.
    """

    document: UUID
    addressee: str
    written: str
    carrier: str
    role: str = "document"
    root: UUID | None = None


@dataclass(frozen=True, slots=True)
class RoutingRow:
    """That a document was routed or refused, and to whom."""

    document: UUID
    outcome: Literal["routed", "refused"]
    deliveries: tuple[DeliveryRow, ...] = ()
    actions: tuple[ActionRow, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedDelivery:
    """A delivery as the ledger holds it; `parked`: it was left to wait, whether or not it has been sent since."""

    document: UUID
    addressee: str
    written: str
    carrier: str
    state: str
    parked: bool = False


@dataclass(frozen=True, slots=True)
class RecordedRouting:
    """A routing as the ledger holds it."""

    document: UUID
    outcome: Literal["routed", "refused"]
    forwarded_at: datetime | None
    deliveries: list[RecordedDelivery] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReportedDelivery:
    """A delivery that statuses or documents of this batch speak of; locked until the transaction ends.

    Attributes:
        role: what it is; see `lienthong.document.life_cycle.Role`.
        chain: what holds a document, its updates and withdrawals together: the first one's id.
        request: the withdrawal or update that the receiver has not answered; None when there is none, or code 13
            asked.
        version: the document whose content is in force here; None for its own.
        reported_at: when the last step was reported that was applied to it; None when there was none.
    """

    document: UUID
    addressee: str
    carrier: str
    state: str
    take_back: bool
    document_id: str
    sender: str
    user_name: str
    business: int
    role: str
    chain: UUID
    request: UUID | None = None
    version: UUID | None = None
    reported_at: datetime | None = None

    @property
    def pending(self) -> Pending:
        """What the sender has asked for here and the receiver has not answered."""
        if self.take_back:
            return Pending.TAKE_BACK
        return Pending.UPDATE if self.request is not None else Pending.NOTHING


@dataclass(frozen=True, slots=True)
class StatusRow:
    """A reported status and what became of it at one delivery.

    Attributes:
        verdict: on its signature; what is invalid is refused and never stands here.
        signer: the name in the signer's certificate; None when it is unsigned, or names nobody.
        reason: the code of why it is indeterminate; else empty.
        vi: what was found about its signature, as the document's sender is told, in Vietnamese.
        en: the same in English.
        evidence: what the verdict rests on: kind, SHA-256 and size of each piece in the payload store.
        skipped: the codes that the natural order has before it and that were left out.
    """

    status: UUID
    document: UUID
    addressee: str
    reporter: str
    user_name: str
    message_id: str
    sha256: str
    code: str
    description: str | None
    outcome: Literal["applied", "repeated", "illegal"]
    state_before: str
    state_after: str
    reported_at: datetime
    received_at: datetime
    verdict: str
    signer: str | None
    reason: str
    vi: str
    en: str
    evidence: list[dict[str, Any]]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedStatus:
    """A status as the ledger holds it, at one delivery; `sender` is the document's.

    `verdict`, `vi` and `en` are None when its signature was not judged: workers of an earlier version recorded it.
    """

    status: UUID
    document: UUID
    addressee: str
    reporter: str
    sender: str
    outcome: Literal["applied", "repeated", "illegal"]
    forwarded_at: datetime | None
    verdict: str | None
    vi: str | None
    en: str | None


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """That an agency is told something; `words` say it for people, by language, where the notice has such."""

    notice: UUID
    agency: str
    kind: Literal["receipt", "verified", "refusal", "waiting", "delivered", "deadline"]
    document: UUID | None
    caused_at: datetime
    words: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class AgencyRow:
    """An agency of the directory.

    Attributes:
        code: its canonical code.
        name: its name.
        kind: what kind of body it is, free text.
        stage: how far its connection is; trial and official are connected.
        parent: the agency above it, where its code does not tell.
        supervised: whether the supervision of connection and feedback counts it as a unit.
        codes: further ways to write its code; the canonical one and, for level 1, its old form are known anyway.
    """

    code: str
    name: str
    kind: str = ""
    stage: Literal["registered", "in-progress", "trial", "official", "suspended"] = "registered"
    parent: str | None = None
    supervised: bool = False
    codes: tuple[str, ...] = ()
