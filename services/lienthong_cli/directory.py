"""The directory's half of `lienthong agency`: lists of agencies imported and searched, one agency shown whole."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from lienthong.access.importing import Imported, ListRefusedError, import_list
from lienthong.ledger.agencies import Agencies, AgencyFilter, AgencyRecord
from lienthong.settings import LedgerSettings
from lienthong_cli.access import Code, Operator, opened_ledger, operator_name
from lienthong_cli.endings import REFUSED, explained, fail

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["STAGE_NAMES", "add_commands"]

MOST_TROUBLES = 20
STAGE_NAMES = {
    "registered": "đã đăng ký / registered",
    "in-progress": "đang kết nối / in progress",
    "trial": "kết nối thử / on trial",
    "official": "chính thức / official",
    "suspended": "đình chỉ / suspended",
}
DECISIONS = {
    "AgencyAdmitted": "cho kết nối / let in",
    "AgencyMerged": "sáp nhập / merged",
    "AgencyResumed": "cho hoạt động lại / resumed",
    "AgencyStaged": "chuyển giai đoạn / stage changed",
    "AgencySuspended": "đình chỉ / suspended",
    "CertificateRecorded": "ghi chứng thư số / certificate recorded",
    "ConformanceRecorded": "ghi kết quả hợp quy / conformance recorded",
    "ContactRecorded": "ghi đầu mối / contact recorded",
    "CredentialRotated": "đổi thông tin đăng nhập / credential replaced",
    "QuotaChanged": "đổi hạn mức / quota changed",
    "SubscriptionEnded": "thôi nhận thông báo / told no more",
    "SubscriptionSet": "đăng ký nhận thông báo / to be told",
}
ROLES = {"clerk": "văn thư / clerk", "technical": "kỹ thuật / technical"}
_RECORDS = TypeAdapter(list[AgencyRecord])

StageName = Literal["registered", "in-progress", "trial", "official", "suspended"]
AsJson = Annotated[bool, typer.Option("--json", help="In ra JSON cho chương trình / JSON for programs.")]


def add_commands(app: typer.Typer) -> None:
    """Add the directory's commands to the group of the agency's."""
    for name, command in (("import", import_), ("list", list_), ("show", show)):
        app.command(name)(command)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Danh sách cơ quan, CSV UTF-8 / the list.")],
    skip_column: Annotated[
        list[str] | None, typer.Option(help="Bỏ qua cột này / leave a column out of account; repeatable.")
    ] = None,
    any_code: Annotated[
        bool, typer.Option("--any-code", help="Nhận cả mã không đúng dạng / take codes of neither form as well.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Chỉ kiểm tra / only look for what is wrong.")] = False,
    by: Operator = "",
) -> None:
    """Nhập danh mục cơ quan từ tệp CSV / take a list of agencies into the directory: all of it, or nothing.

    Importing the same list again changes nothing; agencies that are not in it stay. Exit status: 1 when something is
    wrong with the list.
    """

    async def work(data: bytes) -> Imported | None:
        async with opened_ledger() as ledger:
            return await import_list(
                ledger,
                data,
                by=by or operator_name(),
                skipped=[name.lower() for name in skip_column or ()],
                any_code=any_code,
                dry_run=dry_run,
            )

    with explained():
        try:
            done = asyncio.run(work(file.read_bytes()))
        except ListRefusedError as error:
            for trouble in error.troubles[:MOST_TROUBLES]:
                typer.echo(f"{file}: {trouble}", err=True)
            if (more := len(error.troubles) - MOST_TROUBLES) > 0:
                typer.echo(f"… và {more} lỗi nữa / and {more} more", err=True)
            fail(f"{file}: {error}", REFUSED)
    if done is None:
        typer.echo(f"{file}: không có lỗi, không ghi gì / nothing is wrong; nothing was written")
    else:
        typer.echo(
            f"{file}: {done.agencies} cơ quan, {done.new} mới, {done.changed} thay đổi / "
            f"{done.agencies} agencies, {done.new} new, {done.changed} changed"
        )


def list_(
    stage: Annotated[StageName | None, typer.Option(help="Giai đoạn / stage.")] = None,
    kind: Annotated[str | None, typer.Option(help="Loại cơ quan / kind of body.")] = None,
    under: Annotated[str | None, typer.Option(metavar="CODE", help="Dưới cơ quan này / below this agency.")] = None,
    text: Annotated[
        str | None,
        typer.Option(
            help="Từ trong tên, không cần dấu, hoặc một phần mã / words of a name, with or without accents, or part of "
            "a code."
        ),
    ] = None,
    merged: Annotated[
        bool | None, typer.Option("--merged/--not-merged", help="Đã sáp nhập hay chưa / merged into another or not.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Nhiều nhất / at most so many.")] = 50,
    after: Annotated[str, typer.Option(metavar="CODE", help="Trang sau mã này / the page after this code.")] = "",
    as_json: AsJson = False,
) -> None:
    """Liệt kê danh mục cơ quan / list the agencies of the directory, by code, page by page."""
    wanted = AgencyFilter(stage, kind, under, text, merged)

    async def work() -> tuple[int, list[AgencyRecord]]:
        agencies = await Agencies.connect(LedgerSettings().url.get_secret_value())
        try:
            return await agencies.count(wanted), await agencies.find(wanted, limit=limit, after=after)
        finally:
            await agencies.close()

    with explained():
        total, found = asyncio.run(work())
    following = found[-1].code if len(found) == limit else None
    if as_json:
        page = {"total": total, "after": following, "agencies": _RECORDS.dump_python(found, mode="json")}
        print(json.dumps(page, ensure_ascii=False, indent=2))
        return
    table = Table("Mã / code", "Tên / name", "Giai đoạn / stage", "Phần mềm / software", "Sáp nhập vào / merged into")
    for one in found:
        table.add_row(one.code, one.name, STAGE_NAMES[one.stage], _software(one), _merged(one))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(f"{len(found)} / {total}" + (f"; trang sau / next page: --after {following}" if following else ""))


def show(code: Code, as_json: AsJson = False) -> None:
    """Xem mọi thông tin về một cơ quan / show everything about one agency, what was decided about it included.

    CODE may be written in either form, and may be one that was merged. Exit status: 1 when nobody ever had it.
    """

    async def work() -> tuple[AgencyRecord | None, list[tuple[datetime, str, dict[str, object]]]]:
        agencies = await Agencies.connect(LedgerSettings().url.get_secret_value())
        try:
            record = await agencies.record(code)
            return record, await agencies.history(record.code) if record else []
        finally:
            await agencies.close()

    with explained():
        record, history = asyncio.run(work())
    if record is None:
        fail(f"{code}: không có trong danh mục / is not in the directory", REFUSED)
    decided = [{"at": at.isoformat(), "what": what, **facts} for at, what, facts in history]
    if as_json:
        (facts,) = _RECORDS.dump_python([record], mode="json")
        print(json.dumps(facts | {"history": decided}, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for title, value in _facts(record):
        console.print(f"{title:36}{value}")
    for one in decided:
        more = [f"{name}={value}" for name, value in one.items() if name not in ("at", "what") and value is not None]
        console.print(f"{one['at']}  {DECISIONS[str(one['what'])]}  {' '.join(more)}")


def _facts(one: AgencyRecord) -> Sequence[tuple[str, str]]:
    codes = [f"{held.code}{_days(held.valid_from, held.valid_to)}" for held in one.codes]
    passed = {True: "đạt / passed", False: "không đạt / failed", None: "-"}[one.conformance_passed]
    return [
        ("Mã / code", one.code),
        ("Tên / name", one.name),
        ("Loại / kind", one.kind or "-"),
        ("Cấp trên / above it", one.parent or "-"),
        ("Các mã / codes", ", ".join(codes)),
        ("Giai đoạn / stage", STAGE_NAMES[one.stage]),
        *(("  từ / since", f"{since.since.isoformat()}  {STAGE_NAMES[since.stage]}") for since in one.stages),
        ("Đăng nhập / login", one.login or "-"),
        ("Sáp nhập vào / merged into", _merged(one) or "-"),
        ("Đã nhận sáp nhập / merged into it", ", ".join(one.predecessors) or "-"),
        ("Phần mềm / software", _software(one) or "-"),
        ("Cấp độ an toàn / security level", str(one.security_level or "-")),
        ("Hợp quy / conformance", f"{passed} {one.conformance_on or ''}".strip()),
        *(
            (f"Đầu mối / contact, {ROLES[who.role]}", " ".join(filter(None, (who.name, who.email, who.phone))))
            for who in one.contacts
        ),
        *(
            (
                "Chứng thư số / certificate",
                f"{its.subject} {its.valid_from.date()}…{its.valid_to.date()} {its.fingerprint}",
            )
            for its in one.certificates
        ),
    ]


def _days(since: object, until: object) -> str:
    return f" [{since or ''}…{until or ''})" if since or until else ""


def _merged(one: AgencyRecord) -> str:
    return f"{one.successor} ({one.succeeded_on})" if one.successor else ""


def _software(one: AgencyRecord) -> str:
    return " ".join(filter(None, (one.software, one.software_version)))
