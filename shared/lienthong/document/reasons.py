"""Why the exchange itself refuses something: the problems that are not the format's, in both languages.

Codes follow the grammar of `lienthong.errors.Problem`; `province_code` is the number the provincial platforms use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lienthong.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = [
    "addressee_not_connected",
    "addressee_official",
    "addressee_on_trial",
    "addressee_suspended",
    "addressee_twice",
    "addressee_unknown",
    "content_digest_differs",
    "document_id_taken",
    "document_not_received",
    "given_up",
    "message_id_missing",
    "message_id_reused",
    "quota_exceeded",
    "sender_merged",
    "sender_not_registered",
    "sender_not_user",
    "signature_refused",
    "signature_undecided",
    "status_document_stopped",
    "status_document_under_way",
    "status_document_unknown",
    "status_signature_refused",
    "status_step_not_allowed",
    "status_steps_left_out",
    "wrong_kind",
]

INVALID_FILE = 10
RECEIVER_UNKNOWN = 18
SENDER_UNKNOWN = 19
PROCESSING = 21
FORMAT = 22
RECEIVER_LOCKED = 23


def message_id_missing() -> Problem:
    """The AMQP property ``message_id`` is absent, or holds what no text can."""
    return Problem(
        "N.message_id",
        "",
        "Thiếu thuộc tính AMQP message_id (hoặc không phải UTF-8, hoặc có ký tự NUL); "
        "hãy đặt một mã riêng cho mỗi lần gửi",
        "The AMQP property message_id is missing (or is no UTF-8, or has a NUL in it); "
        "give every message an id of its own",
        INVALID_FILE,
    )


def message_id_reused(message_id: str) -> Problem:
    """The agency used this ``message_id`` before, for other content."""
    return Problem(
        "M.message_id",
        "",
        f"message_id {message_id} đã dùng cho nội dung khác; hãy gửi lại với message_id mới",
        f"message_id {message_id} was used before for other content; submit again under a new message_id",
        INVALID_FILE,
    )


def content_digest_differs(said: str, found: str) -> Problem:
    """The header ``content-sha256`` does not match the body."""
    return Problem(
        "M.content-sha256",
        "",
        f"content-sha256 ghi {said} nhưng nội dung nhận được có SHA-256 {found}; hãy gửi lại bản nguyên vẹn",
        f"content-sha256 says {said} but the body received has SHA-256 {found}; send the intact bytes again",
        INVALID_FILE,
    )


def wrong_kind(found: str, expected: str) -> Problem:
    """A status was sent as a document, or the other way round."""
    return Problem(
        "M.routing_key",
        "",
        f"Nội dung là {found} nhưng được gửi như {expected}; hãy dùng khóa định tuyến đúng",
        f"The content is a {found} but was sent as a {expected}; use the routing key for it",
        FORMAT,
    )


def sender_not_registered(code: str) -> Problem:
    """Nobody in the directory has the code in From."""
    return Problem(
        "M.MessageHeader.From.OrganId",
        "MessageHeader/From/OrganId",
        f"Mã {code} chưa có trong danh mục cơ quan; hãy đăng ký hoặc sửa mã",
        f"Code {code} is not in the directory of agencies; register it or correct it",
        SENDER_UNKNOWN,
    )


def sender_not_user(code: str, user: str) -> Problem:
    """From names an agency that the authenticated user may not speak for."""
    return Problem(
        "Permission",
        "MessageHeader/From/OrganId",
        f"Kết nối của {user} không được gửi thay {code}; hãy gửi bằng kết nối của chính cơ quan đó",
        f"The connection of {user} may not send for {code}; use that agency's own connection",
        SENDER_UNKNOWN,
    )


def sender_merged(code: str, successor: str) -> Problem:
    """From names an agency that was merged into another one."""
    return Problem(
        "M.MessageHeader.From.OrganId",
        "MessageHeader/From/OrganId",
        f"{code} đã sáp nhập vào {successor}; hãy gửi bằng kết nối của {successor}",
        f"{code} was merged into {successor}; send over the connection of {successor}",
        SENDER_UNKNOWN,
    )


def document_id_taken(document_id: str, sha256: str) -> Problem:
    """The sender used this DocumentId before, for other content."""
    return Problem(
        "ExistDoc",
        "MessageHeader/DocumentId",
        f"DocumentId {document_id} đã dùng cho văn bản có nội dung khác (SHA-256 {sha256}); "
        "hãy dùng DocumentId mới, hoặc gửi nghiệp vụ cập nhật hay thay thế",
        f"DocumentId {document_id} belongs to a document with other content (SHA-256 {sha256}); "
        "use a new DocumentId, or send an update or a replacement",
        PROCESSING,
    )


def addressee_unknown(code: str, position: int) -> Problem:
    """Nobody in the directory has this addressee's code."""
    return _addressee(
        position,
        f"Không có cơ quan nào mang mã {code}; hãy tra lại danh mục",
        f"No agency has the code {code}; look it up in the directory",
        RECEIVER_UNKNOWN,
    )


