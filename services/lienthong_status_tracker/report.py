"""From a submitted message to a report: a status of somebody who may say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lienthong.document import reasons
from lienthong.document.ids import derive
from lienthong.document.life_cycle import STATUS_CODES
from lienthong.errors import Problem
from lienthong.worker.submissions import submission_key
from lienthong_status_tracker.signature import judge

if TYPE_CHECKING:
    from uuid import UUID

    from lienthong import edxml
    from lienthong.bus.messages import Incoming
    from lienthong.ledger.directory import Directory
    from lienthong.ledger.rows import RecordedStatus
    from lienthong.signature.policy import Policy
    from lienthong.signature.verification import Examined as Signatures
    from lienthong.worker.submissions import Examined
    from lienthong_status_tracker.signature import Judged

__all__ = ["Examination", "Report", "key_of", "recalled", "report_of"]


@dataclass(frozen=True, slots=True)
class Examination:
    """A submitted message after decoding, and what was found about its signature; None when there cannot be one."""

    submission: Examined
    signatures: Signatures | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A readable status of somebody who may report for `reporter`, about a document of `sender`.

    `receiver` is set when the sender itself reports, and names the addressee it speaks to. `judged` is what was found
    about its signature; None of a status that was recorded before, since that counts.

    `spoken_for` is whom From names, merged or not. `senders`, `reporters` and `receivers` are all who may be meant by
    these: the document may be of before a merger.
    """

    message: Incoming
    sha256: str
    status: edxml.Status
    key: UUID
    reporter: str
    sender: str
    receiver: str | None
    judged: Judged | None
    spoken_for: str
    senders: frozenset[str]
    reporters: frozenset[str]
    receivers: frozenset[str] = frozenset()

    @property
    def about(self) -> set[tuple[str, str]]:
        """What its document may be known by: sender and DocumentId."""
        return {(sender, self.document_id) for sender in self.senders}

    @property
    def document_id(self) -> str:
        """The DocumentId (edXML) of the document it is about."""
        return self.status.response_for.document_id


def report_of(message: Incoming, examination: Examination, directory: Directory, policy: Policy) -> Report | Problem:
    """Return the report in a readable status, or why it is refused: who says it, of what, or by whose signature."""
    examined = examination.submission
    status = examined.status
    assert status is not None, "a status without problems can be read"
    written = status.sender.organ_id
    reporter = directory.resolve(written)
    if reporter is None:
        return reasons.sender_not_registered(written)
    user = message.user_id or ""
    merged = directory.named(written)
    if merged is not None and merged.connected and merged.code == user:
        # An agency that was merged still tells what became of what it got before.
        reporter = merged
    elif not directory.speaks_for(user, reporter):
        return reasons.sender_not_user(written, user)
    # Code 13 is reported by the sender of the document; ResponseFor then names the receiver it is taken back from.
    named = directory.resolve(status.response_for.organ_id)
    if named is None:
        return reasons.status_document_unknown(status.response_for.document_id, status.response_for.organ_id)
    judged = judge(examination.signatures, directory, policy)
    if isinstance(judged, Problem):
        return judged
    reporters = directory.stands_for(reporter)
    others = directory.stands_for(named)
    written_as = directory.named(status.response_for.organ_id) or named
    sender, receiver, senders, receivers = written_as.code, None, others | {written_as.code}, frozenset[str]()
    if STATUS_CODES[status.status_code].by_sender:
        sender, receiver, senders, receivers = reporter.code, written_as.code, reporters, others | {written_as.code}
    return Report(
        message,
        examined.sha256,
        status,
        key_of(message),
        reporter.code,
        sender,
        receiver,
        judged,
        (merged or reporter).code,
        senders,
        reporters,
        receivers,
    )


def recalled(message: Incoming, examined: Examined, row: RecordedStatus) -> Report:
    """Return a report that was recorded before: what was decided then stays so, whatever would be decided now."""
    status = examined.status
    assert status is not None, "a status that was recorded can be read"
    receiver = row.addressee if STATUS_CODES[status.status_code].by_sender else None
    return Report(
        message,
        examined.sha256,
        status,
        row.status,
        row.reporter,
        row.sender,
        receiver,
        None,
        row.reporter,
        frozenset({row.sender}),
        frozenset({row.reporter}),
    )


def key_of(message: Incoming) -> UUID:
    """Return the id of the status a message submits."""
    return derive("status", *submission_key(message))
