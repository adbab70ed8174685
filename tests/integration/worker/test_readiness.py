"""A worker says that it is ready only while everything it needs is there, fresh, and new enough."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import shutil
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
import pytest
from yarl import URL

from lienthong.bus.connection import Bus
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.ledger.migrations import lacking, migrations
from lienthong.testing.processes import free_ports
from lienthong.testing.proxy import FaultyProxies
from lienthong.topology.plan import Permissions, Plan, Queue, exchange_plan
from lienthong.trust import DevelopmentAuthority
from lienthong.worker.trusting import TrustCheck

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from lienthong.bus.admin import BrokerAdmin

SOON = 90.0
LOOK = 0.05


class Asked:
    """A worker's health, as an orchestrator asks for it."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url, session

    async def ready(self) -> tuple[int, dict[str, str]]:
        """Return the status of /ready, and what is missing with the reason; see that the loop runs meanwhile."""
        async with self._session.get(f"{self._url}/live") as live:
            assert live.status == 200
        async with self._session.get(f"{self._url}/ready") as answer:
            body: dict[str, Any] = await answer.json()
            assert body["ok"] == (answer.status == 200) == (not body["missing"])
            return answer.status, body["missing"]

    async def until(self, *missing: str) -> dict[str, str]:
        """Wait until just this is missing, and return the reasons."""
        found: object = None
        try:
            async with asyncio.timeout(SOON):
                while True:
                    try:
                        found = status, reasons = await self.ready()
                        if set(reasons) == set(missing):
                            assert status == (503 if missing else 200)
                            return reasons
                    except aiohttp.ClientConnectionError as error:
                        found = error
                    await asyncio.sleep(LOOK)
        except TimeoutError:
            raise AssertionError(f"not {missing}, but {found}") from None


@asynccontextmanager
async def tracking(broker: str, ledger: str, folder: Path) -> AsyncIterator[Asked]:
    """Run a status-tracker as a process."""
    (port,) = free_ports(1)
    environment = os.environ | {
        "LIENTHONG_BROKER_URL": broker,
        "LIENTHONG_LEDGER_URL": ledger,
        "LIENTHONG_PAYLOAD_FOLDER": str(folder / "payload"),
        "LIENTHONG_TRUST_FOLDER": str(folder / "authority" / "trust"),
        "LIENTHONG_TRUST_REFRESH": "false",
        "LIENTHONG_SERVICE_HEALTH_PORT": str(port),
    }
    command = (sys.executable, "-m", "lienthong_status_tracker")
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL, env=environment)
    try:
        async with aiohttp.ClientSession() as session:
            yield Asked(f"http://127.0.0.1:{port}", session)
    finally:
        process.kill()
        await process.wait()


async def test_ready_tells_what_is_taken_away_and_when_it_is_back(vhost: str, database: str, tmp_path: Path) -> None:
    """Broker, ledger, schema and trust data: each one is named with the reason while it is away, and no longer."""
    authority = DevelopmentAuthority.create(tmp_path / "authority")
    owner = await asyncpg.connect(database)
    async with (
        FaultyProxies(vhost) as broker,
        FaultyProxies(database) as ledger,
        tracking(broker.url, ledger.url, tmp_path) as asked,
    ):
        # Without its queues it cannot work.
        await asked.until("broker")
        async with Bus(vhost, name="test") as bus:
            await bus.declare(exchange_plan())
        await asked.until()
        broker.refuse()
        await asked.until("broker")
        broker.accept()
        await asked.until()
        ledger.refuse()
        assert "sổ cái" in (await asked.until("ledger"))["ledger"]
        ledger.accept()
        await asked.until()
        gone = await owner.fetch("delete from schema_migration where name like '0003%' returning name, digest")
        assert gone[0]["name"] in (await asked.until("ledger"))["ledger"]
        await owner.execute("insert into schema_migration (name, digest) values ($1, $2)", *gone[0])
        await asked.until()
        issuing = next(file for file in (authority.trust_folder / "crls").iterdir() if "issuing" in file.name)
        issuing.unlink()
        assert "no authentic CRL" in (await asked.until("trust"))["trust"]
        authority.publish()
        await asked.until()
        shutil.move(authority.trust_folder, tmp_path / "elsewhere")
        assert "does not exist" in (await asked.until("trust"))["trust"]
        shutil.move(tmp_path / "elsewhere", authority.trust_folder)
        await asked.until()
    await owner.close()


async def test_ready_is_never_said_by_one_who_may_not_take_from_a_queue(vhost: str, broker_admin: BrokerAdmin) -> None:
    """While the broker refuses one of the queues, at no moment of the tries to consume it all seems well."""
    user = "may-read-one"
    await broker_admin.put_user(user, "secret")
    await broker_admin.set_permissions(URL(vhost).name, user, Permissions("^$", "^$", "^one$"))
    async with Bus(vhost, name="test") as owner:
        await owner.declare(Plan(queues=tuple(Queue(name, {"x-queue-type": "quorum"}) for name in ("one", "two"))))
    seen: set[bool] = set()
    async with Bus(str(URL(vhost).with_user(user).with_password("secret")), name="test") as bus:
        trying = asyncio.create_task(bus.consume(["one", "two"], prefetch=1))
        while not trying.done():
            seen.add(bus.consuming)
            await asyncio.sleep(0)
        seen.add(bus.consuming)
        assert isinstance(trying.exception(), Unavailable | MisconfiguredError)
        assert seen == {False}
        await bus.consume(["one"], prefetch=1)
        assert bus.consuming
    await broker_admin.delete_user(user)


async def test_trust_data_is_stale_by_its_own_word(tmp_path: Path) -> None:
    """A list that has run out makes a worker unready; a list of an authority that has expired itself does not."""
    now = dt.datetime.now(dt.UTC)
    authority = DevelopmentAuthority.create(tmp_path / "authority")
    await TrustCheck(authority.trust_folder, clock=lambda: now)()
    with pytest.raises(Unavailable, match="stale since"):
        await TrustCheck(authority.trust_folder, clock=lambda: now + dt.timedelta(days=8))()
    await TrustCheck(authority.trust_folder, clock=lambda: now + dt.timedelta(days=365 * 30))()
    with pytest.raises(MisconfiguredError):
        await TrustCheck(tmp_path / "none")()


def test_a_newer_schema_is_no_older_one() -> None:
    """While workers are upgraded one by one, the old ones work on the new schema; only what is lacking counts."""
    names = [migration.name for migration in migrations()]
    assert lacking([*names, "9999_pre_of_tomorrow.sql"]) == []
    assert lacking(names[:-1]) == names[-1:]
    assert lacking(names[:-1], kind="post") == []
