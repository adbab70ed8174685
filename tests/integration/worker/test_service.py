"""A worker as a process: its health, its signals, its exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import aiohttp
import asyncpg

from lienthong.bus.connection import Bus
from lienthong.bus.messages import Incoming, Outgoing
from lienthong.telemetry.events import Event
from lienthong.topology.names import WORK, Header, Step, dead_queue, returned_queue, work_key, work_queue
from lienthong.topology.plan import Permissions, exchange_plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lienthong.bus.admin import BrokerAdmin

SOON = 20.0
WORKER = Path(__file__).with_name("forwarding_worker.py")
NOBODY = "127.0.0.1:1"


class Worker:
    """A running worker process and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    async def says(self, event: Event) -> dict[str, Any]:
        """Return the next log line of this event."""
        assert self.process.stderr is not None
        async with asyncio.timeout(SOON):
            while line := await self.process.stderr.readline():
                self.lines.append(json.loads(line))
                if self.lines[-1]["event"] == event:
                    return self.lines[-1]
        raise AssertionError(f"the worker ended without saying {event}: {self.lines}")

    async def ready(self, url: str) -> tuple[int, Any]:
        """Return the status and answer of /ready."""
        async with aiohttp.ClientSession() as session, session.get(f"{url}/ready") as response:
            return response.status, await response.json()

    async def exit_code(self) -> int:
        """Wait until it ends."""
        return await asyncio.wait_for(self.process.wait(), SOON)

    @classmethod
    @asynccontextmanager
    async def started(cls, broker: str, ledger: str) -> AsyncIterator[Self]:
        """Start a worker, and kill it at the end if it still runs."""
        environment = os.environ | {
            "LIENTHONG_BROKER_URL": broker,
            "LIENTHONG_LEDGER_URL": ledger,
            "LIENTHONG_SERVICE_DRAIN_SECONDS": "60",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(WORKER), stderr=asyncio.subprocess.PIPE, env=environment
        )
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


def elsewhere(url: str) -> str:
    """Return a URL where nobody listens."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{NOBODY}"))


def as_user(url: str, user: str, password: str) -> str:
    """Return a URL for another user."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}"))


async def everything(bus: Bus, *queues: str) -> list[str]:
    """Return the ids of what stands in some queues."""
    ids: list[str] = []
    await bus.consume(queues, prefetch=5000)
    while batch := await bus.take(1000, timeout=0.5):
        ids += [str(message.message_id) for message in batch]
    return ids


async def test_sigterm_finishes_the_batch_in_hand_and_exits_0(vhost: str, database: str) -> None:
    """A drained worker has forwarded what it took, once, and left the rest in its queue."""
    sent = [Outgoing(WORK, work_key(Step.NOTIFIER), f"m{number}", b"ok") for number in range(3000)]
    async with Bus(vhost, name="test") as bus:
        await bus.declare(exchange_plan())
        await bus.publish_many(sent)
        async with Worker.started(vhost, database) as worker:
            url = (await worker.says(Event.HEALTH_LISTENING))["url"]
            await worker.says(Event.BATCH_SETTLED)
            assert await worker.ready(url) == (200, {"ok": True, "missing": {}})
            worker.process.send_signal(signal.SIGTERM)
            assert (await worker.says(Event.WORKER_STOPPED))["clean"] is True
            assert await worker.exit_code() == 0
        forwarded = await everything(bus, work_queue(Step.ROUTER))
        left = await everything(bus, work_queue(Step.NOTIFIER))
    assert forwarded
    assert left
    assert sorted(forwarded + left) == sorted(message.message_id for message in sent)


async def test_a_second_signal_ends_at_once_and_loses_nothing(vhost: str, database: str) -> None:
    """A worker that cannot finish its batch is cut short: exit code 1, the message stays in its queue."""
    async with Bus(vhost, name="test") as bus:
        await bus.declare(exchange_plan())
        await bus.publish_many([Outgoing(WORK, work_key(Step.NOTIFIER), "stuck", b"hang")])
        async with Worker.started(vhost, database) as worker:
            await worker.says(Event.WORKER_STARTED)
            worker.process.send_signal(signal.SIGTERM)
            await worker.says(Event.WORKER_DRAINING)
            worker.process.send_signal(signal.SIGINT)
            assert (await worker.says(Event.WORKER_STOPPED))["clean"] is False
            assert await worker.exit_code() == 1
        assert await everything(bus, work_queue(Step.NOTIFIER)) == ["stuck"]


