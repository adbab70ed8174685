"""What each fact is called in a mail, in Vietnamese and in English.

A document is named by its number and DocumentId only: what it is about does not belong into a mail, which travels and
is kept outside the exchange.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lienthong.document.life_cycle import STATUS_CODES

if TYPE_CHECKING:
    from collections.abc import Callable

    from lienthong.ledger.letters import Announcement

__all__ = ["KINDS", "TOPICS", "Words", "said"]

MOST_PROBLEMS = 5
"""Problems of one refusal that are listed; the agency's own notice has all."""


@dataclass(frozen=True, slots=True)
class Words:
    """The same in two languages."""

    vi: str
    en: str


TOPICS = {
    "refusals": Words("Trục từ chối", "Refused by the exchange"),
    "waiting": Words("Văn bản chờ nơi nhận lấy", "Documents wait to be collected"),
    "deadlines": Words("Thời hạn xử lý", "Deadlines"),
    "deliveries": Words("Văn bản mới đến", "New documents"),
    "statuses": Words("Trạng thái xử lý", "Statuses reported"),
    "certificates": Words("Chứng thư số sắp hết hạn", "Certificates that expire"),
    "parked": Words("Cơ quan không lấy văn bản", "Agencies that do not collect"),
    "flood": Words("Cơ quan gửi quá nhiều", "Agencies that send too much"),
    "dead-letters": Words("Thông điệp không xử lý được", "Dead letters"),
    "quarantined": Words("Thông điệp bị cách ly", "Quarantined messages"),
    "trust": Words("Tổ chức chứng thực cần kiểm tra", "Trusted authorities need attention"),
    "undeliverable": Words("Thông báo không gửi được", "Notices that could not be sent"),
}
"""What is told, by topic; a mail about one topic has it in its subject."""


def said(one: Announcement) -> Words:
    """Return what a fact is called."""
    return KINDS[one.kind](one)


def _about(one: Announcement) -> Words:
    known = one.document_id or one.facts.get("document_id")
    if known is None:
        return Words("văn bản", "a document")
    code = f"{one.code} " if one.code else ""
    sender = Words(f", của {one.sender}", f", of {one.sender}") if one.sender else Words("", "")
    return Words(f"văn bản {code}(DocumentId {known}{sender.vi})", f"document {code}(DocumentId {known}{sender.en})")


def _document_refused(one: Announcement) -> Words:
    about, why = _about(one), _problems(one.facts)
    return Words(
        f"Trục từ chối {about.vi}, không chuyển cho ai: {why.vi}",
        f"The exchange refused {about.en} and delivered it to nobody: {why.en}",
    )


def _status_refused(one: Announcement) -> Words:
    about, why = _about(one), _problems(one.facts)
    return Words(
        f"Trục từ chối trạng thái báo về {about.vi}: {why.vi}",
        f"The exchange refused a status reported about {about.en}: {why.en}",
    )


def _problems(facts: dict[str, Any]) -> Words:
    problems = facts["problems"]
    shown = problems[:MOST_PROBLEMS]
    rest = len(problems) - len(shown)
    return Words(
        "; ".join(f"[{each['code']}] {each['vi']}" for each in shown) + (f"; và {rest} lỗi khác" if rest else ""),
        "; ".join(f"[{each['code']}] {each['en']}" for each in shown) + (f"; and {rest} more" if rest else ""),
    )


def _notice(one: Announcement) -> Words:
    about = _about(one)
    return Words(
        f"{one.facts.get('vi', 'Có thông báo')} — {about.vi}",
        f"{one.facts.get('en', 'There is a notice')} — {about.en}",
    )


def _parked(one: Announcement) -> Words:
    queued = one.facts["queued"]
    return Words(
        f"{one.subject} chưa lấy {queued} văn bản trong hàng đợi; văn bản tiếp theo chờ tại trục",
        f"{one.subject} does not collect: {queued} documents are in its queue, further ones wait in the exchange",
    )


def _delivered(one: Announcement) -> Words:
    about, carrier = _about(one), one.facts["carrier"]
    return Words(
        f"Có văn bản mới gửi đến {one.subject}: {about.vi}; lấy từ hàng đợi của {carrier}",
        f"A new document for {one.subject}: {about.en}; it is collected from the queue of {carrier}",
    )


def _status(one: Announcement) -> Words:
    about, code = _about(one), STATUS_CODES[one.facts["code"]]
    more = f": {one.facts['description']}" if one.facts.get("description") else ""
    return Words(
        f"{one.facts['addressee']} báo {code.code}, {code.vi}{more} — {about.vi}",
        f"{one.facts['addressee']} reports {code.code}, {code.en}{more} — {about.en}",
    )


def _throttled(one: Announcement) -> Words:
    what = {"document": ("văn bản", "documents"), "status": ("trạng thái", "statuses")}[one.facts["kind"]]
    return Words(
        f"{one.subject} gửi quá nhiều {what[0]}; phần vượt hạn mức bị từ chối (hạn mức {one.facts['limit']}). "
        f"Chặn ngay: lienthong agency suspend {one.subject}",
        f"{one.subject} sends too many {what[1]}; what exceeds its quota of {one.facts['limit']} is refused. "
        f"To cut it off at once: lienthong agency suspend {one.subject}",
    )


def _quarantined(one: Announcement) -> Words:
    why = one.facts["reason"]
    return Words(
        f"Một thông điệp không thể trả lời ai đã bị cách ly: {why}. Xem: lienthong deadletter list",
        f"A message nobody can be answered for was quarantined: {why}. See: lienthong deadletter list",
    )


def _alarm(one: Announcement) -> Words:
    return Words(one.facts["vi"], one.facts["en"])


def _given_up(one: Announcement) -> Words:
    vi, en = {"mail": ("qua thư", "by mail"), "webhook": ("qua webhook", "by webhook")}[one.facts["channel"]]
    target, attempts, trouble = one.facts["target"], one.facts["attempts"], one.facts["trouble"]
    return Words(
        f"Không gửi được thông báo cho {one.subject} {vi} đến {target} sau {attempts} lần: {trouble}",
        f"A notice for {one.subject} could not be sent {en} to {target} in {attempts} attempts: {trouble}",
    )


KINDS: dict[str, Callable[[Announcement], Words]] = {
    "DocumentRefused": _document_refused,
    "StatusRefused": _status_refused,
    "NoticeGiven": _notice,
    "AgencyParked": _parked,
    "DeliveryRecorded": _delivered,
    "StatusReported": _status,
    "AgencyThrottled": _throttled,
    "MessageQuarantined": _quarantined,
    "AlarmRaised": _alarm,
    "LetterGivenUp": _given_up,
}
"""Every kind of entry that the ledger announces, with what says it."""
