"""Three RabbitMQ nodes, and a PostgreSQL that a standby follows: what an exchange that may lose a machine stands on."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

from lienthong.bus.admin import BrokerAdmin
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.testing.answers import BrokerAddress, LedgerAddress, Server, await_answer
from lienthong.testing.proxy import one_address
from lienthong.testing.servers import START_SECONDS, Kind, Servers, ended_by_sigterm
from lienthong.topology.names import Step, work_queue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lienthong.testing.answers import Power

__all__ = ["Cluster", "running_cluster"]

LOOK_SECONDS = 0.2
HEAL_SECONDS = 20.0
"""How long a node that was frozen may take to be a member again by itself."""
BUSIEST = work_queue(Step.INGEST)
"""Everything that is submitted comes through it."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where it is.

    Attributes:
        brokers: the nodes, by the names they give themselves.
        primary: the PostgreSQL server that takes writes at first.
        standby: the one that every commit waits for.
        description: which servers they are, as they say themselves.
    """

    brokers: Mapping[str, Server[BrokerAddress]]
    primary: Server[LedgerAddress]
    standby: Server[LedgerAddress]
    description: str

    @property
    def management_urls(self) -> str:
        """URLs of the management API of all nodes, comma-separated."""
        return ",".join(server.address.management_url for server in self.brokers.values())

    @property
    def servers(self) -> Servers:
        """The same as one broker and one ledger, each with several addresses.

        What is done to that broker is done to the node that leads the busiest queue; killed, that ledger is started
        again by promoting the standby.
        """
        first, *_ = self.brokers.values()
        urls = [server.address.url for server in self.brokers.values()]
        ledger_url = one_address([self.primary.address.url, self.standby.address.url])
        nodes, ledgers = _LeadingNode(self), _Failover(self)
        place = self.primary.place
        return Servers(
            broker_url=one_address(urls),
            management_url=self.management_urls,
            ledger_url=ledger_url,
            description=self.description,
            broker=Server(first.address, place, _nothing, power=nodes),
            ledger=Server(
                LedgerAddress(f"{ledger_url}?target_session_attrs=read-write"), place, _nothing, power=ledgers
            ),
        )

    def switch(self, node: str) -> Power:
        """Return what ends, freezes and starts a node."""
        return _power(self.brokers[node])

    async def leader(self, queue: str = BUSIEST) -> str:
        """Return the node that leads a quorum queue, in whichever virtual host that is.

        Raises:
            Unavailable: no node answers, or the queue has no leader now.
        """
        async with BrokerAdmin(self.management_urls) as admin:
            for found in await admin.queues():
                if found.name == queue and found.leader is not None:
                    return found.leader
        raise Unavailable(f"{queue} has no leader now")

    async def promote(self) -> None:
        """Make the standby the primary; the old one must be at its end, and stays there.

        Raises:
            Unavailable: it did not become one.
        """
        connection = await asyncpg.connect(self.standby.address.url)
        try:
            if not await connection.fetchval("select pg_promote(true, 60)"):
                raise Unavailable("the standby was not promoted within 60 s")
        finally:
            await connection.close()


class _LeadingNode:
    """The node that leads the busiest queue when something is done to it, and the same one until that is undone."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._node = ""

    def kill(self) -> None:
        self._chosen().kill()

    def stop(self) -> None:
        self._chosen().stop()

    def start(self) -> None:
        self._cluster.switch(self._node).start()
        # Another one may be next only when this one is a member again.
        await_answer(self._cluster.brokers[self._node], START_SECONDS)
        asyncio.run(_formed(self._cluster.brokers, START_SECONDS))

    def freeze(self) -> None:
        self._chosen().freeze()

    def thaw(self) -> None:
        self._cluster.switch(self._node).thaw()
        try:
            asyncio.run(_formed(self._cluster.brokers, HEAL_SECONDS))
        except Unavailable:
            # Some took it for lost and others not: RabbitMQ leaves that to its operator, who starts it again.
            self._cluster.switch(self._node).stop()
            self.start()

    def _chosen(self) -> Power:
        self._node = asyncio.run(self._cluster.leader())
        return self._cluster.switch(self._node)


