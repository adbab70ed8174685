"""What an agency must not do: each attempt fails, and the operator can see it.

The exchange is the one an operator makes with commands: a broker with mutual TLS, agencies with certificates.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
import struct
import subprocess
import sys
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlsplit

import aiohttp
import aiormq
import asyncpg
import pytest
from pamqp import commands, frame
from pamqp.header import ProtocolHeader
from rich.console import Console
from rich.table import Table
from yarl import URL

from lienthong.bus.admin import BrokerAdmin
from lienthong.bus.connection import Bus
from lienthong.bus.errors import PublishForbidden
from lienthong.bus.messages import Outgoing
from lienthong.edxml import Document, Organization, ResponseFor, Status, encode
from lienthong.simulation.supervisor import Supervisor
from lienthong.testing.databases import create_database, drop_database
from lienthong.testing.secure_broker import SecureBroker, running_secure_broker
from lienthong.topology.names import (
    DEAD,
    DELIVERY,
    QUARANTINE,
    RETRY_SECONDS,
    STATUS,
    SUBMISSION,
    SUBMISSION_SHARED,
    WORK,
    Step,
    SubmissionKey,
    delivery_queue,
    retry_exchange,
    status_queue,
    submission_key,
    work_queue,
)
from lienthong.topology.rights import OPERATOR_USER, worker_user
from lienthong.trust import Credential, DevelopmentAuthority
from lienthong.trust.development_connections import ConnectionAuthority

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from lienthong.testing.servers import Servers

VHOST = "lienthong"
ME, OTHER, SUSPENDED, LATER_SUSPENDED = "H01", "H02", "H03", "H04"
SECONDS = 60.0
CONNECTIONS = 6
REFUSED_BY_BROKER = (aiormq.ChannelAccessRefused, aiormq.ChannelPreconditionFailed)
NO_ENTRY = (aiormq.AMQPError, OSError)

BROKER, LEDGER = "broker's log", "ledger, worker's log, metric"


@dataclass
class Exchange:
    """Where everything is."""

    broker: SecureBroker
    environment: dict[str, str]
    logs: Path
    workers: Supervisor

    def url(self, user: str, certificate: Path | None = None, vhost: str = VHOST) -> str:
        """Return the address with which somebody connects."""
        return self.broker.url(user, vhost, certificate=certificate)

    async def publish(self, exchange: str, key: str, body: bytes = b"x", *, user_id: str | None = ME) -> None:
        """Publish as the agency; raises why it is not taken."""
        message = Outgoing(
            exchange, key, str(uuid.uuid4()), body, content_type="application/edxml+xml", user_id=user_id
        )
        async with Bus(self.url(ME), name="forbidden") as bus:
            (failure,) = await bus.publish_many([message])
        if failure is not None:
            raise failure

    async def rows(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask the ledger."""
        connection = await asyncpg.connect(self.environment["LIENTHONG_LEDGER_URL"])
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()