async def test_what_kills_the_process_is_dead_lettered_alone(vhost: str, database: str) -> None:
    """Two messages that no worker process survives end as dead letters untouched; the 198 around them all get through.

    Halving a batch of 100 down to 1 takes six deaths, and each of them is tried alone three times; a death or two more
    is chance. The broker's delivery limit of 40, which would take neighbours too, is far away.
    """
    bodies = [b"ok"] * 200
    bodies[90] = bodies[91] = b"kill"
    deaths = 0
    async with Bus(vhost, name="test") as bus:
        await bus.declare(exchange_plan())
        sent = [Outgoing(WORK, work_key(Step.NOTIFIER), f"m{number}", body) for number, body in enumerate(bodies)]
        await bus.publish_many(sent)
        dead: list[Incoming] = []
        await bus.consume([dead_queue(Step.NOTIFIER)], prefetch=10)
        while len(dead) < 2:
            async with Worker.started(vhost, database) as worker:
                ended = asyncio.create_task(worker.process.communicate())
                while not ended.done() and len(dead) < 2:
                    dead += await bus.take(10, timeout=0.2)
                if worker.process.returncode is None:
                    worker.process.send_signal(signal.SIGTERM)
                else:
                    deaths += 1
                await asyncio.wait_for(ended, SOON)
                assert worker.process.returncode in {0, -signal.SIGKILL}
        forwarded = await everything(bus, work_queue(Step.ROUTER))
        left = await everything(bus, work_queue(Step.NOTIFIER), returned_queue(Step.NOTIFIER))
    assert sorted(str(message.message_id) for message in dead) == ["m90", "m91"]
    assert {str(message.headers[Header.REASON]) for message in dead} == {
        "LethalError: the worker died 3 times with this message alone in hand"
    }
    assert 6 < deaths <= 20
    assert set(forwarded) | set(left) == {message.message_id for message in sent} - {"m90", "m91"}
    assert len(forwarded) >= 90


async def test_a_worker_waits_for_its_database_and_says_so(vhost: str, database: str) -> None:
    """Without its database a worker is not ready, names it, keeps trying, and can still be ended cleanly."""
    async with Worker.started(vhost, elsewhere(database)) as worker:
        url = (await worker.says(Event.HEALTH_LISTENING))["url"]
        await worker.says(Event.DEPENDENCY_AWAY)
        status, answer = await worker.ready(url)
        assert (status, list(answer["missing"])) == (503, ["ledger"])
        worker.process.send_signal(signal.SIGTERM)
        assert await worker.exit_code() == 0


async def test_a_worker_that_was_ready_outlives_servers_that_refuse_it(
    vhost: str, database: str, broker_admin: BrokerAdmin
) -> None:
    """Refused by a server half up, as here by one whose passwords changed, it waits, is not ready, and goes on."""
    user = f"worker-{uuid4().hex}"
    broker, ledger = as_user(vhost, user, "right"), as_user(database, user, "right")
    owner = await asyncpg.connect(database)
    try:
        await broker_admin.put_user(user, "right")
        await broker_admin.set_permissions(urlsplit(vhost).path[1:], user, Permissions(".*", ".*", ".*"))
        await owner.execute(f"create role \"{user}\" superuser login password 'right'")
        async with Bus(vhost, name="test") as bus, Worker.started(broker, ledger) as worker:
            await bus.declare(exchange_plan())
            url = (await worker.says(Event.HEALTH_LISTENING))["url"]
            await worker.says(Event.WORKER_STARTED)
            assert (await worker.ready(url))[0] == 200
            await owner.execute(f"alter role \"{user}\" password 'wrong'")
            await owner.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", user)
            await broker_admin.put_user(user, "wrong")
            await broker_admin.close_user_connections(user)
            assert "refuses our user" in (await worker.says(Event.BROKER_AWAY))["reason"]
            status, answer = await worker.ready(url)
            assert (status, set(answer["missing"])) == (503, {"broker", "ledger"})
            await broker_admin.put_user(user, "right")
            await worker.says(Event.WORKER_STARTED)
            await bus.publish_many([Outgoing(WORK, work_key(Step.NOTIFIER), "m", b"ok")])
            assert "password authentication failed" in (await worker.says(Event.LEDGER_AWAY))["reason"]
            await owner.execute(f"alter role \"{user}\" password 'right'")
            await worker.says(Event.BATCH_SETTLED)
            assert await everything(bus, work_queue(Step.ROUTER)) == ["m"]
            assert (await worker.ready(url))[0] == 200
    finally:
        await broker_admin.delete_user(user)
        await owner.execute(f'drop role if exists "{user}"')
        await owner.close()


async def test_a_login_refused_at_first_is_asked_for_again(
    vhost: str, database: str, broker_admin: BrokerAdmin
) -> None:
    """A broker that refuses while it is starting too, as here one that does not know the user yet, is waited for."""
    user = f"worker-{uuid4().hex}"
    try:
        async with Bus(vhost, name="test") as bus, Worker.started(as_user(vhost, user, "right"), database) as worker:
            await bus.declare(exchange_plan())
            assert "refuses our user" in (await worker.says(Event.DEPENDENCY_AWAY))["reason"]
            await broker_admin.put_user(user, "right")
            await broker_admin.set_permissions(urlsplit(vhost).path[1:], user, Permissions(".*", ".*", ".*"))
            await worker.says(Event.WORKER_STARTED)
    finally:
        await broker_admin.delete_user(user)


async def test_a_refused_login_ends_the_worker_for_good(vhost: str, database: str) -> None:
    """A password that stays wrong is exit code 78, with the reason: restarting does not help."""
    async with Worker.started(as_user(vhost, str(urlsplit(vhost).username), "wrong"), database) as worker:
        said = await worker.says(Event.WORKER_MISCONFIGURED)
        assert "refuses our user" in said["reason"]
        assert await worker.exit_code() == 78
