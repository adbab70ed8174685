"""The management API, used on a real broker."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aio_pika
import aiormq
import pytest

from lienthong.bus.admin import FULL_PERMISSIONS, BrokerAdmin
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.testing.processes import free_ports
from lienthong.topology.plan import agency_permissions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lienthong.testing.servers import Servers

PASSWORD = "correct horse / battery"


@pytest.fixture
async def user(broker_admin: BrokerAdmin) -> AsyncIterator[str]:
    """Provide a user of the broker that has no permissions."""
    name = f"H23.{uuid.uuid4().hex}"
    await broker_admin.put_user(name, PASSWORD)
    yield name
    await broker_admin.delete_user(name)


def as_user(url: str, user: str) -> str:
    """Return an AMQP URL with another user in it."""
    place = urlsplit(url)
    return place._replace(
        netloc=f"{user}:{PASSWORD.replace(' ', '%20').replace('/', '%2F')}@{place.hostname}:{place.port}"
    ).geturl()


async def test_overview_names_the_version(broker_admin: BrokerAdmin, servers: Servers) -> None:
    """The broker's version comes from the broker."""
    overview = await broker_admin.overview()
    assert f"RabbitMQ {overview.rabbitmq_version}" in servers.description


async def test_virtual_host_is_usable_at_once_and_gone_at_once(broker_admin: BrokerAdmin, servers: Servers) -> None:
    """Creating a virtual host says whether it was new, and it can be entered without waiting; so with deleting."""
    name = f"made/by {uuid.uuid4().hex}"
    url = f"{servers.broker_url}/{name.replace('/', '%2F').replace(' ', '%20')}"
    assert await broker_admin.create_vhost(name)
    try:
        assert not await broker_admin.create_vhost(name)
        assert await broker_admin.permissions(name, broker_admin.user) == FULL_PERMISSIONS
        assert await broker_admin.queue_depths(name) == {}
        async with await aio_pika.connect(url):
            pass
    finally:
        await broker_admin.delete_vhost(name)
    await broker_admin.delete_vhost(name)
    with pytest.raises(MisconfiguredError):
        await broker_admin.queue_depths(name)


async def test_queue_is_listed_as_soon_as_it_is_declared(broker_admin: BrokerAdmin, vhost: str) -> None:
    """What was declared is seen by the very next question."""
    async with await aio_pika.connect(vhost) as connection:
        channel = await connection.channel()
        await channel.declare_queue("work.ingest", durable=True, arguments={"x-queue-type": "quorum"})
        depths = await broker_admin.queue_depths(urlsplit(vhost).path[1:])
    assert depths == {"work.ingest": 0}


async def test_queue_depth_counts_messages(broker_admin: BrokerAdmin, vhost: str) -> None:
    """The depth of a queue is the number of messages in it, once the queue has ticked."""
    async with await aio_pika.connect(vhost) as connection:
        channel = await connection.channel()
        await channel.declare_queue("work.ingest", durable=True, arguments={"x-queue-type": "quorum"})
        for _ in range(3):
            await channel.default_exchange.publish(aio_pika.Message(b"x", delivery_mode=2), "work.ingest")
        async with asyncio.timeout(30):
            while await broker_admin.queue_depths(urlsplit(vhost).path[1:]) != {"work.ingest": 3}:  # noqa: ASYNC110 - see below
                await asyncio.sleep(0.2)  # the broker offers no event to wait for


async def test_user_may_do_what_it_was_permitted_only(broker_admin: BrokerAdmin, vhost: str, user: str) -> None:
    """A user cannot enter a virtual host before it has permissions, nor after they were cleared."""
    name = urlsplit(vhost).path[1:]
    url = as_user(vhost, user)
    assert await broker_admin.permissions(name, user) is None
    with pytest.raises(aiormq.exceptions.AMQPError):
        await aio_pika.connect(url)
    await broker_admin.set_permissions(name, user, agency_permissions(user))
    assert await broker_admin.permissions(name, user) == agency_permissions(user)
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await channel.declare_queue("anything")
    await broker_admin.clear_permissions(name, user)
    with pytest.raises(aiormq.exceptions.AMQPError):
        await aio_pika.connect(url)


async def test_deleted_user_is_cut_off(broker_admin: BrokerAdmin, vhost: str, user: str) -> None:
    """Deleting a user also closes the connections it has."""
    await broker_admin.set_permissions(urlsplit(vhost).path[1:], user, FULL_PERMISSIONS)
    connection = await aiormq.connect(as_user(vhost, user))
    closed = asyncio.ensure_future(asyncio.shield(connection.closing))
    # One that the broker has not listed yet it does not close (`close_connections` looks until none is left).
    async with asyncio.timeout(30):
        while not await broker_admin.connections_of(user):  # noqa: ASYNC110 - the broker tells nobody
            await asyncio.sleep(0.05)
    await broker_admin.delete_user(user)
    await asyncio.wait([closed], timeout=30)
    assert closed.done()
    closed.exception()
    with pytest.raises(aiormq.exceptions.AMQPError):
        await aiormq.connect(as_user(vhost, user))


async def test_limit_of_connections_holds(broker_admin: BrokerAdmin, vhost: str, user: str) -> None:
    """A user with a limit of one connection gets no second one."""
    await broker_admin.set_permissions(urlsplit(vhost).path[1:], user, FULL_PERMISSIONS)
    await broker_admin.set_user_limits(user, {"max-connections": 1, "max-channels": 5})
    async with await aio_pika.connect(as_user(vhost, user)):
        with pytest.raises(aiormq.exceptions.AMQPError):
            await aio_pika.connect(as_user(vhost, user))


async def test_errors_say_what_to_mend(servers: Servers) -> None:
    """A wrong password is the operator's to mend; a silent API may answer later."""
    place = urlsplit(servers.management_url)
    wrong = place._replace(netloc=f"nobody:wrong@{place.hostname}:{place.port}").geturl()
    async with BrokerAdmin(wrong) as admin:
        with pytest.raises(MisconfiguredError, match="LIENTHONG_BROKER_MANAGEMENT_URL"):
            await admin.overview()
    (port,) = free_ports(1)
    async with BrokerAdmin(f"http://guest:guest@127.0.0.1:{port}") as admin:
        with pytest.raises(Unavailable, match="does not answer"):
            await admin.overview()
    with pytest.raises(MisconfiguredError, match="http://user:password@host"):
        BrokerAdmin("amqp://127.0.0.1")


async def test_any_management_api_that_answers_is_asked(servers: Servers) -> None:
    """An agency can be suspended while a node is down."""
    place = urlsplit(servers.management_url)
    login = place.netloc.rpartition("@")[0]
    dead = f"http://{login}@127.0.0.1:{free_ports(1)[0]}"
    async with BrokerAdmin(f"{dead},{servers.management_url}") as admin:
        assert all((await admin.nodes()).values())
    async with BrokerAdmin(f"{dead},{dead}") as admin:
        with pytest.raises(Unavailable):
            await admin.nodes()
