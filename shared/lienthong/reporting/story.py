"""The story of one document, as somebody would tell it: moment by moment, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lienthong.document.deadline_words import deadline_words
from lienthong.document.deadlines import Clock, Level
from lienthong.document.life_cycle_words import STATE_WORDS
from lienthong.reporting.model import Words, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from lienthong.ledger.story import Story

__all__ = ["Moment", "moments", "state_words"]

_NOTICES = {
    "receipt": Words("đã nhận", "received"),
    "verified": Words("kết quả kiểm tra chữ ký số", "what was found about its signatures"),
    "refusal": Words("từ chối", "refused"),
    "waiting": Words("đang chờ nơi nhận lấy", "waiting for a receiver to collect"),
    "deadline": Words("thời hạn", "a deadline"),
    "delivered": Words("đã vào hàng đợi của mọi nơi nhận", "in the queue of every addressee"),
}
_ACTIONS = {
    "withdraw": Words("thu hồi", "withdrawal"),
    "update": Words("cập nhật", "update"),
    "remove": Words("bỏ nơi nhận", "removal of the receiver"),
    "add": Words("thêm nơi nhận", "addition of the receiver"),
    "replace": Words("thay thế", "replacement"),
}
_OUTCOMES = {
    "pending": Words("chờ trả lời", "waiting for the answer"),
    "agreed": Words("đồng ý", "agreed"),
    "declined": Words("không đồng ý", "declined"),
    "lapsed": Words("hết hiệu lực", "lapsed"),
    "done": Words("đã thực hiện", "done"),
    "applied": Words("đã áp dụng", "applied"),
    "repeated": Words("lặp lại", "repeated"),
    "illegal": Words("không hợp lệ, không áp dụng", "not allowed here, not applied"),
}


class Moment(NamedTuple):
    """What happened when; `digest` is the SHA-256 of what it rests on, empty where there is none."""

    at: datetime
    words: Words
    digest: str = ""


def state_words(state: str) -> Words:
    """Return what a state is called."""
    return Words(STATE_WORDS[state].vi, STATE_WORDS[state].en)


def moments(story: Story) -> list[Moment]:
    """Return everything that happened to a document, in the order of time."""
    parts = story.parts
    found = [*_arrival(story)]
    found += [_judged(one) for one in parts["judgements"]]
    found += [_refused(one) for one in parts["refusals"]]
    for one in parts["deliveries"]:
        found += _delivered(one)
    found += [_reported(one) for one in parts["statuses"]]
    for one in parts["actions"]:
        found += _acted(one)
    found += [_told(one) for one in parts["notices"]]
    found += [_due(one) for one in parts["deadlines"]]
    found += [
        Moment(
            one["found_at"],
            Words(
                f"Không xử lý được ở bước {one['step']}: {printable(one['reason'])} ({one['state']})",
                f"Could not be worked on at step {one['step']}: {printable(one['reason'])} ({one['state']})",
            ),
        )
        for one in parts["dead_letters"]
    ]
    return sorted(found, key=lambda moment: moment.at)


def _arrival(story: Story) -> Iterator[Moment]:
    sent, document = story.submission, story.document
    yield Moment(
        sent["submitted_at"],
        Words(f"{document.sender_name} gửi đi", f"{document.sender_name} submits it"),
    )
    yield Moment(
        document.received_at,
        Words(
            f"Trục ghi sổ: thông điệp {printable(sent['message_id'])} của {printable(sent['user_name'])}",
            f"The exchange records it: message {printable(sent['message_id'])} of {printable(sent['user_name'])}",
        ),
        sent["sha256"],
    )


def _judged(one: Mapping[str, Any]) -> Moment:
    return Moment(one["judged_at"], Words(printable(one["vi"]), printable(one["en"])), one["digest"])


def _refused(one: Mapping[str, Any]) -> Moment:
    vi = "; ".join(f"{problem['code']}: {problem['vi']}" for problem in one["problems"])
    en = "; ".join(f"{problem['code']}: {problem['en']}" for problem in one["problems"])
    words = Words(f"Trục từ chối. {printable(vi)}", f"The exchange refuses it. {printable(en)}")
    return Moment(one["recorded_at"], words, one["sha256"])


def _delivered(one: Mapping[str, Any]) -> Iterator[Moment]:
    who = f"{one['agency']} {one['name']}"
    if one["queued_at"] is None:
        yield Moment(one["recorded_at"], Words(f"{who}: chờ chuyển", f"{who}: waits to be delivered"))
    else:
        by = "" if one["carrier"] == one["agency"] else f" ({one['carrier']})"
        yield Moment(
            one["queued_at"],
            Words(f"Vào hàng đợi của {who}{by}", f"In the delivery queue of {who}{by}"),
        )


def _reported(one: Mapping[str, Any]) -> Moment:
    outcome = _OUTCOMES[one["outcome"]]
    by = "" if one["reporter"] == one["agency"] else f" ({one['reporter']})"
    said = f" “{printable(one['description'])}”" if one["description"] else ""
    signed = f", {printable(one['signer'])}" if one["signer"] else ""
    who = f"{one['agency']} {one['name']}{by}"
    return Moment(
        one["recorded_at"],
        Words(
            f"{who} báo {one['code']} {one['vi']}{said}: {outcome.vi}{signed}",
            f"{who} reports {one['code']} {one['en']}{said}: {outcome.en}{signed}",
        ),
        one["sha256"],
    )


def _acted(one: Mapping[str, Any]) -> Iterator[Moment]:
    kind, agency = _ACTIONS[one["kind"]], one["agency"]
    if one["side"] == "does":
        began = Words(
            f"Yêu cầu {kind.vi} văn bản {one['earlier']} tại {agency}",
            f"Asks for the {kind.en} of document {one['earlier']} at {agency}",
        )
    else:
        began = Words(
            f"Văn bản {one['document']} yêu cầu {kind.vi} tại {agency}",
            f"Document {one['document']} asks for the {kind.en} at {agency}",
        )
    yield Moment(one["recorded_at"], began)
    if one["settled_at"] is not None and one["outcome"] != "done":
        outcome = _OUTCOMES[one["outcome"]]
        yield Moment(
            one["settled_at"],
            Words(f"{agency}, {kind.vi}: {outcome.vi}", f"{agency}, {kind.en}: {outcome.en}"),
        )


def _due(one: Mapping[str, Any]) -> Moment:
    words = deadline_words(Clock(one["clock"]), Level(one["level"]), one["agency"], one["due_at"], None)
    return Moment(one["noted_at"], Words(*words))


def _told(one: Mapping[str, Any]) -> Moment:
    kind = _NOTICES[one["kind"]]
    return Moment(
        one["recorded_at"],
        Words(f"Báo cho {one['agency']}: {kind.vi}", f"{one['agency']} is told: {kind.en}"),
    )
