"""The life-cycle table."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lienthong.document.life_cycle import (
    ACTORS,
    RECORDED_STATES,
    TABLE,
    Actor,
    Event,
    Grade,
    Office,
    Pending,
    Role,
    State,
    StepOutcome,
    grade,
    is_ahead,
    states_of,
    step,
)
from lienthong.document.life_cycle_words import EVENT_WORDS, STATE_WORDS


def test_the_natural_way() -> None:
    """Clerk, leader and officer report one after the other, each step applied."""
    state = State.DELIVERED
    for code in ("01", "03", "04", "05", "06"):
        result = step(state, code)
        assert result.outcome is StepOutcome.APPLIED
        state = result.state
    assert state is State.FINISHED


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (State.DELIVERED, "03"),
        (State.ACCEPTED, "05"),
        (State.ACCEPTED, "06"),
        (State.ARRIVED, "02"),
        (State.DELIVERED, "02"),
    ],
)
def test_shortcuts_of_real_traffic(state: State, code: str) -> None:
    """Systems that send no 01, or go from 03 straight on, are understood."""
    assert step(state, code).outcome is StepOutcome.APPLIED


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (State.DELIVERED, "06"),
        (State.FINISHED, "01"),
        (State.REFUSED, "03"),
        (State.PROCESSING, "04"),
        (State.WITHDRAWN, "05"),
        (State.DELIVERED, "15"),
        (State.REFUSED, "13"),
    ],
)
def test_an_illegal_step_changes_nothing(state: State, code: str) -> None:
    """A step that the table does not have leaves the state as it was."""
    result = step(state, code)
    assert (result.outcome, result.state, result.pending) == (StepOutcome.ILLEGAL, state, Pending.NOTHING)


@pytest.mark.parametrize(
    ("state", "code"),
    [(State.FINISHED, "01"), (State.PROCESSING, "04"), (State.REFUSED, "01"), (State.WITHDRAWN, "05")],
)
def test_an_overtaken_step_is_applied_and_leaves_the_state(state: State, code: str) -> None:
    """What was reported before the standing status and came after it is no error of the reporter."""
    assert step(state, code).outcome is StepOutcome.ILLEGAL
    result = step(state, code, overtaken=True)
    assert (result.outcome, result.state) == (StepOutcome.APPLIED, state)


def test_no_step_after_the_standing_one_can_have_been_overtaken() -> None:
    """A step the delivery has not come to is illegal whenever it was reported."""
    assert step(State.ARRIVED, "06", overtaken=True).outcome is StepOutcome.ILLEGAL
    assert step(State.REFUSED, "03", overtaken=True).outcome is StepOutcome.ILLEGAL


@pytest.mark.parametrize(
    ("state", "code", "ahead"),
    [
        (State.DELIVERED, "04", True),
        (State.ARRIVED, "06", True),
        (State.ARRIVED, "03", False),
        (State.ACCEPTED, "06", False),
        (State.FINISHED, "04", False),
        (State.REFUSED, "04", False),
        (State.ACCEPTED, "02", False),
        (State.ARRIVED, "15", False),
    ],
)
def test_a_step_is_ahead_when_others_may_come_between(state: State, code: str, ahead: bool) -> None:
    """Only what a missing step would make legal is ahead."""
    assert is_ahead(state, code) is ahead


def test_a_repeated_status_is_no_error() -> None:
    """Saying what is already so is recorded as a repeat."""
    assert step(State.ARRIVED, "01").outcome is StepOutcome.REPEATED


@pytest.mark.parametrize("asked_by", [Event.TAKE_BACK, Event.WITHDRAW, Event.REMOVE])
def test_taking_back_needs_both_sides(asked_by: Event) -> None:
    """Asking changes no state until the receiver agrees with 15; 16 leaves the document where it was."""
    asked = step(State.ASSIGNED, asked_by)
    assert (asked.outcome, asked.state, asked.pending) == (StepOutcome.APPLIED, State.ASSIGNED, Pending.TAKE_BACK)
    assert step(State.ASSIGNED, asked_by, pending=asked.pending).outcome is StepOutcome.REPEATED
    agreed = step(State.ASSIGNED, "15", pending=asked.pending)
    assert (agreed.state, agreed.pending) == (State.WITHDRAWN, Pending.NOTHING)
    declined = step(State.ASSIGNED, "16", pending=asked.pending)
    assert (declined.outcome, declined.state, declined.pending) == (
        StepOutcome.APPLIED,
        State.ASSIGNED,
        Pending.NOTHING,
    )


def test_an_update_is_answered_and_work_goes_on() -> None:
    """15 and 16 end what was asked; the document stays where it is, and nobody updates what is being taken back."""
    asked = step(State.PROCESSING, Event.UPDATE)
    for answer in ("15", "16"):
        done = step(State.PROCESSING, answer, pending=asked.pending)
        assert (done.outcome, done.state, done.pending) == (StepOutcome.APPLIED, State.PROCESSING, Pending.NOTHING)
    assert step(State.PROCESSING, Event.UPDATE, pending=Pending.TAKE_BACK).outcome is StepOutcome.ILLEGAL


@pytest.mark.parametrize("event", [Event.WITHDRAW, Event.UPDATE, Event.REMOVE, Event.REPLACE, Event.TAKE_BACK])
def test_what_was_withdrawn_is_frozen(event: Event) -> None:
    """The sender can do nothing more with it at that receiver (Decree 30/2020/NĐ-CP, Annex VI)."""
    assert step(State.WITHDRAWN, event).outcome is StepOutcome.ILLEGAL


@pytest.mark.parametrize("role", [Role.WITHDRAW, Role.UPDATE])
def test_a_request_is_answered_once(role: Role) -> None:
    """15 and 16 end it; saying the same again is a repeat, the contrary illegal."""
    for answer, contrary in (("15", "16"), ("16", "15")):
        done = step(State.ARRIVED, answer, role=role)
        assert done.outcome is StepOutcome.APPLIED
        assert step(done.state, answer, role=role).outcome is StepOutcome.REPEATED
        assert step(done.state, contrary, role=role).outcome is StepOutcome.ILLEGAL
    assert step(State.DELIVERED, "03", role=Role.UPDATE).state is State.AGREED
    assert step(State.DELIVERED, "03", role=Role.WITHDRAW).outcome is StepOutcome.ILLEGAL


def test_the_strict_profile_skips_nothing() -> None:
    """Real traffic goes from 03 to 06; strictly each step comes in its turn, and what was left out is named."""
    assert step(State.ACCEPTED, "06").skipped == ("04", "05")
    assert step(State.ACCEPTED, "06", strict=True).outcome is StepOutcome.ILLEGAL
    assert step(State.ACCEPTED, "04", strict=True).outcome is StepOutcome.APPLIED
    assert is_ahead(State.ACCEPTED, "06", strict=True)
    assert not is_ahead(State.ACCEPTED, "06")
    assert not is_ahead(State.ACCEPTED, "04", strict=True)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((), Grade(frozenset(), ())),
        (("01",), Grade(frozenset({Office.CLERK}), ())),
        (("03", "06"), Grade(frozenset({Office.CLERK, Office.OFFICER}), ("01", "04", "05"))),
        (("01", "02"), Grade(frozenset({Office.CLERK}), ())),
        (("01", "03", "04", "05", "06", "15"), Grade(frozenset(Office), ())),
    ],
)
def test_feedback_is_graded(codes: tuple[str, ...], expected: Grade) -> None:
    """The grade says whose work was told of, and what was left out before the furthest step."""
    assert grade(codes) == expected


def test_every_combination_has_an_answer() -> None:
    """No state, event or flag raises, and only applied steps change anything."""
    for role, event, pending, late in itertools.product(Role, Event, Pending, (True, False)):
        for state in states_of(role):
            result = step(state, event, pending=pending, role=role, overtaken=late)
            if result.outcome is not StepOutcome.APPLIED:
                assert (result.state, result.pending) == (state, pending)


def test_the_table_has_one_answer_each_and_words_for_all() -> None:
    """No row contradicts another, every state can be reached, and everything is called something."""
    assert len({(row.role, row.state, row.pending, row.event) for row in TABLE}) == len(TABLE)
    assert {row.to_state for row in TABLE} | {State.RECEIVED} == set(State)
    assert set(STATE_WORDS) == set(State)
    assert set(EVENT_WORDS) == set(ACTORS) == set(Event)


class Life(RuleBasedStateMachine):
    """One document at one receiver, and the requests about it, under any sequence of events by anybody."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.pending = State.DELIVERED, Pending.NOTHING
        self.requests: list[tuple[Role, State]] = []
        self.ended: State | None = None

    @rule(event=st.sampled_from(sorted(Event)), overtaken=st.booleans(), times=st.integers(1, 2))
    def happen(self, event: Event, overtaken: bool, times: int) -> None:
        """Let something happen, perhaps twice, as a redelivery does."""
        late = overtaken and ACTORS[event] is Actor.RECEIVER
        for _ in range(times):
            self._once(event, late)

    def _once(self, event: Event, overtaken: bool) -> None:
        before, done = self.pending, step(self.state, event, pending=self.pending, overtaken=overtaken)
        if done.outcome is StepOutcome.APPLIED:
            changed = before is not done.pending or event is Event.UPDATE
            if self.requests and before is not Pending.NOTHING and changed:
                role, state = self.requests.pop()
                answer = event if event in ("15", "16") else Event.LAPSE
                self.requests.append((role, step(state, answer, role=role).state))
            if event in (Event.WITHDRAW, Event.REMOVE, Event.UPDATE):
                role = Role.UPDATE if event is Event.UPDATE else Role.WITHDRAW
                self.requests.append((role, State.DELIVERED))
            elif done.pending is Pending.TAKE_BACK and before is not Pending.TAKE_BACK:
                self.requests.append((Role.WITHDRAW, State.DELIVERED))
        else:
            assert (done.state, done.pending) == (self.state, self.pending)
        self.state, self.pending = done.state, done.pending

    @invariant()
    def what_ended_stays_so(self) -> None:
        """A withdrawn or replaced document never comes back."""
        if self.ended is not None:
            assert self.state is self.ended
        if self.state in (State.WITHDRAWN, State.REPLACED):
            self.ended = self.state

    @invariant()
    def one_request_is_open_exactly_when_one_is_pending(self) -> None:
        """The receiver has one question to answer or none, and both sides know which."""
        waiting = [role for role, state in self.requests if state in (State.DELIVERED, State.ARRIVED)]
        expected = {Pending.NOTHING: [], Pending.UPDATE: [Role.UPDATE], Pending.TAKE_BACK: [Role.WITHDRAW]}
        assert waiting == expected[self.pending]

    @invariant()
    def it_stands_where_the_ledger_lets_it(self) -> None:
        """No event leads to a state that the ledger refuses, and nothing is asked for of what has ended."""
        assert self.state in RECORDED_STATES
        if self.state in (State.REFUSED, State.WITHDRAWN, State.REPLACED):
            assert self.pending is Pending.NOTHING


TestLife = Life.TestCase
