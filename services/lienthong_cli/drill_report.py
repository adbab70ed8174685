"""What a drill prints: each fault, the balance sheet, every difference; for people, or as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

from lienthong.simulation.drill_plan import Action

if TYPE_CHECKING:
    from rich.console import Console

    from lienthong.simulation.drill import DrillResult
    from lienthong.simulation.drill_balance import Sheet
    from lienthong.simulation.drill_faults import InjectedFault

__all__ = ["as_facts", "describe", "print_result"]

SHOWN = 10
"""So many lines of each difference are printed."""

_ACTIONS = {
    Action.KILL: "bị kill -9 / killed",
    Action.FREEZE: "đứng hình / frozen",
    Action.RESTART: "khởi động lại / restarted",
    Action.CUT: "đứt kết nối / connections cut",
}

_DIFFERENCES = {
    "lost": ("Mất", "Lost"),
    "twice": ("Hai lần", "Twice"),
    "gaps": ("Sổ cái thiếu", "Not in the ledger"),
    "strange": ("Lạ", "Strange"),
    "altered": ("Bị sửa", "Altered"),
    "misjudged": ("Sai giá trị", "Misjudged"),
    "stuck": ("Kẹt", "Stuck"),
}


def describe(fault: InjectedFault) -> str:
    """Return one fault in a line: when, what, how long it was felt."""
    planned = fault.planned
    name = f"{planned.at:6.1f} s  {planned.target}: {_ACTIONS[planned.action]}"
    if planned.seconds:
        name += f" {planned.seconds:.1f} s"
    return f"{name}; {_recovery(fault)}"


def print_result(console: Console, result: DrillResult) -> None:
    """Print what came of a drill."""
    console.print(_faults(result))
    console.print(_sheet(result.sheet))
    sheet = result.sheet
    console.print(
        f"{sheet.submitted} = {sheet.delivered} + {sheet.refused} + {sheet.withdrawn} + {sheet.waiting}: đã gửi và "
        "được xác nhận = đã giao + bị từ chối + đã rút + đang chờ / submitted and confirmed = delivered + refused + "
        "withdrawn + waiting",
        soft_wrap=True,
    )
    named = sheet.differences.named()
    console.print("; ".join(f"{vi} / {en} {len(named[key])}" for key, (vi, en) in _DIFFERENCES.items()), soft_wrap=True)
    for key, (vi, en) in _DIFFERENCES.items():
        for line in named[key][:SHOWN]:
            console.print(f"{vi} / {en}: {line}", markup=False, soft_wrap=True)
        if len(named[key]) > SHOWN:
            console.print(f"{vi} / {en}: … {len(named[key]) - SHOWN} nữa / more")
    console.print(
        f"{result.seconds:.0f} giây có tải, {result.restarts} lần khởi động lại tiến trình, bộ SDK đã bỏ "
        f"{result.duplicates} bản lặp / {result.seconds:.0f} s under load, workers started again {result.restarts} "
        f"times, the agencies' kit dropped {result.duplicates} repeats",
        soft_wrap=True,
    )
    console.print("[bold]KHỚP / EVEN[/bold]" if sheet.even else "[bold]KHÔNG KHỚP / NOT EVEN[/bold]")


def as_facts(result: DrillResult) -> dict[str, Any]:
    """Return what came of a drill for JSON.

    ``even``; ``sheet``: the figures of `Sheet` by name; ``differences``: those of `Differences` by name, each a list of
    lines; ``faults``: each with ``at`` (seconds after the beginning), ``action``, ``target``, ``frozen_seconds``,
    ``injected_at`` (ISO 8601) and ``recovered_seconds``, or null in both and an ``obstacle``; ``duplicates`` that the
    agencies' kit dropped; ``restarts`` of workers; ``seconds`` under load.
    """
    sheet = asdict(result.sheet)
    differences = sheet.pop("differences")
    return {
        "even": result.sheet.even,
        "sheet": sheet,
        "differences": differences,
        "faults": [
            {
                "at": fault.planned.at,
                "action": fault.planned.action,
                "target": fault.planned.target,
                "frozen_seconds": fault.planned.seconds,
                "injected_at": fault.injected_at and fault.injected_at.isoformat(timespec="milliseconds"),
                "recovered_seconds": fault.recovered_seconds,
                "obstacle": fault.obstacle,
            }
            for fault in result.faults
        ],
        "duplicates": result.duplicates,
        "restarts": result.restarts,
        "seconds": round(result.seconds, 1),
    }


def _recovery(fault: InjectedFault) -> str:
    if fault.injected_at is None:
        return f"không gây được / not injected: {fault.obstacle}"
    if fault.recovered_seconds is None:
        return "chưa thấy hoạt động lại / not seen to go on"
    return f"hoạt động lại sau / went on after {fault.recovered_seconds:.1f} s"


def _faults(result: DrillResult) -> Table:
    table = Table(title="Sự cố / faults")
    for heading in ("Lúc / at (UTC)", "Đối tượng / target", "Sự cố / fault", "Khôi phục / recovery"):
        table.add_column(heading)
    for fault in result.faults:
        at = f"{fault.injected_at:%H:%M:%S.%f}"[:-5] if fault.injected_at else "-"
        frozen = f" {fault.planned.seconds:.1f} s" if fault.planned.seconds else ""
        recovery = f"{fault.recovered_seconds:.1f} s" if fault.recovered_seconds is not None else _recovery(fault)
        table.add_row(at, fault.planned.target, _ACTIONS[fault.planned.action] + frozen, recovery)
    return table


def _sheet(sheet: Sheet) -> Table:
    table = Table(title="Bảng cân đối / balance sheet")
    for heading in ("Chỉ tiêu", "Figure"):
        table.add_column(heading)
    table.add_column("Số / number", justify="right")
    for vi, en, number in (
        ("Văn bản đã gửi và được xác nhận (rô-bốt)", "Documents submitted and confirmed (robots)", sheet.submitted),
        ("  đã giao (sổ cái)", "  delivered (ledger)", sheet.delivered),
        ("  bị từ chối (sổ cái)", "  refused (ledger)", sheet.refused),
        ("  đã rút (sổ cái)", "  withdrawn (ledger)", sheet.withdrawn),
        ("  đang chờ (sổ cái)", "  waiting (ledger)", sheet.waiting),
        ("Văn bản gửi chưa được xác nhận", "Documents sent without confirmation", sheet.unconfirmed),
        ("Lượt giao phải có (bên gửi)", "Deliveries due (senders)", sheet.due),
        ("  đã xử lý (bên nhận)", "  handled (receivers)", sheet.got),
        ("  đã ghi (sổ cái)", "  recorded (ledger)", sheet.recorded),
        ("Trạng thái đã báo (bên nhận)", "Statuses reported (receivers)", sheet.reported),
        ("  đã về (bên gửi)", "  told (senders)", sheet.heard),
        ("  đã ghi (sổ cái)", "  recorded (ledger)", sheet.applied),
    ):
        table.add_row(vi, en, str(number))
    return table