class _Failover:
    """The primary; once it was killed, the standby in its place."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._now = cluster.primary
        self._killed = False

    def kill(self) -> None:
        self._power.kill()
        self._killed = True

    def stop(self) -> None:
        self._power.stop()

    def start(self) -> None:
        if self._killed and self._now is self._cluster.primary:
            asyncio.run(self._cluster.promote())
            self._now = self._cluster.standby
        else:
            self._power.start()

    def freeze(self) -> None:
        self._power.freeze()

    def thaw(self) -> None:
        self._power.thaw()

    @property
    def _power(self) -> Power:
        return _power(self._now)


@contextmanager
def running_cluster(folder: Path, *, kind: Kind = "auto") -> Iterator[Cluster]:
    """Provide a cluster of three nodes and a PostgreSQL with a standby, and end it afterwards.

    It runs in Docker, from ``deploy/compose.servers.yaml``, when that is possible here, else as child processes.

    Args:
        folder: where native servers keep their files; left empty of them.
        kind: ``docker`` or ``native`` allow only that way.

    Raises:
        MisconfiguredError: no way is open here; the text has the reason for each.
    """
    reasons: list[str] = []
    with ended_by_sigterm():
        for way in ("docker", "native") if kind == "auto" else (kind,):
            with ExitStack() as attempt:
                try:
                    brokers, (primary, standby) = _started(attempt, way, folder)
                    await_answer(standby, START_SECONDS)
                    ledger = await_answer(primary, START_SECONDS)
                    broker = {await_answer(server, START_SECONDS) for server in brokers.values()}.pop()
                    asyncio.run(_formed(brokers, START_SECONDS))
                except (Unavailable, MisconfiguredError) as reason:
                    reasons.append(f"{way}: {reason}")
                    continue
                yield Cluster(brokers, primary, standby, f"{len(brokers)} x {broker}, 2 x {ledger} {primary.place}")
                return
    raise MisconfiguredError("no cluster to be had:\n" + "\n".join(f"- {line}" for line in reasons))


def _started(
    attempt: ExitStack, way: str, folder: Path
) -> tuple[Mapping[str, Server[BrokerAddress]], tuple[Server[LedgerAddress], Server[LedgerAddress]]]:
    # Only here: importing the engine's client takes a third of a second.
    if way == "docker":
        from lienthong.testing.docker_cluster import docker_cluster  # noqa: PLC0415 - see above

        return attempt.enter_context(docker_cluster(folder))
    if way == "native":
        from lienthong.testing.native_cluster import native_brokers, native_ledgers  # noqa: PLC0415 - likewise

        # The nodes come up while the ledger is made.
        brokers = attempt.enter_context(native_brokers(folder))
        return brokers, attempt.enter_context(native_ledgers(folder))
    raise MisconfiguredError("a cluster is started here, never given by URL")


async def _formed(brokers: Mapping[str, Server[BrokerAddress]], within: float) -> None:
    """Wait until every node sees all of them."""
    deadline = time.monotonic() + within
    for server in brokers.values():
        async with BrokerAdmin(server.address.management_url) as admin:
            while await _seen(admin) != dict.fromkeys(brokers, True):
                if time.monotonic() > deadline:
                    raise Unavailable("the nodes have not formed a cluster")
                await asyncio.sleep(LOOK_SECONDS)


async def _seen(admin: BrokerAdmin) -> Mapping[str, bool]:
    try:
        return await admin.nodes()
    except (Unavailable, MisconfiguredError):
        # It is starting, perhaps again, to heal itself: its management is away, or answers before it knows anything.
        return {}


def _nothing() -> str | None:
    """Know of no failure: there is another one."""
    return None


def _power(server: Server[BrokerAddress] | Server[LedgerAddress]) -> Power:
    assert server.power is not None, "all of it was started here"
    return server.power
