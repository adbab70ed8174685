"""Three RabbitMQ nodes and a ledger with a standby: whichever machine is lost, nothing that was confirmed is."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg
import pytest

from lienthong.bus.admin import BrokerAdmin
from lienthong.errors import MisconfiguredError
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.migrations import migrate
from lienthong.ledger.reports import Reports
from lienthong.ledger.rows import SubmissionRow
from lienthong.simulation.credentials import Credentials
from lienthong.simulation.drill import plan_load
from lienthong.simulation.drill_balance import LedgerSide, balance_sheet
from lienthong.simulation.exchange import found_exchange
from lienthong.simulation.fleet import Fleet
from lienthong.simulation.papers import Papers
from lienthong.simulation.rehearsal import quiet
from lienthong.simulation.supervisor import Supervisor
from lienthong.testing.answers import start_again
from lienthong.testing.cluster import Cluster, running_cluster
from lienthong.testing.databases import create_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from lienthong.simulation.journal import Tally
    from lienthong.simulation.traffic import Traffic
    from lienthong.testing.answers import Address, Power, Server
    from lienthong.testing.servers import Servers

NAME = "cluster"
SEED = 3
SPACING_SECONDS = 0.5
PATIENCE_SECONDS = 120.0
ANEW = 3
"""So many more documents are confirmed and delivered until a fault is taken for overcome."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Provide a cluster of its own."""
    native = os.environ.get("LIENTHONG_TEST_SERVERS") == "native"
    running = running_cluster(tmp_path_factory.mktemp("cluster"), kind="native" if native else "auto")
    try:
        found = running.__enter__()
    except MisconfiguredError as error:
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    try:
        yield found
    finally:
        running.__exit__(None, None, None)


@pytest.mark.timeout(240)
async def test_what_is_recalled_stands_by_too(cluster: Cluster) -> None:
    """A fact whose recording was broken off is relied on only when the standby has it: else it could be lost yet."""
    url = await create_database(cluster.servers.ledger_url, "recalled")
    row = SubmissionRow("G22", "message", "a" * 64, 10, datetime.now(UTC))

    async def record() -> dict[tuple[str, str], str]:
        ledger = await Ledger.connect(url)
        try:
            async with ledger.transaction() as unit:
                first, _ = await unit.record_submissions([row])
                return first
        finally:
            await ledger.close()

    await migrate(url)
    primary, standby = power(cluster.primary), power(cluster.standby)
    await asyncio.to_thread(standby.freeze)
    try:
        first = asyncio.create_task(record())
        await committing(cluster.primary.address.url)
        await asyncio.to_thread(primary.kill)
        await asyncio.wait([first])
        assert first.exception() is not None
        await asyncio.to_thread(start_again, cluster.primary, PATIENCE_SECONDS)
        again = asyncio.create_task(record())
        waiting = asyncio.create_task(committing(cluster.primary.address.url))
        await asyncio.wait([again, waiting], return_when=asyncio.FIRST_COMPLETED)
        assert not again.done(), "nobody waits for the standby"
        await waiting
    finally:
        await asyncio.to_thread(standby.thaw)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await again == {("G22", "message"): "a" * 64}


