"""A whole exchange for a test: founded in a corner of the session's servers, five worker processes, robots."""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from lienthong.bus.admin import BrokerAdmin
from lienthong.simulation.credentials import Credentials
from lienthong.simulation.exchange import Exchange, found_exchange
from lienthong.simulation.supervisor import Supervisor
from lienthong.testing.databases import create_database, drop_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from lienthong.simulation.units import Member
    from lienthong.testing.servers import Servers


@dataclass(frozen=True, slots=True)
class Running:
    """An exchange with its workers running.

    Attributes:
        exchange: where it is.
        supervisor: its workers.
        vhost: the name of its virtual host.
        admin_url: AMQP URL of an administrator in it.
        logs: the folder of the workers' logs.
    """

    exchange: Exchange
    supervisor: Supervisor
    vhost: str
    admin_url: str
    logs: Path


class RunningExchange(Protocol):
    """Starts an exchange for these members; everything of it is gone afterwards."""

    def __call__(
        self,
        members: Sequence[Member],
        environment: Mapping[str, str] | None = None,
        prepare: Callable[[Exchange], None] = lambda _: None,
    ) -> AbstractAsyncContextManager[Running]:
        """Return the exchange as a context.

        Args:
            members: its agencies.
            environment: settings of its workers that are not as usual.
            prepare: what is done before they start.
        """
        ...


@pytest.fixture(scope="module")
def running_exchange(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> RunningExchange:
    """Provide a way to start a whole exchange."""

    def start(
        members: Sequence[Member],
        environment: Mapping[str, str] | None = None,
        prepare: Callable[[Exchange], None] = lambda _: None,
    ) -> AbstractAsyncContextManager[Running]:
        return _running(servers, tmp_path_factory.mktemp("exchange"), members, environment or {}, prepare)

    return start


@asynccontextmanager
async def _running(
    servers: Servers,
    folder: Path,
    members: Sequence[Member],
    environment: Mapping[str, str],
    prepare: Callable[[Exchange], None],
) -> AsyncIterator[Running]:
    name = f"test_{uuid.uuid4().hex}"
    admin_url = f"{servers.broker_url}/{name}"
    async with BrokerAdmin(servers.management_url) as admin:
        try:
            exchange = await found_exchange(
                admin_url,
                servers.management_url,
                await create_database(servers.ledger_url, name),
                payload_folder=folder / "payload",
                members=members,
                credentials=Credentials.issue(folder / "authority", members),
            )
            prepare(exchange)
            settings = {step: own | dict(environment) for step, own in exchange.environments.items()}
            async with Supervisor(settings, logs=folder / "logs", scratch=folder / "scratch") as workers:
                yield Running(exchange, workers, name, admin_url, folder / "logs")
        finally:
            await admin.delete_vhost(name)
            await drop_database(servers.ledger_url, name)
