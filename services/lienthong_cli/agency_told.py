"""What an agency is told, for people: in words, and as the answers to what was just sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lienthong.agency import Deadline, Delivered, Receipt, Refused, StatusReport, Verified, Waiting
from lienthong.document.life_cycle import STATUS_CODES
from lienthong.document.verdicts import Verdict
from lienthong.edxml.wire_time import VIETNAM
from lienthong_cli.signature import MARKS

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from lienthong.agency.reading import Told
    from lienthong.document.messages import FoundSignature

__all__ = ["Answers", "describe"]

EXISTS = "ExistDoc"


@dataclass
class Answers:
    """What the exchange has said about the files sent.

    A receipt comes first; then, in either order, what the signatures are worth and that it is delivered; or, even then,
    that it is refused.

    Attributes:
        submitted: the files, by the message id each was sent under.
        received: the message id a document was sent under, by the exchange's id of it.
        verified: documents that are known to be worth something.
        delivered: documents that stand in their receivers' queues.
        parked: documents that wait for receivers who do not collect.
    held: documents that wait until their signatures can be judged.
        settled: message ids that nothing more need be waited for.
        refused: whether one was refused.
        exists: whether one was, because another document has its id.
    """

    submitted: dict[str, Path] = field(default_factory=dict)
    received: dict[UUID, str] = field(default_factory=dict)
    verified: set[UUID] = field(default_factory=set)
    delivered: set[UUID] = field(default_factory=set)
    parked: set[UUID] = field(default_factory=set)
    held: set[UUID] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    refused: bool = False
    exists: bool = False

    @property
    def missing(self) -> list[Path]:
        """The files whose fate is not known yet."""
        return [file for message_id, file in self.submitted.items() if message_id not in self.settled]

    @property
    def waiting(self) -> list[Path]:
        """The files that the exchange holds until it can judge their signatures; that may take hours."""
        return [self.submitted[message_id] for document, message_id in self.received.items() if document in self.held]

    def note(self, told: Told) -> Path | None:
        """Note what was told, and return the file it is about; None when it is about something else."""
        message_id: str | None = None
        match told:
            case Receipt() if told.submission_message_id in self.submitted:
                message_id = told.submission_message_id
                self.received[told.document] = message_id
                # Sent before: it was delivered then, and nobody says so again.
                if told.repeated or self._known(told.document):
                    self.settled.add(message_id)
            case Refused() if told.submission_message_id in self.submitted:
                message_id = told.submission_message_id
                self.settled.add(message_id)
                self.refused = True
                self.exists |= any(problem.code == EXISTS for problem in told.problems)
            case Verified():
                message_id = self.received.get(told.document)
                if not told.held:
                    self.verified.add(told.document)
                    self.held.discard(told.document)
                elif told.document not in self.verified:
                    self.held.add(told.document)
            case Waiting():
                message_id = self.received.get(told.document)
                self.parked.add(told.document)
            case Delivered():
                message_id = self.received.get(told.document)
                self.delivered.add(told.document)
        if isinstance(told, Verified | Waiting | Delivered) and message_id is not None and self._known(told.document):
            self.settled.add(message_id)
        return self.submitted[message_id] if message_id is not None else None

    def _known(self, document: UUID) -> bool:
        return document in self.held or (document in self.verified and document in self.delivered | self.parked)


def describe(told: Told) -> str:
    """Say in one or more lines what the exchange or a receiver told."""
    match told:
        case Receipt():
            again = " (đã nhận trước đây / received before)" if told.repeated else ""
            since = told.received_at.astimezone(VIETNAM).isoformat(timespec="seconds")
            return f"{told.document_id}: trục đã nhận / the exchange has it since {since}{again}"
        case Refused():
            lines = [f"{told.document_id or told.submission_message_id}: bị từ chối / refused"]
            lines += [
                f"  {problem.code}{f' [{problem.path}]' if problem.path else ''}: {problem.vi} / {problem.en}"
                for problem in told.problems
            ]
            return "\n".join(lines)
        case Delivered():
            to = ", ".join(addressee.agency for addressee in told.addressees)
            return f"{told.document_id}: đã đến nơi nhận / delivered to {to}"
        case Waiting() | Deadline():
            return f"{told.document_id}: {told.vi} / {told.en}"
        case Verified():
            return _describe_verified(told)
        case StatusReport():
            meaning = STATUS_CODES.get(told.code)
            text = f"{meaning.vi} / {meaning.en}" if meaning else ""
            # Many systems only repeat there what the code means.
            more = told.status.description
            added = f": {more}" if more and (meaning is None or more != meaning.vi) else ""
            # That it is signed is as it should be, and many are not yet; what is not known has to be seen.
            unknown = f" ({told.found_vi} / {told.found_en})" if told.verdict is Verdict.INDETERMINATE else ""
            return f"{told.document_id}: {told.reporter} {told.code} {text}{added}{unknown}"


def _describe_verified(told: Verified) -> str:
    # The exchange's own words begin with what the document is worth, and name whose valid signatures it has.
    last = " (kết luận sau khi xét lại / for good, after judging again)" if told.judgement > 1 and told.final else ""
    lines = [f"{told.document_id}: {told.found.vi} / {told.found.en}{last}"]
    return "\n".join(
        (*lines, *(_describe_signature(one) for one in told.signatures if one.verdict is not Verdict.VALID))
    )


def _describe_signature(one: FoundSignature) -> str:
    who = ", ".join(part for part in (one.signer, one.agency) if part) or "không rõ / unknown"
    where = f" [{one.subject}]" if one.subject else ""
    return f"  {MARKS.get(one.verdict, '?')} {one.kind}{where}: {who}: {one.vi} / {one.en}"
