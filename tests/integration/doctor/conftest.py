"""A healthy installation on real servers, shared by all tests of the doctor; who plants a fault takes it away again."""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio
from yarl import URL

from lienthong.access.addresses import broker_logins
from lienthong.access.admission import Admission
from lienthong.access.broker import place_of
from lienthong.access.drift import Wanted, differences, find
from lienthong.access.mend import mend
from lienthong.bus.admin import BrokerAdmin
from lienthong.bus.connection import Bus
from lienthong.doctor.examination import Examination, examine
from lienthong.doctor.patient import Instruments
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.logins import ROLES, end_logins, let_log_in
from lienthong.payload import FolderStore
from lienthong.recovery.backup import back_up
from lienthong.settings import AccessSettings
from lienthong.topology.names import Step
from lienthong.topology.plan import step_queues
from lienthong.topology.rights import OPERATOR_USER, OWN_USERS
from lienthong.trust import DevelopmentAuthority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from lienthong.testing.servers import Servers

SECRET = "secret"
WORK_QUEUES = [queue for step in Step for queue in step_queues(step)]


class Usage(NamedTuple):
    """How full a disk is."""

    total: int
    free: int


@dataclass
class Installation:
    """Where everything is, and the doctor's instruments.

    Attributes:
        environment: an operator's settings.
        workers: a bus that consumes as the workers would.
        database: the ledger for its owner.
        agency: one that is let in.
    """

    environment: dict[str, str]
    instruments: dict[str, object]
    folder: Path
    admin: BrokerAdmin
    vhost: str
    bus: Bus
    workers: Bus
    database: str
    agency: str

    async def sql(self, statement: str, *values: object) -> None:
        """Run a statement as the ledger's owner."""
        connection = await asyncpg.connect(self.database)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()

    async def examined(
        self, settings: Mapping[str, str] | None = None, instruments: Mapping[str, object] | None = None
    ) -> Examination:
        """Have the doctor look, with other settings and instruments if need be."""
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ:
                if name.startswith("LIENTHONG_"):
                    patch.delenv(name)
            for name, value in (self.environment | dict(settings or {})).items():
                patch.setenv(name, value)
            return await examine(Instruments(**(self.instruments | dict(instruments or {}))))  # type: ignore[arg-type]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def installation(
    servers: Servers, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """Provide the installation."""
    folder = tmp_path_factory.mktemp("doctor")
    name = f"doctor_{uuid.uuid4().hex}"
    agency = f"H23.{uuid.uuid4().hex[:6].upper()}"
    database = str(URL(servers.ledger_url).with_path(f"/{name}"))
    owner = await asyncpg.connect(servers.ledger_url)
    await owner.execute(f"create database {name} template {migrated_template}")
    addresses = _addresses(servers, name, database, folder / "workers")
    broker = str(URL(f"{servers.broker_url}/{name}").with_user(OPERATOR_USER).with_password(SECRET))
    place = place_of(broker)
    async with AsyncExitStack() as closing:
        admin = await closing.enter_async_context(BrokerAdmin(servers.management_url))
        await admin.create_vhost(name)
        closing.push_async_callback(_removed, admin, name, agency)
        await let_log_in(database, dict.fromkeys(ROLES, SECRET))
        ledger = await Ledger.connect(database)
        closing.push_async_callback(ledger.close)

        async def mended() -> None:
            async with ledger.access() as unit:
                participants = await unit.participants()
            wanted = Wanted(participants, broker_logins(place, addresses), admin.user, AccessSettings())
            await mend(differences(wanted, await find(admin, name)), wanted, admin=admin, urls=broker, place=place)

        await mended()
        await Admission(admin, ledger, broker, place, AccessSettings(), by="test").add(agency, name="H23")
        bus = await closing.enter_async_context(Bus(broker, name="test"))
        workers = await closing.enter_async_context(Bus(f"{servers.broker_url}/{name}", name="workers"))
        await workers.consume(WORK_QUEUES, prefetch=10)
        DevelopmentAuthority.create(folder / "authority")
        (folder / "payload").mkdir()
        await back_up(database, FolderStore(folder / "payload"), folder / "backups", tell=lambda *_: None)
        yield Installation(
            {
                "LIENTHONG_BROKER_URL": broker,
                "LIENTHONG_BROKER_MANAGEMENT_URL": servers.management_url,
                "LIENTHONG_LEDGER_URL": str(URL(database).with_user("lienthong_operator").with_password(SECRET)),
                "LIENTHONG_PAYLOAD_FOLDER": str(folder / "payload"),
                "LIENTHONG_TRUST_FOLDER": str(folder / "authority" / "trust"),
            },
            {"workers": addresses, "backups": folder / "backups", "disk_usage": lambda _: Usage(1 << 40, 1 << 39)},
            folder,
            admin,
            name,
            bus,
            workers,
            database,
            agency,
        )
    await end_logins(database)
    await owner.execute(f"drop database {name} with (force)")
    await owner.close()
    shutil.rmtree(folder)


def _addresses(servers: Servers, vhost: str, database: str, folder: Path) -> Path:
    """Write the files with which each process logs in."""
    folder.mkdir()
    broker = urlsplit(servers.broker_url)
    for user in OWN_USERS:
        short = user.removeprefix("lienthong-")
        file = folder / f"{short}-broker-url"
        file.touch(mode=0o600)
        file.write_text(f"amqp://{user}:{SECRET}@{broker.hostname}:{broker.port}/{vhost}")
    for role in ROLES:
        file = folder / f"{role.removeprefix('lienthong_').replace('_', '-')}-ledger-url"
        file.touch(mode=0o600)
        file.write_text(str(URL(database).with_user(role).with_password(SECRET)))
    return folder


async def _removed(admin: BrokerAdmin, vhost: str, agency: str) -> None:
    await admin.delete_vhost(vhost)
    for user in (*OWN_USERS, agency):
        await admin.delete_user(user)
