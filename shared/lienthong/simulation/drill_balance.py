"""The balance sheet of a drill: what robots know held against what the ledger says, both ways; neither is believed.

Everything here is a pure comparison. `LedgerSide.read` is the only look at the ledger, through its reader's role.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

from lienthong.document.life_cycle import STATUS_CODES
from lienthong.document.verdicts import Value
from lienthong.edxml import BusinessType
from lienthong.simulation.journal import compare

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from uuid import UUID

    from lienthong.ledger.reports import Reports
    from lienthong.simulation.journal import Journal

__all__ = ["Differences", "LedgerSide", "Sheet", "balance_sheet"]

Key = tuple[str, ...]

APPLIED = "applied"
ASKS_BACK = "13"
AGREES = "15"


@dataclass(frozen=True, slots=True)
class LedgerSide:
    """What the ledger says.

    Attributes:
        outcomes: of every document, by sender and document id: ``delivered``, ``refused``, ``withdrawn``, ``waiting``.
        digests: its SHA-256.
        deliveries: how often each is recorded, by addressee, sender and document id.
        statuses: how often each is recorded as applied, by the agency it is for, document id, reporter and code.
        not_applied: statuses recorded with another outcome, in words.
        refused: how often a document was refused, by sender and document id.
        entries: where facts and their history differ, in words.
        dead_letters: what was given up, in words.
    """

    outcomes: Mapping[Key, str]
    digests: Mapping[Key, str]
    deliveries: Counter[Key]
    statuses: Counter[Key]
    not_applied: tuple[str, ...]
    refused: Counter[Key]
    entries: tuple[str, ...]
    dead_letters: tuple[str, ...]

    @classmethod
    async def read(cls, reports: Reports) -> LedgerSide:
        """Read it; raises `Unavailable` when the ledger does not answer."""
        documents = await reports.outcomes()
        names: dict[UUID, tuple[str, str]] = {row["document"]: (row["sender"], row["document_id"]) for row in documents}
        statuses = [
            (row["outcome"], (_told(row["code"], sender, row["addressee"]), document_id, row["reporter"], row["code"]))
            for row in await reports.statuses()
            for sender, document_id in (names[row["document"]],)
        ]
        return cls(
            outcomes={names[row["document"]]: row["outcome"] for row in documents},
            digests={names[row["document"]]: row["sha256"] for row in documents},
            deliveries=Counter((row["addressee"], *names[row["document"]]) for row in await reports.deliveries()),
            statuses=Counter(key for outcome, key in statuses if outcome == APPLIED),
            not_applied=tuple(f"status {key} {outcome}" for outcome, key in statuses if outcome == "illegal"),
            refused=Counter(
                (row["user_name"], row["document_id"] or row["message_id"])
                for row in await reports.refusals()
                if row["about"] == "document"
            ),
            entries=tuple(
                f"{row['kind']} {row['key']}: facts {row['facts']}, entries {row['entries']}"
                for row in await reports.entry_differences()
            ),
            dead_letters=tuple(f"{one.step} {one.message_id}: {one.reason}" for one in await reports.dead_letters()),
        )


@dataclass(frozen=True, slots=True)
class Differences:
    """Everything that does not add up, in words; empty when the drill is passed.

    Attributes:
        lost: what one side sent, reported or recorded and the other never got.
        twice: what an agency handled, or the ledger recorded, more than once.
        gaps: what happened and is not in the ledger, and facts and history that differ.
        strange: what is there although nobody sent it.
        altered: documents with other bytes at one end than at the other, or in the ledger.
        misjudged: documents whose sender or receiver was told another value than they were sent with.
        stuck: documents without an outcome, statuses not applied, and what was given up.
    """

    lost: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    misjudged: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()

    def named(self) -> dict[str, tuple[str, ...]]:
        """Return them by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Sheet:
    """The balance sheet.

    Attributes:
        submitted: documents that robots submitted and the broker confirmed.
        unconfirmed: documents whose submission was not confirmed by the end: either outcome is right.
        delivered: of those submitted, by the ledger: in every receiver's queue.
        refused: likewise: refused, and the sender told so.
        withdrawn: likewise: taken back from every receiver.
        waiting: likewise: recorded, and nothing of that yet.
        due: deliveries that the submitted documents make.
        got: deliveries that agencies handled.
        recorded: deliveries in the ledger.
        reported: statuses that agencies reported and the broker confirmed.
        heard: statuses that senders were told.
        applied: statuses in the ledger.
        differences: what does not add up.
    """

    submitted: int
    unconfirmed: int
    delivered: int
    refused: int
    withdrawn: int
    waiting: int
    due: int
    got: int
    recorded: int
    reported: int
    heard: int
    applied: int
    differences: Differences

    @property
    def even(self) -> bool:
        """Whether everything adds up."""
        return not any(astuple(self.differences)) and self.submitted == (
            self.delivered + self.refused + self.withdrawn + self.waiting
        )


