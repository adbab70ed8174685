"""The rules of the law about time, by Vietnam's calendar, and who holds the ball."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from lienthong.document.deadline_words import CLOCK_WORDS, HOLDER_WORDS, deadline_words
from lienthong.document.deadlines import (
    HOLDERS,
    Clock,
    Dating,
    Holder,
    Level,
    Rules,
    Term,
    holder,
    next_look,
)
from lienthong.document.life_cycle import TABLE, Pending, Role, State
from lienthong.document.working_days import WorkingDays
from lienthong.document.zone import VIETNAM

AT_ONCE = timedelta(minutes=30)


def at(text: str) -> datetime:
    """Return a moment in Vietnam."""
    return datetime.fromisoformat(text).replace(tzinfo=VIETNAM).astimezone(UTC)


def rules(**decided: bool) -> Rules:
    """Return the rules, with days decided as `d2027_03_06=True`."""
    days = {date.fromisoformat(name[1:].replace("_", "-")): working for name, working in decided.items()}
    return Rules(WorkingDays(days), AT_ONCE)


def terms(delivered: str, *, urgent: bool = False, due_on: str | None = None, **decided: bool) -> dict[Clock, Term]:
    """Return the clocks of a document that was delivered then."""
    found = rules(**decided).terms(
        at(delivered), role=Role.DOCUMENT, urgent=urgent, due_on=date.fromisoformat(due_on) if due_on else None
    )
    return {term.clock: term for term in found}


@pytest.mark.parametrize(
    ("signed_on", "received", "expected", "due"),
    [
        # A Wednesday, and the morning after it.
        ("2027-03-03", "2027-03-03 23:59", Dating.IN_TIME, "2027-03-04 12:00"),
        ("2027-03-03", "2027-03-04 11:59:59", Dating.IN_TIME, "2027-03-04 12:00"),
        ("2027-03-03", "2027-03-04 12:00", Dating.LATE, "2027-03-04 12:00"),
        # A Friday: the weekend does not count.
        ("2027-03-05", "2027-03-08 11:59", Dating.IN_TIME, "2027-03-08 12:00"),
        ("2027-03-05", "2027-03-08 12:00", Dating.LATE, "2027-03-08 12:00"),
        # The last working day before Tết Đinh Mùi, whose days off go from 4 to 10 February 2027.
        ("2027-02-03", "2027-02-11 11:59", Dating.IN_TIME, "2027-02-11 12:00"),
        ("2027-02-03", "2027-02-11 12:00", Dating.LATE, "2027-02-11 12:00"),
        # Swapped by the Government: Monday 31 August 2026 was off, and Saturday 22 August worked for.
        ("2026-08-28", "2026-09-03 11:59", Dating.IN_TIME, "2026-09-03 12:00"),
        ("2026-08-21", "2026-08-22 12:00", Dating.LATE, "2026-08-22 12:00"),
        # Dates that cannot be that of the signing.
        ("2027-03-05", "2027-03-04 23:59", Dating.AHEAD, None),
        ("2026-03-03", "2027-03-04 08:00", Dating.LONG_AGO, None),
        ("0001-01-01", "2027-03-04 08:00", Dating.LONG_AGO, None),
        ("9999-12-31", "2027-03-04 08:00", Dating.AHEAD, None),
        (None, "2027-03-04 08:00", Dating.UNDATED, None),
    ],
)
def test_sending(signed_on: str | None, received: str, expected: Dating, due: str | None) -> None:
    """What is signed is sent on the day, or by noon of the next working day (Decision 28/2018, Art. 6.2)."""
    found = rules().sending(date.fromisoformat(signed_on) if signed_on else None, at(received), urgent=False)
    assert (found.dating, found.due_at) == (expected, at(due) if due else None)


def test_an_urgent_document_is_sent_at_once() -> None:
    """The exchange knows the day of its signing, so it is late so many minutes after that has ended; any day counts."""
    saturday = date(2027, 3, 6)
    assert rules().sending(saturday, at("2027-03-07 00:29"), urgent=True).dating is Dating.IN_TIME
    assert rules().sending(saturday, at("2027-03-07 00:30"), urgent=True).dating is Dating.LATE


def test_an_operator_swaps_days() -> None:
    """What an operator decides counts before the library: a Monday off, the Saturday before it worked."""
    days = {"d2027_03_08": False, "d2027_03_13": True}
    friday, next_friday = date(2027, 3, 5), date(2027, 3, 12)
    received = at("2027-03-09 08:00")
    assert rules(**days).sending(friday, received, urgent=False).due_at == at("2027-03-09 12:00")
    assert rules(**days).sending(next_friday, at("2027-03-13 08:00"), urgent=False).due_at == at("2027-03-13 12:00")
    calendar = WorkingDays({date(2027, 3, 8): False})
    assert not calendar.is_working(date(2027, 3, 8))
    calendar.decide({})
    assert calendar.is_working(date(2027, 3, 8)), "what was known by the decision before is forgotten"


@pytest.mark.parametrize(
    ("delivered", "receipt", "transfer"),
    [
        ("2027-03-03 08:00", "2027-03-04", "2027-03-05"),
        ("2027-03-05 23:59", "2027-03-06", "2027-03-09"),
        ("2027-03-06 10:00", "2027-03-09", "2027-03-09"),
        ("2027-02-03 16:00", "2027-02-04", "2027-02-12"),
        ("2027-02-06 00:00", "2027-02-12", "2027-02-12"),
    ],
)
def test_receipt_and_transfer(delivered: str, receipt: str, transfer: str) -> None:
    """Received the same day, handed on by the next working day; a day off as the last is not counted."""
    found = terms(delivered)
    assert [found[clock].due_at for clock in (Clock.RECEIPT, Clock.TRANSFER)] == [at(receipt), at(transfer)]
    assert Clock.FINISH not in found


def test_urgent_means_at_once_whatever_the_day() -> None:
    """Both clocks of an urgent document take as many minutes as the setting says, on a Sunday in Tết as well."""
    found = terms("2027-02-07 03:00", urgent=True)
    assert {term.due_at for term in found.values()} == {at("2027-02-07 03:30")}
    assert found[Clock.RECEIPT].most_at == at("2027-02-07 03:24")


def test_the_due_date() -> None:
    """It is due by the end of its date, or of the next working day; impossible dates start no clock."""
    assert terms("2027-03-01 08:00", due_on="2027-03-04")[Clock.FINISH].due_at == at("2027-03-05")
    assert terms("2027-03-01 08:00", due_on="2027-03-06")[Clock.FINISH].due_at == at("2027-03-09")
    assert terms("2027-03-01 08:00", due_on="2027-03-01")[Clock.FINISH].due_at == at("2027-03-02")
    for impossible in ("2027-02-28", "0001-01-01", "9999-12-31", "2035-01-01"):
        assert Clock.FINISH not in terms("2027-03-01 08:00", due_on=impossible)


def test_a_request_has_only_to_be_received() -> None:
    """Of a withdrawal or update the law demands no more than of mail; the answer is the receiver's to decide."""
    found = rules().terms(at("2027-03-03 08:00"), role=Role.WITHDRAW, urgent=False, due_on=date(2027, 3, 9))
    assert [term.clock for term in found] == [Clock.RECEIPT]


