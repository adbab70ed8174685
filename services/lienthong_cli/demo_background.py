"""The demo in the background: `up` starts a process that serves until `down`, `status` tells about it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel

from lienthong.document.zone import VIETNAM
from lienthong.edxml import encode
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.ledger.reports import Reports
from lienthong.simulation.fleet import Fleet
from lienthong.simulation.papers import Papers
from lienthong.simulation.supervisor import Supervisor
from lienthong.simulation.traffic import Traffic, plan_letter
from lienthong.simulation.units import Member, Role, cast
from lienthong.testing.servers import Kind, Servers, running_servers
from lienthong_cli.demo_exchange import certified, founded
from lienthong_cli.demo_report import print_supervision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from lienthong.simulation.credentials import Credentials
    from lienthong.simulation.exchange import Exchange
    from lienthong.simulation.traffic import Draft

__all__ = ["running", "serve", "show", "start", "stop"]

PID = "demo.pid"
STATE = "demo.json"
LOOK_SECONDS = 0.2
UP_SECONDS = 600.0
"""Pulling images or installing packages may be part of it."""
DOWN_SECONDS = 60.0
ROBOT_ADDRESSEES = 5


class Playable(BaseModel):
    """An agency that is left to the person at the keyboard, with a document it could send."""

    code: str
    name: str
    broker_url: str
    signing_key: str
    signing_certificates: str
    sample: str


class State(BaseModel):
    """What the background process tells about itself once it is ready."""

    pid: int
    started_at: AwareDatetime
    servers: str
    management_url: str
    ledger_url: str
    health: dict[str, str]
    agencies: list[Playable]


def running(folder: Path) -> int | None:
    """Return the id of the background process, None when there is none."""
    try:
        pid = int((folder / PID).read_text(encoding="ascii"))
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - no path of ours
            words = file.read().split(b"\0")
    except (OSError, ValueError):
        return None
    # Ids are used again: another program may have this one by now.
    return pid if b"serve" in words and b"demo" in words else None


def start(folder: Path, console: Console, *, seed: int, servers: Kind) -> None:
    """Start the background process and wait until its exchange is ready.

    Raises:
        MisconfiguredError: one is running already.
        Unavailable: it ended, or is not ready in time; the text has the end of its log.
    """
    if running(folder):
        raise MisconfiguredError("đã chạy rồi, xem `lienthong demo status` / it is up, see `lienthong demo status`")
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    (folder / STATE).unlink(missing_ok=True)
    log = folder / "logs" / "demo.log"
    console.print("Khởi động… / starting…")
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", "lienthong_cli", "demo", "serve", f"--seed={seed}", f"--servers={servers}"],
            cwd=folder.parents[1],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        state = _awaited(folder, child, log)
    except BaseException:
        child.send_signal(signal.SIGTERM)
        child.wait()
        raise
    _print_state(console, state)


def stop(folder: Path, console: Console) -> None:
    """End the background process and remove its folder; raises `Unavailable` when it does not end."""
    pid = running(folder)
    if pid is None:
        console.print("Không có gì đang chạy / nothing is running")
    else:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + DOWN_SECONDS
        while running(folder) == pid:
            if time.monotonic() > deadline:
                raise Unavailable(f"tiến trình {pid} chưa dừng / process {pid} does not end; see {folder / 'logs'}")
            time.sleep(LOOK_SECONDS)
        console.print("Đã dừng / stopped")
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()


def show(folder: Path, console: Console) -> bool:
    """Tell whether it is running, and print the supervision table since it began."""
    state = _state(folder)
    if state is None or running(folder) != state.pid:
        console.print("Không có gì đang chạy / nothing is running")
        return False
    _print_state(console, state)
    asyncio.run(_print_table(state, console))
    return True


def serve(folder: Path, *, seed: int, servers: Kind) -> None:
    """Be the background process: found the exchange, run workers and robots until SIGTERM."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PID).write_text(str(os.getpid()), encoding="ascii")
    try:
        members = cast(seed=seed)
        with certified(folder, members) as credentials, running_servers(folder / "servers", kind=servers) as found:
            asyncio.run(_serve(found, folder, members, credentials, seed))
    finally:
        (folder / STATE).unlink(missing_ok=True)
        (folder / PID).unlink(missing_ok=True)


