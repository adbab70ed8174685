"""The operator's half of `lienthong agency`: who gets in, who is shut out, with which credential."""

from __future__ import annotations

import asyncio
import getpass
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lienthong.access.admission import Admission, Admitted
from lienthong.access.broker import place_of
from lienthong.bus.admin import BrokerAdmin
from lienthong.ledger.ledger import Ledger
from lienthong.settings import AccessSettings, BrokerSettings, LedgerSettings
from lienthong_cli.endings import explained

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

__all__ = ["Operator", "add_commands", "opened_ledger", "operator_name"]

Code = Annotated[str, typer.Argument(metavar="CODE", help="Mã cơ quan / the agency's code.")]
Operator = Annotated[
    str,
    typer.Option(
        "--by",
        envvar="LIENTHONG_OPERATOR",
        help="Ai quyết định, ghi vào sổ cái; mặc định là người dùng hệ điều hành / who decides, for the history; the "
        "user of this machine when left out.",
    ),
]
ByPassword = Annotated[
    bool | None,
    typer.Option(
        "--password/--certificate-only",
        help="Đăng nhập bằng mật khẩu (phải được cấu hình cho phép) hay chỉ bằng chứng thư / log in with a password "
        "(LIENTHONG_ACCESS_PASSWORDS has to allow it), or with a certificate only.",
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Add the operator's commands to the group of the agency's."""
    for name, command in (
        ("add", add),
        ("suspend", suspend),
        ("resume", resume),
        ("rotate-credential", rotate_credential),
    ):
        app.command(name)(command)


def add(
    code: Code,
    name: Annotated[str | None, typer.Option(help="Tên cơ quan / its name.")] = None,
    kind: Annotated[str | None, typer.Option(help="Loại cơ quan / what kind of body it is.")] = None,
    parent: Annotated[str | None, typer.Option(help="Mã cơ quan cấp trên / code of the agency above it.")] = None,
    password: ByPassword = None,
    by: Operator = "",
) -> None:
    """Cho cơ quan kết nối, ban đầu là kết nối thử / let an agency in, on trial first: user, permissions, queues.

    It becomes official by `lienthong agency stage CODE official`, once everything is there.
    By certificate only when nothing else is said: one from the authority the broker trusts, with CODE as its common
    name. A password is printed once and kept nowhere. Doing it again changes only what is said anew.
    """
    login = _login(password)

    async def work(admission: Admission) -> Admitted:
        return await admission.add(code, name=name, kind=kind, parent=parent, login=login)

    done = _run(work, by)
    _say(done, "đã kết nối / is let in")


def suspend(
    code: Code,
    reason: Annotated[str, typer.Option(help="Lý do, ghi vào sổ cái / why, for the history.")],
    by: Operator = "",
) -> None:
    """Đình chỉ cơ quan ngay lập tức / shut an agency out at once, its open connections included.

    What is in its queues stays there until it is resumed.
    """
    done = _run(lambda admission: admission.suspend(code, reason=reason), by)
    _say(done, "đã bị đình chỉ, mọi kết nối đã đóng / is suspended, its connections are closed")


def resume(code: Code, by: Operator = "") -> None:
    """Cho cơ quan bị đình chỉ kết nối lại / let a suspended agency in again, as it was before."""
    _say(_run(lambda admission: admission.resume(code), by), "đã hoạt động lại / is resumed")


def rotate_credential(code: Code, password: ByPassword = None, by: Operator = "") -> None:
    """Thay thông tin đăng nhập / replace the credential of an agency, and close its connections.

    A new password is printed once. An old certificate has to be revoked by its authority, and the broker given its
    CRL, before: the broker knows the name in it only.
    """
    done = _run(lambda admission: admission.rotate_credential(code, login=_login(password)), by)
    _say(done, "đã thay thông tin đăng nhập, mọi kết nối đã đóng / has a new credential, its connections are closed")
    if done.participant.login == "certificate":
        typer.echo(
            "chứng thư cũ còn dùng được đến khi RabbitMQ có CRL thu hồi nó / the old certificate logs in until the "
            "broker has a CRL that revokes it",
            err=True,
        )


@asynccontextmanager
async def opened_ledger() -> AsyncIterator[Ledger]:
    """Provide the ledger as its owner."""
    ledger = await Ledger.connect(LedgerSettings().url.get_secret_value())
    try:
        yield ledger
    finally:
        await ledger.close()


def operator_name() -> str:
    """Return who is at the keyboard, as far as this machine knows."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "?"
    return f"{user}@{socket.gethostname()}"


def _login(password: bool | None) -> Literal["certificate", "password"] | None:
    if password is None:
        return None
    return "password" if password else "certificate"


def _run(work: Callable[[Admission], Awaitable[Admitted]], by: str) -> Admitted:
    async def connected() -> Admitted:
        broker = BrokerSettings()
        urls = broker.url.get_secret_value()
        place = place_of(urls)
        async with (
            BrokerAdmin(broker.management_url.get_secret_value()) as admin,
            opened_ledger() as ledger,
        ):
            return await work(Admission(admin, ledger, urls, place, AccessSettings(), by=by or operator_name()))

    with explained():
        return asyncio.run(connected())


def _say(done: Admitted, now: str) -> None:
    again = "" if done.decided else " (không có gì thay đổi trong sổ cái / the ledger said so already)"
    how = {"certificate": "chứng thư / certificate", "password": "mật khẩu / password", None: "?"}
    agency = done.participant
    typer.echo(f"{agency.code} {agency.name}: {now}{again}; {agency.stage}, {how[agency.login]}")
    if done.password is not None:
        typer.echo(f"mật khẩu, chỉ hiện một lần / password, shown this once: {done.password}")
