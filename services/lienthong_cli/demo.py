"""`lienthong demo`: the exchange with its 95 units of January 2019, in one command."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lienthong.access.installation import Installation, Places
from lienthong.testing.servers import Kind
from lienthong_cli import demo_background, demo_robots, demo_run
from lienthong_cli.deploy import DEFAULT_AGENCIES as AGENCIES
from lienthong_cli.deploy import DEFAULT_KEYS as KEYS
from lienthong_cli.endings import INTERRUPTED, explained

__all__ = ["app"]

app = typer.Typer(
    help="Chạy thử toàn bộ trục với 95 đơn vị tháng 1/2019 / the whole exchange with the 95 units of January 2019.",
    no_args_is_help=True,
)

FOLDER = Path(".lienthong/demo")
Servers = Annotated[Kind, typer.Option(help="Lấy máy chủ bằng cách nào / how to get RabbitMQ and PostgreSQL.")]
Seed = Annotated[int, typer.Option(help="Cùng số thì cùng văn bản / the same number makes the same documents.")]


@app.command()
def run(
    documents: Annotated[
        int, typer.Option(min=2, help="Số văn bản thường, chưa kể trả lời / ordinary documents, replies apart.")
    ] = 300,
    seconds: Annotated[float, typer.Option(min=0, help="Gửi trong bao lâu / over how long they are sent.")] = 25.0,
    seed: Seed = 2019,
    servers: Servers = "auto",
) -> None:
    """Chạy một lượt, in bảng giám sát rồi dừng tất cả / run once, print the supervision table, stop everything.

    Exit status: 0 when the table and the balance are right, 1 when not (the difference is named), 3 when it could not
    run.
    """
    console = _console()
    with explained():
        try:
            good = demo_run.run(
                FOLDER.absolute(), console, documents=documents, seconds=seconds, seed=seed, servers=servers
            )
        except KeyboardInterrupt:
            console.print("Đã dừng tất cả / everything is stopped")
            raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(0 if good else 1)


@app.command()
def up(seed: Seed = 2019, servers: Servers = "auto") -> None:
    """Chạy nền cho đến `down` / keep it running in the background until `down`.

    Two agencies are left to you; robots play the others and answer what you send.
    """
    with explained():
        demo_background.start(FOLDER.absolute(), _console(), seed=seed, servers=servers)


@app.command()
def down() -> None:
    """Dừng và dọn sạch những gì `up` đã chạy / end what `up` started, leaving nothing behind."""
    with explained():
        demo_background.stop(FOLDER.absolute(), _console())


@app.command()
def status() -> None:
    """Cho biết `up` còn chạy không, kèm bảng giám sát / tell whether `up` is running, with the supervision table."""
    with explained():
        running = demo_background.show(FOLDER.absolute(), _console())
    raise typer.Exit(0 if running else 1)


@app.command()
def robots(
    units: Annotated[int, typer.Option(min=3, help="Bao nhiêu cơ quan / how many agencies.")] = 24,
    documents: Annotated[int, typer.Option(min=2, help="Số văn bản mỗi lượt / documents in a round.")] = 60,
    seconds: Annotated[float, typer.Option(min=1, help="Mỗi lượt trong bao lâu / how long a round takes.")] = 120.0,
) -> None:
    """Cơ quan rô-bốt trên một trục đang chạy trong Docker / robot agencies on an exchange that runs in Docker.

    Until they are ended they write, answer and report. The exchange has to be one of development: they get their keys
    from its own authorities, and are official without having shown anything.
    """
    with explained():
        demo_robots.play(
            Installation(KEYS, Places()),
            KEYS / "authority/signing",
            AGENCIES,
            units=units,
            documents=documents,
            seconds=seconds,
            say=typer.echo,
        )


@app.command(hidden=True)
def serve(seed: Seed = 2019, servers: Servers = "auto") -> None:
    """Be the background process of `up`."""
    with explained(), suppress(KeyboardInterrupt):
        demo_background.serve(FOLDER.absolute(), seed=seed, servers=servers)


def _console() -> Console:
    # Through a pipe rich would wrap tables at 80 columns.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 110)
