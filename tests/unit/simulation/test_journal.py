"""The journals of robots and their comparison."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from lienthong.agency import Deadline, Delivered, Delivery, Receipt, Refused, StatusReport, Verified
from lienthong.document.deadlines import Clock, Holder, Level
from lienthong.document.messages import Addressee, Found, ProblemModel
from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import Document, Organization, ResponseFor, Status
from lienthong.simulation.journal import Journal, Sent, Tally, compare

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime.now(UTC)


def delivery(sender: str, document_id: str, sha256: str, value: Value = Value.PAPER) -> Delivery:
    """Make what the kit hands to a robot."""

    async def settle(_: Delivery) -> None:
        await asyncio.sleep(0)

    document = Document(Organization(sender), (Organization("G22"),), document_id)
    return Delivery(
        document,
        b"",
        sender,
        "m",
        uuid4(),
        sha256,
        urgent=False,
        received_at=NOW,
        test=False,
        verdict=None,
        value=value,
        found_vi=None,
        found_en=None,
        asks=None,
        _settle=settle,
    )


def receipt(document_id: str) -> Receipt:
    """Make the exchange's receipt."""
    return Receipt(submission_message_id="m", document=uuid4(), document_id=document_id, sha256="d", received_at=NOW)


def verified(document_id: str, value: Value = Value.PAPER, judgement: int = 1, *, held: bool = False) -> Verified:
    """Make the exchange's notice of what it found."""
    found = Found(verdict=Verdict.VALID, value=value, vi="Có giá trị", en="Worth something")
    return Verified(
        document=uuid4(), document_id=document_id, found=found, held=held, judgement=judgement, judged_at=NOW
    )


def refused(document_id: str, code: str = "CheckSignature") -> Refused:
    """Make the exchange's refusal."""
    problem = ProblemModel(code=code, path="", vi="Sai", en="Wrong", province_code=22)
    return Refused(
        about="document", submission_message_id="m", document_id=document_id, problems=(problem,), refused_at=NOW
    )


def delivered(document_id: str) -> Delivered:
    """Make the exchange's notice of delivery."""
    to = Addressee(code="G22", agency="G22", carrier="G22")
    return Delivered(document=uuid4(), document_id=document_id, addressees=(to,), delivered_at=NOW)


def report(document_id: str, reporter: str, code: str) -> StatusReport:
    """Make a status that comes back to a sender."""
    status = Status(Organization(reporter), ResponseFor("H23", document_id), code)
    return StatusReport(status, b"", reporter, code, "m", uuid4(), document_id, None, None, None)


def late(document_id: str, level: Level = Level.BREACH) -> Deadline:
    """Make the exchange's notice that a document was sent late."""
    return Deadline(
        document=uuid4(),
        sender="H23",
        document_id=document_id,
        agency="H23",
        clock=Clock.SENDING,
        level=level,
        holder=Holder.SENDER,
        vi="Gửi muộn",
        en="Sent late",
        noted_at=NOW,
    )


def balanced() -> dict[str, Journal]:
    """Make the journals of one document that H23 sent to G22 and G22 registered, and of one that was refused."""
    tally = Tally()
    journals = {code: Journal(code, tally) for code in ("H23", "G22")}
    journals["H23"].note_sent("d1", Sent("digest", ("G22",), late=True))
    journals["H23"].note_told(receipt("d1"))
    journals["H23"].note_told(late("d1"))
    journals["H23"].note_told(late("d0", Level.AHEAD))
    journals["H23"].note_told(verified("d1"))
    journals["H23"].note_told(delivered("d1"))
    journals["G22"].note_got(delivery("H23", "d1", "digest"))
    journals["G22"].note_kept()
    journals["G22"].note_reported("H23", "d1", "01")
    journals["H23"].note_told(report("d1", "G22", "01"))
    journals["H23"].note_sent("d0", Sent("other", ("G22",), Value.REFUSED))
    journals["H23"].note_told(receipt("d0"))
    journals["H23"].note_told(refused("d0"))
    return journals


