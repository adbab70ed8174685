"""The life-cycle table."""

from __future__ import annotations

import itertools

import pytest

from lienthong.document.life_cycle import STATE_NAMES, STATUS_CODES, State, StepOutcome, is_ahead, step


def test_the_natural_way() -> None:
    """Clerk, leader and officer report one after the other, each step applied."""
    state = State.DELIVERED
    for code in ("01", "03", "04", "05", "06"):
        result = step(state, code, take_back=False)
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
    assert step(state, code, take_back=False).outcome is StepOutcome.APPLIED


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
    result = step(state, code, take_back=False)
    assert (result.outcome, result.state, result.take_back) == (StepOutcome.ILLEGAL, state, False)


@pytest.mark.parametrize(
    ("state", "code"),
    [(State.FINISHED, "01"), (State.PROCESSING, "04"), (State.REFUSED, "01"), (State.WITHDRAWN, "05")],
)
def test_an_overtaken_step_is_applied_and_leaves_the_state(state: State, code: str) -> None:
    """What was reported before the standing status and came after it is no error of the reporter."""
    assert step(state, code, take_back=False).outcome is StepOutcome.ILLEGAL
    result = step(state, code, take_back=False, overtaken=True)
    assert (result.outcome, result.state) == (StepOutcome.APPLIED, state)


def test_no_step_after_the_standing_one_can_have_been_overtaken() -> None:
    """A step the delivery has not come to is illegal whenever it was reported."""
    assert step(State.ARRIVED, "06", take_back=False, overtaken=True).outcome is StepOutcome.ILLEGAL
    assert step(State.REFUSED, "03", take_back=False, overtaken=True).outcome is StepOutcome.ILLEGAL


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
    assert step(State.ARRIVED, "01", take_back=False).outcome is StepOutcome.REPEATED


def test_taking_back_needs_both_sides() -> None:
    """13 by the sender changes no state until the receiver agrees with 15; 16 leaves the document where it was."""
    asked = step(State.ASSIGNED, "13", take_back=False)
    assert (asked.outcome, asked.state, asked.take_back) == (StepOutcome.APPLIED, State.ASSIGNED, True)
    agreed = step(State.ASSIGNED, "15", take_back=True)
    assert (agreed.outcome, agreed.state, agreed.take_back) == (StepOutcome.APPLIED, State.WITHDRAWN, False)
    declined = step(State.ASSIGNED, "16", take_back=True)
    assert (declined.outcome, declined.state, declined.take_back) == (StepOutcome.APPLIED, State.ASSIGNED, False)


def test_a_withdrawal_message_is_answered_by_15_or_16() -> None:
    """A document that is itself a request needs no 13 before its answer."""
    assert step(State.DELIVERED, "15", take_back=False, answers_request=True).outcome is StepOutcome.APPLIED
    assert step(State.ARRIVED, "16", take_back=False, answers_request=True).outcome is StepOutcome.APPLIED


def test_every_combination_has_an_answer() -> None:
    """No state, code or flag raises, an applied step is never illegal twice, and only applied steps change anything."""
    flags = (True, False)
    for state, code, take_back, request, late in itertools.product(State, STATUS_CODES, flags, flags, flags):
        result = step(state, code, take_back=take_back, answers_request=request, overtaken=late)
        if result.outcome is not StepOutcome.APPLIED:
            assert (result.state, result.take_back) == (state, take_back)


def test_every_state_has_a_name() -> None:
    """Refusals name the state in Vietnamese."""
    assert set(STATE_NAMES) == set(State)