def balance_sheet(journals: Mapping[str, Journal], ledger: LedgerSide, unconfirmed: Collection[Key]) -> Sheet:
    """Hold robots against robots, robots against the ledger, and the ledger against itself.

    Args:
        journals: of all robots, by agency code.
        ledger: what the ledger says.
        unconfirmed: documents (sender, document id) that robots tried to submit without being told that they had.
    """
    sent = {(code, name): paper for code, journal in journals.items() for name, paper in journal.sent.items()}
    due = {
        (addressee, *key)
        for key, paper in sent.items()
        if paper.worth is not Value.REFUSED
        for addressee in paper.addressees
    }
    got = _summed({code: journal.got for code, journal in journals.items()})
    reported: set[Key] = {
        (sender, document_id, code, status)
        for code, journal in journals.items()
        for sender, document_id, status in journal.reported
    }
    heard = _summed({code: journal.heard for code, journal in journals.items()})
    outcomes = Counter(
        "refused" if key not in ledger.outcomes and ledger.refused[key] else ledger.outcomes.get(key) for key in sent
    )
    return Sheet(
        submitted=len(sent),
        unconfirmed=len(unconfirmed),
        delivered=outcomes["delivered"],
        refused=outcomes["refused"],
        withdrawn=outcomes["withdrawn"],
        waiting=outcomes["waiting"],
        due=len(due),
        got=got.total(),
        recorded=ledger.deliveries.total(),
        reported=len(reported),
        heard=heard.total(),
        applied=ledger.statuses.total(),
        differences=_differences(journals, ledger, set(unconfirmed), got, reported, heard),
    )


def _differences(
    journals: Mapping[str, Journal],
    ledger: LedgerSide,
    unconfirmed: set[Key],
    got: Counter[Key],
    reported: set[Key],
    heard: Counter[Key],
) -> Differences:
    between = compare(journals)
    sent = {(code, name): paper for code, journal in journals.items() for name, paper in journal.sent.items()}
    known = ledger.outcomes.keys() | ledger.refused.keys()
    refused = {key for key, paper in sent.items() if paper.worth is Value.REFUSED}
    # What was not confirmed may have arrived all the same; then it makes deliveries, and those make statuses.
    ours = sent.keys() | unconfirmed
    return Differences(
        lost=(
            *between.lost,
            *(f"ledger has delivery {key}, the agency does not" for key in ledger.deliveries if key not in got),
            *(f"ledger has status {key}, the sender was not told" for key in ledger.statuses if key not in heard),
        ),
        twice=(
            *between.twice,
            *(f"ledger has delivery {key} {times} times" for key, times in ledger.deliveries.items() if times > 1),
            *(f"ledger has status {key} {times} times" for key, times in ledger.statuses.items() if times > 1),
            *(f"ledger has refusal {key} {times} times" for key, times in ledger.refused.items() if times > 1),
        ),
        gaps=(
            *(f"document {key} was confirmed, the ledger does not have it" for key in sent if key not in known),
            *(f"document {key} was to be refused, the ledger says not" for key in refused if not ledger.refused[key]),
            *(
                f"delivery {key} was handled, the ledger does not have it"
                for key in got
                if key not in ledger.deliveries
            ),
            *(f"status {key} was confirmed, the ledger does not have it" for key in reported - ledger.statuses.keys()),
            *(f"status {key} was told, the ledger does not have it" for key in heard if key not in ledger.statuses),
            *(f"history: {line}" for line in ledger.entries),
            *_taken_back(journals, ledger),
        ),
        strange=(
            *(line for line in between.strange if not _is_about(line, unconfirmed)),
            *(f"ledger has document {key}, nobody sent it" for key in known - ours),
            *(f"ledger has status {key}, nobody reported it" for key in ledger.statuses if key not in reported),
        ),
        altered=(
            *between.altered,
            *(
                f"document {key}: the ledger has other bytes"
                for key, paper in sent.items()
                if key in ledger.digests and ledger.digests[key] != paper.sha256
            ),
        ),
        misjudged=between.misjudged,
        stuck=(
            *(f"document {key} has no outcome" for key, outcome in ledger.outcomes.items() if outcome == "waiting"),
            *ledger.not_applied,
            *(f"dead letter: {line}" for line in ledger.dead_letters),
        ),
    )


def _taken_back(journals: Mapping[str, Journal], ledger: LedgerSide) -> Iterator[str]:
    """Yield the documents that were given back by all receivers, or not, and are something else in the ledger."""
    for code, journal in journals.items():
        for document_id, paper in journal.sent.items():
            asked = all((receiver, document_id, ASKS_BACK) in journal.reported for receiver in paper.addressees)
            draft = journal.begun.get(document_id)
            later = draft.followed_by if draft else None
            withdrawn = later and later.business is BusinessType.WITHDRAW and later.document_id in journal.sent
            request = later.document_id if later and withdrawn else document_id if asked else None
            agreed = request is not None and all(
                (code, request, AGREES) in journals[receiver].reported for receiver in paper.addressees
            )
            outcome = ledger.outcomes.get((code, document_id))
            if agreed and outcome != "withdrawn":
                yield f"document {(code, document_id)} was given back by every receiver, the ledger has it {outcome}"
            if outcome == "withdrawn" and not agreed:
                yield f"document {(code, document_id)} was not given back, the ledger has it withdrawn"


def _told(code: str, sender: str, addressee: str) -> str:
    """Return whom a status is for: the document's sender, or the receiver whom that one asks for it."""
    return addressee if STATUS_CODES[code].by_sender else sender


def _is_about(line: str, documents: Collection[Key]) -> bool:
    return any(f"{document!r}"[1:-1] in line for document in documents)


def _summed(counters: Mapping[str, Mapping[Key, int]]) -> Counter[Key]:
    return Counter({(code, *key): count for code, counter in counters.items() for key, count in counter.items()})
