"""The servers that tests and the demo borrow, started and stopped for real."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import asyncpg
import pytest

from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.testing import docker, native
from lienthong.testing.answers import Address, LedgerAddress, Server, await_answer, start_again
from lienthong.testing.processes import free_ports
from lienthong.testing.servers import Kind, Servers, running_servers

HEADROOM_BYTES = 60 * 1024 * 1024

HOLD_A_LEDGER = """
import sys
from pathlib import Path
from lienthong.testing.servers import running_servers
with running_servers(Path(sys.argv[1]), kind="auto") as servers:
    print(servers.ledger_url, flush=True)
    sys.stdin.read()
"""


def docker_obstacle() -> str | None:
    """Return why Docker cannot be used here, None when it can."""
    try:
        docker.prepare(docker.BROKER_IMAGE, docker.LEDGER_IMAGE)
    except Unavailable as reason:
        return str(reason)
    return None


async def use(servers: Servers) -> None:
    """Declare, publish and read back on the broker; look at the ledger's durability."""
    async with await aio_pika.connect(f"{servers.broker_url}/") as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("q", durable=True, arguments={"x-queue-type": "quorum"})
        large = aio_pika.Message(bytes(HEADROOM_BYTES), delivery_mode=2)
        await channel.default_exchange.publish(large, "q", timeout=60)
        received = await queue.get(timeout=60)
        assert len(received.body) == HEADROOM_BYTES
        await received.ack()
    ledger = await asyncpg.connect(servers.ledger_url)
    try:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert await ledger.fetchval(f"show {setting}") == "on"
        assert await ledger.fetchval("select rolsuper from pg_roles where rolname = current_user")
    finally:
        await ledger.close()


def data_folder(ledger_url: str) -> Path:
    """Return where a ledger keeps its files."""

    async def ask() -> str:
        connection = await asyncpg.connect(ledger_url)
        try:
            folder: str = await connection.fetchval("show data_directory")
        finally:
            await connection.close()
        return folder

    return Path(asyncio.run(ask()))


def refused(url: str) -> bool:
    """Whether nothing answers at the URL of a server any more."""
    place = urlsplit(url)
    try:
        socket.create_connection((place.hostname or "", place.port or 0), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def await_gone(ledger_url: str, folder: Path) -> None:
    """Wait until a ledger and its files are gone; after kill -9 the guard that sees to it belongs to nobody."""
    deadline = time.monotonic() + 20
    while folder.exists() or not refused(ledger_url):
        assert time.monotonic() < deadline, f"still there: {ledger_url} or {folder}"
        time.sleep(0.05)


@pytest.mark.parametrize(("kind", "place"), [("docker", "in Docker"), ("native", "natively")])
def test_each_kind_starts_works_and_leaves_nothing(tmp_path: Path, kind: Kind, place: str) -> None:
    """Both kinds take 60 MiB messages, write durably, and are gone afterwards; a kind that cannot be had says why."""
    if kind == "docker" and (obstacle := docker_obstacle()):
        with pytest.raises(MisconfiguredError) as refusal, running_servers(tmp_path, kind=kind):
            pass
        assert obstacle[:40] in str(refusal.value)
        return
    with running_servers(tmp_path, kind=kind) as servers:
        assert servers.description.endswith(place)
        asyncio.run(use(servers))
        folder = data_folder(servers.ledger_url)
    assert all(map(refused, (servers.broker_url, servers.management_url, servers.ledger_url)))
    assert list(tmp_path.iterdir()) == []
    assert kind == "docker" or not folder.exists()


@pytest.mark.parametrize("kind", ["docker", "native"])
def test_what_was_stopped_or_killed_goes_on_where_it_was(tmp_path: Path, kind: Kind) -> None:
    """Servers started again answer at their old addresses and have everything they confirmed."""
    if kind == "docker" and (obstacle := docker_obstacle()):
        pytest.skip(obstacle)
    with running_servers(tmp_path, kind=kind) as servers:
        both: tuple[Server[Address], ...] = (servers.ledger, servers.broker)
        for number, server in enumerate(both):
            assert server.power is not None
            # In order first: that a queue is new, a broker has for some seconds in its memory only.
            for times, end in enumerate((server.power.stop, server.power.kill)):
                asyncio.run(leave(servers, f"kept {number}{times}"))
                end()
                assert server.failure() is not None
                start_again(server, 90)
                asyncio.run(find(servers, f"kept {number}{times}"))


async def leave(servers: Servers, name: str) -> None:
    """Put a message and a row where they are kept."""
    async with await aio_pika.connect(f"{servers.broker_url}/") as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(name.encode(), delivery_mode=2), "kept", timeout=60)
    ledger = await asyncpg.connect(servers.ledger_url)
    try:
        await ledger.execute(f'create table "{name}" as select 1 as number')
    finally:
        await ledger.close()


