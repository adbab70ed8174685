"""What broker, ledger and payload store may disagree on, and what people read about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uuid import UUID

__all__ = ["TEXTS", "Finding", "Kind", "Text"]


class Kind(StrEnum):
    """What can be found."""

    QUEUE_MISSING = "queue-missing"
    INPUT_LOST = "input-lost"
    NOTICE_LOST = "notice-lost"
    DELIVERY_LOST = "delivery-lost"
    DELIVERY_UNREPORTED = "delivery-unreported"
    DEAD_LETTER = "dead-letter"
    PAYLOAD_MISSING = "payload-missing"
    PAYLOAD_DAMAGED = "payload-damaged"
    PAYLOAD_UNNAMED = "payload-unnamed"


@dataclass(frozen=True, slots=True)
class Text:
    """What a kind of finding means, and what to do about one that is not repaired by itself.

    `a_fault` is False where nothing need be wrong.
    """

    vi: str
    en: str
    remedy_vi: str
    remedy_en: str
    a_fault: bool = True


_AGAIN = ("chạy lại với --repair", "run it again with --repair")
_FROM_BACKUP = (
    "chạy lại với --repair --backup DIR, DIR là thư mục các bản sao lưu",
    "run it again with --repair --backup DIR, the folder of backups",
)

TEXTS = {
    Kind.QUEUE_MISSING: Text("hàng đợi không còn", "a queue is gone", *_AGAIN),
    Kind.INPUT_LOST: Text(
        "đã ghi sổ nhưng chưa xử lý tiếp, và thông điệp không còn ở hàng đợi nào",
        "recorded and not worked on any further, and its message stands in no queue",
        *_AGAIN,
    ),
    Kind.NOTICE_LOST: Text("thông báo chưa đến cơ quan", "an agency was not told", *_AGAIN),
    Kind.DELIVERY_LOST: Text(
        "đã giao, nơi nhận chưa báo gì, và văn bản không còn trong hàng đợi của họ",
        "delivered, nothing reported by the receiver, and no longer in its queue",
        *_AGAIN,
    ),
    Kind.DELIVERY_UNREPORTED: Text(
        "văn bản đã lấy khỏi hàng đợi mà chưa báo gì, của cơ quan không hề báo trạng thái hoặc đã giao lại một lần",
        "documents taken from the queue without a word, by an agency that never reports or that got them twice already",
        "hỏi cơ quan đó; nếu họ không có: --repair --again MÃ",
        "ask the agency; when it has not got them: --repair --again CODE",
        a_fault=False,
    ),
    Kind.DEAD_LETTER: Text(
        "thông điệp là thư chết",
        "its message is a dead letter",
        "lienthong deadletter list, rồi replay hoặc discard",
        "lienthong deadletter list, then replay or discard",
    ),
    Kind.PAYLOAD_MISSING: Text("thiếu tệp văn bản", "a payload is missing", *_FROM_BACKUP),
    Kind.PAYLOAD_DAMAGED: Text("tệp văn bản bị hỏng", "a payload is damaged", *_FROM_BACKUP),
    Kind.PAYLOAD_UNNAMED: Text(
        "tệp không có trong sổ cái",
        "payloads that the ledger does not name",
        "vô hại; sau một lần phục hồi, có thể là văn bản đã mất khỏi sổ",
        "harmless; after a restore they may be documents that the ledger no longer knows",
        a_fault=False,
    ),
}


@dataclass(slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: what.
        document: the document it is about.
        agency: the agency it concerns.
        digest: the payload it is about.
        detail: which queue, step, notice or judgement.
        count: how many are meant, where they are counted only.
        repairable: whether `reconcile` can prove what to do about it.
        repaired: whether it was done.
        trouble: why it was not, although it was tried.
    """

    kind: Kind
    document: UUID | None = None
    agency: str | None = None
    digest: str | None = None
    detail: str = ""
    count: int = 1
    repairable: bool = True
    repaired: bool = False
    trouble: str = ""

    @property
    def open(self) -> bool:
        """Whether something is still wrong."""
        return TEXTS[self.kind].a_fault and not self.repaired

    def facts(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "kind": self.kind,
            "document": str(self.document) if self.document else None,
            "agency": self.agency,
            "digest": self.digest,
            "detail": self.detail,
            "count": self.count,
            "repaired": self.repaired,
            "trouble": self.trouble,
            "remedy": TEXTS[self.kind].remedy_en if not self.repaired else None,
        }
