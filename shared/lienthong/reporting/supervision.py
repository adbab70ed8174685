"""The supervision of connection and feedback, as that of January 2019, for any period: two reports of one table."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lienthong.ledger.figures import Answers
from lienthong.ledger.reports import Feedback
from lienthong.reporting.model import Bars, Column, Kind, Report, Table, Words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from lienthong.ledger.figures import Supervised
    from lienthong.ledger.reports import Supervision, UnitRow
    from lienthong.reporting.model import Cell, Period

__all__ = ["FIGURES", "connection_report", "feedback_report"]

FIGURES: Mapping[str, Words] = {
    "units": Words("Đơn vị được giám sát", "Units supervised"),
    "connected": Words("Đã kết nối", "Connected"),
    "in_progress": Words("Đang kết nối", "In progress"),
    "receiving": Words("Đã nhận văn bản", "Received documents"),
    "feeding_back": Words("Có phản hồi trạng thái", "Feed statuses back"),
    "fully": Words("Phản hồi đầy đủ", "Fully"),
    "partly": Words("Phản hồi một phần", "Partly"),
    "arrival_only": Words("Chỉ báo đã đến văn thư", "Arrival at the clerk only"),
    "never": Words("Không phản hồi", "Never"),
    "nothing_received": Words("Chưa nhận văn bản nào", "Nothing received yet"),
}
STAGES = {
    "official": Words("chính thức", "official"),
    "trial": Words("kết nối thử", "on trial"),
    "in-progress": Words("đang kết nối", "in progress"),
    "registered": Words("đã đăng ký", "registered"),
    "suspended": Words("đình chỉ", "suspended"),
}
KINDS = {
    "ministry": Words("bộ", "ministry"),
    "ministerial-agency": Words("cơ quan ngang bộ", "ministerial agency"),
    "government-agency": Words("cơ quan thuộc Chính phủ", "government agency"),
    "party-office": Words("cơ quan Đảng", "Party office"),
    "province": Words("tỉnh, thành phố", "province"),
    "": Words("không rõ", "not stated"),
}
GRADES = {
    Feedback.FULLY: Words("đầy đủ", "fully"),
    Feedback.PARTLY: Words("một phần", "partly"),
    Feedback.ARRIVAL_ONLY: Words("chỉ báo đã đến", "arrival only"),
    Feedback.NEVER: Words("không phản hồi", "never"),
    Feedback.NOTHING_RECEIVED: Words("chưa nhận văn bản", "nothing received yet"),
    Feedback.NOT_CONNECTED: Words("chưa kết nối", "not connected"),
}
OFFICES = {
    "clerk": Words("văn thư", "clerk"),
    "leader": Words("lãnh đạo", "leader"),
    "officer": Words("chuyên viên", "officer"),
}
GREEN, LIME, AMBER, RED, GREY, PALE = "#2e7d4f", "#7fa63a", "#d99a1c", "#b8352b", "#7a8591", "#b9c1c9"
GRADE_COLOURS = dict(zip(map(str, GRADES), (GREEN, LIME, AMBER, RED, GREY, PALE), strict=True))
STAGE_COLOURS = dict(zip(STAGES, (GREEN, LIME, AMBER, GREY, RED), strict=True))

CODE = Column("code", Words("Mã", "Code"), width=8)
NAME = Column("name", Words("Đơn vị", "Unit"), width=26)


def connection_report(found: Supervised, period: Period, made_at: datetime) -> Report:
    """Return which units are connected, since when, by which software, and what they sent and received."""
    grades = {unit.code: unit.feedback for unit in found.table.units}
    units = Table(
        "units",
        Words("Các đơn vị", "Units"),
        (
            CODE,
            NAME,
            Column("kind", Words("Loại", "Kind"), names=KINDS, width=15),
            Column("stage", Words("Giai đoạn", "Stage"), names=STAGES, width=18),
            Column("connected_since", Words("Kết nối từ", "Connected since"), Kind.MOMENT, width=13),
            Column("software", Words("Phần mềm", "Software"), width=12),
            Column("security_level", Words("Cấp độ an toàn", "Security level"), Kind.NUMBER, width=8),
            Column("sent", Words("Đã gửi", "Sent"), Kind.NUMBER, summed=True, width=7),
            Column("received", Words("Đã nhận", "Received"), Kind.NUMBER, summed=True, width=8),
            Column("feedback", Words("Phản hồi", "Feedback"), names=_by_name(GRADES), width=19),
        ),
        [
            (
                unit.code,
                unit.name,
                unit.kind,
                unit.stage,
                unit.connected_since,
                " ".join(filter(None, (unit.software, unit.software_version))) or None,
                unit.security_level,
                unit.sent,
                found.answers.get(unit.code, Answers()).documents,
                grades[unit.code].value,
            )
            for unit in found.units
        ],
    )
    stages = Counter(unit.stage for unit in found.units)
    kinds = Counter(unit.kind for unit in found.units)
    connected = Counter(unit.kind for unit in found.units if unit.connected)
    return Report(
        "connection",
        Words("Giám sát kết nối", "Supervision of connection"),
        period,
        made_at,
        found.table.figures,
        FIGURES,
        (
            units,
            Table(
                "stages",
                Words("Theo giai đoạn kết nối", "By stage of connection"),
                (Column("stage", Words("Giai đoạn", "Stage"), names=STAGES, width=20), _units()),
                [(stage, stages[stage]) for stage in STAGES if stages[stage]],
                Bars("stage", "units", colours=STAGE_COLOURS),
            ),
            Table(
                "kinds",
                Words("Theo loại đơn vị", "By kind of unit"),
                (
                    Column("kind", Words("Loại", "Kind"), names=KINDS, width=20),
                    _units(),
                    Column("connected", FIGURES["connected"], Kind.NUMBER, summed=True),
                ),
                [(kind, number, connected[kind]) for kind, number in kinds.most_common()],
            ),
        ),
    )


def feedback_report(found: Supervised, period: Period, made_at: datetime) -> Report:
    """Return which units tell senders what becomes of their documents, ranked, with the documents that prove it."""
    return Report(
        "feedback",
        Words("Giám sát phản hồi trạng thái", "Supervision of feedback"),
        period,
        made_at,
        found.table.figures,
        FIGURES,
        (_league(found), _grades(found.table), _evidence(found)),
    )


def _league(found: Supervised) -> Table:
    order = list(GRADES)
    of = found.answers

    def standing(unit: UnitRow) -> tuple[int, float, float, str]:
        answers = of.get(unit.code, Answers())
        documents = max(answers.documents, 1)
        return order.index(unit.feedback), -answers.answered / documents, -answers.finished / documents, unit.code

    rows: list[tuple[Cell, ...]] = []
    for rank, unit in enumerate(sorted(found.table.units, key=standing), 1):
        its = of.get(unit.code, Answers())
        share = its.answered / its.documents if its.documents else None
        numbers = (its.documents, its.answered, share, its.clerk, its.leader, its.officer, its.finished)
        rows.append((rank, unit.code, unit.name, unit.feedback.value, *numbers))
    return Table(
        "units",
        Words("Bảng xếp hạng", "League table"),
        (
            Column("rank", Words("Hạng", "Rank"), Kind.NUMBER, width=6),
            CODE,
            NAME,
            Column("feedback", Words("Mức phản hồi", "Grade"), names=_by_name(GRADES), width=22),
            Column("documents", Words("Văn bản nhận", "Documents"), Kind.NUMBER, summed=True),
            Column("answered", Words("Được phản hồi", "Answered"), Kind.NUMBER, summed=True),
            Column("share", Words("Tỷ lệ", "Share"), Kind.SHARE, width=7),
            Column("clerk", Words("Văn thư", "Clerk"), Kind.NUMBER, summed=True, width=8),
            Column("leader", Words("Lãnh đạo", "Leader"), Kind.NUMBER, summed=True, width=8),
            Column("officer", Words("Chuyên viên", "Officer"), Kind.NUMBER, summed=True, width=9),
            Column("finished", Words("Hoàn thành", "Completed"), Kind.NUMBER, summed=True, width=9),
        ),
        rows,
        note=Words(
            "Đầy đủ: có trạng thái của văn thư, lãnh đạo và chuyên viên được áp dụng trong kỳ; chỉ báo đã đến: chỉ của "
            "văn thư. Văn bản thử không tính.",
            "Fully: statuses of clerk, leader and officer were applied in the period; arrival only: the clerk's alone. "
            "Tests are not counted.",
        ),
    )


def _grades(table: Supervision) -> Table:
    return Table(
        "grades",
        Words("Theo mức phản hồi", "By grade"),
        (Column("feedback", Words("Mức phản hồi", "Grade"), names=_by_name(GRADES), width=24), _units()),
        [(grade.value, table.count(grade)) for grade in GRADES],
        Bars("feedback", "units", colours=GRADE_COLOURS),
    )


def _evidence(found: Supervised) -> Table:
    return Table(
        "evidence",
        Words("Căn cứ", "Evidence"),
        (
            Column("unit", Words("Đơn vị", "Unit"), width=8),
            Column("code", Words("Trạng thái", "Status"), width=9),
            Column("office", Words("Bộ phận", "Office"), names=OFFICES, width=14),
            Column("at", Words("Lúc", "At"), Kind.MOMENT, width=13),
            Column("sender", Words("Bên gửi", "Sender"), width=8),
            Column("number", Words("Số, ký hiệu", "Number"), width=14),
            Column("document_id", Words("Mã văn bản", "DocumentId"), width=24),
            Column("document", Words("Mã trên trục", "On the exchange"), width=33),
        ),
        [
            (one.unit, one.code, one.office, one.at, one.sender, one.number, one.document_id, one.document)
            for one in found.evidence
        ],
        note=Words(
            "Trạng thái đầu tiên của mỗi mã; không có trạng thái: văn bản đầu tiên mà đơn vị không phản hồi. "
            "Xem toàn bộ: lienthong document show MÃ.",
            "The first status of each code; without a status: the first document that the unit never answered. "
            "For all of it: lienthong document show ID.",
        ),
    )


def _units() -> Column:
    return Column("units", Words("Số đơn vị", "Units"), Kind.NUMBER, summed=True)


def _by_name(names: Mapping[Feedback, Words]) -> dict[str, Words]:
    return {str(key): words for key, words in names.items()}
