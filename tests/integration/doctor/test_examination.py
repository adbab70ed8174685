"""The doctor finds each of many planted faults, says what to do about it, and finds nothing where nothing is wrong."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import shutil
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aio_pika
import pytest
from tests.integration.doctor.conftest import SECRET, WORK_QUEUES, Usage
from yarl import URL

from lienthong.bus.admin import has_password
from lienthong.bus.messages import Outgoing
from lienthong.ledger.logins import let_log_in
from lienthong.topology.names import DEAD, Step, dead_queue, work_queue
from lienthong.topology.plan import Permissions, exchange_plan
from lienthong.topology.rights import OPERATOR_USER, own_rights, worker_user
from lienthong.trust import DevelopmentAuthority
from lienthong.trust.development_connections import ConnectionAuthority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from tests.integration.doctor.conftest import Installation

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = dt.datetime.now(dt.UTC)
GONE = "127.0.0.1:1"
ROUTER = worker_user(Step.ROUTER)


@dataclass
class Planted:
    """What is other than usual when the doctor looks."""

    settings: dict[str, str] = field(default_factory=dict)
    instruments: dict[str, object] = field(default_factory=dict)


def settings(
    **changed: Callable[[Installation], str],
) -> Callable[[Installation], AbstractAsyncContextManager[Planted]]:
    """Return what plants other settings."""

    @asynccontextmanager
    async def plant(here: Installation) -> AsyncIterator[Planted]:
        yield Planted({f"LIENTHONG_{name}": value(here) for name, value in changed.items()})

    return plant


def instrument(**changed: object) -> Callable[[Installation], AbstractAsyncContextManager[Planted]]:
    """Return what gives the doctor other instruments."""

    @asynccontextmanager
    async def plant(_here: Installation) -> AsyncIterator[Planted]:
        yield Planted(instruments=dict(changed))

    return plant


def sql(plant: str, heal: str) -> Callable[[Installation], AbstractAsyncContextManager[Planted]]:
    """Return what changes the ledger, and changes it back."""

    @asynccontextmanager
    async def planted(here: Installation) -> AsyncIterator[Planted]:
        await here.sql(plant.replace("AGENCY", here.agency))
        try:
            yield Planted()
        finally:
            await here.sql(heal.replace("AGENCY", here.agency))

    return planted


def with_password(url: str, password: str) -> str:
    """Return an address with another password."""
    return str(URL(url).with_password(password))


def ahead(span: dt.timedelta) -> Callable[[], dt.datetime]:
    """Return a clock that is wrong."""
    return lambda: dt.datetime.now(dt.UTC) + span


@asynccontextmanager
async def password_of_a_worker(here: Installation) -> AsyncIterator[Planted]:
    """Give a worker's user on the broker another password than its address has."""
    await here.admin.put_user(ROUTER, "another")
    try:
        yield Planted()
    finally:
        await here.admin.put_user(ROUTER, SECRET)


@asynccontextmanager
async def password_of_a_role(here: Installation) -> AsyncIterator[Planted]:
    """Give a role of the ledger another password than its address has."""
    await let_log_in(here.database, {"lienthong_router": "another"})
    try:
        yield Planted()
    finally:
        await let_log_in(here.database, {"lienthong_router": SECRET})


@asynccontextmanager
async def queue_gone(here: Installation) -> AsyncIterator[Planted]:
    """Delete a queue."""
    async with await aio_pika.connect(here.environment["LIENTHONG_BROKER_URL"]) as connection:
        await (await connection.channel()).queue_delete(dead_queue(Step.ROUTER))
    try:
        yield Planted()
    finally:
        await here.bus.declare(exchange_plan())


@asynccontextmanager
async def right_gone(here: Installation) -> AsyncIterator[Planted]:
    """Take a worker's rights on the broker."""
    await here.admin.set_permissions(here.vhost, ROUTER, Permissions("^$", "^$", "^$"))
    try:
        yield Planted()
    finally:
        await here.admin.set_permissions(here.vhost, ROUTER, own_rights()[ROUTER].permissions)