async def _serve(
    servers: Servers, folder: Path, members: Sequence[Member], credentials: Credentials, seed: int
) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    # A province and a central body that report everything are left to the person at the keyboard.
    fully = [member for member in members if member.role is Role.FULLY]
    players = [next(one for one in fully if (one.unit.kind == "province") is province) for province in (True, False)]
    robots = [member for member in members if member not in players]
    samples = Traffic(tuple(members), _samples(members, players, seed))
    publishing = asyncio.create_task(credentials.keep_published(), name="publish revocation lists")
    with Papers(samples, credentials) as papers:
        async with (
            founded(servers, folder, members, credentials) as exchange,
            Supervisor(exchange.environments, logs=folder / "logs", scratch=folder / "scratch") as supervisor,
            Fleet(exchange, papers, robots),
        ):
            state = State(
                pid=os.getpid(),
                started_at=datetime.now(UTC),
                servers=servers.description,
                management_url=servers.management_url,
                ledger_url=exchange.ledger_url,
                health={str(step): url for step, url in supervisor.health_urls.items()},
                agencies=[await _playable(exchange, folder, papers, draft) for draft in samples.drafts],
            )
            _write(folder / STATE, state.model_dump_json(indent=2))
            await stopped.wait()
    publishing.cancel()


def _samples(members: Sequence[Member], players: Sequence[Member], seed: int) -> tuple[Draft, ...]:
    """Plan a document of each player for the other one and a few robots."""
    robots = [member.unit.code for member in members if member.role.receives and member not in players]
    today = datetime.now(VIETNAM).date()
    return tuple(
        plan_letter(
            members,
            player.unit.code,
            [other.unit.code, *robots[:ROBOT_ADDRESSEES]],
            seed=seed,
            issued_on=today,
        )
        for player, other in zip(players, reversed(players), strict=True)
    )


async def _playable(exchange: Exchange, folder: Path, papers: Papers, draft: Draft) -> Playable:
    """Keep a player's document, whose PDF is signed; the message around it is signed when it is sent."""
    unit = draft.sender
    sample = folder / f"{unit.code}.edxml"
    sample.write_bytes(encode(await papers.document(draft)))
    keys = papers.credentials.key_files(unit.code)
    return Playable(
        code=unit.code,
        name=unit.name,
        broker_url=exchange.agency_url(unit.code),
        signing_key=str(keys.key),
        signing_certificates=str(keys.certificate),
        sample=str(sample),
    )


def _awaited(folder: Path, child: subprocess.Popen[bytes], log: Path) -> State:
    deadline = time.monotonic() + UP_SECONDS
    while True:
        state = _state(folder)
        if state is not None and state.pid == child.pid:
            return state
        if child.poll() is not None or time.monotonic() > deadline:
            raise Unavailable(f"không khởi động được / it did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(LOOK_SECONDS)


def _state(folder: Path) -> State | None:
    try:
        return State.model_validate_json((folder / STATE).read_bytes())
    except FileNotFoundError:
        return None


def _write(path: Path, text: str) -> None:
    # It holds passwords; and whoever waits for it must not see half of it.
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.rename(path)


def _print_state(console: Console, state: State) -> None:
    console.print(f"[bold]{state.servers}[/bold], từ / since {state.started_at.astimezone(VIETNAM):%Y-%m-%d %H:%M:%S}")
    console.print(f"RabbitMQ: {state.management_url}\nPostgreSQL: {state.ledger_url}", soft_wrap=True)
    for step, url in state.health.items():
        console.print(f"{step}: {url}/ready", soft_wrap=True)
    # Without an activated environment the bare name is not found.
    beside = os.path.relpath(Path(sys.executable).with_name("lienthong"))
    command = "lienthong" if shutil.which("lienthong") else beside
    console.print("\nHai cơ quan dành cho bạn / two agencies are yours:")
    for agency in state.agencies:
        console.print(
            f"\n# {agency.code} {agency.name}\n"
            f"export LIENTHONG_AGENCY_BROKER_URL='{agency.broker_url}'\n"
            f"export LIENTHONG_AGENCY_SIGNING_KEY='{agency.signing_key}'\n"
            f"export LIENTHONG_AGENCY_SIGNING_CERTIFICATES='{agency.signing_certificates}'\n"
            f"{command} agency send {agency.sample}\n"
            f"{command} agency receive\n"
            f"{command} agency watch --wait 5",
            soft_wrap=True,
        )


async def _print_table(state: State, console: Console) -> None:
    reports = await Reports.connect(state.ledger_url)
    try:
        until = datetime.now(UTC) + timedelta(days=1)
        print_supervision(console, await reports.supervision(state.started_at, until))
    finally:
        await reports.close()
