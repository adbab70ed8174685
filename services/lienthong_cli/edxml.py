"""`lienthong edxml`: judge and show edXML files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lienthong.document.life_cycle import STATUS_CODES
from lienthong.edxml import Inspection, Limits, Profile, inspect
from lienthong.edxml.model import Packing
from lienthong.edxml.wire_time import VIETNAM
from lienthong.errors import Problem

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from lienthong.edxml import Document, Organization, ResponseFor, Status

__all__ = ["app"]

app = typer.Typer(help="Kiểm tra và xem gói tin edXML / check and show edXML messages.", no_args_is_help=True)

_BUSINESS = {0: "mới / new", 1: "thu hồi / withdraw", 2: "cập nhật / update", 3: "thay thế / replace"}
_PRIORITY = {
    0: "thường / ordinary",
    1: "khẩn / urgent",
    2: "thượng khẩn / very urgent",
    3: "hỏa tốc / express",
    4: "hỏa tốc hẹn giờ / express at an hour",
}
_PACKING = {Packing.RAW: "để nguyên / as it is", Packing.ZIPPED: "bọc trong zip / wrapped in a zip"}


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Tệp edXML / edXML files.")],
    profile: Annotated[
        Profile,
        typer.Option(help="strict: như trục chứng nhận / as certified; lenient: như thực tế / as real traffic is."),
    ] = Profile.LENIENT,
    as_json: Annotated[
        bool, typer.Option("--json", help="Mỗi tệp một đối tượng JSON trên một dòng / one JSON object per line.")
    ] = False,
) -> None:
    """Phán xét từng tệp; mã thoát 1 nếu có tệp bị từ chối / judge each file; exit 1 when any is refused."""
    refused = 0
    console = Console()
    for file in files:
        inspection = _inspect(file, profile)
        refused += bool(inspection.problems)
        if as_json:
            print(json.dumps(_verdict(file, inspection), ensure_ascii=False))
        else:
            _print_verdict(console, file, inspection)
    if refused:
        raise typer.Exit(1)


@app.command()
def show(file: Annotated[Path, typer.Argument(metavar="FILE", help="Tệp edXML / an edXML file.")]) -> None:
    """Xem nội dung một gói tin / show what a message says."""
    inspection = _inspect(file, Profile.LENIENT)
    message = inspection.message
    if message is None:
        _print_verdict(Console(), file, inspection)
        raise typer.Exit(1)
    rows = _document_rows(message) if message.kind == "document" else _status_rows(message)
    table = Table(title=escape(_name(file)), show_header=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in rows:
        if value:
            table.add_row(label, escape(_visible(value)))
    console = Console()
    console.print(table)
    if message.kind == "document" and message.attachments:
        console.print("Tệp đính kèm / Attachments", style="italic")
        for attachment in message.attachments:
            # One line for the digest whatever the width: it is there to be compared.
            console.print(
                f"  {_visible(attachment.name)}: {len(attachment.content)} byte, {_visible(attachment.content_type)}, "
                f"{_PACKING[attachment.packing]}\n    SHA-256 {attachment.sha256}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    _print_findings(console, inspection)


def _name(file: Path) -> str:
    """Return a file's name as it can be printed, whatever bytes it is made of."""
    return os.fsencode(file).decode("utf-8", "replace")


