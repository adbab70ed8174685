"""`lienthong deploy`: what the processes of an installation, and agencies on trial, log in with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lienthong.access.installation import Installation, Places
from lienthong_cli.endings import USAGE, explained, fail

__all__ = ["app"]

app = typer.Typer(
    help="Khóa và mật khẩu của một trục mới / keys and passwords of a new exchange.", no_args_is_help=True
)

Keys = Annotated[
    Path,
    typer.Option(
        "--keys",
        metavar="DIR",
        envvar="LIENTHONG_DEPLOY_KEYS",
        help="Thư mục khóa / the installation's folder of keys.",
    ),
]
Brokers = Annotated[
    str,
    typer.Option(
        envvar="LIENTHONG_DEPLOY_BROKER",
        help="Máy chủ RabbitMQ, cách nhau bằng dấu phẩy / the broker's hosts, comma-separated.",
    ),
]
Ledgers = Annotated[
    str,
    typer.Option(
        envvar="LIENTHONG_DEPLOY_LEDGER",
        help="Máy chủ PostgreSQL, cách nhau bằng dấu phẩy / the ledger's hosts, comma-separated.",
    ),
]
Names = Annotated[
    str,
    typer.Option(
        envvar="LIENTHONG_DEPLOY_NAMES",
        help="Tên hay địa chỉ khác của RabbitMQ, cho các cơ quan / further names and addresses by which agencies reach "
        "the broker, comma-separated.",
    ),
]
DEFAULT_KEYS, DEFAULT_AGENCIES = Path("/keys"), Path("/agencies")


@app.command()
def init(keys: Keys = DEFAULT_KEYS, broker: Brokers = "broker", ledger: Ledgers = "ledger", names: Names = "") -> None:
    """Tạo khóa, chứng thư, mật khẩu còn thiếu / make the keys, certificates and passwords that are missing.

    For development and trial: the authorities that issue them, one for connections and one for signatures, lie in the
    folder unprotected. What is there is kept; certificates that end within two months are made anew.
    """
    with explained():
        Installation(keys, Places(_each(broker), _each(ledger), _each(names))).complete()
    typer.echo(f"{keys}: đủ khóa, chứng thư và mật khẩu / keys, certificates and passwords are there")


@app.command()
def agency(
    codes: Annotated[list[str], typer.Argument(metavar="CODE...", help="Mã cơ quan / agencies' codes.")],
    keys: Keys = DEFAULT_KEYS,
    folder: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Nơi đặt thư mục của từng cơ quan / where their folders go.")
    ] = DEFAULT_AGENCIES,
    broker: Brokers = "broker",
) -> None:
    """Cấp chứng thư để THỬ cho cơ quan, kèm văn bản đầu tiên / certificates for TRIAL, and a first document to send.

    Each gets a folder named after it: what it connects and signs with, the broker's address, and first.edxml for the
    others named with it. In production an agency has its certificates from the authorities of the state.
    """
    if not (keys / "authority").is_dir():
        fail(f"{keys}: chưa có khóa, hãy chạy / no keys here, run: lienthong deploy init", USAGE)
    with explained():
        installation = Installation(keys, Places(_each(broker), agencies=str(folder)))
        for code in codes:
            others = [one for one in codes if one != code] or [code]
            home = installation.agency(code, folder, others)
            typer.echo(f"{home}: connection, signing (.pem, .key), authority.pem, broker-url, first.edxml")


def _each(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
