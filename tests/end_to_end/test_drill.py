"""The drill: that an exchange passes it, and that it would name what an exchange has lost, doubled or not recorded."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from lienthong.bus.admin import BrokerAdmin
from lienthong.ledger.reports import Reports
from lienthong.ledger.statements import statement
from lienthong.simulation.credentials import Credentials
from lienthong.simulation.drill import DrillResult, hold_drill, plan_load
from lienthong.simulation.drill_balance import LedgerSide, Sheet, balance_sheet
from lienthong.simulation.drill_plan import Action
from lienthong.simulation.exchange import found_exchange
from lienthong.simulation.papers import Papers
from lienthong.testing.databases import create_database, drop_database
from lienthong.testing.servers import BROKER_VARIABLE, LEDGER_VARIABLE, MANAGEMENT_VARIABLE
from lienthong.topology.names import Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from lienthong.simulation.journal import Journal
    from lienthong.testing.servers import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAME = "drilled"
SEED = 7
FAULTS = 6
COMMAND_LEDGER = "/lienthong_drill"
START_SECONDS = 180.0
SHAPE = {"seed", "even", "sheet", "differences", "faults", "duplicates", "restarts", "seconds"}
GIVEN_SERVERS = {BROKER_VARIABLE, MANAGEMENT_VARIABLE, LEDGER_VARIABLE}


class Drill:
    """The command, running a short drill as an operator does."""

    def __init__(self, folder: Path, *arguments: str, given: Mapping[str, str]) -> None:
        self.folder = folder
        environment = {name: value for name, value in os.environ.items() if name not in GIVEN_SERVERS}
        with (folder / "errors").open("w") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "lienthong_cli", "drill", "--json", *arguments],
                cwd=folder,
                env={**environment, **given},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def result(self) -> tuple[int, dict[str, Any]]:
        """Wait until it ends; return its exit status and what it printed."""
        printed, _ = self._process.communicate(timeout=420)
        assert printed, (self.folder / "errors").read_text()
        return self._process.returncode, json.loads(printed)

    def end(self) -> None:
        """End it, if a test failed before it did."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def passing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """Provide a drill with faults of every kind, on servers of its own."""
    arguments = ("--seed", "1", "--minutes", "0.35", "--faults", str(FAULTS))
    drill = Drill(tmp_path_factory.mktemp("passing"), *arguments, given={})
    yield drill
    drill.end()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ledger_url(servers: Servers) -> AsyncIterator[str]:
    """Provide the ledger of the drill below, to be spoilt."""
    yield await create_database(servers.ledger_url, NAME)
    await drop_database(servers.ledger_url, NAME)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drilled(
    servers: Servers, ledger_url: str, passing: Drill, tmp_path_factory: pytest.TempPathFactory
) -> DrillResult:
    """Provide what came of a short drill without faults, whose ledger is still there."""
    del passing  # only to be begun: it runs meanwhile
    folder = tmp_path_factory.mktemp("drill")
    traffic = plan_load(SEED, seconds=6, faults=0)
    credentials = Credentials.issue(folder / "authority", traffic.members)
    async with BrokerAdmin(servers.management_url) as admin:
        try:
            exchange = await found_exchange(
                f"{servers.broker_url}/{NAME}",
                servers.management_url,
                ledger_url,
                payload_folder=folder / "payload",
                members=traffic.members,
                credentials=credentials,
            )
            with Papers(traffic, credentials) as papers:
                return await hold_drill(
                    exchange, servers, papers, folder=folder, seed=SEED, faults=0, seconds=6, tell=print
                )
        finally:
            await admin.delete_vhost(NAME)


@pytest.fixture(scope="module")
def spoilt(drilled: DrillResult, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """Provide a drill without faults on servers that the test can reach."""
    del drilled  # it has used the same users
    given = {
        BROKER_VARIABLE: servers.broker_url,
        MANAGEMENT_VARIABLE: servers.management_url,
        LEDGER_VARIABLE: servers.ledger_url,
    }
    arguments = ("--servers", "urls", "--seed", str(SEED), "--minutes", "0.1", "--faults", "0")
    drill = Drill(tmp_path_factory.mktemp("spoilt"), *arguments, given=given)
    yield drill
    drill.end()


async def test_what_was_played_adds_up(drilled: DrillResult) -> None:
    """Without any fault the sheet is even, and speaks of everything that happened."""
    sheet = drilled.sheet
    assert sheet.even, sheet.differences
    assert sheet.submitted == sheet.delivered + sheet.refused + sheet.withdrawn
    assert sheet.delivered > 0
    assert sheet.withdrawn > 0
    assert sheet.unconfirmed == sheet.waiting == 0
    assert sheet.due == sheet.got == sheet.recorded > sheet.delivered
    assert sheet.reported == sheet.heard == sheet.applied > sheet.recorded


async def test_a_lost_delivery_is_named(drilled: DrillResult) -> None:
    """A document that never came to one of its receivers is lost, says its sender's journal and says the ledger."""
    journals = copied(drilled.journals)
    addressee, key = taken(journals)
    del journals[addressee].got[key]
    differences = balance(drilled, journals).differences
    assert differences.lost == (
        f"document {(addressee, *key)}",
        f"ledger has delivery {(addressee, *key)}, the agency does not",
    )


