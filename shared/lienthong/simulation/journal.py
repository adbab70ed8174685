"""What every robot agency did and saw, kept by itself, and the comparison of all these journals.

Nothing here asks the exchange: it is the other side of the balance that the ledger is held against.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lienthong.agency import Delivered, Receipt, Refused, StatusReport, Verified
from lienthong.document.verdicts import Value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from lienthong.agency import Delivery
    from lienthong.agency.reading import Told

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
    """

    documents: int = 0
    receipts: int = 0
    verified: int = 0
    notices: int = 0
    deliveries: int = 0
    reported: int = 0
    heard: int = 0
    refusals: int = 0


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
    """

    sha256: str
    addressees: tuple[str, ...]
    worth: Value = Value.PAPER


@dataclass(slots=True)
class Journal:
    """One robot's journal.

    Attributes:
        code: the robot's agency.
        tally: counts what it notes.
        sent: its confirmed documents by their ids.
        got: how often each document was handed to it, by sender and document id.
        digests: SHA-256 of each, as it arrived.
        values: what the exchange said each is worth, as it arrived.
        reported: its confirmed statuses, by sender, document id and code.
        receipts: how often the exchange said it has a document.
        verified: how often the exchange said what it found about one, by document id and number of the judgement.
        findings: the last of these notices that is not about a document being held, by document id.
        delivered: how often the exchange said it has delivered one.
        heard: statuses it was told, by document id, reporter and code.
        refusals: how often the exchange refused something, by what it is about, document id and codes of the problems.
    """

    code: str
    tally: Tally
    sent: dict[str, Sent] = field(default_factory=dict)
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

    def note_sent(self, document_id: str, sent: Sent) -> None:
        """Note a confirmed submission."""
        self.sent[document_id] = sent
        self.tally.add("documents", 1)

    def note_got(self, delivery: Delivery) -> None:
        """Note a document that the kit handed out."""
        key = (delivery.sender, delivery.document.document_id)
        self.got[key] += 1
        self.digests[key] = delivery.sha256
        self.values[key] = delivery.value
        self.tally.add("deliveries", self.got[key])

    def note_reported(self, sender: str, document_id: str, code: str) -> None:
        """Note a confirmed report."""
        self.reported[sender, document_id, code] += 1
        self.tally.add("reported", self.reported[sender, document_id, code])

    def note_told(self, told: Told) -> None:
        """Note what the exchange or a receiver told."""
        match told:
            case Receipt():
                self.receipts[told.document_id] += 1
                self.tally.add("receipts", self.receipts[told.document_id])
            case Delivered():
                self.delivered[told.document_id] += 1
                self.tally.add("notices", self.delivered[told.document_id])
            case Verified():
                self._note_verified(told)
            case Refused():
                codes = sorted({problem.code for problem in told.problems})
                key = (told.about, told.document_id or told.submission_message_id, *codes)
                self.refusals[key] += 1
                self.tally.add("refusals", self.refusals[key])
            case StatusReport():
                key = (told.document_id, told.reporter, told.code)
                self.heard[key] += 1
                self.tally.add("heard", self.heard[key])

    def _note_verified(self, told: Verified) -> None:
        self.verified[told.document_id, str(told.judgement)] += 1
        known = self.findings.get(told.document_id)
        if not told.held and (known is None or known.judgement < told.judgement):
            self.findings[told.document_id] = told
            self.tally.add("verified", 1 if known is None else 2)


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
    refusals = {(key[0], "document", key[1], REFUSED_AS) for key in sent.keys() - taken.keys()}
    sides: list[tuple[str, Collection[tuple[str, ...]], dict[tuple[str, ...], int]]] = [
        ("document", deliveries, _keyed({code: journal.got for code, journal in journals.items()})),
        ("status", reports, _keyed({code: journal.heard for code, journal in journals.items()})),
        ("receipt", sent, _by_document({code: journal.receipts for code, journal in journals.items()})),
        ("finding", taken, _by_document({code: _judgements(journal) for code, journal in journals.items()})),
        ("notice", taken, _by_document({code: journal.delivered for code, journal in journals.items()})),
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