def addressee_not_connected(code: str, name: str, position: int) -> Problem:
    """Neither the addressee nor anyone above it is connected."""
    return _addressee(
        position,
        f"{name} ({code}) và các cơ quan cấp trên chưa kết nối; hãy gửi bản giấy",
        f"Neither {name} ({code}) nor any agency above it is connected yet; send it on paper",
        RECEIVER_UNKNOWN,
    )


def addressee_suspended(code: str, name: str, position: int) -> Problem:
    """The addressee, or the agency that would carry for it, is suspended."""
    return _addressee(
        position,
        f"{name} ({code}) đang tạm khóa; hãy liên hệ đơn vị vận hành",
        f"{name} ({code}) is suspended; ask the operator of the exchange",
        RECEIVER_LOCKED,
    )


def addressee_on_trial(code: str, name: str, position: int) -> Problem:
    """The addressee is on trial, and neither is the sender, nor is the document a test."""
    return _addressee(
        position,
        f"{name} ({code}) đang kết nối thử; nếu là văn bản thử nghiệm, hãy gửi lại với DocumentId mới và tiêu đề test",
        f"{name} ({code}) is on trial; if this is a test, send it under a new DocumentId with the header test",
        RECEIVER_LOCKED,
    )


def addressee_official(code: str, name: str, position: int) -> Problem:
    """The sender is on trial, the addressee is not, and the document is not marked as a test by its sender."""
    return _addressee(
        position,
        f"Đơn vị gửi đang kết nối thử, {name} ({code}) thì không; "
        "nếu là thử nghiệm, hãy gửi lại với DocumentId mới và tiêu đề test",
        f"The sender is on trial and {name} ({code}) is not; "
        "if this is a test, send it under a new DocumentId with the header test",
        RECEIVER_LOCKED,
    )


def addressee_twice(code: str, other: str, position: int) -> Problem:
    """Two addressees are one agency, written in two forms."""
    return _addressee(
        position,
        f"{code} và {other} là cùng một cơ quan; hãy giữ lại một mã",
        f"{code} and {other} are the same agency; keep one of them",
        FORMAT,
    )


def signature_refused(vi: str, en: str, attachment: str) -> Problem:
    """A signature, or its absence, refuses the document, for this reason; in this attachment, when it is in one."""
    where_vi, where_en = (f"Tệp “{attachment}”: ", f"The file “{attachment}”: ") if attachment else ("", "")
    return Problem(
        "CheckSignature",
        f"Attachment[{attachment}]" if attachment else "",
        f"{where_vi}{vi}; hãy ký số hợp lệ rồi gửi lại với DocumentId mới",
        f"{where_en}{en}; sign it validly and submit again under a new DocumentId",
        PROCESSING if attachment else INVALID_FILE,
    )


def signature_undecided(vi: str, en: str) -> Problem:
    """It was not found out, for as long as the policy allows, what the signatures are worth; for this reason."""
    return Problem(
        "CheckSignature",
        "",
        f"{vi}; hãy hỏi nơi cấp chứng thư số rồi gửi lại với DocumentId mới",
        f"{en}; ask who issued the certificate, then submit again under a new DocumentId",
        INVALID_FILE,
    )


def status_signature_refused(vi: str, en: str) -> Problem:
    """A signature refuses the status it stands on, or the lack of one does; `vi` and `en` say why."""
    return Problem(
        "CheckSignature",
        "",
        f"{vi}; trạng thái không được ghi nhận, hãy ký số hợp lệ rồi báo lại với message_id mới",
        f"{en}; nothing was applied: sign it validly and report it again under a new message_id",
        INVALID_FILE,
    )


