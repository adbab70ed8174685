"""Where the broker differs from plan and ledger, and what is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aio_pika
import aiormq
import pytest

from lienthong.bus.admin import FULL_PERMISSIONS
from lienthong.bus.connection import Bus
from lienthong.topology.names import STATUS, WORK, Step, delivery_queue, status_queue, work_queue
from lienthong.topology.plan import TopicPermissions, agency_permissions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.access.conftest import Exchange


@pytest.fixture
async def channel(exchange: Exchange) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    """Provide a channel of somebody who may do everything, and does it by hand."""
    async with await aio_pika.connect(exchange.url) as connection:
        yield await connection.channel()


async def test_what_is_missing_is_made(exchange: Exchange, channel: aio_pika.abc.AbstractChannel) -> None:
    """A queue, an exchange and a binding that somebody deleted are found and made again."""
    code = exchange.code()
    await exchange.operator().add(code, name="Sở")
    await channel.queue_delete(delivery_queue(code))
    await channel.exchange_delete(WORK)
    queue = await channel.declare_queue(status_queue(code), passive=True)
    await queue.unbind(STATUS, f"from.{code}.to.#")
    found = {(one.kind, one.thing, one.name) for one in await exchange.drift()}
    assert {("missing", "queue", delivery_queue(code)), ("missing", "exchange", WORK)} < found
    assert ("missing", "binding", f"{STATUS} -> {status_queue(code)}: from.{code}.to.#") in found
    await exchange.mended()
    assert await exchange.drift() == []


async def test_a_listening_queue_is_cut_off_and_kept(exchange: Exchange, channel: aio_pika.abc.AbstractChannel) -> None:
    """A binding nobody planned is deleted; the queue, which may hold messages, is left alone with a remedy."""
    spy = await channel.declare_queue("spy", durable=True, arguments={"x-queue-type": "quorum"})
    await spy.bind(STATUS, "#")
    await channel.declare_exchange("side", aio_pika.ExchangeType.FANOUT, durable=True)
    kinds = {(one.kind, one.thing, one.name): bool(one.remedy) for one in await exchange.drift()}
    assert kinds == {
        ("extra", "exchange", "side"): True,
        ("extra", "queue", "spy"): True,
        ("extra", "binding", "status -> spy: #"): False,
    }
    await exchange.mended()
    assert [one.thing for one in await exchange.drift()] == ["exchange", "queue"]
    assert "spy" in await exchange.admin.queue_depths(exchange.place.vhost)


async def test_a_queue_with_other_arguments_keeps_its_messages(
    exchange: Exchange, channel: aio_pika.abc.AbstractChannel
) -> None:
    """What only deleting could mend is not mended, and what differs is named."""
    name = work_queue(Step.ROUTER)
    await channel.queue_delete(name)
    queue = await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
    await queue.bind(WORK, "router")
    await channel.default_exchange.publish(aio_pika.Message(b"x", delivery_mode=2), name)
    (wrong,) = await exchange.drift()
    assert (wrong.kind, wrong.thing, wrong.name) == ("wrong", "queue", name)
    assert "x-delivery-limit=None, planned: 40" in wrong.detail
    assert await exchange.mended() == []
    message = await queue.get(timeout=10)
    assert message.body == b"x"
    await message.ack()


async def test_rights_that_were_widened_are_narrowed_at_once(exchange: Exchange) -> None:
    """Permissions, tags and a password given by hand are taken away, with the connections they opened."""
    code, admin, vhost = exchange.code(), exchange.admin, exchange.place.vhost
    await exchange.operator().add(code, name="Sở")
    await admin.put_user(code, "given by hand", tags="administrator")
    await admin.set_permissions(vhost, code, FULL_PERMISSIONS)
    await admin.set_topic_permissions(vhost, code, [TopicPermissions(STATUS, ".*", ".*")])
    await admin.set_user_limits(code, {"max-connections": 1000})
    async with Bus(exchange.agency_url(code, "given by hand"), name="test") as bus:
        assert {one.thing for one in await exchange.drift()} == {"password", "tags", "permissions", "topic", "limits"}
        await exchange.mended()
        assert await admin.connections_of(code) == []
        assert not bus.connected
    assert await exchange.drift() == []
    assert await admin.permissions(vhost, code) == agency_permissions(code)
    with pytest.raises(aiormq.exceptions.AMQPError):
        await aiormq.connect(exchange.agency_url(code, "given by hand"))


async def test_only_tags_are_taken_from_one_with_a_password(exchange: Exchange) -> None:
    """An agency with a password keeps it when a tag is taken away."""
    code = exchange.code()
    password = (await exchange.operator().add(code, name="Sở", login="password")).password
    user = (await exchange.admin.users())[code]
    assert password is not None
    await exchange.admin.put_user(code, password, tags="monitoring")
    assert [one.thing for one in await exchange.mended()] == ["tags"]
    assert (await exchange.admin.users())[code].tags == user.tags == ()
    await (await aiormq.connect(exchange.agency_url(code, password))).close()


async def test_a_suspended_agency_with_rights_is_shut_out(exchange: Exchange) -> None:
    """Whoever gave a suspended agency its permissions back by hand is overruled; a stranger is only reported."""
    code, stranger, vhost = exchange.code(), exchange.code(), exchange.place.vhost
    await exchange.operator().add(code, name="Sở")
    await exchange.operator().suspend(code, reason="thử")
    await exchange.admin.set_permissions(vhost, code, agency_permissions(code))
    await exchange.admin.put_user(stranger, "x")
    await exchange.admin.set_permissions(vhost, stranger, FULL_PERMISSIONS)
    found = {(one.kind, one.thing, one.name, bool(one.remedy)) for one in await exchange.drift()}
    assert found == {("extra", "permissions", code, False), ("extra", "user", stranger, True)}
    await exchange.mended()
    assert await exchange.admin.permissions(vhost, code) is None
    assert await exchange.admin.permissions(vhost, stranger) == FULL_PERMISSIONS


async def test_a_user_that_is_gone_comes_back_with_its_certificate(exchange: Exchange) -> None:
    """The user of an agency with a certificate is made again; one with a password needs the operator."""
    by_certificate, by_password = exchange.code(), exchange.code()
    await exchange.operator().add(by_certificate, name="Sở A")
    await exchange.operator().add(by_password, name="Sở B", login="password")
    for code in (by_certificate, by_password):
        await exchange.admin.delete_user(code)
    await exchange.mended()
    (left,) = await exchange.drift()
    assert (left.thing, left.name) == ("user", by_password)
    assert f"rotate-credential {by_password}" in left.remedy
    assert (await exchange.operator().rotate_credential(by_password)).password is not None
    await exchange.mended()
    assert await exchange.drift() == []


async def test_passwords_that_are_no_longer_allowed_are_found(exchange: Exchange) -> None:
    """Where the setting was withdrawn, agencies with passwords are named, with what to do."""
    code = exchange.code()
    await exchange.operator().add(code, name="Sở", login="password")
    exchange.settings = exchange.settings.model_copy(update={"passwords": False})
    (wrong,) = await exchange.drift()
    assert (wrong.kind, wrong.thing, wrong.name) == ("wrong", "password", code)
    assert "--certificate-only" in wrong.remedy