async def test_a_delivery_lost_with_its_record_is_named(drilled: DrillResult) -> None:
    """Also when the ledger has forgotten it as well, the sender has not."""
    journals = copied(drilled.journals)
    addressee, key = taken(journals)
    del journals[addressee].got[key]
    ledger = replace(drilled.ledger, deliveries=drilled.ledger.deliveries - Counter([(addressee, *key)]))
    assert f"document {(addressee, *key)}" in balance(drilled, journals, ledger).differences.lost


async def test_a_lost_document_is_named(drilled: DrillResult) -> None:
    """A document that the broker confirmed and nobody has seen since is missing from the sum, and named."""
    journals = copied(drilled.journals)
    addressee, key = taken(journals)
    sender, document_id = key
    original = journals[sender].sent[document_id]
    journals[sender].sent["lost"] = original
    sheet = balance(drilled, journals)
    assert not sheet.even
    assert sheet.submitted == sheet.delivered + sheet.refused + sheet.withdrawn + 1
    assert f"document {(addressee, sender, 'lost')}" in sheet.differences.lost
    assert sheet.differences.gaps == (f"document {(sender, 'lost')} was confirmed, the ledger does not have it",)


async def test_what_the_ledger_has_withdrawn_is_what_was_given_back(drilled: DrillResult, ledger_url: str) -> None:
    """The ledger counts a document as withdrawn when its last receiver has agreed, and neither before nor otherwise."""
    key = next(key for key, outcome in drilled.ledger.outcomes.items() if outcome == "withdrawn")
    kept = replace(drilled.ledger, outcomes={**drilled.ledger.outcomes, key: "delivered"})
    line = f"document {key} was given back by every receiver, the ledger has it delivered"
    assert balance(drilled, drilled.journals, kept).differences.gaps == (line,)
    other = next(key for key, outcome in drilled.ledger.outcomes.items() if outcome == "delivered")
    taken_away = replace(drilled.ledger, outcomes={**drilled.ledger.outcomes, other: "withdrawn"})
    line = f"document {other} was not given back, the ledger has it withdrawn"
    assert balance(drilled, drilled.journals, taken_away).differences.gaps == (line,)
    connection = await asyncpg.connect(ledger_url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        document = await connection.fetchval(
            "select document from document where sender = $1 and document_id = $2", *key
        )
        one = "select min(addressee) from delivery where document = $1"
        await connection.execute(
            f"update delivery set state = 'arrived' where document = $1 and addressee = ({one})",
            document,
        )
        outcomes = await connection.fetch(statement("recorded_outcomes"))
    finally:
        await transaction.rollback()
        await connection.close()
    assert [row["outcome"] for row in outcomes if row["document"] == document] == ["delivered"]


async def test_a_lost_status_is_named(drilled: DrillResult) -> None:
    """A status that was reported, recorded and never told to the sender is lost."""
    journals = copied(drilled.journals)
    sender = next(code for code, journal in journals.items() if journal.heard)
    key = next(iter(journals[sender].heard))
    del journals[sender].heard[key]
    assert balance(drilled, journals).differences.lost == (
        f"status {(sender, *key)}",
        f"ledger has status {(sender, *key)}, the sender was not told",
    )


async def test_a_duplicate_is_named(drilled: DrillResult) -> None:
    """A document that an agency handled twice is one too many, though the ledger has it once."""
    journals = copied(drilled.journals)
    addressee, key = taken(journals)
    journals[addressee].got[key] += 1
    assert balance(drilled, journals).differences.twice == (f"document {(addressee, *key)}",)


async def test_a_double_record_is_named(drilled: DrillResult) -> None:
    """A status that the ledger applied twice is one too many, though its sender was told once."""
    key = next(iter(drilled.ledger.statuses))
    ledger = replace(drilled.ledger, statuses=drilled.ledger.statuses + Counter([key]))
    assert balance(drilled, drilled.journals, ledger).differences.twice == (f"ledger has status {key} 2 times",)


async def test_a_made_up_document_is_named(drilled: DrillResult) -> None:
    """What the ledger has and nobody sent is strange, unless its sender was still trying to send it."""
    journals = copied(drilled.journals)
    _, (sender, document_id) = taken(journals)
    del journals[sender].sent[document_id]
    assert balance(drilled, journals).differences.strange
    assert balance_sheet(journals, drilled.ledger, [(sender, document_id)]).even


async def test_gaps_in_the_ledger_are_named(drilled: DrillResult, ledger_url: str) -> None:
    """A fact without its entry, an entry without its fact, and what agencies know and the ledger does not, are gaps."""
    _, key = taken(drilled.journals)
    connection = await asyncpg.connect(ledger_url)
    try:
        document = await connection.fetchval(
            "select document from document where sender = $1 and document_id = $2", *key
        )
        # Only a superuser who switches the triggers off can do this at all.
        await connection.execute("set session_replication_role = replica")
        await connection.execute("delete from entry where kind = 'DocumentReceived' and document = $1", document)
        gone = await connection.fetchrow(
            "delete from status where status = (select min(status::text)::uuid from status where document = $1) "
            "returning addressee, reporter, code, message_id",
            document,
        )
    finally:
        await connection.close()
    assert gone is not None
    differences = balance(drilled, drilled.journals, await read(ledger_url)).differences
    known = f"{document} {gone['addressee']} {gone['reporter']} {gone['code']} {gone['message_id']}"
    status = (*key, gone["reporter"], gone["code"])
    assert differences == replace(
        drilled.sheet.differences,
        gaps=(
            f"status {status} was confirmed, the ledger does not have it",
            f"status {status} was told, the ledger does not have it",
            f"history: DocumentReceived {document}: facts 1, entries 0",
            f"history: StatusReported {known}: facts 0, entries 1",
        ),
    )


@pytest.mark.timeout(480)
async def test_the_command_names_what_was_planted_and_exits_1(spoilt: Drill, servers: Servers) -> None:
    """An entry that vanishes from the history while the command runs is named by it, and its exit status is 1."""
    document = await asyncio.to_thread(take_an_entry, servers.ledger_url)
    status, result = await asyncio.to_thread(spoilt.result)
    assert status == 1, result
    assert result["even"] is False
    named = {name: lines for name, lines in result["differences"].items() if lines}
    assert named == {"gaps": [f"history: DocumentReceived {document}: facts 1, entries 0"]}


@pytest.mark.timeout(480)
async def test_an_exchange_passes_the_drill(passing: Drill) -> None:
    """Under load and faults of every kind nothing is lost, twice or unrecorded; each fault has its recovery time."""
    status, result = await asyncio.to_thread(passing.result)
    assert status == 0, result
    assert result.keys() == SHAPE
    assert result["even"] is True
    assert not any(result["differences"].values())
    sheet = result["sheet"]
    assert sheet["submitted"] == sheet["delivered"] + sheet["refused"] + sheet["withdrawn"] > 0
    faults = result["faults"]
    assert len(faults) == FAULTS
    assert {fault["action"] for fault in faults} == set(Action)
    assert all(fault["injected_at"] and fault["recovered_seconds"] > 0 for fault in faults), faults
    ended = [fault for fault in faults if fault["action"] in {"kill", "restart"} and fault["target"] in set(Step)]
    assert result["restarts"] == len(ended) > 0, last_words(passing.folder / ".lienthong/drill/logs")


def last_words(logs: Path) -> str:
    """Return how each worker's processes began and ended: one that nobody ended gave up by itself."""
    events = ("worker_started", "worker_stopped", "worker_crashed", "worker_misconfigured", "Traceback", "Error:")
    lines = (f"{log.name}: {line}" for log in sorted(logs.glob("*.log")) for line in log.read_text().splitlines())
    return "\n".join(line for line in lines if any(event in line for event in events))


def take_an_entry(server_url: str) -> str:
    """Delete the first entry of the command's ledger about a document; return the document."""

    async def take() -> str:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert time.monotonic() < deadline, "the command has no document yet"
            with suppress(asyncpg.InvalidCatalogNameError, asyncpg.UndefinedTableError):
                connection = await asyncpg.connect(urlunsplit(urlsplit(server_url)._replace(path=COMMAND_LEDGER)))
                try:
                    await connection.execute("set session_replication_role = replica")
                    taken = await connection.fetchval(
                        "delete from entry where kind = 'DocumentReceived' and document = "
                        "(select document from entry where kind = 'DocumentReceived' limit 1) returning document"
                    )
                finally:
                    await connection.close()
                if taken is not None:
                    return str(taken)
            await asyncio.sleep(0.2)

    return asyncio.run(take())


def balance(drilled: DrillResult, journals: Mapping[str, Journal], ledger: LedgerSide | None = None) -> Sheet:
    """Return the balance of what was spoilt, which must not be even."""
    sheet = balance_sheet(journals, ledger or drilled.ledger, ())
    assert not sheet.even
    return sheet


def copied(journals: Mapping[str, Journal]) -> dict[str, Journal]:
    """Return journals of their own, to be spoilt."""
    return {
        code: replace(journal, sent=dict(journal.sent), got=Counter(journal.got), heard=Counter(journal.heard))
        for code, journal in journals.items()
    }


def taken(journals: Mapping[str, Journal]) -> tuple[str, tuple[str, ...]]:
    """Return one delivery that was handled and reported about: its addressee, and the document's sender and id."""
    return next(
        (code, key) for code, journal in journals.items() for key in journal.got if (*key, "03") in journal.reported
    )


async def read(url: str) -> LedgerSide:
    """Return what the ledger says now."""
    reports = await Reports.connect(url)
    try:
        return await LedgerSide.read(reports)
    finally:
        await reports.close()
