"""One run of the demo: servers, exchange, workers, robots, table; everything stopped at the end."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lienthong.document.zone import VIETNAM
from lienthong.errors import MisconfiguredError
from lienthong.simulation.exchange import merge
from lienthong.simulation.occasions import with_occasions
from lienthong.simulation.papers import Papers
from lienthong.simulation.rehearsal import rehearse
from lienthong.simulation.supervisor import Supervisor
from lienthong.simulation.traffic import plan_traffic
from lienthong.simulation.units import cast
from lienthong.testing.servers import Kind, Servers, running_servers
from lienthong_cli.demo_background import running
from lienthong_cli.demo_exchange import certified, founded
from lienthong_cli.demo_report import print_result, reported, write_reports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rich.console import Console

    from lienthong.simulation.journal import Counts
    from lienthong.simulation.rehearsal import Result
    from lienthong.simulation.traffic import Traffic
    from lienthong.topology.names import Step

__all__ = ["run", "stopped_by_sigterm"]

PLAIN_SECONDS = 5.0


def run(folder: Path, console: Console, *, documents: int, seconds: float, seed: int, servers: Kind) -> bool:
    """Run the demo once.

    Args:
        folder: for servers, payloads and the workers' logs; only the logs stay.
        console: where to tell what happens.
        documents: how many are written, replies and what seldom happens apart.
        seconds: over how long they are sent.
        seed: the same seed makes the same run.
        servers: how to get RabbitMQ and PostgreSQL.

    Returns:
        Whether the table and the balance are right.

    Raises:
        MisconfiguredError: no servers are to be had, or the demo is up already.
        Unavailable: something did not start.
    """
    if running(folder):
        raise MisconfiguredError(
            "bản chạy nền đang hoạt động, hãy dừng bằng `lienthong demo down` / "
            "the demo is up, end it with `lienthong demo down` first"
        )
    # The kit says itself what is wrong; the client library below it says the same for each attempt.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    ordinary = plan_traffic(cast(seed=seed), documents=documents, seed=seed, issued_on=datetime.now(VIETNAM).date())
    traffic = with_occasions(ordinary, seed=seed)
    with certified(folder, traffic.members) as credentials, Papers(traffic, credentials) as papers:
        # The letters are written and signed beside the start of the servers.
        console.print("Khởi động RabbitMQ và PostgreSQL… / starting RabbitMQ and PostgreSQL…")
        with running_servers(folder / "servers", kind=servers) as found:
            console.print(f"[bold]{found.description}[/bold]")
            try:
                result = asyncio.run(_run(found, folder, console, papers, seconds))
            except asyncio.CancelledError:
                # Only SIGTERM cancels it; the caller treats that like Ctrl-C.
                raise KeyboardInterrupt from None
    with suppress(OSError):
        (folder / "servers").rmdir()
    print_result(console, result)
    console.print(f"Nhật ký / logs: {folder / 'logs'}", soft_wrap=True)
    console.print(f"Báo cáo / reports: {folder / 'reports'}", soft_wrap=True)
    return result.good


async def _run(servers: Servers, folder: Path, console: Console, papers: Papers, seconds: float) -> Result:
    traffic = papers.traffic
    began = datetime.now(VIETNAM)
    with stopped_by_sigterm():
        console.print("Đăng ký 95 đơn vị, tạo hàng đợi… / registering 95 units, declaring queues…")
        async with founded(servers, folder, traffic.members, papers.credentials) as exchange:
            if traffic.merger is not None:
                await merge(exchange, traffic.merger, by="demo")
            console.print("Khởi động năm tiến trình… / starting the five workers…")

            def tell(step: Step) -> None:
                console.print(f"{step}: khởi động lại / started again")

            async with Supervisor(
                exchange.environments, logs=folder / "logs", scratch=folder / "scratch", on_death=tell
            ):
                with _progress(console, traffic) as progress:
                    result = await rehearse(exchange, papers, seconds=seconds, progress=progress)
            write_reports(await reported(exchange.ledger_url, began), folder / "reports")
            return result


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the running task as Ctrl-C does, so that everything is closed in order."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None, "called from a coroutine"
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


@contextmanager
def _progress(console: Console, traffic: Traffic) -> Iterator[Callable[[Counts], None]]:
    goals = {
        "Văn bản đã gửi / documents sent": ("documents", sum(1 for _ in traffic)),
        "Lượt giao / deliveries": ("deliveries", traffic.deliveries),
        "Trạng thái đã báo / statuses reported": ("reported", traffic.statuses),
        "Trạng thái đã về / statuses back": ("heard", traffic.statuses),
    }
    if not console.is_terminal:
        yield _plain(console, goals)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        tasks = {field: bars.add_task(name, total=total) for name, (field, total) in goals.items()}

        def show(counts: Counts) -> None:
            for field, task in tasks.items():
                bars.update(task, completed=getattr(counts, field))

        yield show


def _plain(console: Console, goals: dict[str, tuple[str, int]]) -> Callable[[Counts], None]:
    next_line = time.monotonic()

    def show(counts: Counts) -> None:
        nonlocal next_line
        done = all(getattr(counts, field) >= total for field, total in goals.values())
        if done or time.monotonic() >= next_line:
            next_line = time.monotonic() + PLAIN_SECONDS
            figures = (f"{name} {getattr(counts, field)}/{total}" for name, (field, total) in goals.items())
            console.print("; ".join(figures), soft_wrap=True)

    return show