@asynccontextmanager
async def new_broker(here: Installation) -> AsyncIterator[Planted]:
    """Have an address of a virtual host that has nothing in it yet."""
    name = f"empty-{uuid4().hex}"
    await here.admin.create_vhost(name)
    await here.admin.set_permissions(name, OPERATOR_USER, own_rights()[OPERATOR_USER].permissions)
    try:
        url = URL(here.environment["LIENTHONG_BROKER_URL"]).with_path(f"/{name}")
        # The workers' addresses are of another one.
        yield Planted({"LIENTHONG_BROKER_URL": str(url)}, {"workers": None})
    finally:
        await here.admin.delete_vhost(name)


@asynccontextmanager
async def dead_letters(here: Installation) -> AsyncIterator[Planted]:
    """Put a dead letter into its queue."""
    assert await here.workers.publish_many([Outgoing(DEAD, Step.ROUTER, str(uuid4()), b"?")]) == [None]
    try:
        yield Planted()
    finally:
        async with await aio_pika.connect(here.environment["LIENTHONG_BROKER_URL"]) as connection:
            queue = await (await connection.channel()).get_queue(dead_queue(Step.ROUTER))
            await queue.purge()


@asynccontextmanager
async def nobody_works(here: Installation) -> AsyncIterator[Planted]:
    """Stop the workers."""
    await here.workers.cancel()
    try:
        yield Planted()
    finally:
        await here.workers.consume(WORK_QUEUES, prefetch=10)


@asynccontextmanager
async def stale_list(here: Installation) -> AsyncIterator[Planted]:
    """Have a trust folder that nobody has refreshed for eight days."""
    folder = here.folder / "stale"
    DevelopmentAuthority.create(folder, clock=lambda: NOW - dt.timedelta(days=8))
    try:
        yield Planted({"LIENTHONG_TRUST_FOLDER": str(folder / "trust")})
    finally:
        shutil.rmtree(folder)


@contextmanager
def certificate(here: Installation, until: dt.datetime) -> Iterator[str]:
    """Provide a certificate, and its key, that end then."""
    folder = here.folder / "connections"
    authority = ConnectionAuthority(folder)
    try:
        yield str(authority.client(OPERATOR_USER, since=NOW - dt.timedelta(days=90), until=until))
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def broker_shows_an_ended_certificate(here: Installation) -> AsyncIterator[Planted]:
    """Have a server of TLS in the place of the broker that shows a certificate which ended yesterday."""
    with certificate(here, NOW - dt.timedelta(days=1)) as path:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(f"{path}.pem", f"{path}.key")
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            yield Planted({"LIENTHONG_BROKER_URL": f"amqps://{OPERATOR_USER}:x@127.0.0.1:{port}/{here.vhost}"})


@asynccontextmanager
async def own_certificate_ends(here: Installation) -> AsyncIterator[Planted]:
    """Log in by a certificate that ends in ten days."""
    with certificate(here, NOW + dt.timedelta(days=10)) as path:
        query = f"?auth=external&certfile={path}.pem&keyfile={path}.key"
        yield Planted({"LIENTHONG_BROKER_URL": f"amqps://{OPERATOR_USER}@{GONE}/{here.vhost}{query}"})


@dataclass(frozen=True)
class Fault:
    """A fault, and what has to be said of it.

    Attributes:
        plant: makes it, and takes it away again.
        finding: check, severity, and what stands in subject, text and remedy.
        besides: the checks that find what follows from it.
    """

    plant: Callable[[Installation], AbstractAsyncContextManager[Planted]]
    finding: tuple[str, str, str, str, str]
    besides: frozenset[str] = frozenset()


