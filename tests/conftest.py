"""Servers for the tests that need them: one RabbitMQ and one PostgreSQL a session, a fresh corner of them a test.

``LIENTHONG_TEST_SERVERS`` chooses how they are had (``auto``, ``urls``, ``docker``, ``native``; see
`lienthong.testing.servers.running_servers`). Where none can be had a test is skipped with every reason, but fails
when ``CI=true``.
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, cast, get_args
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from lienthong.bus.admin import BrokerAdmin
from lienthong.errors import MisconfiguredError
from lienthong.ledger.migrations import migrate
from lienthong.testing.servers import Kind, Servers, running_servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

DESCRIPTION = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Servers]:
    """Provide the session's RabbitMQ and PostgreSQL, by an administrator's URLs."""
    kind = os.environ.get("LIENTHONG_TEST_SERVERS", "auto")
    if kind not in get_args(Kind):
        pytest.fail(f"LIENTHONG_TEST_SERVERS={kind}: has to be one of {', '.join(get_args(Kind))}", pytrace=False)
    running = running_servers(tmp_path_factory.mktemp("servers"), kind=cast("Kind", kind))
    try:
        found = running.__enter__()
    except MisconfiguredError as error:
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    try:
        pytestconfig.stash[DESCRIPTION] = found.description
        yield found
    finally:
        running.__exit__(None, None, None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say at the end on which servers the tests ran."""
    if description := config.stash.get(DESCRIPTION, None):
        terminalreporter.write_line(f"servers: {description}")


@pytest_asyncio.fixture
async def broker_admin(servers: Servers) -> AsyncIterator[BrokerAdmin]:
    """Provide the management API of the session's RabbitMQ."""
    async with BrokerAdmin(servers.management_url) as admin:
        yield admin


@pytest_asyncio.fixture
async def vhost(servers: Servers, broker_admin: BrokerAdmin) -> AsyncIterator[str]:
    """Provide the administrator's AMQP URL of a fresh virtual host."""
    name = f"test-{uuid.uuid4().hex}"
    await broker_admin.create_vhost(name)
    yield f"{servers.broker_url}/{name}"
    await broker_admin.delete_vhost(name)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated_template(servers: Servers) -> AsyncIterator[str]:
    """Provide the name of a database that has the ledger's schema and that nobody connects to."""
    name = f"template_{uuid.uuid4().hex}"
    await execute(servers.ledger_url, f"create database {name} template template0 encoding 'UTF8'")
    await migrate(database_url(servers, name))
    yield name
    await execute(servers.ledger_url, f"drop database {name} with (force)")


@pytest_asyncio.fixture
async def database(servers: Servers, migrated_template: str) -> AsyncIterator[str]:
    """Provide the superuser's URL of a fresh ledger, migrated and empty."""
    name = f"test_{uuid.uuid4().hex}"
    await execute(servers.ledger_url, f"create database {name} template {migrated_template}")
    yield database_url(servers, name)
    await execute(servers.ledger_url, f"drop database {name} with (force)")


def database_url(servers: Servers, name: str) -> str:
    """Return the URL of another database on the same server."""
    return urlunsplit(urlsplit(servers.ledger_url)._replace(path=f"/{name}"))


async def execute(url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
