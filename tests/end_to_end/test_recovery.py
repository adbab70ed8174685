"""An exchange lost as a whole, and made again from a backup that was written while it worked."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from lienthong.bus.admin import BrokerAdmin
from lienthong.ledger.copying import snapshot
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.reports import Reports
from lienthong.simulation.exchange import found_exchange
from lienthong.simulation.fleet import Fleet
from lienthong.simulation.papers import Papers
from lienthong.simulation.rehearsal import rehearse
from lienthong.simulation.supervisor import Supervisor
from lienthong.simulation.traffic import plan_traffic
from lienthong.simulation.units import Role, cast
from lienthong.testing.databases import create_database, drop_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping
    from pathlib import Path

    from tests.end_to_end.conftest import RunningExchange

    from lienthong.simulation.journal import Counts
    from lienthong.testing.servers import Servers

MEMBERS = cast({Role.FULLY: 4, Role.ARRIVAL: 2}, seed=5)
TRAFFIC = plan_traffic(MEMBERS, documents=60, seed=5, issued_on=date(2019, 1, 15))
SECONDS = 60


async def lienthong(settings: Mapping[str, str], *arguments: str) -> Any:
    """Run a command of the command line, and return what it printed as JSON."""
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "lienthong_cli", *arguments, "--json"],
        env=os.environ | settings,
        capture_output=True,
        check=False,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return json.loads(ended.stdout)


async def table_digests(url: str) -> dict[str, str]:
    """Return the digest of every table of a ledger."""
    async with snapshot(url) as ledger:
        return {table.name: (await ledger.copy(table)).sha256 for table in await ledger.tables()}


async def test_what_was_confirmed_before_a_backup_is_delivered_after_the_loss(
    running_exchange: RunningExchange, servers: Servers, tmp_path: Path
) -> None:
    """Ledger, payloads and broker are lost; of what the backup holds nothing is, and every receiver gets its own."""
    backups = tmp_path / "backups"
    async with running_exchange(MEMBERS) as lost:
        backing_up: list[asyncio.Task[Any]] = []

        def back_up_in_the_middle(counts: Counts) -> None:
            if not backing_up and counts.deliveries > TRAFFIC.deliveries // 4:
                backing_up.append(asyncio.create_task(lienthong(lost.exchange.environment, "backup", str(backups))))

        with Papers(TRAFFIC, lost.exchange.credentials) as papers:
            result = await rehearse(lost.exchange, papers, seconds=6, progress=back_up_in_the_middle)
        assert result.good, result.complaints
        backup = await backing_up[0]
    assert backup["lacking"] == []
    name = f"test_{uuid.uuid4().hex}"
    async with BrokerAdmin(servers.management_url) as admin:
        try:
            ledger_url = await create_database(servers.ledger_url, name)
            settings = {"LIENTHONG_LEDGER_URL": ledger_url, "LIENTHONG_PAYLOAD_FOLDER": str(tmp_path / "payload")}
            restored = await lienthong(settings, "restore", str(backups))
            assert restored["digest"] == backup["digest"]
            expected = {table["name"]: table["sha256"] for table in backup["tables"]}
            assert await table_digests(ledger_url) == expected
            again = await found_exchange(
                f"{servers.broker_url}/{name}",
                servers.management_url,
                ledger_url,
                payload_folder=tmp_path / "payload",
                members=MEMBERS,
                credentials=lost.exchange.credentials,
            )
            async with opened(ledger_url) as (reports, ledger):
                mine = {row["document"]: (row["sender"], row["document_id"]) for row in await reports.documents()}
                reported = await _deliveries(reports, mine, reported=True)
                found = await lienthong(again.environment, "reconcile", "--repair", "--older-than", "0")
                assert all(one["repaired"] for one in found), found
                # The backup is from the middle: there is something to take up again.
                assert {"input-lost", "delivery-lost"} & {one["kind"] for one in found}
                supervisor = Supervisor(again.environments, logs=tmp_path / "logs", scratch=tmp_path / "scratch")
                with Papers(TRAFFIC, again.credentials) as papers:
                    async with supervisor, Fleet(again, papers, MEMBERS) as fleet, asyncio.timeout(SECONDS):
                        while await _on_the_way(ledger, mine):  # noqa: ASYNC110 - another connection's rows
                            await asyncio.sleep(0.1)
                        got = {
                            (code, *key)
                            for code, journal in fleet.journals.items()
                            for key in journal.got
                            if key in mine.values()
                        }
                        assert {times for journal in fleet.journals.values() for times in journal.got.values()} == {1}
                assert got == await _deliveries(reports, mine, reported=True) - reported
                # What was in hand when the workers ended may have its payload kept and be recorded later.
                left = await lienthong(again.environment, "reconcile", "--older-than", "0")
                assert {one["kind"] for one in left} <= {"payload-unnamed"}
        finally:
            await admin.delete_vhost(name)
            await drop_database(servers.ledger_url, name)


@asynccontextmanager
async def opened(ledger_url: str) -> AsyncIterator[tuple[Reports, Ledger]]:
    """Open a ledger, both sides of it."""
    reports, ledger = await Reports.connect(ledger_url), await Ledger.connect(ledger_url)
    try:
        yield reports, ledger
    finally:
        await reports.close()
        await ledger.close()


async def _deliveries(
    reports: Reports, documents: Mapping[uuid.UUID, tuple[str, str]], *, reported: bool
) -> set[tuple[str, ...]]:
    """Return addressee, sender and DocumentId of the deliveries of these documents that are reported on, or are not."""
    return {
        (row["addressee"], *documents[row["document"]])
        for row in await reports.deliveries()
        if row["document"] in documents and (row["state"] != "delivered") is reported
    }


async def _on_the_way(ledger: Ledger, documents: Collection[uuid.UUID]) -> bool:
    """Tell whether something was not done or told yet, or one of these documents not reported arrived by a receiver."""
    async with ledger.transaction() as unit:
        now = datetime.now(UTC)
        unreported = {one.document for one in await unit.unreported(now)}
        return bool(await unit.unfinished(now) or await unit.untold(now) or unreported & set(documents))