DOCUMENT = (
    "insert into document (document, sender, document_id, business, user_name, message_id, sha256, size, priority,"
    " lane, addressees, submitted_at, received_at, recorded_at) values (gen_random_uuid(), 'AGENCY', 'old', 0,"
    " 'AGENCY', 'old', 'x', 1, 0, 'ordinary', '{A01}', now(), now(), now() - interval '1 hour')"
)
CERTIFICATE = (
    "insert into agency_certificate (agency, fingerprint, subject, serial_number, valid_from, valid_to, certificate)"
    " values ('AGENCY', repeat('a', 64), 'CN=x', '1', now() - interval '1 year', now() + interval '9 days', '')"
)
FAULTS = {
    "wrong password": Fault(
        settings(BROKER_URL=lambda here: with_password(here.environment["LIENTHONG_BROKER_URL"], "wrong")),
        ("connection", "error", "LIENTHONG_BROKER_URL", "refuses our user", "mend LIENTHONG_BROKER_URL"),
        # The password that the doctor has is not that of the user on the broker, either.
        frozenset({"topology"}),
    ),
    "ledger away": Fault(
        settings(LEDGER_URL=lambda _: f"postgresql://lienthong_operator@{GONE}/l"),
        ("connection", "error", "LIENTHONG_LEDGER_URL", "cannot be reached", "start the server"),
    ),
    "wrong password of a worker on the broker": Fault(
        password_of_a_worker,
        ("topology", "error", f"password {ROUTER}", "wrong password", "lienthong topology apply --workers"),
    ),
    "wrong password of a worker in the ledger": Fault(
        password_of_a_role,
        ("logins", "error", "lienthong_router", "password authentication failed", "lienthong ledger migrate --workers"),
    ),
    "missing queue": Fault(
        queue_gone, ("topology", "error", f"queue {dead_queue(Step.ROUTER)}", "missing", "lienthong topology apply")
    ),
    "everything missing on a new broker": Fault(
        new_broker,
        # Not a line for each of thirty queues.
        ("topology", "error", "… (", "missing queue", "lienthong topology apply"),
    ),
    "missing right on the broker": Fault(
        right_gone, ("topology", "error", f"permissions {ROUTER}", "wrong permissions", "lienthong topology apply")
    ),
    "missing right in the ledger": Fault(
        sql("revoke insert on document from lienthong_ingest", "grant insert on document to lienthong_ingest"),
        ("schema", "error", "lienthong_ingest", "lacks a right", "grant insert on document to lienthong_ingest"),
    ),
    "more rights than needed in the ledger": Fault(
        sql("grant delete on entry to lienthong_router", "revoke delete on entry from lienthong_router"),
        ("schema", "warning", "delete on entry", "does not need", "revoke delete on entry from lienthong_router"),
    ),
    "old schema": Fault(
        sql(
            "update schema_migration set name = 'x' || name where name like '0016%'",
            "update schema_migration set name = substr(name, 2) where name like 'x%'",
        ),
        ("schema", "error", "0016_pre", "too old for this program", "lienthong ledger migrate"),
    ),
    "full disk": Fault(
        instrument(disk_usage=lambda _: Usage(1 << 40, 1 << 34)),
        ("payloads", "error", "LIENTHONG_PAYLOAD_FOLDER", "nearly full, 16.0 GiB, 2% left", "add disk"),
    ),
    "payload folder that cannot be written": Fault(
        settings(PAYLOAD_FOLDER=lambda _: "/proc/self"),
        ("payloads", "error", "/proc/self", "cannot be written", "let the workers' user write"),
    ),
    "expired certificate of the broker": Fault(
        broker_shows_an_ended_certificate,
        (
            "connections",
            "error",
            "127.0.0.1:",
            f"ended {NOW - dt.timedelta(days=1):%Y-%m-%d}",
            "issue the broker a new",
        ),
        frozenset({"connection", "topology"}),
    ),
    "own certificate that ends": Fault(
        own_certificate_ends,
        ("connections", "warning", "client-lienthong-operator.pem", "ends", "issue a new one and replace this file"),
        frozenset({"connection", "topology"}),
    ),
    "certificate of an agency that ends": Fault(
        sql(CERTIFICATE, "delete from agency_certificate where agency = 'AGENCY'"),
        ("agencies", "warning", "H23", "its last certificate ends", "lienthong agency certificate"),
    ),
    "stale CRL": Fault(stale_list, ("trust", "error", "CN=", "CRL is stale since", "lienthong trust refresh")),
    "clock off by ten minutes": Fault(
        instrument(clock=ahead(dt.timedelta(minutes=10))),
        ("clocks", "error", "PostgreSQL", "differs from this machine's by -", "NTP"),
    ),
    "clock of the broker off by ten minutes": Fault(
        instrument(clock=ahead(dt.timedelta(minutes=-10))),
        ("clocks", "error", "RabbitMQ", "differs from this machine's by +", "NTP"),
        # By that clock the lists are of the future.
        frozenset({"trust"}),
    ),
    "dead letters": Fault(
        dead_letters,
        ("dead-letters", "error", dead_queue(Step.ROUTER), "1 dead letters wait", "lienthong deadletter list"),
    ),
    "no consumers": Fault(
        nobody_works,
        ("work", "error", work_queue(Step.ROUTER), "nobody takes from it", "python -m lienthong_router"),
    ),
    "document that does not go on": Fault(
        sql(DOCUMENT, "delete from document where document_id = 'old'"),
        ("unfinished", "error", "ingest", "1 recorded more than 30 minutes ago", "lienthong reconcile"),
    ),
    "agency that is parked": Fault(
        sql("insert into parked_agency (carrier) values ('AGENCY')", "delete from parked_agency"),
        ("parked", "warning", "H23", "has not collected since", "lienthong agency show H23"),
    ),
    "unknown setting": Fault(
        settings(BROKR_URL=lambda _: "x"),
        ("configuration", "error", "LIENTHONG_BROKR_URL", "did you mean LIENTHONG_BROKER_URL?", "deploy/env.example"),
    ),
    "old backup": Fault(
        instrument(clock=ahead(dt.timedelta(hours=30))),
        ("backups", "warning", "", "the latest backup is 30 hours old", "lienthong backup"),
        frozenset({"clocks"}),
    ),
}


