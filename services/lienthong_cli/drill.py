"""`lienthong drill`: break the exchange under load, at moments drawn by lot, and show that nothing is lost."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lienthong.simulation.drill import hold_drill, plan_load
from lienthong.simulation.papers import Papers
from lienthong.testing.cluster import running_cluster
from lienthong.testing.servers import Kind, running_servers
from lienthong_cli.demo_exchange import certified, founded
from lienthong_cli.demo_run import stopped_by_sigterm
from lienthong_cli.drill_report import as_facts, describe, print_result
from lienthong_cli.endings import INTERRUPTED, REFUSED, explained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lienthong.simulation.drill import DrillResult
    from lienthong.simulation.drill_faults import InjectedFault
    from lienthong.testing.servers import Servers

__all__ = ["app"]

app = typer.Typer()

FOLDER = Path(".lienthong/drill")


@app.command()
def drill(
    seed: Annotated[
        int, typer.Option(help="Cùng số thì cùng sự cố, cùng văn bản / the same faults and documents.")
    ] = 2026,
    faults: Annotated[int, typer.Option(min=0, help="Số sự cố / how many faults.")] = 22,
    minutes: Annotated[float, typer.Option(min=0.1, help="Gửi trong bao lâu / how long documents are sent.")] = 2.0,
    servers: Annotated[
        Kind, typer.Option(help="Lấy máy chủ bằng cách nào / how to get RabbitMQ and PostgreSQL.")
    ] = "auto",
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Ba nút RabbitMQ, PostgreSQL có dự phòng / three nodes, a standby.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="In kết quả dạng JSON / print the result as JSON.")] = False,
) -> None:
    """Gây sự cố khi trục đang chạy rồi đối chiếu / break a working exchange again and again, then balance.

    Robots write on private servers; workers, broker and ledger are killed, frozen and restarted, connections cut, and
    robots killed. With --cluster the broker is the node that leads the busiest queue, and a killed ledger is followed
    by its standby.
    Exit status: 0 when nothing is lost, doubled or missing from the ledger, 1 otherwise (each difference is named), 3
    when the drill could not be held.
    """
    # Of JSON nothing but JSON may stand on standard output; through a pipe rich would wrap tables at 80 columns.
    console = Console(highlight=False, stderr=as_json, width=None if sys.stdout.isatty() else 110)
    with explained():
        try:
            result = _held(
                FOLDER.absolute(),
                console,
                seed=seed,
                faults=faults,
                seconds=minutes * 60,
                kind=servers,
                cluster=cluster,
            )
        except KeyboardInterrupt:
            console.print("Đã dừng tất cả / everything is stopped")
            raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print(json.dumps({"seed": seed} | as_facts(result), ensure_ascii=False))
    else:
        print_result(console, result)
    raise typer.Exit(0 if result.sheet.even else REFUSED)


def _held(
    folder: Path, console: Console, *, seed: int, faults: int, seconds: float, kind: Kind, cluster: bool
) -> DrillResult:
    # What is broken here complains; the balance says what came of it.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    logging.getLogger("lienthong").setLevel(logging.ERROR)
    traffic = plan_load(seed, seconds=seconds, faults=faults)
    with certified(folder, traffic.members) as credentials, Papers(traffic, credentials) as papers:
        console.print("Khởi động RabbitMQ và PostgreSQL… / starting RabbitMQ and PostgreSQL…")
        with _servers(folder / "servers", kind, cluster=cluster) as found:
            console.print(f"[bold]{found.description}[/bold]; seed {seed}")
            try:
                result = asyncio.run(_run(found, folder, console, papers, seed, faults, seconds))
            except asyncio.CancelledError:
                # Only SIGTERM cancels it; the caller treats that like Ctrl-C.
                raise KeyboardInterrupt from None
    with suppress(OSError):
        (folder / "servers").rmdir()
    console.print(f"Nhật ký / logs: {folder / 'logs'}", soft_wrap=True)
    return result


@contextmanager
def _servers(folder: Path, kind: Kind, *, cluster: bool) -> Iterator[Servers]:
    if cluster:
        with running_cluster(folder, kind=kind) as nodes:
            yield nodes.servers
    else:
        with running_servers(folder, kind=kind) as found:
            yield found


async def _run(
    servers: Servers, folder: Path, console: Console, papers: Papers, seed: int, faults: int, seconds: float
) -> DrillResult:
    def tell(fault: InjectedFault) -> None:
        console.print(describe(fault), soft_wrap=True)

    with stopped_by_sigterm():
        async with founded(servers, folder, papers.traffic.members, papers.credentials, name="drill") as exchange:
            console.print("Khởi động các tiến trình và rô-bốt… / starting workers and robots…")
            return await hold_drill(
                exchange, servers, papers, folder=folder, seed=seed, faults=faults, seconds=seconds, tell=tell
            )
