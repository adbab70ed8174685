"""Plausible words for official documents: kinds, subjects, paragraphs, people. Made up; nothing here was ever sent."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass

__all__ = [
    "FAMILY_NAMES",
    "GIVEN_NAMES",
    "KINDS",
    "PARAGRAPHS",
    "REASONS",
    "THEMES",
    "Kind",
    "competent_person",
    "officer_mail",
]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of administrative document (Decree 30/2020/NĐ-CP, Art. 7 and Annex III).

    Attributes:
        type: edXML's ``Type``, from the annex of the 2022 amendment as far as it is known.
        name: its name.
        notation: its abbreviation in notations; empty for the plain official letter.
        opening: how its subject begins.
        weight: how often it is drawn, relative to the others.
    """

    type: int
    name: str
    notation: str
    opening: str
    weight: int


KINDS = (
    Kind(18, "Công văn", "", "V/v", 10),
    Kind(13, "Báo cáo", "BC", "Báo cáo kết quả", 4),
    Kind(7, "Thông báo", "TB", "Thông báo về việc", 3),
    Kind(10, "Kế hoạch", "KH", "Kế hoạch", 3),
    Kind(15, "Tờ trình", "TTr", "Tờ trình về việc", 2),
    Kind(2, "Quyết định", "QĐ", "Quyết định về việc", 2),
    Kind(25, "Giấy mời", "GM", "Giấy mời họp về việc", 1),
)

THEMES = (
    "kết nối, liên thông phần mềm quản lý văn bản và điều hành",
    "rà soát, đơn giản hóa thủ tục hành chính",
    "triển khai kế hoạch phát triển kinh tế - xã hội",
    "phòng, chống thiên tai và tìm kiếm cứu nạn",
    "giải ngân vốn đầu tư công",
    "xây dựng cơ sở dữ liệu quốc gia về dân cư",
    "bảo đảm trật tự, an toàn giao thông dịp Tết Nguyên đán",
    "thực hiện chương trình mục tiêu quốc gia xây dựng nông thôn mới",
    "phòng, chống dịch bệnh trên gia súc, gia cầm",
    "tuyển dụng, nâng ngạch công chức",
    "quản lý, sử dụng tài sản công",
    "tiếp công dân, giải quyết khiếu nại, tố cáo",
    "bảo đảm an toàn thông tin mạng",
    "lưu trữ hồ sơ, tài liệu điện tử",
    "điều chỉnh quy hoạch sử dụng đất",
    "chuẩn bị tổ chức hội nghị tổng kết công tác năm",
)

PARAGRAPHS = (
    (
        "Thực hiện Quyết định số 28/2018/QĐ-TTg ngày 12 tháng 7 năm 2018 của Thủ tướng Chính phủ về việc gửi, nhận văn "
        "bản điện tử giữa các cơ quan trong hệ thống hành chính nhà nước, {issuer} gửi quý cơ quan văn bản này về việc "
        "{theme}."
    ),
    "Đề nghị quý cơ quan nghiên cứu, phối hợp thực hiện và thông tin kết quả qua Trục liên thông văn bản quốc gia.",
    "Trong quá trình thực hiện, nếu có vướng mắc, đề nghị phản ánh về {issuer} để kịp thời giải quyết.",
)

REASONS = (
    "Văn bản không thuộc thẩm quyền giải quyết của đơn vị",
    "Tệp đính kèm không phải là văn bản nêu trong trích yếu",
    "Văn bản gửi nhầm nơi nhận, đề nghị kiểm tra và gửi lại",
    "Thiếu phụ lục kèm theo, đề nghị bổ sung",
)

FAMILY_NAMES = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đặng", "Bùi", "Đỗ", "Ngô", "Dương", "Lý")
GIVEN_NAMES = (
    "Văn Hùng",
    "Thị Thu Hà",
    "Minh Tuấn",
    "Ngọc Ánh",
    "Quang Vinh",
    "Thị Mỹ Lệ",
    "Đức Thắng",
    "Thanh Bình",
    "Thị Kim Oanh",
    "Xuân Trường",
    "Hữu Phước",
    "Thị Bích Ngọc",
)


def competent_person(code: str) -> str:
    """Return the name of who signs an agency's documents; always the same for one agency."""
    lot = random.Random(f"person {code}")  # noqa: S311 - a repeatable lot, nothing secret
    return f"{lot.choice(FAMILY_NAMES)} {lot.choice(GIVEN_NAMES)}"


def officer_mail(name: str, code: str) -> str:
    """Return a mail address under the reserved domain ``example`` for an officer of an agency."""
    plain = unicodedata.normalize("NFD", name.replace("đ", "d").replace("Đ", "D")).encode("ascii", "ignore").decode()
    return f"{plain.lower().replace(' ', '.')}@{code.lower()}.example"
