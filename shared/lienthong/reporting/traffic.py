"""What was exchanged in a period: between whom, of which kind and size, at which hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lienthong.reporting.model import Bars, Column, Kind, Report, Table, Words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lienthong.ledger.figures import Group, Traffic
    from lienthong.reporting.model import Cell, Period

__all__ = ["FIGURES", "traffic_report"]

FIGURES: Mapping[str, Words] = {
    "documents": Words("Văn bản", "Documents"),
    "bytes": Words("Dung lượng (byte)", "Size (bytes)"),
    "urgent": Words("Văn bản khẩn", "Urgent documents"),
    "senders": Words("Bên gửi", "Senders"),
    "deliveries": Words("Lượt giao", "Deliveries"),
    "statuses": Words("Trạng thái đã áp dụng", "Statuses applied"),
    "refused": Words("Bị trục từ chối", "Refused by the exchange"),
}
ACTS = {
    "0": Words("văn bản mới", "new"),
    "1": Words("thu hồi", "withdrawal"),
    "2": Words("cập nhật", "update"),
    "3": Words("thay thế", "replacement"),
}
SIZES = {
    "0": Words("dưới 100 KiB", "under 100 KiB"),
    "1": Words("100 KiB đến 1 MiB", "100 KiB to 1 MiB"),
    "2": Words("1 đến 10 MiB", "1 to 10 MiB"),
    "3": Words("từ 10 MiB", "10 MiB and more"),
}
MOST_PAIRS = 50
MOST_KINDS = 20
MOST_AGENCIES = 20


def traffic_report(found: Traffic, period: Period, made_at: datetime) -> Report:
    """Return the volumes of a period; each table's documents, or deliveries, add up to all of them."""
    groups = found.groups
    hours = [f"{hour:02}" for hour in range(24)]
    kinds = sorted(groups["kinds"], key=lambda group: (-group.documents, group.name))
    return Report(
        "traffic",
        Words("Lưu lượng trao đổi văn bản", "Traffic"),
        period,
        made_at,
        found.totals,
        FIGURES,
        (
            _pairs(found),
            _league(found, "senders", Words("Gửi nhiều nhất", "Who sends most"), sent=True),
            _league(found, "receivers", Words("Nhận nhiều nhất", "Who receives most"), sent=False),
            _table("kinds", Words("Theo loại văn bản", "By kind"), _rows(kinds), upright=False, most=MOST_KINDS),
            _table("acts", Words("Theo nghiệp vụ", "By act"), _all(groups["acts"], ACTS), names=ACTS),
            _table("sizes", Words("Theo dung lượng", "By size"), _all(groups["sizes"], SIZES), names=SIZES),
            _table("hours", Words("Theo giờ", "By hour"), _all(groups["hours"], hours), upright=True),
            _table("days", Words("Theo ngày", "By day"), _rows(groups["days"]), upright=True),
        ),
    )


def _table(
    key: str,
    title: Words,
    rows: Sequence[Sequence[Cell]],
    *,
    names: Mapping[str, Words] | None = None,
    upright: bool = False,
    most: int | None = None,
) -> Table:
    singular = Words(title.vi.removeprefix("Theo ").capitalize(), title.en.removeprefix("By ").capitalize())
    return Table(
        key,
        title,
        (
            Column("name", singular, names={**(names or {}), "": Words("không ghi", "not stated")}, width=24),
            Column("documents", FIGURES["documents"], Kind.NUMBER, summed=True),
            Column("bytes", Words("Dung lượng", "Size"), Kind.BYTES, summed=True),
        ),
        rows,
        Bars("name", "documents", upright=upright),
        most,
    )


def _pairs(found: Traffic) -> Table:
    return Table(
        "pairs",
        Words("Theo cặp gửi và nhận", "By pair"),
        (
            Column("sender", Words("Bên gửi", "Sender"), width=8),
            Column("sender_name", Words("Tên bên gửi", "Its name"), width=26),
            Column("addressee", Words("Bên nhận", "Receiver"), width=8),
            Column("addressee_name", Words("Tên bên nhận", "Its name"), width=26),
            Column("deliveries", FIGURES["deliveries"], Kind.NUMBER, summed=True),
            Column("bytes", Words("Dung lượng", "Size"), Kind.BYTES, summed=True),
            Column("document", Words("Văn bản đầu tiên", "The first document"), width=27),
        ),
        [
            (
                pair.sender,
                found.names[pair.sender],
                pair.addressee,
                found.names[pair.addressee],
                pair.deliveries,
                pair.bytes,
                pair.first,
            )
            for pair in found.pairs
        ],
        most=MOST_PAIRS,
    )


def _league(found: Traffic, key: str, title: Words, *, sent: bool) -> Table:
    numbers: dict[str, list[int]] = {}
    for pair in found.pairs:
        of = numbers.setdefault(pair.sender if sent else pair.addressee, [0, 0])
        of[0] += pair.deliveries
        of[1] += pair.bytes
    ranked = sorted(numbers.items(), key=lambda item: (-item[1][0], item[0]))
    return Table(
        key,
        title,
        (
            Column("code", Words("Mã", "Code"), width=8),
            Column("name", Words("Đơn vị", "Unit"), width=26),
            Column("deliveries", FIGURES["deliveries"], Kind.NUMBER, summed=True),
            Column("bytes", Words("Dung lượng", "Size"), Kind.BYTES, summed=True),
        ),
        [(code, found.names[code], deliveries, size) for code, (deliveries, size) in ranked],
        Bars("name", "deliveries"),
        MOST_AGENCIES,
    )


def _rows(groups: Sequence[Group]) -> list[tuple[Cell, ...]]:
    return [(group.name, group.documents, group.bytes) for group in groups]


def _all(groups: Sequence[Group], names: Mapping[str, Words] | Sequence[str]) -> list[tuple[Cell, ...]]:
    """Return a row for each of these names, also where there is nothing."""
    found = {group.name: group for group in groups}
    return [(name, found[name].documents, found[name].bytes) if name in found else (name, 0, 0) for name in names]
