"""What may happen to one delivery: the states, the status codes, and which step is allowed from where.

The codes are edXML's ``StatusCode``; their meaning is Decision 28/2018/QĐ-TTg, Art. 10.2h. No source gives the state
machine itself: the order here is the one the codes' names imply and real traffic shows (03 may go straight to 05
or 06; some systems never send 01).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["STATE_NAMES", "STATUS_CODES", "Office", "State", "StatusCode", "Step", "StepOutcome", "is_ahead", "step"]


class State(StrEnum):
    """Where a delivery stands."""

    DELIVERED = "delivered"
    ARRIVED = "arrived"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    ASSIGNED = "assigned"
    PROCESSING = "processing"
    FINISHED = "finished"
    WITHDRAWN = "withdrawn"


STATE_NAMES: dict[State, str] = {
    State.DELIVERED: "đã vào hàng đợi của nơi nhận",
    State.ARRIVED: "đã đến",
    State.REFUSED: "bị từ chối tiếp nhận",
    State.ACCEPTED: "đã tiếp nhận",
    State.ASSIGNED: "đã phân công",
    State.PROCESSING: "đang xử lý",
    State.FINISHED: "đã hoàn thành",
    State.WITHDRAWN: "đã thu hồi",
}
"""What a state is called in Vietnamese."""


class Office(StrEnum):
    """Whose work a status speaks of; the supervision of January 2019 counted these three apart."""

    CLERK = "clerk"
    LEADER = "leader"
    OFFICER = "officer"


@dataclass(frozen=True, slots=True)
class StatusCode:
    """One ``StatusCode`` of edXML.

    Attributes:
        code: two digits, as on the wire.
        vi: its meaning in Vietnamese.
        en: its meaning in English.
        office: which office of the receiver it speaks of; None where it is about taking back.
        by_sender: True when the document's sender reports it, not its receiver.
    """

    code: str
    vi: str
    en: str
    office: Office | None
    by_sender: bool = False


STATUS_CODES: dict[str, StatusCode] = {
    status.code: status
    for status in (
        StatusCode("01", "Đã đến, văn thư chưa xử lý", "Arrived at the clerk", Office.CLERK),
        StatusCode("02", "Từ chối tiếp nhận (trả lại)", "Refused by the receiver", Office.CLERK),
        StatusCode("03", "Đã tiếp nhận, vào sổ văn bản đến", "Accepted and registered", Office.CLERK),
        StatusCode("04", "Lãnh đạo đã phân công xử lý", "Assigned by a leader", Office.LEADER),
        StatusCode("05", "Chuyên viên đang xử lý", "In hand with an officer", Office.OFFICER),
        StatusCode("06", "Đã hoàn thành", "Completed", Office.OFFICER),
        StatusCode("13", "Bên gửi yêu cầu lấy lại", "Sender asks to take back", None, by_sender=True),
        StatusCode("15", "Đồng ý cập nhật hoặc lấy lại", "Receiver agrees to the update or take-back", None),
        StatusCode("16", "Từ chối cập nhật hoặc lấy lại", "Receiver refuses the update or take-back", None),
    )
}


class StepOutcome(StrEnum):
    """What became of a reported status."""

    APPLIED = "applied"
    REPEATED = "repeated"
    ILLEGAL = "illegal"


@dataclass(frozen=True, slots=True)
class Step:
    """The answer of the life-cycle table to one reported status.

    Attributes:
        outcome: applied, repeated (it says what is already so) or illegal.
        state: the delivery's state afterwards.
        take_back: whether an unanswered request of the sender to take back is pending afterwards.
    """

    outcome: StepOutcome
    state: State
    take_back: bool


_TARGET = {
    "01": State.ARRIVED,
    "02": State.REFUSED,
    "03": State.ACCEPTED,
    "04": State.ASSIGNED,
    "05": State.PROCESSING,
    "06": State.FINISHED,
}
_ALLOWED: dict[State, frozenset[str]] = {
    State.DELIVERED: frozenset({"01", "02", "03"}),
    State.ARRIVED: frozenset({"02", "03"}),
    State.ACCEPTED: frozenset({"04", "05", "06"}),
    State.ASSIGNED: frozenset({"05", "06"}),
    State.PROCESSING: frozenset({"06"}),
    State.FINISHED: frozenset(),
    State.REFUSED: frozenset(),
    State.WITHDRAWN: frozenset(),
}
_OVER = frozenset({State.REFUSED, State.WITHDRAWN})
_WAY = (State.DELIVERED, State.ARRIVED, State.ACCEPTED, State.ASSIGNED, State.PROCESSING, State.FINISHED)
_BEFORE: dict[State, frozenset[str]] = {
    **{
        state: frozenset(code for code, to in _TARGET.items() if to in _WAY[:place]) for place, state in enumerate(_WAY)
    },
    State.REFUSED: frozenset({"01"}),
    State.WITHDRAWN: frozenset(_TARGET),
}
"""What may have been reported before a state was reached."""


def is_ahead(state: State, code: str) -> bool:
    """Tell whether a status speaks of a step that comes later than the next one: what lies between may still come."""
    if state not in _WAY or _TARGET.get(code) not in _WAY:
        return False
    return code not in _ALLOWED[state] and _WAY.index(_TARGET[code]) > _WAY.index(state)


def step(state: State, code: str, *, take_back: bool, answers_request: bool = False, overtaken: bool = False) -> Step:
    """Return what one reported status does to a delivery.

    Args:
        state: where the delivery stands.
        code: the reported ``StatusCode``; one of `STATUS_CODES`.
        take_back: whether the sender's request to take the document back is pending.
        answers_request: whether the document itself is a withdrawal or an update, which 15 and 16 answer.
        overtaken: whether it was reported before the status that led to `state`, and only came later: then a step
            that lies before it is applied as well, and the state stays.
    """
    unchanged = Step(StepOutcome.ILLEGAL, state, take_back)
    match code:
        case "13":
            if state in _OVER:
                return unchanged
            return Step(StepOutcome.REPEATED if take_back else StepOutcome.APPLIED, state, take_back=True)
        case "15" if take_back:
            return Step(StepOutcome.APPLIED, State.WITHDRAWN, take_back=False)
        case "16" if take_back:
            return Step(StepOutcome.APPLIED, state, take_back=False)
        case "15" | "16":
            allowed = answers_request and state in (State.DELIVERED, State.ARRIVED)
            return Step(StepOutcome.APPLIED, State.FINISHED, take_back=False) if allowed else unchanged
    if code in _ALLOWED[state]:
        return Step(StepOutcome.APPLIED, _TARGET[code], take_back)
    if _TARGET[code] is state:
        return Step(StepOutcome.REPEATED, state, take_back)
    if overtaken and code in _BEFORE[state]:
        return Step(StepOutcome.APPLIED, state, take_back)
    return unchanged
