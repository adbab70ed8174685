"""What every robot agency did and saw, kept by itself, and the comparison of all these journals.

Nothing here asks the exchange: it is the other side of the balance that the ledger is held against.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lienthong.agency import Delivered, Receipt, Refused, StatusReport

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lienthong.agency import Delivery
    from lienthong.agency.reading import Told

__all__ = ["Balance", "Counts", "Journal", "Sent", "Tally", "compare"]


@dataclass(slots=True)
class Counts:
    """How far a run is, over all journals; what comes twice counts once.

    Attributes:
        documents: confirmed submissions.
        receipts: documents the exchange said it has.
        notices: documents the exchange said it has delivered.
        deliveries: documents handed to their addressees.
        reported: confirmed statuses.
        heard: statuses that came back to the documents' senders.
        refusals: what the exchange refused.
    """

    documents: int = 0
    receipts: int = 0
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
    """A document whose submission the broker confirmed."""

    sha256: str
    addressees: tuple[str, ...]


@dataclass(slots=True)
class Journal:
    """One robot's journal.

    Attributes:
        code: the robot's agency.
        tally: counts what it notes.
        sent: its confirmed documents by their ids.
        got: how often each document was handed to it, by sender and document id.
        digests: SHA-256 of each, as it arrived.
        reported: its confirmed statuses, by sender, document id and code.
        receipts: how often the exchange said it has a document.
        delivered: how often the exchange said it has delivered one.
        heard: statuses it was told, by document id, reporter and code.
        refusals: what the exchange refused.
    """

    code: str
    tally: Tally
    sent: dict[str, Sent] = field(default_factory=dict)
    got: Counter[tuple[str, ...]] = field(default_factory=Counter)
    digests: dict[tuple[str, ...], str] = field(default_factory=dict)
    reported: Counter[tuple[str, ...]] = field(default_factory=Counter)
    receipts: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    heard: Counter[tuple[str, ...]] = field(default_factory=Counter)
    refusals: list[Refused] = field(default_factory=list)

    def note_sent(self, document_id: str, sent: Sent) -> None:
        """Note a confirmed submission."""
        self.sent[document_id] = sent
        self.tally.add("documents", 1)

    def note_got(self, delivery: Delivery) -> None:
        """Note a document that the kit handed out."""
        key = (delivery.sender, delivery.document.document_id)
        self.got[key] += 1
        self.digests[key] = delivery.sha256
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
            case Refused():
                self.refusals.append(told)
                self.tally.add("refusals", 1)
            case StatusReport():
                key = (told.document_id, told.reporter, told.code)
                self.heard[key] += 1
                self.tally.add("heard", self.heard[key])


@dataclass(frozen=True, slots=True)
class Balance:
    """What does not add up; each line names one thing.

    Attributes:
        lost: documents sent and not got, statuses reported and not heard, receipts and notices that never came.
        twice: what came more than once.
        altered: documents that arrived with other bytes.
        strange: what came although nobody sent it.
    """

    lost: tuple[str, ...]
    twice: tuple[str, ...]
    altered: tuple[str, ...]
    strange: tuple[str, ...]

    @property
    def even(self) -> bool:
        """Whether everything sent arrived once, unaltered, and nothing else did."""
        return not (self.lost or self.twice or self.altered or self.strange)


def compare(journals: Mapping[str, Journal]) -> Balance:
    """Hold what robots sent against what robots got, and what they reported against what was heard.

    Args:
        journals: all of them, by agency code; documents of and for anybody else count as strange.
    """
    deliveries: dict[tuple[str, ...], str] = {}
    submitted: set[tuple[str, ...]] = set()
    reports: set[tuple[str, ...]] = set()
    for code, journal in journals.items():
        for document_id, sent in journal.sent.items():
            submitted.add((code, document_id))
            deliveries |= {(addressee, code, document_id): sent.sha256 for addressee in sent.addressees}
        reports |= {(sender, document_id, code, status) for sender, document_id, status in journal.reported}
    sides: list[tuple[str, Collection[tuple[str, ...]], dict[tuple[str, ...], int]]] = [
        ("document", deliveries, _keyed({code: journal.got for code, journal in journals.items()})),
        ("status", reports, _keyed({code: journal.heard for code, journal in journals.items()})),
        ("receipt", submitted, _by_document({code: journal.receipts for code, journal in journals.items()})),
        ("notice", submitted, _by_document({code: journal.delivered for code, journal in journals.items()})),
    ]
    digests = {(code, *key): digest for code, journal in journals.items() for key, digest in journal.digests.items()}
    return Balance(
        lost=tuple(f"{what} {key}" for what, wanted, came in sides for key in wanted if key not in came),
        twice=tuple(f"{what} {key}" for what, _, came in sides for key, count in came.items() if count > 1),
        altered=tuple(f"document {key}" for key, digest in digests.items() if deliveries.get(key, digest) != digest),
        strange=tuple(f"{what} {key}" for what, wanted, came in sides for key in came if key not in wanted),
    )


def _keyed(counters: Mapping[str, Mapping[tuple[str, ...], int]]) -> dict[tuple[str, ...], int]:
    return {(code, *key): count for code, counter in counters.items() for key, count in counter.items()}


def _by_document(counters: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, ...], int]:
    return {(code, key): count for code, counter in counters.items() for key, count in counter.items()}
