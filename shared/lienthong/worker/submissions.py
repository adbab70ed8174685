"""What an agency submitted, as the two workers that read submissions see it: examined, keyed, recorded once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from lienthong import edxml
from lienthong.document import reasons
from lienthong.edxml.findings import excerpt
from lienthong.ledger.rows import QuarantinedRow, SubmissionRow
from lienthong.topology.names import Header

if TYPE_CHECKING:
    from lienthong.bus.messages import Incoming
    from lienthong.errors import Problem

__all__ = [
    "Attached",
    "Examined",
    "examine",
    "is_flagged",
    "quarantined_row",
    "submission_key",
    "submission_row",
    "submitted_at",
]


DIGEST_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Attached:
    """What the ledger keeps of one attachment."""

    name: str
    content_type: str | None
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Examined:
    """One submitted message after decoding.

    Attributes:
        sha256: of the body.
        problems: why it is refused; empty when it is readable and of the right kind.
        unanswerable: why nobody can be told about it; empty when somebody can.
        document_id: the DocumentId it is about, as far as it could be read, even of a refused message.
        document: the document, without its attachments' bytes; None when it is none or cannot be read.
        status: the status; None when it is none or cannot be read.
        attachments: what was attached to the document.
        unread: it was not looked into, because its sender sends too much; nothing but `sha256` is known.
    """

    sha256: str
    problems: tuple[Problem, ...] = ()
    unanswerable: str = ""
    document_id: str | None = None
    document: edxml.Document | None = None
    status: edxml.Status | None = None
    attachments: tuple[Attached, ...] = ()
    unread: bool = False


def examine(message: Incoming, expected: Literal["document", "status"]) -> Examined:
    """Decode one submitted message and find everything that is wrong with it; pure."""
    digest = sha256(message.body).hexdigest()
    if message.user_id is None:
        return Examined(digest, unanswerable="no user_id")
    problems: list[Problem] = []
    if message.message_id is None:
        problems.append(reasons.message_id_missing())
    said = message.headers.get(Header.SHA256)
    if said is not None and not (isinstance(said, str) and said.lower() == digest):
        problems.append(reasons.content_digest_differs(_shown(said), digest))
    found = edxml.inspect(message.body, warnings=False)
    problems += found.problems
    if found.message is not None and found.kind != expected:
        problems.append(reasons.wrong_kind(found.message.kind, expected))
    match found.message:
        case edxml.Status() as status:
            return Examined(digest, tuple(problems), "", found.document_id, status=status)
        case edxml.Document() as document:
            attached = tuple(
                Attached(one.name, one.content_type, len(one.content), one.sha256) for one in document.attachments
            )
            light = replace(document, attachments=())
            return Examined(digest, tuple(problems), "", found.document_id, document=light, attachments=attached)
        case None:
            return Examined(digest, tuple(problems), "", found.document_id)


def submission_key(message: Incoming) -> tuple[str, str]:
    """Return what a submission is known by: who sent it, and the id the sender gave it."""
    return message.user_id or "", message.message_id or ""


def submission_row(message: Incoming, examined: Examined) -> SubmissionRow:
    """Return the ledger's row of a submission."""
    return SubmissionRow(*submission_key(message), examined.sha256, len(message.body), message.received_at)


def quarantined_row(message: Incoming, examined: Examined) -> QuarantinedRow:
    """Return the ledger's row of a message nobody can be answered for."""
    key = _shown(message.routing_key)
    facts = {"message_id": message.message_id, "routing_key": key, "reason": examined.unanswerable}
    return QuarantinedRow(examined.sha256, facts)


def submitted_at(message: Incoming) -> datetime:
    """Return when the sender says it submitted a message (header ``submitted-at``), else when it was received; UTC."""
    try:
        said = datetime.fromisoformat(str(message.headers[Header.SUBMITTED_AT]))
        return said.astimezone(UTC) if said.tzinfo else message.received_at
    except (KeyError, ValueError, OverflowError):
        return message.received_at


def is_flagged(message: Incoming) -> bool:
    """Tell whether the sender says that what it submitted is a test (header ``test``): true, not 0, or such a word."""
    said = message.headers.get(Header.TEST)
    return said.strip().lower() in ("1", "true", "yes") if isinstance(said, str) else bool(said)


def _shown(stranger: object) -> str:
    # A header may hold anything of any size, and the ledger no NUL; a digest is shown whole.
    if not isinstance(stranger, str):
        return type(stranger).__name__
    return stranger if len(stranger) <= DIGEST_LENGTH and stranger.isprintable() else excerpt(stranger)