def _visible(text: str) -> str:
    """Return a stranger's text without the characters that move a terminal's cursor or its reading direction."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "�" for sign in text)


def _inspect(file: Path, profile: Profile) -> Inspection:
    """Return what reading a file found; a file that cannot be opened counts as refused."""
    try:
        with file.open("rb") as opened:
            data = opened.read(Limits().total_bytes + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        problem = Problem(
            "N.File",
            "",
            f"Không mở được tệp {_name(file)}: {reason}; hãy kiểm tra đường dẫn và quyền đọc",
            f"Cannot open {_name(file)}: {reason}; check the path and the right to read it",
            10,
        )
        return Inspection(None, None, (problem,), ())
    return inspect(data, profile=profile)


def _verdict(file: Path, inspection: Inspection) -> dict[str, object]:
    return {
        "file": _name(file),
        "ok": inspection.message is not None,
        "kind": inspection.kind,
        "errors": [_finding(problem) for problem in inspection.problems],
        "warnings": [_finding(warning) for warning in inspection.warnings],
    }


def _finding(problem: Problem) -> dict[str, object]:
    return {
        "code": problem.code,
        "path": problem.path,
        "message": f"{problem.vi} / {problem.en}",
        "message_vi": problem.vi,
        "message_en": problem.en,
        "province_code": problem.province_code,
    }


def _print_verdict(console: Console, file: Path, inspection: Inspection) -> None:
    verdict = "đạt / ok" if inspection.message is not None else "bị từ chối / refused"
    kind = f" ({inspection.kind})" if inspection.kind else ""
    console.print(f"{_name(file)}: {verdict}{kind}", markup=False, highlight=False, soft_wrap=True)
    _print_findings(console, inspection)


def _print_findings(console: Console, inspection: Inspection) -> None:
    """Print one line for each finding into a file or pipe, a short paragraph for each on a terminal."""
    marked = [("✗", "red", problem) for problem in inspection.problems]
    marked += [("!", "yellow", warning) for warning in inspection.warnings]
    for mark, colour, finding in marked:
        if not console.is_terminal:
            console.print(f"  {mark} {finding}", markup=False, highlight=False, soft_wrap=True)
            continue
        paragraph = Table.grid(padding=(0, 1, 0, 0))
        paragraph.add_column(style=colour)
        paragraph.add_column(overflow="fold")
        where = f" [{finding.path}]" if finding.path else ""
        paragraph.add_row(f"  {mark}", escape(f"{finding.code}{where}\n{finding.vi}\n{finding.en}"))
        console.print(paragraph)


def _document_rows(document: Document) -> Iterator[tuple[str, str | None]]:
    business = document.business
    signer, issued, kind = document.signer, document.promulgation, document.document_type
    yield "Loại gói tin / Message", f"văn bản / document, {_BUSINESS[business.type]}"
    yield "Bên gửi / Sender", _organization(document.sender)
    yield "Nơi nhận / Addressees", "\n".join(map(_organization, document.addressees))
    yield "DocumentId", document.document_id
    yield "Số, ký hiệu / Code", str(document.code) if document.code else None
    yield "Loại văn bản / Type", kind.type_name if kind else None
    yield "Trích yếu / Subject", document.subject
    yield "Nội dung / Content", document.content
    yield "Ban hành / Issued", _join(issued.place, issued.date) if issued else None
    yield "Người ký / Signer", _join(signer.competence, signer.position, signer.full_name) if signer else None
    yield "Độ khẩn / Urgency", _PRIORITY.get(document.priority, str(document.priority))
    yield "Hạn trả lời / Due", _join(document.due_date)
    yield "Nơi nhận (in) / To places", "\n".join(document.to_places)
    yield "Trả lời / Answers", "\n".join(map(_about, document.response_for))
    yield "Lý do / Reason", business.reason
    yield "Văn bản liên quan / Concerns", business.document_id
    yield "Thay thế / Replaces", "\n".join(replacement.document_id for replacement in business.replacements)
    yield "Đường đi / Trace", "\n".join(_join(_local(hop.timestamp), hop.organ_id) or "?" for hop in document.trace)


def _status_rows(status: Status) -> Iterator[tuple[str, str | None]]:
    meaning = STATUS_CODES[status.status_code]
    staff = status.staff
    yield "Loại gói tin / Message", "trạng thái / status"
    yield "Bên báo / Reported by", _organization(status.sender)
    yield "Trạng thái / Status", f"{meaning.code} {meaning.vi} / {meaning.en}"
    yield "Về văn bản / About", _about(status.response_for)
    yield "Diễn giải / Description", status.description
    yield "Cán bộ / Officer", _join(staff.staff, staff.department, staff.mobile, staff.email) if staff else None
    yield "Lúc / At", _local(status.timestamp)


def _organization(organization: Organization) -> str:
    return f"{organization.organ_id} {organization.organ_name or ''}".strip()


def _about(answer: ResponseFor) -> str:
    return _join(answer.code, answer.document_id, answer.organ_id, answer.promulgation_date) or ""


def _local(moment: dt.datetime | None) -> str | None:
    return moment.astimezone(VIETNAM).isoformat(" ", "seconds") if moment else None


def _join(*parts: object) -> str | None:
    return ", ".join(str(part) for part in parts if part) or None
