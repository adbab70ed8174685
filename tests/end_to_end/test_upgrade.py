"""Two versions side by side: workers of the version before, on the schema and the broker of this one."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tarfile
import uuid
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from lienthong.access.broker import place_of
from lienthong.access.drift import Wanted, differences, find
from lienthong.access.mend import mend
from lienthong.agency import AgencyClient, StatusReport
from lienthong.bus.admin import BrokerAdmin
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.migrations import migrations
from lienthong.settings import AccessSettings
from lienthong.simulation.credentials import Credentials
from lienthong.simulation.exchange import Exchange, found_exchange
from lienthong.simulation.letter import render
from lienthong.simulation.supervisor import Supervisor
from lienthong.simulation.traffic import plan_letter
from lienthong.simulation.units import Member, Role, Unit
from lienthong.testing.databases import create_database, drop_database
from lienthong.topology.names import Step
from lienthong.topology.plan import exchange_plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lienthong.testing.servers import Servers

ROOT = Path(__file__).parents[2]
SCHEMA = "shared/lienthong/ledger/schema"
SECONDS = 90.0
SENDER, RECEIVER = "H01", "H02"
MEMBERS = [Member(Unit(code, f"Tỉnh {code}", "province"), Role.FULLY) for code in (SENDER, RECEIVER)]
VERSION_BEFORE = """
import asyncio, sys
from lienthong.access.broker import grant
from lienthong.bus.admin import BrokerAdmin
from lienthong.bus.connection import Bus
from lienthong.topology.plan import exchange_plan
from lienthong.topology.rights import own_rights

async def main(url, management_url, vhost):
    async with Bus(url, name="the version before") as bus, BrokerAdmin(management_url) as admin:
        await bus.declare(exchange_plan())
        for user, rights in own_rights().items():
            await grant(admin, vhost, user, rights)

asyncio.run(main(*sys.argv[1:]))
"""
"""Queues, exchanges and rights as the version before has them."""


def git(*arguments: str) -> bytes:
    """Return what git says about this repository."""
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True).stdout  # noqa: S603, S607 - our own arguments


def version_before() -> str:
    """Return the latest release; as long as there is none, what was there before the newest ``pre`` migration."""
    if tags := git("tag", "--merged", "HEAD^", "--sort=-creatordate", "v*").split():
        return tags[0].decode()
    newest = [migration.name for migration in migrations() if "_pre_" in migration.name][-1]
    added = git("log", "--format=%H", "--diff-filter=A", "--", f"{SCHEMA}/{newest}").split()
    # One that is not committed yet comes after everything that is.
    return f"{added[-1].decode()}^" if added else "HEAD"


@pytest.fixture(scope="module")
def old_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide the version before, as a folder of source."""
    try:
        packed = git("archive", version_before(), "shared", "services")
    except (OSError, subprocess.CalledProcessError) as error:
        # What was unpacked from an archive has none.
        pytest.skip(f"no history here: {error}")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(packed)) as tree:
        tree.extractall(folder, filter="data")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exchange(
    servers: Servers, old_tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Exchange]:
    """Provide an exchange in the midst of its upgrade: schema and broker are new, what was there before is left."""
    name = f"test_{uuid.uuid4().hex}"
    folder = tmp_path_factory.mktemp("exchange")
    url = f"{servers.broker_url}/{name}"
    async with BrokerAdmin(servers.management_url) as admin:
        try:
            founded = await found_exchange(
                url,
                servers.management_url,
                await create_database(servers.ledger_url, name),
                payload_folder=folder / "payload",
                members=MEMBERS,
                credentials=Credentials.issue(folder / "authority", MEMBERS),
            )
            for one in exchange_plan().exchanges:
                # Of these it may have others of the same name.
                await admin.delete_exchange(name, one.name)
            arguments = ("-c", VERSION_BEFORE, url, servers.management_url, name)
            before = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, env=os.environ | python_path(old_tree)
            )
            assert await before.wait() == 0
            await apply_beside(admin, url, founded.ledger_url)
            yield founded
        finally:
            await admin.delete_vhost(name)
            await drop_database(servers.ledger_url, name)


async def apply_beside(admin: BrokerAdmin, url: str, ledger_url: str) -> None:
    """Give the broker what this version needs beside the one before, as `lienthong topology apply --rolling` does."""
    ledger = await Ledger.connect(ledger_url)
    async with ledger.access() as unit:
        participants = await unit.participants()
    await ledger.close()
    place = place_of(url)
    there = await find(admin, place.vhost)
    wanted = Wanted(participants, {}, admin.user, AccessSettings()).beside(there)
    mended = await mend(differences(wanted, there), wanted, admin=admin, urls=url, place=place)
    left = [str(one) for one in differences(wanted, await find(admin, place.vhost)) if not one.remedy]
    assert left == [], list(map(str, mended))


def python_path(tree: Path) -> dict[str, str]:
    """Return the environment in which Python takes our packages from another tree."""
    return {"PYTHONPATH": f"{tree / 'shared'}:{tree / 'services'}"}


@pytest.mark.parametrize(
    "old",
    [
        {Step.INGEST, Step.ROUTER, Step.NOTIFIER},
        {Step.SIGNATURE_VERIFY, Step.STATUS_TRACKER},
    ],
    ids=["old ones hand to new ones", "new ones hand to old ones"],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_document_goes_through_while_workers_are_upgraded(
    exchange: Exchange, old_tree: Path, tmp_path: Path, old: set[Step]
) -> None:
    """Whichever workers are upgraded first, all are ready, and each takes what the others hand it, without an error."""
    draft = plan_letter(MEMBERS, SENDER, [RECEIVER], seed=len(old), issued_on=date(2026, 11, 20))
    document = draft.document(render(draft.letter))
    settings = {
        step: own | (python_path(old_tree) if step in old else {}) for step, own in exchange.environments.items()
    }
    signers = {code: exchange.credentials.key_files(code).signer() for code in (SENDER, RECEIVER)}
    async with (
        Supervisor(settings, logs=tmp_path / "logs", scratch=tmp_path / "scratch") as workers,
        AgencyClient(exchange.agency_url(SENDER), signer=signers[SENDER], state=tmp_path / "sender") as sender,
        AgencyClient(exchange.agency_url(RECEIVER), signer=signers[RECEIVER], state=tmp_path / "receiver") as receiver,
        asyncio.timeout(SECONDS),
    ):
        await sender.send(document)
        async for delivery in receiver.deliveries():
            assert delivery.document.document_id == document.document_id
            await receiver.report_status(delivery, "03")
            break
        codes: list[str] = []
        async for told in sender.statuses():
            if isinstance(told, StatusReport):
                codes.append(told.code)
            if {"01", "03"} <= set(codes):
                break
        assert sorted(codes) == ["01", "03"]
        assert set(workers.restarts.values()) == {0}
    for log in (tmp_path / "logs").iterdir():
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        assert [line for line in lines if line["level"] in {"error", "critical"}] == [], log.name


def test_the_version_before_is_another(old_tree: Path) -> None:
    """It is not this one by mistake, and this one knows every migration that it has."""
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import lienthong_router, lienthong; print(lienthong.__file__, lienthong_router.__file__)",
        ],
        env=os.environ | python_path(old_tree),
        check=True,
        capture_output=True,
        text=True,
    )
    assert all(Path(file).is_relative_to(old_tree) for file in found.stdout.split())
    theirs = {file.name for file in (old_tree / SCHEMA).iterdir()}
    assert theirs <= {migration.name for migration in migrations()}