def lienthong(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run an operator's command."""
    return subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "lienthong_cli", *words],
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def secure_broker(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """Provide a broker that takes certificates only, of the kind the session's servers are."""
    kind = "docker" if "in Docker" in servers.description else "native"
    with running_secure_broker(
        tmp_path_factory.mktemp("broker"), kind=cast('Literal["docker", "native"]', kind)
    ) as running:
        yield running


@dataclass(frozen=True)
class Attempt:
    """Something an agency must not do.

    Attributes:
        name: what.
        act: does it; has to end in one of the errors.
        seen: what the operator finds in the broker's log, as a regular expression.
        errors: how it ends for the agency.
    """

    name: str
    act: Callable[[Exchange], Awaitable[object]]
    seen: str
    errors: tuple[type[Exception], ...] = REFUSED_BY_BROKER


def on_channel(act: Callable[[aiormq.abc.AbstractChannel], Awaitable[object]]) -> Callable[[Exchange], Awaitable[None]]:
    """Return an attempt on an open channel of the agency."""

    async def attempt(exchange: Exchange) -> None:
        connection = await aiormq.connect(exchange.url(ME))
        try:
            await act(await connection.channel())
        finally:
            await connection.close()

    return attempt


def connecting(url: Callable[[Exchange], str]) -> Callable[[Exchange], Awaitable[None]]:
    """Return an attempt to connect."""

    async def attempt(exchange: Exchange) -> None:
        connection = await aiormq.connect(url(exchange))
        await connection.close()

    return attempt


def publishing(to: str, key: str, user_id: str = ME) -> Callable[[Exchange], Awaitable[None]]:
    """Return an attempt to publish."""
    return lambda exchange: exchange.publish(to, key, user_id=user_id)


def no_access(kind: str, name: str) -> str:
    """Return what the broker logs when it refuses the agency an object; its versions word it a little differently."""
    return rf"access to {kind} '{re.escape(name)}' in vhost '{VHOST}' refused for user '{ME}'"


def _expired(exchange: Exchange) -> str:
    now = datetime.now(UTC)
    authority = ConnectionAuthority(exchange.broker.authority.folder)
    path = authority.client("expired", since=now - timedelta(days=2), until=now - timedelta(days=1))
    return exchange.url(ME, path)


def _revoked(exchange: Exchange) -> str:
    path = exchange.broker.authority.client("revoked")
    exchange.broker.authority.revoke(Credential.load(path).certificate)
    return exchange.url(ME, path)


def _of_another_authority(exchange: Exchange) -> str:
    return exchange.url(ME, ConnectionAuthority(exchange.logs.parent / "other authority").client(ME))


def _without(exchange: Exchange, *names: str, **more: str) -> str:
    url = URL(exchange.url(ME))
    return str(url.with_query({key: value for key, value in url.query.items() if key not in names} | more))


async def _too_many_connections(exchange: Exchange) -> None:
    opened: list[aiormq.abc.AbstractConnection] = []
    try:
        while len(opened) <= CONNECTIONS:
            opened.append(await aiormq.connect(exchange.url(ME)))
    finally:
        for connection in opened:
            await connection.close()


async def _management(exchange: Exchange) -> None:
    place = urlsplit(exchange.broker.management_url)
    url = f"http://{place.hostname}:{place.port}/api/queues"
    guess = {"Authorization": aiohttp.encode_basic_auth(ME, "guess")}
    async with aiohttp.ClientSession(headers=guess) as session, session.get(url) as answer:
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise PermissionError(str(answer.status))


async def _password(exchange: Exchange) -> None:
    """Insist on the mechanism PLAIN, over TLS with a certificate of one's own, which the client library would not."""
    context = ssl.create_default_context(cafile=exchange.broker.authority.certificate_file)
    own = exchange.broker.authority.client(ME)
    context.load_cert_chain(f"{own}.pem", f"{own}.key")
    reader, writer = await asyncio.open_connection("127.0.0.1", exchange.broker.port, ssl=context)
    try:
        writer.write(ProtocolHeader(0, 9, 1).marshal())
        kind, _, size = struct.unpack(">BHL", await reader.readexactly(7))
        assert kind == 1, "connection.start"
        await reader.readexactly(size + 1)
        login = commands.Connection.StartOk({}, "PLAIN", f"\0{OTHER}\0stolen", "en_US")
        writer.write(frame.marshal(login, 0))
        if not await asyncio.wait_for(reader.read(1), SECONDS):
            raise PermissionError("closed without a word")
    finally:
        writer.close()


async def _ignore(_message: aiormq.abc.DeliveredMessage) -> None:
    """Take a message, which must not come."""


ATTEMPTS = (
    Attempt(
        "read another's documents",
        on_channel(lambda channel: channel.basic_consume(delivery_queue(OTHER), _ignore)),
        no_access("queue", delivery_queue(OTHER)),
    ),
    Attempt(
        "fetch another's statuses",
        on_channel(lambda channel: channel.basic_get(status_queue(OTHER))),
        no_access("queue", status_queue(OTHER)),
    ),
    Attempt(
        "read a work queue",
        on_channel(lambda channel: channel.basic_consume(work_queue(Step.ROUTER), _ignore)),
        no_access("queue", work_queue(Step.ROUTER)),
    ),
    *(
        Attempt(
            f"publish to {name or 'the default exchange'}",
            publishing(name, key),
            no_access("exchange", name or "amq.default"),
            (PublishForbidden,),
        )
        for name, key in (
            (STATUS, f"from.{OTHER}.to.{ME}.03"),
            (WORK, "router"),
            (DELIVERY, OTHER),
            (DEAD, "router"),
            (QUARANTINE, QUARANTINE),
            (retry_exchange(RETRY_SECONDS[0]), "router"),
            ("", delivery_queue(OTHER)),
        )
    ),
    Attempt(
        "declare a queue",
        on_channel(lambda channel: channel.queue_declare("mine", durable=True, arguments={"x-queue-type": "quorum"})),
        no_access("queue", "mine"),
    ),
    Attempt(
        "declare a queue that the broker names",
        on_channel(lambda channel: channel.queue_declare("", exclusive=True)),
        rf"access to queue 'amq\.gen-[^']+' in vhost '{VHOST}' refused for user '{ME}'",
    ),
    Attempt(
        "declare an exchange",
        on_channel(lambda channel: channel.exchange_declare("mine", exchange_type="fanout")),
        no_access("exchange", "mine"),
    ),
    Attempt(
        "bind its own queue to everybody's statuses",
        on_channel(lambda channel: channel.queue_bind(status_queue(ME), STATUS, "#")),
        no_access("queue", status_queue(ME)),
    ),
    Attempt(
        "unbind another's queue",
        on_channel(lambda channel: channel.queue_unbind(delivery_queue(OTHER), DELIVERY, OTHER)),
        no_access("queue", delivery_queue(OTHER)),
    ),
    Attempt(
        "delete its own queue",
        on_channel(lambda channel: channel.queue_delete(delivery_queue(ME))),
        no_access("queue", delivery_queue(ME)),
    ),
    Attempt(
        "delete another's queue",
        on_channel(lambda channel: channel.queue_delete(delivery_queue(OTHER))),
        no_access("queue", delivery_queue(OTHER)),
    ),
    Attempt(
        "delete the exchange it writes to",
        on_channel(lambda channel: channel.exchange_delete(SUBMISSION)),
        no_access("exchange", SUBMISSION),
    ),
    Attempt(
        "purge another's queue",
        on_channel(lambda channel: channel.queue_purge(delivery_queue(OTHER))),
        no_access("queue", delivery_queue(OTHER)),
    ),
    Attempt(
        "submit with another's user_id",
        publishing(SUBMISSION, submission_key(ME, SubmissionKey.DOCUMENT), OTHER),
        rf"user_id property set to '{OTHER}' but authenticated user was '{ME}'",
        (PublishForbidden,),
    ),
    Attempt(
        "submit with another's routing key",
        publishing(SUBMISSION, submission_key(OTHER, SubmissionKey.DOCUMENT), ME),
        rf"access to topic '{OTHER}.document' in exchange '{SUBMISSION}'.* refused for user '{ME}'",
        (PublishForbidden,),
    ),
    Attempt(
        "submit by the exchange behind the one it writes to",
        publishing(SUBMISSION_SHARED, submission_key(ME, SubmissionKey.DOCUMENT), ME),
        no_access("exchange", SUBMISSION_SHARED),
        (PublishForbidden,),
    ),
    Attempt(
        "enter another virtual host",
        connecting(lambda exchange: exchange.url(ME, vhost="/")),
        rf"access to vhost '/' refused for user '{ME}'",
        NO_ENTRY,
    ),
    Attempt(
        "more connections than its limit",
        _too_many_connections,
        rf"user '{ME}'.* limit \({CONNECTIONS}\) is reached|for user '{ME}'.*connection limit \({CONNECTIONS}\)",
        NO_ENTRY,
    ),
    Attempt("ask the management API", _management, f"HTTP access denied: user '{ME}'", (PermissionError,)),
    Attempt(
        "connect while suspended",
        connecting(lambda exchange: exchange.url(SUSPENDED)),
        rf"access to vhost '{VHOST}' refused for user '{SUSPENDED}'",
        NO_ENTRY,
    ),
    Attempt(
        "connect as somebody unknown",
        connecting(lambda exchange: exchange.url("H99")),
        r"EXTERNAL login refused: user 'H99'",
        NO_ENTRY,
    ),
    Attempt("an expired certificate", connecting(_expired), r"Certificate Expired", NO_ENTRY),
    Attempt("a revoked certificate", connecting(_revoked), r"Certificate Revoked", NO_ENTRY),
    Attempt("a certificate of another authority", connecting(_of_another_authority), r"Unknown CA", NO_ENTRY),
    Attempt(
        "no certificate",
        connecting(lambda exchange: _without(exchange, "certfile", "keyfile")),
        r"certificate_required|Certificate required",
        NO_ENTRY,
    ),
    Attempt(
        "a password instead of the certificate's name",
        _password,
        r"invalid authentication mechanism 'PLAIN'",
        (PermissionError,),
    ),
    Attempt(
        "no TLS",
        connecting(lambda exchange: f"amqp://{ME}:x@127.0.0.1:{exchange.broker.port}/{VHOST}"),
        r"unsupported_record_type|Unexpected Message|unexpected_message",
        NO_ENTRY,
    ),
)


@pytest.mark.timeout(400)  # a broker, five workers and eleven commands are started
async def test_nothing_forbidden_works_and_all_of_it_is_seen(
    secure_broker: SecureBroker, servers: Servers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each attempt is refused by the broker or a worker, leaves a trace where operators look, and changes nothing."""
    database = f"test_{uuid.uuid4().hex}"
    environment = {
        "LIENTHONG_BROKER_URL": secure_broker.url(OPERATOR_USER, VHOST),
        "LIENTHONG_BROKER_MANAGEMENT_URL": secure_broker.management_url,
        "LIENTHONG_LEDGER_URL": await create_database(servers.ledger_url, database),
        "LIENTHONG_PAYLOAD_FOLDER": str(tmp_path / "payload"),
        "LIENTHONG_TRUST_FOLDER": str(DevelopmentAuthority.create(tmp_path / "authority").trust_folder),
        "LIENTHONG_ACCESS_CONNECTIONS": str(CONNECTIONS),
    }
    try:
        environments = of_workers(environment, secure_broker, tmp_path)
        await found(environment, tmp_path)
        workers = Supervisor(environments, logs=tmp_path / "logs", scratch=tmp_path / "scratch")
        async with workers:
            exchange = Exchange(secure_broker, environment, tmp_path / "logs", workers)
            waiting = await one_waiting(exchange)
            table = Table("Attempt", "Refused by", "Seen in", title=secure_broker.description)
            for attempt in ATTEMPTS:
                table.add_row(attempt.name, *await refused_by_broker(exchange, attempt))
            table.add_row("go on while being suspended", *await cut_off(exchange))
            table.add_row("submit without user_id", *await quarantined(exchange))
            table.add_row("submit a document From another", *await refused_by_ingest(exchange))
            table.add_row("report a status From another", *await refused_by_status_tracker(exchange))
            with capsys.disabled():
                Console().print(table)
            assert await one_waiting(exchange, publish=False) == waiting
            drift = lienthong(environment, "topology", "plan")
            assert drift.returncode == 0, drift.stdout + drift.stderr
    finally:
        await drop_database(servers.ledger_url, database)


def of_workers(environment: dict[str, str], broker: SecureBroker, folder: Path) -> dict[Step, dict[str, str]]:
    """Return the settings of each worker, the address of the ledger in a file."""
    found = {}
    for step in Step:
        file = folder / f"{step}-ledger-url"
        file.touch(mode=0o600)
        role = worker_user(step).replace("-", "_")
        file.write_text(str(URL(environment["LIENTHONG_LEDGER_URL"]).with_user(role).with_password("secret")))
        shared = {name: value for name, value in environment.items() if not name.endswith("_URL")}
        found[step] = shared | {
            "LIENTHONG_BROKER_URL": broker.url(worker_user(step), VHOST),
            "LIENTHONG_LEDGER_URL_FILE": str(file),
        }
    return found


async def found(environment: dict[str, str], workers: Path) -> None:
    """Make an exchange with the operator's commands."""

    async def done(*words: str) -> None:
        ended = await asyncio.to_thread(lienthong, environment, *words)
        assert ended.returncode == 0, ended.stdout + ended.stderr

    await done("ledger", "migrate", "--workers", str(workers))
    await done("topology", "apply")
    everybody = (ME, OTHER, SUSPENDED, LATER_SUSPENDED)
    await asyncio.gather(*(done("agency", "add", code, f"--name=UBND {code}") for code in everybody))
    await done("agency", "suspend", SUSPENDED, "--reason=thử")


async def one_waiting(exchange: Exchange, *, publish: bool = True) -> bytes | None:
    """Return the body of the first message in the other's queue, which stays there; put one there if told so."""
    async with Bus(exchange.url(OPERATOR_USER), name="test") as bus:
        if publish:
            assert await bus.publish_many([Outgoing(DELIVERY, OTHER, "waiting", b"for the other only")]) == [None]
    connection = await aiormq.connect(exchange.url(OTHER))
    got = await (await connection.channel()).basic_get(delivery_queue(OTHER))
    await connection.close()
    return bytes(got.body)


async def refused_by_broker(exchange: Exchange, attempt: Attempt) -> tuple[str, str]:
    """See an attempt fail and leave its trace; returns who refused it, and where that is seen."""
    before = len(exchange.broker.log())
    with pytest.raises(attempt.errors) as refused:
        await attempt.act(exchange)
    deadline = asyncio.get_running_loop().time() + SECONDS
    while not re.search(attempt.seen, trace := exchange.broker.log()[before:]):
        if asyncio.get_running_loop().time() > deadline:
            pytest.fail(f"{attempt.name}: {refused.value!r} is not seen in the broker's log:\n{trace}")
        await asyncio.sleep(0.1)  # another process' log; there is nothing to wait on
    return "broker", BROKER


async def cut_off(exchange: Exchange) -> tuple[str, str]:
    """Suspend an agency that is connected: its open channel ends with its connection, and the history says who did."""
    connection = await aiormq.connect(exchange.url(LATER_SUSPENDED))
    closed = asyncio.ensure_future(asyncio.shield(connection.closing))
    words = ("agency", "suspend", LATER_SUSPENDED, "--reason=thử", "--by=lan")
    ended = await asyncio.to_thread(lienthong, exchange.environment, *words)
    assert ended.returncode == 0, ended.stderr
    await asyncio.wait([closed], timeout=SECONDS)
    assert closed.done()
    closed.exception()
    with pytest.raises(NO_ENTRY):
        await aiormq.connect(exchange.url(LATER_SUSPENDED))
    (entry,) = await exchange.rows(
        "select facts from entry where kind = 'AgencySuspended' and agency = $1", LATER_SUSPENDED
    )
    assert json.loads(entry["facts"])["by"] == "lan"
    async with BrokerAdmin(exchange.broker.management_url) as admin:
        assert await admin.connections_of(LATER_SUSPENDED) == []
    return "broker", f"ledger, {BROKER}"


async def quarantined(exchange: Exchange) -> tuple[str, str]:
    """Submit what nobody can be answered for: it is put aside, and goes no further."""
    await exchange.publish(SUBMISSION, submission_key(ME, SubmissionKey.DOCUMENT), encode(paper(ME)), user_id=None)
    await until(exchange, "select from entry where kind = 'MessageQuarantined'")
    assert "message_quarantined" in (exchange.logs / "ingest.log").read_text(encoding="utf-8")
    return "ingest", "queue quarantine, ledger, worker's log"


async def refused_by_ingest(exchange: Exchange) -> tuple[str, str]:
    """Submit a document in another's name: a refusal with its reason, in the ledger, the log and the metric."""
    await exchange.publish(SUBMISSION, submission_key(ME, SubmissionKey.DOCUMENT), encode(paper(OTHER)))
    await _refused(exchange, Step.INGEST, "document")
    assert not await exchange.rows("select from document")
    return "ingest", LEDGER


async def refused_by_status_tracker(exchange: Exchange) -> tuple[str, str]:
    """Report a status in another's name, likewise."""
    status = Status(Organization(OTHER), ResponseFor(ME, "d1"), "03", timestamp=datetime.now(UTC))
    await exchange.publish(SUBMISSION, submission_key(ME, SubmissionKey.STATUS), encode(status))
    await _refused(exchange, Step.STATUS_TRACKER, "status")
    return "status-tracker", LEDGER


async def _refused(exchange: Exchange, step: Step, about: str) -> None:
    refusal = "select problems from refusal where user_name = $1 and about = $2 and forwarded_at is not null"
    (row,) = await until(exchange, refusal, ME, about)
    assert [problem["code"] for problem in json.loads(row["problems"])] == ["Permission"]
    events = [json.loads(line) for line in (exchange.logs / f"{step}.log").read_text(encoding="utf-8").splitlines()]
    assert [event["codes"] for event in events if event["event"] == "message_refused"] == [["Permission"]]
    url = f"{exchange.workers.health_urls[step]}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert 'lienthong_messages_refused_total{code="Permission"} 1.0' in await answer.text()


async def until(exchange: Exchange, statement: str, *arguments: object) -> list[asyncpg.Record]:
    """Return rows of the ledger once there are any."""
    async with asyncio.timeout(SECONDS):
        while not (rows := await exchange.rows(statement, *arguments)):  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.1)  # workers of their own
    return rows


def paper(sender: str) -> Document:
    """Return a small document of a sender to the other."""
    return Document(sender=Organization(sender), addressees=(Organization(OTHER),), document_id=str(uuid.uuid4()))
