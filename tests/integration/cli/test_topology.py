"""`lienthong topology` against a real broker."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aio_pika
import asyncpg

from lienthong.bus.admin import FULL_PERMISSIONS, BrokerAdmin
from lienthong.bus.connection import Bus
from lienthong.bus.messages import Outgoing
from lienthong.topology.names import (
    SUBMISSION,
    Step,
    SubmissionKey,
    dead_queue,
    diverted_queue,
    submission_key,
    work_queue,
)
from lienthong.topology.plan import Permissions, Plan, diverting, exchange_plan
from lienthong.topology.rights import OPERATOR_USER, OWN_USERS, own_rights, worker_user

if TYPE_CHECKING:
    from pathlib import Path

    from lienthong.testing.servers import Servers


SECRET = "secret"


def lienthong(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with settings in its environment, wide enough for its tables."""
    return subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "lienthong_cli", *arguments],
        env=os.environ | settings | {"COLUMNS": "200"},
        check=False,
        capture_output=True,
        text=True,
    )


async def test_apply_makes_everything_and_repeats_harmlessly(
    servers: Servers, broker_admin: BrokerAdmin, database: str, tmp_path: Path
) -> None:
    """One command makes virtual host, own users and the plan's queues; again, it mends rights, or only adds to them."""
    vhost = f"test-{uuid.uuid4().hex}"
    settings = {
        "LIENTHONG_BROKER_URL": address(servers, OPERATOR_USER, vhost),
        "LIENTHONG_BROKER_MANAGEMENT_URL": servers.management_url,
        "LIENTHONG_LEDGER_URL": database,
    }
    for user in OWN_USERS:
        file = tmp_path / f"{user.removeprefix('lienthong-')}-broker-url"
        file.touch(mode=0o600)
        file.write_text(address(servers, user, vhost) + "\n")
    workers = ("--workers", str(tmp_path))
    try:
        assert lienthong("topology", "plan", **settings).returncode == 1
        first = lienthong("topology", "apply", *workers, **settings)
        assert first.returncode == 0, first.stderr
        assert f"created: {vhost}" in first.stdout
        granted = await broker_admin.all_permissions(vhost)
        assert {name: granted[name] for name in OWN_USERS} == {
            name: rights.permissions for name, rights in own_rights().items()
        }
        assert await broker_admin.queue_depths(vhost) == {queue.name: 0 for queue in exchange_plan().queues}
        assert lienthong("topology", "plan", *workers, **settings).returncode == 0
        router = worker_user(Step.ROUTER)
        # The version before had a queue that this one knows nothing of.
        await broker_admin.set_permissions(vhost, router, Permissions("^$", "^before$", "^before$"))
        for _ in range(2):
            assert lienthong("topology", "apply", "--rolling", *workers, **settings).returncode == 0
            both = (await broker_admin.all_permissions(vhost))[router]
            assert both.read == f"^before$|{own_rights()[router].permissions.read}"
        await broker_admin.set_permissions(vhost, router, FULL_PERMISSIONS)
        await broker_admin.put_user(router, "another", tags="monitoring")
        async with Bus(address(servers, router, vhost, "another"), name="test") as bus:
            again = lienthong("topology", "apply", *workers, **settings)
            assert again.returncode == 0, again.stderr
            assert f"was there: {vhost}" in again.stdout
            mended = re.findall(rf"mended: sai / wrong (\w+) {router} ", again.stdout)
            assert mended == ["password", "tags", "permissions"]
            assert await broker_admin.connections_of(router) == []
            assert not bus.connected
        assert lienthong("topology", "plan", *workers, **settings).returncode == 0
    finally:
        await broker_admin.delete_vhost(vhost)
        for user in OWN_USERS:
            await broker_admin.delete_user(user)


def address(servers: Servers, user: str, vhost: str, password: str = SECRET) -> str:
    """Return the address with which one of our own users logs in."""
    place = urlsplit(servers.broker_url)
    return f"amqp://{user}:{password}@{place.hostname}:{place.port}/{vhost}"


async def test_plan_names_what_differs_and_apply_what_it_left(
    servers: Servers, broker_admin: BrokerAdmin, database: str
) -> None:
    """What differs is a line and status 1; what is mended is noted with who did it; what is left alone has a remedy."""
    vhost = f"test-{uuid.uuid4().hex}"
    settings = {
        "LIENTHONG_BROKER_URL": address(servers, OPERATOR_USER, vhost),
        "LIENTHONG_BROKER_MANAGEMENT_URL": servers.management_url,
        "LIENTHONG_LEDGER_URL": database,
    }
    try:
        # Of the workers' users it does not know the passwords.
        first = lienthong("topology", "apply", **settings)
        assert first.returncode == 1
        assert first.stdout.count("missing user lienthong-") == len(OWN_USERS)
        assert first.stdout.count("--workers DIR") == len(Step)
        async with await aio_pika.connect(f"{servers.broker_url}/{vhost}") as connection:
            channel = await connection.channel()
            await channel.queue_delete(dead_queue(Step.ROUTER))
            await channel.declare_queue("spy", durable=True, arguments={"x-queue-type": "quorum"})
        found = lienthong("topology", "plan", **settings)
        assert found.returncode == 1
        assert f"missing queue {dead_queue(Step.ROUTER)}\n" in found.stdout
        assert "extra queue spy\n" in found.stdout
        applied = lienthong("topology", "apply", "--by", "lan", **settings)
        assert applied.returncode == 1
        assert f"mended: thiếu / missing queue {dead_queue(Step.ROUTER)}\n" in applied.stdout
        assert "left alone: thừa / extra queue spy\n" in applied.stdout
        assert "rabbitmqctl delete_queue spy" in applied.stdout
        assert dead_queue(Step.ROUTER) in await broker_admin.queue_depths(vhost)
        assert await last_repair(database) == ("lan", True)
    finally:
        await broker_admin.delete_vhost(vhost)
        await broker_admin.delete_user(OPERATOR_USER)


