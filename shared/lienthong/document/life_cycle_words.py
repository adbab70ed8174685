"""What the states and events of the life cycle are called, and what a state means to the sender; both languages.

Keys are the values of `lienthong.document.life_cycle.State` and `Event`.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EVENT_WORDS", "STATE_WORDS", "StateWords"]


class StateWords(NamedTuple):
    """A state's name, and what it means to the sender."""

    vi: str
    en: str
    means_vi: str
    means_en: str


STATE_WORDS: dict[str, StateWords] = {
    "received": StateWords(
        "trục đã nhận",
        "received",
        "Trục đã ghi sổ văn bản và chịu trách nhiệm chuyển",
        "The exchange has recorded it and answers for it",
    ),
    "held": StateWords(
        "đang giữ lại",
        "held",
        "Chưa xác định được chữ ký số; văn bản chờ, chưa chuyển cho ai",
        "Its signatures could not be judged yet; it waits and was delivered to nobody",
    ),
    "verified": StateWords(
        "đã kiểm tra chữ ký số",
        "verified",
        "Đã biết giá trị của văn bản; sắp chuyển",
        "What it is worth is known; it is about to be delivered",
    ),
    "stopped": StateWords(
        "trục từ chối",
        "stopped",
        "Trục từ chối, không chuyển cho ai; sửa theo lý do rồi gửi văn bản mới",
        "The exchange refused it and delivered it to nobody; mend what it names and send a new document",
    ),
    "parked": StateWords(
        "đang chờ nơi nhận lấy",
        "parked",
        "Nơi nhận chưa lấy văn bản cũ; văn bản nằm trong sổ, sẽ tự chuyển",
        "The receiver does not collect; it stays in the ledger and is delivered by itself",
    ),
    "delivered": StateWords(
        "đã vào hàng đợi của nơi nhận",
        "delivered",
        "Đã nằm trong hàng đợi của nơi nhận, chưa có hồi đáp",
        "It is in the receiver's queue; nothing was heard yet",
    ),
    "arrived": StateWords("đã đến", "arrived", "Văn thư nơi nhận đã có văn bản", "The receiver's clerk has it"),
    "refused": StateWords(
        "bị từ chối tiếp nhận",
        "refused",
        "Nơi nhận trả lại kèm lý do; gửi văn bản thay thế hoặc văn bản mới",
        "The receiver sent it back with a reason; send a replacement or a new document",
    ),
    "accepted": StateWords("đã tiếp nhận", "accepted", "Đã vào sổ văn bản đến", "It is registered at the receiver"),
    "assigned": StateWords(
        "đã phân công", "assigned", "Lãnh đạo nơi nhận đã giao việc", "A leader there has assigned it"
    ),
    "processing": StateWords("đang xử lý", "processing", "Chuyên viên đang xử lý", "An officer works on it"),
    "finished": StateWords("đã hoàn thành", "finished", "Nơi nhận đã xử lý xong", "The receiver has done with it"),
    "withdrawn": StateWords(
        "đã thu hồi",
        "withdrawn",
        "Nơi nhận đã hủy theo yêu cầu; ở nơi này văn bản bị đóng băng, chỉ còn siêu dữ liệu",
        "The receiver destroyed it on request; for this receiver it is frozen, only the metadata stay",
    ),
    "replaced": StateWords(
        "đã được thay thế",
        "replaced",
        "Văn bản thay thế đã được chuyển; trạng thái tiếp theo thuộc văn bản đó",
        "Its replacement was delivered; what follows is told of that one",
    ),
    "agreed": StateWords(
        "đã được đồng ý",
        "agreed",
        "Nơi nhận đồng ý: bản cập nhật có hiệu lực, hoặc văn bản đã được thu hồi",
        "The receiver agreed: the update is in force, or the document is withdrawn",
    ),
    "declined": StateWords(
        "không được đồng ý",
        "declined",
        "Nơi nhận không đồng ý; văn bản trước giữ nguyên",
        "The receiver did not agree; the earlier document stays as it was",
    ),
    "lapsed": StateWords(
        "hết hiệu lực",
        "lapsed",
        "Chưa được trả lời thì yêu cầu sau, văn bản thay thế hoặc việc trả lại đã làm nó mất ý nghĩa",
        "Before an answer a later request, a replacement or the document's return made it pointless",
    ),
}
EVENT_WORDS: dict[str, tuple[str, str]] = {
    "hold": ("Chưa xác định được chữ ký số", "The signatures could not be judged yet"),
    "verify": ("Đã xác định giá trị của văn bản", "What it is worth is known"),
    "stop": ("Trục từ chối văn bản", "The exchange refuses the document"),
    "park": ("Nơi nhận không lấy văn bản", "The receiver does not collect"),
    "deliver": ("Đã vào hàng đợi của nơi nhận", "It is in the receiver's queue"),
    "lapse": ("Yêu cầu mất ý nghĩa trước khi được trả lời", "The request became pointless before it was answered"),
    "01": ("Đã đến, văn thư chưa xử lý", "Arrived at the clerk"),
    "02": ("Từ chối tiếp nhận (trả lại)", "Refused by the receiver"),
    "03": ("Đã tiếp nhận, vào sổ văn bản đến", "Accepted and registered"),
    "04": ("Lãnh đạo đã phân công xử lý", "Assigned by a leader"),
    "05": ("Chuyên viên đang xử lý", "In hand with an officer"),
    "06": ("Đã hoàn thành", "Completed"),
    "13": ("Bên gửi yêu cầu lấy lại", "Sender asks to take back"),
    "15": ("Đồng ý cập nhật hoặc lấy lại", "Receiver agrees to the update or take-back"),
    "16": ("Từ chối cập nhật hoặc lấy lại", "Receiver refuses the update or take-back"),
    "withdraw": ("Bên gửi gửi văn bản thu hồi", "The sender sends a withdrawal"),
    "update": ("Bên gửi gửi bản cập nhật", "The sender sends an update"),
    "remove": ("Bản cập nhật bỏ nơi nhận này", "An update removes this receiver"),
    "replace": ("Bên gửi gửi văn bản thay thế", "The sender sends a replacement"),
}