@pytest.mark.timeout(480)
async def test_nothing_is_lost_with_a_machine(cluster: Cluster, tmp_path: Path) -> None:
    """Under load the leading node is killed, the next one frozen, the ledger restarted, killed and followed."""
    servers = cluster.servers
    traffic = plan_load(SEED, seconds=240, faults=4)
    credentials = Credentials.issue(tmp_path / "authority", traffic.members)
    exchange = await found_exchange(
        servers.vhost_url(NAME),
        servers.management_url,
        await create_database(servers.ledger_url, NAME),
        payload_folder=tmp_path / "payload",
        members=traffic.members,
        credentials=credentials,
    )
    beat = {"LIENTHONG_BROKER_HEARTBEAT_SECONDS": "3"}
    environments = {step: own | beat for step, own in exchange.environments.items()}
    broker, ledger = power(servers.broker), power(servers.ledger)
    with Papers(traffic, credentials) as papers:
        async with (
            Supervisor(environments, logs=tmp_path / "logs", scratch=tmp_path / "scratch"),
            Fleet(exchange, papers, traffic.members) as fleet,
        ):
            tally, load = fleet.tally, Load(traffic, fleet)
            async with sent_all_along(load):
                await overcome(tally, "nothing")
                await overcome(tally, "leading node killed", broker.kill)
                await asyncio.to_thread(broker.start)
                await overcome(tally, "leading node frozen", broker.freeze)
                await asyncio.to_thread(broker.thaw)
                await overcome(tally, "primary restarted", ledger.stop, ledger.start)
                await overcome(tally, "primary killed, standby promoted", ledger.kill, ledger.start)
            came_to_rest = await quiet(load.sent, tally, None, stall_seconds=PATIENCE_SECONDS)
            left = await depths(servers)
        side = await settled(exchange.ledger_url)
    sheet = balance_sheet(fleet.journals, side, ())
    assert sheet.even, (sheet.differences, left)
    assert came_to_rest, (tally.counts, left)
    assert sheet.submitted == sheet.delivered + sheet.refused + sheet.withdrawn == sum(1 for _ in load.sent)
    assert cluster.primary.failure() is not None


class Load:
    """Sends documents at an even pace until it is cancelled; what it began to send is sent all the same."""

    def __init__(self, traffic: Traffic, fleet: Fleet) -> None:
        self._traffic = traffic
        self._fleet = fleet
        self._begun = 0

    @property
    def sent(self) -> Traffic:
        """What was sent."""
        return replace(self._traffic, drafts=self._traffic.drafts[: self._begun])

    async def send(self) -> None:
        """Begin one document after the other."""
        for draft in self._traffic.drafts:
            self._fleet.send(draft)
            self._begun += 1
            await asyncio.sleep(SPACING_SECONDS)


@asynccontextmanager
async def sent_all_along(load: Load) -> AsyncIterator[None]:
    """Send while the block lasts."""
    sending = asyncio.create_task(load.send())
    try:
        yield
    finally:
        sending.cancel()
        await asyncio.wait([sending])


async def overcome(tally: Tally, fault: str, *steps: Callable[[], None]) -> None:
    """Inject a fault, and wait until documents are confirmed and delivered anew; print how long that took."""
    began = time.monotonic()
    for step in steps:
        await asyncio.to_thread(step)
    documents, deliveries = tally.counts.documents + ANEW, tally.counts.deliveries + ANEW
    async with asyncio.timeout(PATIENCE_SECONDS):
        while tally.counts.documents < documents or tally.counts.deliveries < deliveries:
            await tally.change(PATIENCE_SECONDS)
    # For whoever runs it with -rP: how long it took is not a rule, but worth knowing.
    print(f"{fault}: went on after {time.monotonic() - began:.1f} s")  # noqa: T201


async def settled(url: str) -> LedgerSide:
    """Return what the ledger says when every document in it has an outcome, or has had long enough to get one."""
    reports = await Reports.connect(url)
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while True:
            side = await LedgerSide.read(reports)
            if "waiting" not in side.outcomes.values() or time.monotonic() > deadline:
                return side
            await asyncio.sleep(0.1)
    finally:
        await reports.close()


async def depths(servers: Servers) -> dict[str, int]:
    """Return what is in the queues that are not empty."""
    async with BrokerAdmin(servers.management_url) as admin:
        return {queue: depth for queue, depth in (await admin.queue_depths(NAME)).items() if depth}


async def committing(url: str) -> None:
    """Wait until a session waits for the standby."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await connection.fetchval("select 1 from pg_stat_activity where wait_event = 'SyncRep'"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


def power(server: Server[Address]) -> Power:
    """Return what ends a server and starts it again."""
    assert server.power is not None
    return server.power