def test_everything_once_is_even() -> None:
    """A run in which all that was sent arrived once balances."""
    journals = balanced()
    assert compare(journals).even
    counts = journals["H23"].tally.counts
    assert (counts.documents, counts.deliveries, counts.reported, counts.heard) == (2, 1, 1, 1)
    assert (counts.receipts, counts.verified, counts.notices, counts.refusals) == (2, 1, 1, 1)


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda journals: journals["H23"].note_sent("d2", Sent("digest", ("G22",))), "lost"),
        (lambda journals: journals["G22"].note_reported("H23", "d1", "03"), "lost"),
        (lambda journals: journals["G22"].note_got(delivery("H23", "d1", "digest")), "twice"),
        (lambda journals: journals["H23"].note_told(report("d1", "G22", "01")), "twice"),
        (lambda journals: journals["H23"].note_told(receipt("d1")), "twice"),
        (lambda journals: journals["H23"].note_told(delivered("d1")), "twice"),
        (lambda journals: journals["G22"].note_got(delivery("H23", "d9", "digest")), "strange"),
        (lambda journals: journals["H23"].note_told(late("d1")), "twice"),
        (lambda journals: journals["H23"].note_told(late("d0")), "strange"),
        (lambda journals: journals["H23"].late.clear(), "lost"),
        (lambda journals: journals["H23"].note_told(report("d1", "G22", "06")), "strange"),
        (lambda journals: journals["H23"].note_told(verified("d1")), "twice"),
        (lambda journals: journals["H23"].note_told(refused("d0")), "twice"),
        (lambda journals: journals["H23"].findings.clear(), "lost"),
        (lambda journals: journals["H23"].refusals.clear(), "lost"),
        (lambda journals: journals["H23"].note_told(refused("d1")), "strange"),
        (lambda journals: journals["H23"].note_told(refused("d0", "Permission")), "strange"),
        (lambda journals: journals["H23"].note_told(verified("d0")), "strange"),
        (lambda journals: journals["G22"].note_got(delivery("H23", "d0", "other")), "strange"),
        (lambda journals: journals["H23"].note_told(verified("d1", Value.INFORMATION, 2)), "misjudged"),
        (lambda journals: journals["G22"].values.update({("H23", "d1"): Value.INFORMATION}), "misjudged"),
        (lambda journals: journals["G22"].values.update({("H23", "d1"): None}), "misjudged"),
        (lambda journals: journals["G22"].digests.update({("H23", "d1"): "other"}), "altered"),
    ],
)
def test_every_kind_of_difference_is_found(spoil: Callable[[dict[str, Journal]], None], where: str) -> None:
    """The comparison would not call a run balanced that lost, doubled, altered or made up anything."""
    journals = balanced()
    spoil(journals)
    balance = compare(journals)
    assert not balance.even
    assert getattr(balance, where)


def test_what_was_held_counts_when_it_is_known() -> None:
    """The word that a document waits is no finding; the later one is, whichever comes first."""
    journals = balanced()
    journals["H23"].findings.clear()
    journals["H23"].verified.clear()
    journals["H23"].note_told(verified("d1", Value.INFORMATION, held=True))
    assert compare(journals).lost == ("finding ('H23', 'd1')",)
    journals["H23"].note_told(verified("d1", Value.PAPER, 3))
    journals["H23"].note_told(verified("d1", Value.INFORMATION, 2))
    assert compare(journals).even


def test_what_a_killed_robot_had_in_hand_is_not_twice() -> None:
    """Killed before it said that the document is kept, it gets it once more; the same after that is one too many."""
    journals = balanced()
    for _ in range(2):
        journals["G22"].note_got(delivery("H23", "d2", "digest"))
    assert journals["G22"].got["H23", "d2"] == 1
    journals["G22"].note_kept()
    journals["G22"].note_got(delivery("H23", "d2", "digest"))
    assert journals["G22"].got["H23", "d2"] == 2


def test_what_comes_twice_counts_once() -> None:
    """A repeat must not end the wait for something that has not come."""
    journals = balanced()
    journals["G22"].note_got(delivery("H23", "d1", "digest"))
    assert journals["G22"].tally.counts.deliveries == 1


async def test_a_tally_wakes_its_waiter_and_gives_up_in_time() -> None:
    """Whoever waits for the journals neither misses a change nor waits for ever."""
    tally = Tally()
    assert not await tally.change(0.01)
    tally.add("documents", 1)
    assert await tally.change(5)
    assert not await tally.change(0.01)