async def test_a_healthy_installation_has_no_findings(installation: Installation) -> None:
    """Where nothing is wrong nothing is found, every check looks, and the operator's rights suffice for it."""
    done = await installation.examined()
    assert list(map(str, done.findings)) == []
    assert not done.blind
    assert len(done.checked) == 16


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_fault_is_found_with_its_remedy(installation: Installation, fault: Fault) -> None:
    """What is wrong is named with its severity and what to do, in both languages, and nothing is that is not."""
    async with fault.plant(installation) as planted:
        done = await installation.examined(planted.settings, planted.instruments)
    check, severity, subject, text, remedy = fault.finding
    found = [
        one
        for one in done.findings
        if (one.check, one.severity) == (check, severity)
        and subject in one.subject
        and text in one.what.en
        and remedy in one.remedy.en
    ]
    assert found, list(map(str, done.findings))
    assert all(one.what.vi != one.what.en and one.remedy.vi != one.remedy.en for one in found)
    assert {one.check for one in done.findings} <= {check} | fault.besides, list(map(str, done.findings))
    assert all("\n" not in str(one) and SECRET not in str(one) for one in done.findings)


def command(here: Installation, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LIENTHONG_")}
    return subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "lienthong_cli", "doctor", *arguments],
        env=inherited | here.environment | changed,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


async def test_the_command_says_it_for_people_and_programs(installation: Installation) -> None:
    """Healed of all of it the installation is healthy: 0. A finding is 1; where nothing can be looked at it is 3."""
    assert has_password((await installation.admin.users())[ROUTER], SECRET)
    folders = ("--workers", str(installation.folder / "workers"), "--backups", str(installation.folder / "backups"))
    healthy = command(installation, *folders, "--json")
    findings = told(healthy)["findings"]
    # How full this machine's disk is says nothing about the command.
    assert [one for one in findings if one["check"] != "payloads"] == []
    assert healthy.returncode == bool(findings)
    gone = command(
        installation,
        "--json",
        LIENTHONG_BROKER_URL=f"amqp://{OPERATOR_USER}:{SECRET}@{GONE}/x",
        LIENTHONG_BROKER_MANAGEMENT_URL=f"http://{GONE}",
        LIENTHONG_LEDGER_URL=f"postgresql://x:{SECRET}@{GONE}/x",
    )
    assert gone.returncode == 3
    facts = told(gone)
    assert facts["blind"]
    assert [one["subject"] for one in facts["findings"] if one["check"] == "connection"] == [
        "LIENTHONG_BROKER_URL",
        "LIENTHONG_BROKER_MANAGEMENT_URL",
        "LIENTHONG_LEDGER_URL",
    ]
    assert set(facts["findings"][0]) == {"check", "severity", "subject", "vi", "en", "remedy_vi", "remedy_en"}
    assert SECRET not in gone.stdout + gone.stderr
    wrong = command(installation, LIENTHONG_QUOTA_DOCUMENT="1")
    assert wrong.returncode == 1
    assert "lỗi / error [configuration] LIENTHONG_QUOTA_DOCUMENT: " in wrong.stdout
    assert "Traceback" not in wrong.stderr


def told(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what was printed as JSON."""
    assert ended.stdout, ended.stderr
    found = json.loads(ended.stdout)
    assert isinstance(found, dict)
    return found
