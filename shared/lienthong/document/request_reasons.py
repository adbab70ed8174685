"""Why a withdrawal, an update or a replacement is refused: each names the field and the remedy, in both languages."""

from __future__ import annotations

from lienthong.document.life_cycle import STATE_NAMES, State
from lienthong.errors import Problem

__all__ = [
    "already_asked",
    "earlier_is_official",
    "earlier_is_test",
    "earlier_stopped",
    "earlier_under_way",
    "earlier_unknown",
    "list_unknown",
    "never_delivered",
    "not_addressed",
    "not_possible",
    "nothing_replaced",
    "removed_and_added",
]

RECEIVER_UNKNOWN = 18
PROCESSING = 21
FORMAT = 22
REMEDIES: dict[State, tuple[str, str]] = {
    State.REFUSED: (
        "nơi nhận đã trả lại; hãy gửi văn bản mới hoặc văn bản thay thế",
        "the receiver sent it back; send a new document, or a replacement",
    ),
    State.WITHDRAWN: (
        "văn bản đã bị đóng băng ở nơi này; hãy gửi văn bản mới",
        "it is frozen for this receiver; send a new document",
    ),
    State.REPLACED: (
        "hãy gửi nghiệp vụ này cho văn bản đã thay thế nó",
        "act on the document that replaced it",
    ),
}
WAIT = ("hãy đợi nơi nhận trả lời 15 hoặc 16", "wait until the receiver answers 15 or 16")


def earlier_unknown(document_id: str, path: str) -> Problem:
    """The sender has no document of this id on the exchange, and none came while it was waited for."""
    return Problem(
        _code(path),
        path,
        f"Đơn vị gửi không có văn bản {document_id} trên trục; hãy sửa DocumentId của văn bản trước",
        f"The sender has no document {document_id} on the exchange; correct the earlier document's DocumentId",
        PROCESSING,
    )


def earlier_under_way(document_id: str, path: str) -> Problem:
    """The earlier document is still on its way or held, for longer than this one can wait."""
    return Problem(
        _code(path),
        path,
        f"Văn bản {document_id} chưa được chuyển xong; hãy gửi lại khi có thông báo đã chuyển",
        f"Document {document_id} is not delivered yet; send this again when you are told that it is",
        PROCESSING,
    )


def earlier_stopped(document_id: str, path: str) -> Problem:
    """The exchange refused the earlier document, so nobody has it."""
    return Problem(
        _code(path),
        path,
        f"Văn bản {document_id} đã bị trục từ chối, không nơi nào nhận; hãy gửi văn bản mới",
        f"Document {document_id} was refused by the exchange and delivered to nobody; send a new document",
        PROCESSING,
    )


def earlier_is_official(document_id: str, path: str) -> Problem:
    """A test does nothing to an official document."""
    return Problem(
        _code(path),
        path,
        f"Văn bản {document_id} là văn bản chính thức, văn bản thử nghiệm không tác động được; nếu không phải thử "
        "nghiệm, hãy lập văn bản mới và gửi không có tiêu đề test",
        f"Document {document_id} is official, and a test cannot act on it; unless this is a test, make it anew and "
        "send it without the header test",
        PROCESSING,
    )


def earlier_is_test(document_id: str, path: str) -> Problem:
    """What is official does nothing to a test."""
    return Problem(
        _code(path),
        path,
        f"Văn bản {document_id} là văn bản thử nghiệm, chỉ văn bản thử nghiệm tác động được; hãy lập văn bản "
        "mới và gửi với tiêu đề test",
        f"Document {document_id} is a test, and only a test can act on it; make this anew and send it with the header "
        "test",
        PROCESSING,
    )


def never_delivered(document_id: str, code: str, path: str, *, update: bool = False) -> Problem:
    """The earlier document was not for this agency."""
    vi, en = f"bỏ {code}", f"leave {code} out"
    if update:
        vi, en = f"thêm {code} vào ReceiverList với ReceiverType 1", f"name {code} in ReceiverList with ReceiverType 1"
    return Problem(
        _code(path),
        path,
        f"{code} chưa từng nhận văn bản {document_id}; hãy {vi}",
        f"{code} never got document {document_id}; {en}",
        PROCESSING,
    )


def not_possible(document_id: str, code: str, state: State, path: str) -> Problem:
    """The life cycle does not allow it in the state in which the earlier document stands at this agency."""
    vi, en = REMEDIES.get(state, WAIT)
    return Problem(
        _code(path),
        path,
        f"Ở {code}, văn bản {document_id} {STATE_NAMES[state]}: {vi}",
        f"At {code} document {document_id} is {state}: {en}",
        PROCESSING,
    )


def already_asked(document_id: str, code: str, path: str) -> Problem:
    """The sender has asked for the document back there before, and the receiver has not answered."""
    return Problem(
        _code(path),
        path,
        f"Đã yêu cầu {code} trả lại văn bản {document_id}; {WAIT[0]}",
        f"{code} was asked for document {document_id} before; {WAIT[1]}",
        PROCESSING,
    )


def list_unknown(code: str, path: str) -> Problem:
    """Nobody in the directory has this code of a list of receivers."""
    return Problem(
        _code(path),
        path,
        f"Không có cơ quan nào mang mã {code}; hãy tra lại danh mục",
        f"No agency has the code {code}; look it up in the directory",
        RECEIVER_UNKNOWN,
    )


def not_addressed(code: str, path: str) -> Problem:
    """An agency that something is done for is not in To, and would not learn of it."""
    return Problem(
        _code(path),
        path,
        f"{code} không có trong To nên không biết việc này; hãy thêm vào To",
        f"{code} is not in To and would not learn of this; add it to To",
        FORMAT,
    )


def removed_and_added(code: str, path: str) -> Problem:
    """An update adds and removes the same agency."""
    return Problem(
        _code(path),
        path,
        f"{code} vừa được thêm vừa bị bỏ; hãy giữ một",
        f"{code} is both added and removed; keep one",
        FORMAT,
    )


def nothing_replaced(path: str) -> Problem:
    """A replacement does not say what it replaces."""
    return Problem(
        f"N.{path.replace('/', '.')}",
        path,
        "Văn bản thay thế không ghi văn bản nào được thay thế; hãy điền ReplacementInfoList, hoặc gửi như văn bản mới",
        "The replacement does not say what it replaces; fill in ReplacementInfoList, or send it as a new document",
        FORMAT,
    )


def _code(path: str) -> str:
    steps = (step.partition("[")[0] for step in path.split("/"))
    return f"M.{'.'.join(steps)}"