def status_document_unknown(document_id: str, sender: str) -> Problem:
    """No document of this sender has this DocumentId."""
    return Problem(
        "M.MessageHeader.ResponseFor.DocumentId",
        "MessageHeader/ResponseFor/DocumentId",
        f"Không có văn bản {document_id} của {sender} trên trục; hãy kiểm tra ResponseFor",
        f"The exchange has no document {document_id} of {sender}; check ResponseFor",
        PROCESSING,
    )


def status_document_stopped(document_id: str) -> Problem:
    """The exchange refused the document, so nobody has it."""
    return Problem(
        "M.MessageHeader.ResponseFor.DocumentId",
        "MessageHeader/ResponseFor/DocumentId",
        f"Văn bản {document_id} đã bị trục từ chối, không nơi nào nhận; không còn trạng thái nào để báo",
        f"Document {document_id} was refused by the exchange and delivered to nobody; there is nothing to report of it",
        PROCESSING,
    )


def status_document_under_way(document_id: str) -> Problem:
    """The document is still on its way or held, for longer than a status can wait."""
    return Problem(
        "M.MessageHeader.ResponseFor.DocumentId",
        "MessageHeader/ResponseFor/DocumentId",
        f"Văn bản {document_id} chưa được chuyển xong; hãy báo lại khi có thông báo đã chuyển",
        f"Document {document_id} is not delivered yet; report this again when you are told that it is",
        PROCESSING,
    )


def document_not_received(document_id: str, reporter: str) -> Problem:
    """The reporter is no addressee of the document."""
    return Problem(
        "Permission",
        "MessageHeader/From/OrganId",
        f"{reporter} không phải nơi nhận văn bản {document_id} nên không được báo trạng thái",
        f"{reporter} is no addressee of document {document_id} and may not report its status",
        SENDER_UNKNOWN,
    )


def status_step_not_allowed(code: str, state_vi: str, state: str) -> Problem:
    """The life cycle does not lead from the delivery's state to this status."""
    return Problem(
        "M.MessageHeader.StatusCode",
        "MessageHeader/StatusCode",
        f"Không thể báo trạng thái {code} khi văn bản đang ở trạng thái {state_vi}; trạng thái cũ được giữ nguyên",
        f"Status {code} cannot follow the state {state}; the state stays as it was",
        PROCESSING,
    )


def status_steps_left_out(code: str, state_vi: str, state: str, skipped: Sequence[str]) -> Problem:
    """The exchange keeps to the natural order, and the status leaves steps of it out."""
    missing = ", ".join(skipped)
    return Problem(
        "M.MessageHeader.StatusCode",
        "MessageHeader/StatusCode",
        f"Không thể báo {code} khi văn bản đang ở trạng thái {state_vi} mà chưa báo {missing}; hãy báo {missing} trước",
        f"Status {code} leaves {missing} out after the state {state}; report {missing} first",
        PROCESSING,
    )


def quota_exceeded(vi: str, en: str, used: int, limit: int, retry_at: datetime) -> Problem:
    """The agency sends more than it may; `vi` and `en` name the quota, such as *documents a minute*."""
    at = retry_at.isoformat(timespec="seconds")
    return Problem(
        "Quota",
        "",
        f"Vượt hạn mức: đã dùng {used} trên {limit} {vi}; hãy gửi lại với message_id mới sau {at}, "
        "hoặc đề nghị đơn vị vận hành nâng hạn mức",
        f"Over quota: {used} of {limit} {en} are used; send it again under a new message_id after {at}, "
        "or ask the operator of the exchange for a larger quota",
        PROCESSING,
        retry_at,
    )


def given_up(why: str) -> Problem:
    """An operator of the exchange gave a message up that could not be worked on."""
    return Problem(
        "M.message",
        "",
        f"Đơn vị vận hành đã loại bỏ thông điệp này: {why}; hãy khắc phục rồi gửi lại dưới dạng văn bản mới",
        f"The operator of the exchange discarded this message: {why}; mend it and send it again as a new one",
        PROCESSING,
    )


def _addressee(position: int, vi: str, en: str, province_code: int) -> Problem:
    return Problem("M.MessageHeader.To.OrganId", f"MessageHeader/To[{position}]/OrganId", vi, en, province_code)