def test_warnings_come_in_working_time() -> None:
    """Half and 80 % of the time are counted without days off: nobody is warned on a Sunday of what is due on Monday."""
    term = terms("2027-03-05 12:00")[Clock.TRANSFER]
    assert (term.half_at, term.most_at) == (at("2027-03-08 06:00"), at("2027-03-08 16:48"))
    tet = terms("2027-02-03 12:00", due_on="2027-02-11")[Clock.FINISH]
    assert (tet.half_at, tet.most_at) == (at("2027-02-11 06:00"), at("2027-02-11 16:48"))


def test_only_the_furthest_is_told() -> None:
    """A breach makes warnings superfluous; what was done in time is not told of, what was done late is."""
    term = terms("2027-03-03 08:00")[Clock.RECEIPT]
    moments = {"15:59": None, "16:00": Level.HALF, "20:47": Level.HALF, "20:48": Level.MOST, "23:59": Level.MOST}
    for time, expected in moments.items():
        assert term.level(at(f"2027-03-03 {time}"), None) is expected, time
    midnight, later = at("2027-03-04"), at("2027-03-09")
    assert term.level(midnight, None) is Level.BREACH
    assert term.level(later, midnight - timedelta(seconds=1)) is None
    assert term.level(later, midnight) is Level.BREACH
    looks = [term.next_at(at(f"2027-03-03 {time}")) for time in ("08:00", "16:00", "20:48")]
    assert [*looks, term.next_at(midnight)] == [term.half_at, term.most_at, term.due_at, None]
    assert next_look([term], {Clock.RECEIPT: midnight}, at("2027-03-03 08:00")) is None


def test_somebody_holds_the_ball_in_every_open_state() -> None:
    """Every state says who acts next, and whoever that is has an event there; what was asked lies with the clerk."""
    assert set(HOLDERS) == set(State)
    for state, who in HOLDERS.items():
        actors = {row.event for row in TABLE if row.state is state}
        if who in (Holder.CLERK, Holder.LEADER, Holder.OFFICER, Holder.EXCHANGE):
            assert actors, state
    assert holder(State.PROCESSING) is Holder.OFFICER
    assert holder(State.PROCESSING, Pending.TAKE_BACK) is Holder.CLERK
    assert holder(State.REFUSED) is Holder.SENDER


def test_every_clock_and_level_has_words() -> None:
    """What is told says who, what, by when and by which rule, in both languages."""
    assert set(CLOCK_WORDS) == set(Clock)
    assert set(HOLDER_WORDS) == set(Holder)
    due = at("2027-03-04 12:00")
    said = {
        deadline_words(clock, level, "H23", due, met)
        for clock in Clock
        for level in Level
        for met in (None, due)
        if level is not Level.AHEAD
    }
    assert len(said) == len(Clock) * 4
    for vi, en in said:
        assert all("H23" in text and "04/03/2027 12:00" in text for text in (vi, en))
    assert "H23" in deadline_words(Clock.SENDING, Level.AHEAD, "H23", None, None)[0]
