"""The JSON that travels: small typed messages between workers, and the exchange's notices to agencies.

The payload itself never travels between workers (claim check): a message names a document, the ledger and the payload
store hold it. Every model carries its schema version, so that two versions of the workers can run side by side.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from lienthong.document.deadlines import Clock, Holder, Level
from lienthong.document.verdicts import Value, Verdict

if TYPE_CHECKING:
    from lienthong.errors import Problem

__all__ = [
    "Addressee",
    "Deadline",
    "Delivered",
    "DocumentToRoute",
    "DocumentToVerify",
    "Found",
    "FoundSignature",
    "Lane",
    "Notice",
    "NoticeToSend",
    "ProblemModel",
    "Receipt",
    "Refused",
    "Verified",
    "Waiting",
    "WireModel",
    "decode_notice",
]


class WireModel(BaseModel):
    """What every message of ours has in common."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = 1

    def encode(self) -> bytes:
        """Return the message as UTF-8 JSON."""
        return self.model_dump_json().encode()


class Lane(StrEnum):
    """Urgent documents (Decision 28/2018/QĐ-TTg, Art. 6.2: khẩn, thượng khẩn, hỏa tốc) have a lane of their own."""

    ORDINARY = "ordinary"
    URGENT = "urgent"


class Found(BaseModel):
    """What was found about a document's signatures, in words a clerk understands, and what it is worth by that."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    value: Value
    vi: str
    en: str


class DocumentToVerify(WireModel):
    """ingest → signature-verify: judge this document; `user` is who published it, as the broker validated.

    `received_at` is the moment that counts for signatures without a time stamp. `judgement` numbers the judgements of
    one document: the first is ingest's wish, each later one is asked for because the one before was not for good.
    """

    document: UUID
    sha256: str
    user: str
    received_at: AwareDatetime
    lane: Lane = Lane.ORDINARY
    judgement: int = Field(1, ge=1)


class DocumentToRoute(WireModel):
    """signature-verify → router: deliver this document, and tell its receivers what was found."""

    document: UUID
    sha256: str
    found: Found


class ProblemModel(BaseModel):
    """One problem of a refusal; see `lienthong.errors.Problem`."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    code: str
    path: str
    vi: str
    en: str
    province_code: int
    retry_at: AwareDatetime | None = None

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """Return the wire form of a problem."""
        return cls.model_validate(problem)


class Receipt(WireModel):
    """The exchange has this document, durably, and answers for it from here on.

    `repeated` says that the same document had been received before: this is its first receipt again.
    """

    kind: Literal["receipt"] = "receipt"
    submission_message_id: str
    document: UUID
    document_id: str
    sha256: str
    received_at: AwareDatetime
    repeated: bool = False


class Refused(WireModel):
    """The exchange refuses what was submitted (`about` a document or a status); nothing of it was delivered."""

    kind: Literal["refusal"] = "refusal"
    about: Literal["document", "status"]
    submission_message_id: str
    document_id: str | None = None
    problems: tuple[ProblemModel, ...] = Field(min_length=1)
    refused_at: AwareDatetime

    @property
    def retry_at(self) -> datetime | None:
        """When the same may be submitted again, under a new ``message_id``; None when it has to be mended first."""
        times = [problem.retry_at for problem in self.problems]
        return None if None in times else max(time for time in times if time is not None)


class Addressee(BaseModel):
    """Who a document was for (`code`, as the sender wrote it), which agency that is, and whose queue holds it."""

    model_config = ConfigDict(frozen=True)

    code: str
    agency: str
    carrier: str


class Delivered(WireModel):
    """The document stands in the delivery queue of every addressee."""

    kind: Literal["delivered"] = "delivered"
    document: UUID
    document_id: str
    addressees: tuple[Addressee, ...]
    delivered_at: AwareDatetime


class Waiting(WireModel):
    """The document waits in the exchange for addressees that do not collect what is in their queue.

    `addressees` are those it waits for; in the queues of `delivered` it is already. A notice `Delivered` follows
    when it is in the queue of every addressee.
    """

    kind: Literal["waiting"] = "waiting"
    document: UUID
    document_id: str
    addressees: tuple[Addressee, ...]
    delivered: tuple[Addressee, ...] = ()
    vi: str
    en: str
    waiting_since: AwareDatetime


class FoundSignature(BaseModel):
    """One signature of a document: on the message, inside a PDF (`subject` names it), or a time stamp."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["message", "pdf", "timestamp"]
    verdict: Verdict
    signer: str | None = None
    agency: str | None = None
    signed_at: AwareDatetime | None = None
    subject: str = ""
    code: str = ""
    vi: str
    en: str


class Verified(WireModel):
    """What the exchange found about a document's signatures; told to its sender, and to its receivers when it changes.

    While `held` the document waits, because it may still be found out what it is worth. `final` says that it will not
    be judged again. `judgement` numbers the judgements of one document: a later one replaces those before it.
    """

    kind: Literal["verified"] = "verified"
    document: UUID
    document_id: str
    found: Found
    signatures: tuple[FoundSignature, ...] = ()
    held: bool = False
    final: bool = True
    judgement: int = 1
    judged_at: AwareDatetime


class Deadline(WireModel):
    """Something has to be done by a certain moment: a share of the time is over, or all of it.

    Warnings go to the agency that has to act; what is late is told to the document's sender as well. `agency` has to
    act and `holder` says which office of it, or who else, is next; `due_at` is the moment from which on it is too
    late, and `met_at` when it was done after all. A document dated in the future has no `due_at`.
    """

    kind: Literal["deadline"] = "deadline"
    document: UUID
    sender: str
    document_id: str
    agency: str
    clock: Clock
    level: Level
    holder: Holder
    due_at: AwareDatetime | None = None
    met_at: AwareDatetime | None = None
    vi: str
    en: str
    noted_at: AwareDatetime


Notice = Annotated[Receipt | Refused | Waiting | Delivered | Verified | Deadline, Field(discriminator="kind")]

_NOTICE: TypeAdapter[Receipt | Refused | Waiting | Delivered | Verified | Deadline] = TypeAdapter(Notice)


def decode_notice(body: bytes) -> Receipt | Refused | Waiting | Delivered | Verified | Deadline:
    """Return the notice in a message body; raises pydantic's ``ValidationError`` when it is none."""
    return _NOTICE.validate_json(body)


class NoticeToSend(WireModel):
    """A worker → notifier: tell this agency.

    `notice_id` is derived from what the notice is about, so that the notifier sends it once. `lane` is the document's.
    """

    notice_id: UUID
    agency: str
    document: UUID | None = None
    notice: Notice
    caused_at: datetime
    lane: Lane = Lane.ORDINARY