async def find(servers: Servers, name: str) -> None:
    """Find both again."""
    async with await aio_pika.connect(f"{servers.broker_url}/") as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        async with queue.iterator(timeout=60) as messages:
            received = await anext(messages)
            await received.ack()
        assert received.body == name.encode()
    ledger = await asyncpg.connect(servers.ledger_url)
    try:
        assert await ledger.fetchval(f'select number from "{name}"') == 1
    finally:
        await ledger.close()


async def test_session_servers_answer(servers: Servers) -> None:
    """The servers of this session, however they are had, are what the exchange needs."""
    await use(servers)


def test_servers_given_by_url_are_used(tmp_path: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """URLs in the environment come first, and servers given so are left running."""
    give(monkeypatch, servers)
    with running_servers(tmp_path) as given:
        assert given.description.endswith("given by URL")
        assert given.ledger_url == servers.ledger_url
    assert list(tmp_path.iterdir()) == []
    assert LedgerAddress(servers.ledger_url).ask().startswith("PostgreSQL ")


def test_every_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no way is open, one error has the reason for each way."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    monkeypatch.delenv("PG_BIN", raising=False)
    monkeypatch.setattr(native, "POSTGRESQL_FOLDERS", tmp_path)
    monkeypatch.setattr(native, "RABBITMQ_FOLDERS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in ("BROKER", "MANAGEMENT", "LEDGER"):
        monkeypatch.delenv(f"LIENTHONG_TEST_{variable}_URL", raising=False)
    with pytest.raises(MisconfiguredError) as refusal, running_servers(tmp_path):
        pass
    text = str(refusal.value)
    assert "urls: set LIENTHONG_TEST_BROKER_URL" in text
    assert "docker: Docker: " in text
    assert "native: not installed, and this is not a Debian machine: rabbitmq-server postgresql" in text


def test_chosen_folder_of_programs_is_not_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PG_BIN that names a folder without PostgreSQL is a mistake; nothing else is taken in its place."""
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    with pytest.raises(MisconfiguredError, match="PG_BIN"), native.native_ledger(tmp_path):
        pass


def test_half_given_broker_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker without its management API, or the other way round, is a mistake and not a wish for another server."""
    monkeypatch.setenv("LIENTHONG_TEST_BROKER_URL", "amqp://127.0.0.1")
    monkeypatch.delenv("LIENTHONG_TEST_MANAGEMENT_URL", raising=False)
    with pytest.raises(MisconfiguredError, match="belong together"), running_servers(tmp_path):
        pass


def test_server_that_fails_to_start_is_told_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends at once is reported with the end of its log, and what did start is stopped."""
    broken = tmp_path / "postgresql.conf"
    broken.write_text("no_such_setting = 1\n")
    monkeypatch.setattr(native, "LEDGER_CONF", broken)
    with (
        native.native_ledger(tmp_path / "servers") as ledger,
        pytest.raises(Unavailable, match="no_such_setting"),
    ):
        await_answer(ledger, 30)
    assert list((tmp_path / "servers").iterdir()) == []


def test_silent_server_is_given_up() -> None:
    """A server that never answers is given up after the time stated."""
    (port,) = free_ports(1)
    silent = Server(LedgerAddress(f"postgresql://postgres@127.0.0.1:{port}/postgres"), "natively", lambda: None)
    with pytest.raises(Unavailable, match="no answer within 0 seconds"):
        await_answer(silent, 0.2)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGKILL, -9)])
def test_servers_end_with_the_process_that_borrowed_them(
    tmp_path: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, status: int
) -> None:
    """SIGTERM, Ctrl-C and even kill -9 of the borrower end the servers and remove their files."""
    give(monkeypatch, servers)
    monkeypatch.delenv("LIENTHONG_TEST_LEDGER_URL")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-c", HOLD_A_LEDGER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as borrower:
        assert borrower.stdout
        url = borrower.stdout.readline().strip()
        folder = data_folder(url)
        borrower.send_signal(number)
        _, errors = borrower.communicate(timeout=30)
    # Python ends itself with SIGINT when a KeyboardInterrupt reaches the top.
    assert borrower.returncode in {status, -signal.SIGINT}, errors
    await_gone(url, folder)


def give(monkeypatch: pytest.MonkeyPatch, servers: Servers) -> None:
    """Put the session's servers into the environment."""
    monkeypatch.setenv("LIENTHONG_TEST_BROKER_URL", servers.broker_url)
    monkeypatch.setenv("LIENTHONG_TEST_MANAGEMENT_URL", servers.management_url)
    monkeypatch.setenv("LIENTHONG_TEST_LEDGER_URL", servers.ledger_url)