async def test_an_exchange_of_another_kind_is_made_anew(
    servers: Servers, broker_admin: BrokerAdmin, database: str
) -> None:
    """As an upgrade needs it, with what stands behind it; who is diverted just now stays so, and nobody else."""
    vhost = f"test-{uuid.uuid4().hex}"
    settings = {
        "LIENTHONG_BROKER_URL": address(servers, OPERATOR_USER, vhost),
        "LIENTHONG_BROKER_MANAGEMENT_URL": servers.management_url,
        "LIENTHONG_LEDGER_URL": database,
    }
    try:
        lienthong("topology", "apply", **settings)
        async with await aio_pika.connect(f"{servers.broker_url}/{vhost}") as connection:
            channel = await connection.channel()
            await channel.exchange_delete(SUBMISSION)
            before = await channel.declare_exchange(SUBMISSION, "direct", durable=True)
            queue = await channel.get_queue(work_queue(Step.INGEST), ensure=False)
            await queue.bind(before, SubmissionKey.DOCUMENT)
        applied = lienthong("topology", "apply", "--rolling", **settings)
        assert f"mended: sai / wrong exchange {SUBMISSION} (direct" in applied.stdout
        assert "exchange" not in lienthong("topology", "plan", **settings).stdout
        async with Bus(f"{servers.broker_url}/{vhost}", name="test") as bus:
            await bus.declare(Plan(bindings=tuple(diverting(one, SubmissionKey.DOCUMENT) for one in ("H23", "H99"))))
            keys = [submission_key(agency, SubmissionKey.DOCUMENT) for agency in ("H23", "G22")]
            assert await bus.publish_many([Outgoing(SUBMISSION, key, key, b"x") for key in keys]) == [None, None]
            counts = await bus.lengths([work_queue(Step.INGEST), diverted_queue(Step.INGEST)])
        assert list(counts.values()) == [1, 1]
        # Nobody in the ledger is diverted but H23: the other one would be for ever.
        ledger = await asyncpg.connect(database)
        await ledger.execute("insert into diverted values ('H23', now() + interval '1 minute')")
        await ledger.close()
        astray = [line for line in lienthong("topology", "plan", **settings).stdout.splitlines() if "binding" in line]
        assert astray == [f"thừa / extra binding {SUBMISSION} -> {diverted_queue(Step.INGEST)}: H99.document"]
        lienthong("topology", "apply", **settings)
        assert "binding" not in lienthong("topology", "plan", **settings).stdout
    finally:
        await broker_admin.delete_vhost(vhost)
        await broker_admin.delete_user(OPERATOR_USER)


async def last_repair(database: str) -> tuple[str, bool]:
    """Return who mended the broker last, and whether the dead letters' queue was among it."""
    connection = await asyncpg.connect(database)
    text = "select facts from entry where kind = 'TopologyRepaired' order by entry desc limit 1"
    facts = json.loads(await connection.fetchval(text))
    await connection.close()
    return facts["by"], any(dead_queue(Step.ROUTER) in one for one in facts["mended"])


def test_apply_says_what_to_mend() -> None:
    """A broker that is configured wrongly is one line and a status, not a traceback."""
    ended = lienthong(
        "topology",
        "apply",
        LIENTHONG_BROKER_URL="amqp://a@127.0.0.1/one,amqp://a@127.0.0.1/two",
        LIENTHONG_BROKER_MANAGEMENT_URL="http://127.0.0.1:1",
    )
    assert ended.returncode == 3
    assert ended.stderr.startswith("lỗi / error: LIENTHONG_BROKER_URL")
    assert "Traceback" not in ended.stderr


def test_show_lists_every_queue_with_its_bindings() -> None:
    """What is printed is the plan itself."""
    ended = lienthong("topology", "show")
    assert ended.returncode == 0, ended.stderr
    for queue in exchange_plan().queues:
        assert f" {queue.name} " in ended.stdout
    for binding in exchange_plan().bindings:
        assert f"{binding.exchange}: {binding.key}".rstrip() in ended.stdout
