"""The part of `lienthong agency` about how far an agency's connection is: stage, conformance, certificate, mergers."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from lienthong.access.standing import Registry
from lienthong.settings import TrustSettings
from lienthong.signature.signer import load_certificates
from lienthong.trust import TrustStore
from lienthong_cli.access import Code, Operator, opened_ledger, operator_name
from lienthong_cli.directory import STAGE_NAMES, StageName
from lienthong_cli.endings import USAGE, explained, fail

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["add_commands"]

ResultT = TypeVar("ResultT")
On = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Ngày, mặc định hôm nay / the day; today when left out.")
]
UNCHANGED = " (không có gì thay đổi / it was so already)"


def add_commands(app: typer.Typer) -> None:
    """Add these commands to the group of the agency's."""
    for command in (stage, merge, conformance, contact, certificate):
        app.command(command.__name__)(command)


def stage(
    code: Code,
    to: Annotated[StageName, typer.Argument(metavar="STAGE", help=f"{', '.join(STAGE_NAMES)}.")],
    by: Operator = "",
) -> None:
    """Chuyển giai đoạn kết nối / move an agency to another stage; official only when everything is there.

    Official needs: on trial, conformance passed, a valid certificate, mail addresses of clerk and technician.
    LIENTHONG_TRUST_FOLDER says which certificates are believed. Exit status: 1 when something is missing, which is
    listed.
    """
    changed = _run(lambda registry: registry.stage(code, to), by)
    typer.echo(f"{code}: {STAGE_NAMES[to]}{'' if changed else UNCHANGED}")


def merge(
    codes: Annotated[list[str], typer.Argument(metavar="OLD... NEW", help="Các mã cũ, rồi mã mới / old codes, new.")],
    on: On = None,
    instead: Annotated[
        bool, typer.Option("--instead", help="Thay lần sáp nhập đã ghi / replace a merger that was recorded.")
    ] = False,
    by: Operator = "",
) -> None:
    """Sáp nhập cơ quan / merge agencies into another: from that day on their mail reaches it, their history stays.

    A merged agency keeps its queues and its login until you suspend it: let it empty them first.
    """
    *old, new = codes
    if not old:
        fail("cần mã cũ và mã mới / give the old codes and the new one", USAGE)
    day = on.date() if on else None
    changed = _run(lambda registry: registry.merge(old, new, day, instead=instead), by)
    typer.echo(f"{', '.join(old)} → {new}{'' if changed else UNCHANGED}")
    for code in changed:
        typer.echo(
            f"{code}: khi đã lấy hết văn bản trong hàng đợi / once its queues are empty: "
            f"lienthong agency suspend {code} --reason …"
        )


def conformance(
    code: Code,
    passed: Annotated[bool, typer.Option("--passed/--failed", help="Đạt hay không đạt / how the run ended.")],
    on: On = None,
    software: Annotated[str | None, typer.Option(help="Phần mềm QLVB / the software that ran.")] = None,
    version: Annotated[str | None, typer.Option(help="Phiên bản / its version.")] = None,
    by: Operator = "",
) -> None:
    """Ghi kết quả kiểm tra hợp quy / record how an agency's conformance run ended."""
    day = on.date() if on else None
    _run(
        lambda registry: registry.record_conformance(code, passed=passed, on=day, software=software, version=version),
        by,
    )
    typer.echo(f"{code}: {'hợp quy đạt / conformance passed' if passed else 'hợp quy không đạt / conformance failed'}")


def contact(
    code: Code,
    role: Annotated[Literal["clerk", "technical"], typer.Argument(help="Văn thư hay kỹ thuật / which contact.")],
    name: Annotated[str | None, typer.Option(help="Họ tên / name.")] = None,
    email: Annotated[str | None, typer.Option(help="Thư điện tử / mail address.")] = None,
    phone: Annotated[str | None, typer.Option(help="Điện thoại / telephone.")] = None,
    by: Operator = "",
) -> None:
    """Ghi đầu mối liên hệ / record whom to ask at an agency."""
    changed = _run(lambda registry: registry.record_contact(code, role, name=name, email=email, phone=phone), by)
    typer.echo(f"{code}: đã ghi đầu mối / contact recorded{'' if changed else UNCHANGED}")


def certificate(
    code: Code,
    file: Annotated[Path, typer.Argument(metavar="FILE.pem", help="Chứng thư số, PEM / its certificate.")],
    by: Operator = "",
) -> None:
    """Ghi chứng thư số của cơ quan / record an agency's certificate; its subject's serialNumber has to be its code."""
    with explained():
        own = load_certificates(file)[0]
    changed = _run(lambda registry: registry.record_certificate(code, own), by)
    typer.echo(f"{code}: đã ghi chứng thư số / certificate recorded{'' if changed else UNCHANGED}")


def _run(work: Callable[[Registry], Awaitable[ResultT]], by: str) -> ResultT:
    async def connected() -> ResultT:
        async with opened_ledger() as ledger:
            registry = Registry(ledger, lambda: TrustStore.load(TrustSettings().folder), by=by or operator_name())
            return await work(registry)

    with explained():
        return asyncio.run(connected())
