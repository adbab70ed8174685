"""What every robot agency did and saw, kept by itself, and the comparison of all these journals.

Nothing here asks the exchange: it is the other side of the balance that the ledger is held against.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lienthong.agency import Deadline, Delivered, Receipt, Refused, StatusReport, Verified
from lienthong.document.deadlines import Clock, Level
from lienthong.document.verdicts import Value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from lienthong.agency import Delivery, DocumentReference
    from lienthong.agency.reading import Told
    from lienthong.simulation.traffic import Draft

__all__ = ["Balance", "Counts", "Journal", "Sent", "Tally", "compare"]

REFUSED_AS = "CheckSignature"
"""The code of the problem for which a document with a revoked signature is refused."""


@dataclass(slots=True)
class Counts:
    """How far a run is, over all journals; what comes twice counts once.

    Attributes:
        documents: confirmed submissions.
        receipts: documents the exchange said it has.
        verified: documents the exchange said what they are worth.
        notices: documents the exchange said it has delivered.
        deliveries: documents handed to their addressees.
        reported: confirmed statuses.
        heard: statuses that came back to the documents' senders.
        refusals: what the exchange refused.
        late: documents whose senders the exchange told that they were sent late.
    """

    documents: int = 0
    receipts: int = 0
    verified: int = 0
    notices: int = 0
    deliveries: int = 0
    reported: int = 0
    heard: int = 0
    refusals: int = 0
    late: int = 0


class Tally:
    """Counts what all journals note, and wakes whoever waits for it."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._changed = asyncio.Event()

    def add(self, name: str, times: int) -> None:
        """Count something that a journal has now noted so many times."""
        if times == 1:
            setattr(self.counts, name, getattr(self.counts, name) + 1)
            self._changed.set()

    async def change(self, seconds: float) -> bool:
        """Wait for a change; returns False when there was none for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


@dataclass(frozen=True, slots=True)
class Sent:
    """A document whose submission the broker confirmed.

    Attributes:
        sha256: of the bytes sent.
        addressees: who is to get it, unless it is to be refused.
        worth: what it is worth by the way it was signed.
        late: whether it was sent later than the law wants.
    """

    sha256: str
    addressees: tuple[str, ...]
    worth: Value = Value.PAPER
    late: bool = False


@dataclass(slots=True)
class Journal:
    """One robot's journal: all that is left of it when it is killed, together with the state file of its kit.

    Attributes:
        code: the robot's agency.
        tally: counts what it notes.
        begun: the documents it was told to send, by their ids.
        sent: its confirmed documents by their ids.
        references: how statuses name each document that was handed to it, by sender and document id.
        in_hand: the one of these that it has not yet told its kit to be in safe hands.
        moments: when it did each step it reports, by the agency it is reported to, document id and code.
        got: how often each document was handed to it, by sender and document id.
        digests: SHA-256 of each, as it arrived.
        values: what the exchange said each is worth, as it arrived.
        reported: its confirmed statuses, by the agency they are for, document id and code.
        receipts: how often the exchange said it has a document.
        verified: how often the exchange said what it found about one, by document id and number of the judgement.
        findings: the last of these notices that is not about a document being held, by document id.
        delivered: how often the exchange said it has delivered one.
        heard: statuses it was told, by document id, reporter and code.
        late: how often the exchange said that a document was sent late.
        last_told: what it was told last.
        refusals: how often the exchange refused something, by what it is about, document id and codes of the problems.
        noted: how much it has noted.
    """

    code: str
    tally: Tally
    begun: dict[str, Draft] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    references: dict[tuple[str, ...], DocumentReference] = field(default_factory=dict)
    in_hand: tuple[str, ...] | None = None
    moments: dict[tuple[str, ...], datetime] = field(default_factory=dict)
    got: Counter[tuple[str, ...]] = field(default_factory=Counter)
    digests: dict[tuple[str, ...], str] = field(default_factory=dict)
    values: dict[tuple[str, ...], Value | None] = field(default_factory=dict)
    reported: Counter[tuple[str, ...]] = field(default_factory=Counter)
    receipts: Counter[str] = field(default_factory=Counter)
    verified: Counter[tuple[str, ...]] = field(default_factory=Counter)
    findings: dict[str, Verified] = field(default_factory=dict)
    delivered: Counter[str] = field(default_factory=Counter)
    heard: Counter[tuple[str, ...]] = field(default_factory=Counter)
    refusals: Counter[tuple[str, ...]] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    last_told: Told | None = None
    noted: int = 0

    def note_sent(self, document_id: str, sent: Sent) -> None:
        """Note a confirmed submission."""
        self.sent[document_id] = sent
        self._count("documents", 1)

    def note_got(self, delivery: Delivery) -> None:
        """Note a document that the kit handed out.

        The one it had in hand when it was killed is the same when it is handed out again, not a second one.
        """
        key = (delivery.sender, delivery.document.document_id)
        if key == self.in_hand:
            return
        self.in_hand = key
        self.references[key] = delivery.reference
        self.got[key] += 1
        self.digests[key] = delivery.sha256
        self.values[key] = delivery.value
        self._count("deliveries", self.got[key])

    def note_kept(self) -> None:
        """Note that the kit knows the document in hand to be in safe hands."""
        self.in_hand = None

    def moment(self, agency: str, document_id: str, code: str) -> datetime:
        """Return when a step was done: now, or when it was done first and not reported, so that it is one report."""
        return self.moments.setdefault((agency, document_id, code), datetime.now(UTC))

    def note_reported(self, sender: str, document_id: str, code: str) -> None:
        """Note a confirmed report."""
        self.reported[sender, document_id, code] += 1
        self._count("reported", self.reported[sender, document_id, code])

    def note_told(self, told: Told) -> None:
        """Note what the exchange or a receiver told."""
        self.last_told = told
        match told:
            case Receipt():
                self.receipts[told.document_id] += 1
                self._count("receipts", self.receipts[told.document_id])
            case Delivered():
                self.delivered[told.document_id] += 1
                self._count("notices", self.delivered[told.document_id])
            case Verified():
                self._note_verified(told)
            case Deadline(clock=Clock.SENDING, level=Level.BREACH):
                self.late[told.document_id] += 1
                self._count("late", self.late[told.document_id])
            case Refused():
                codes = sorted({problem.code for problem in told.problems})
                key = (told.about, told.document_id or told.submission_message_id, *codes)
                self.refusals[key] += 1
                self._count("refusals", self.refusals[key])
            case StatusReport():
                key = (told.document_id, told.reporter, told.code)
                self.heard[key] += 1
                self._count("heard", self.heard[key])

    def _count(self, name: str, times: int) -> None:
        self.noted += 1
        self.tally.add(name, times)

    def _note_verified(self, told: Verified) -> None:
        self.verified[told.document_id, str(told.judgement)] += 1
        known = self.findings.get(told.document_id)
        if not told.held and (known is None or known.judgement < told.judgement):
            self.findings[told.document_id] = told
            self._count("verified", 1 if known is None else 2)


@dataclass(frozen=True, slots=True)
class Balance:
    """What does not add up; each line names one thing.

    Attributes:
        lost: documents sent and not got, statuses reported and not heard, receipts, notices and due refusals that
            never came.
        twice: what came more than once.
        altered: documents that arrived with other bytes.
        strange: what came although nobody sent it, undue refusals among it.
        misjudged: documents whose sender or receiver was told another value than they were sent with.
    """

    lost: tuple[str, ...]
    twice: tuple[str, ...]
    altered: tuple[str, ...]
    strange: tuple[str, ...]
    misjudged: tuple[str, ...]

    @property
    def even(self) -> bool:
        """Whether everything sent arrived once, unaltered, for what it is worth, and nothing else did."""
        return not (self.lost or self.twice or self.altered or self.strange or self.misjudged)


def compare(journals: Mapping[str, Journal]) -> Balance:
    """Hold what robots sent against what robots got, and what they reported against what was heard.

    Args:
        journals: all of them, by agency code; documents of and for anybody else count as strange.
    """
    sent: dict[tuple[str, ...], Sent] = {
        (code, name): paper for code, journal in journals.items() for name, paper in journal.sent.items()
    }
    taken = {key: paper for key, paper in sent.items() if paper.worth is not Value.REFUSED}
    deliveries: dict[tuple[str, ...], Sent] = {
        (addressee, *key): paper for key, paper in taken.items() for addressee in paper.addressees
    }
    reports = {
        (sender, document_id, code, status)
        for code, journal in journals.items()
        for sender, document_id, status in journal.reported
    }
    late = {key for key, paper in taken.items() if paper.late}
    refusals = {(key[0], "document", key[1], REFUSED_AS) for key in sent.keys() - taken.keys()}
    sides: list[tuple[str, Collection[tuple[str, ...]], dict[tuple[str, ...], int]]] = [
        ("document", deliveries, _keyed({code: journal.got for code, journal in journals.items()})),
        ("status", reports, _keyed({code: journal.heard for code, journal in journals.items()})),
        ("receipt", sent, _by_document({code: journal.receipts for code, journal in journals.items()})),
        ("finding", taken, _by_document({code: _judgements(journal) for code, journal in journals.items()})),
        ("notice", taken, _by_document({code: journal.delivered for code, journal in journals.items()})),
        ("lateness", late, _by_document({code: journal.late for code, journal in journals.items()})),
        ("refusal", refusals, _keyed({code: journal.refusals for code, journal in journals.items()})),
    ]
    digests = {(code, *key): digest for code, journal in journals.items() for key, digest in journal.digests.items()}
    return Balance(
        lost=tuple(f"{what} {key}" for what, wanted, came in sides for key in wanted if key not in came),
        twice=tuple(f"{what} {key}" for what, _, came in sides for key, count in came.items() if count > 1),
        altered=tuple(
            f"document {key}"
            for key, digest in digests.items()
            if key in deliveries and deliveries[key].sha256 != digest
        ),
        strange=tuple(f"{what} {key}" for what, wanted, came in sides for key in came if key not in wanted),
        misjudged=tuple(_misjudged(journals, taken, deliveries)),
    )


def _judgements(journal: Journal) -> dict[str, int]:
    """Return the documents whose value was told, and how often one judgement of each was."""
    most: dict[str, int] = {}
    for (document_id, _), times in journal.verified.items():
        most[document_id] = max(times, most.get(document_id, 0))
    return {document_id: most[document_id] for document_id in journal.findings}


def _misjudged(
    journals: Mapping[str, Journal],
    taken: Mapping[tuple[str, ...], Sent],
    deliveries: Mapping[tuple[str, ...], Sent],
) -> Iterator[str]:
    """Yield the documents that are not worth to sender or receiver what they were sent with."""
    for code, journal in journals.items():
        for document_id, told in journal.findings.items():
            paper = taken.get((code, document_id))
            if paper is not None and told.found.value is not paper.worth:
                yield f"document {(code, document_id)}: its sender was told {told.found.value}, not {paper.worth}"
        for key, value in journal.values.items():
            paper = deliveries.get((code, *key))
            if paper is not None and value is not paper.worth:
                yield f"document {key}: {code} was told {value}, not {paper.worth}"


def _keyed(counters: Mapping[str, Mapping[tuple[str, ...], int]]) -> dict[tuple[str, ...], int]:
    return {(code, *key): count for code, counter in counters.items() for key, count in counter.items()}


def _by_document(counters: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, ...], int]:
    return {(code, key): count for code, counter in counters.items() for key, count in counter.items()}
