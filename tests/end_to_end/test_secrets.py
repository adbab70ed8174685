"""No secret is told: by no log line, error or command line, and in no environment but its owner's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio
from yarl import URL

from lienthong.bus.admin import BrokerAdmin
from lienthong.simulation.papers import Papers
from lienthong.simulation.rehearsal import rehearse
from lienthong.simulation.traffic import plan_traffic
from lienthong.simulation.units import Role, cast
from lienthong.topology.names import Step
from lienthong.topology.rights import worker_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from tests.end_to_end.conftest import Running, RunningExchange

    from lienthong.testing.servers import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEMBERS = cast({Role.SENDS_ONLY: 1, Role.FULLY: 2}, seed=5)
TRAFFIC = plan_traffic(MEMBERS, documents=4, seed=5, issued_on=date(2019, 1, 15))
SECONDS = 120.0
WRONG = "wr0ng-but-secret"
BROKEN = "br0ken-but-secret"
"""Stands before a character that would have to be written as %XX: whoever parses that takes the address for another."""
ALL_ROLES = {worker_user(step).replace("-", "_") for step in Step}
KIT = """
import asyncio, logging, os
from lienthong.agency import AgencyClient
from lienthong.settings import BrokerSettings, LedgerSettings

logging.basicConfig(level=logging.DEBUG)
broker, ledger = BrokerSettings(), LedgerSettings()
print(repr(broker), broker, broker.model_dump(), broker.model_dump_json(), repr(ledger))

async def main():
    client = AgencyClient(os.environ["LIENTHONG_AGENCY_BROKER_URL"], signer=None)
    print(repr(client))
    async with client, asyncio.timeout(1):
        async for told in client.statuses():
            print(told)

asyncio.run(main(), debug=True)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def working(running_exchange: RunningExchange) -> AsyncIterator[Running]:
    """Provide an exchange that has done some work, and logged all of it."""
    async with running_exchange(MEMBERS, {"LIENTHONG_SERVICE_LOG_LEVEL": "debug"}) as running:
        with Papers(TRAFFIC, running.exchange.credentials) as papers:
            result = await rehearse(running.exchange, papers, seconds=1)
        assert result.balance.even, result.balance
        yield running


@pytest.fixture
def secrets(working: Running, servers: Servers) -> dict[str, str]:
    """Provide every secret there is, by what it is."""
    found = {f"password of {user}": password for user, password in working.exchange.own_passwords.items()}
    found |= {f"password of {code}": password for code, password in working.exchange.passwords.items()}
    for name in ("broker_url", "management_url", "ledger_url"):
        found[f"administrator's {name}"] = URL(getattr(servers, name)).password or ""
    for file in working.exchange.credentials.folder.rglob("*.key"):
        lines = file.read_text().splitlines()[1:-1]
        found |= {f"line {number} of {file.name}": line for number, line in enumerate(lines)}
    found |= {"a wrong password": WRONG, "a password in a broken address": BROKEN}
    assert all(len(secret) > 7 for secret in found.values())
    return found


def told(text: str, secrets: Mapping[str, str]) -> list[str]:
    """Return which of these secrets a text has."""
    return [name for name, secret in secrets.items() if secret in text]


async def test_every_worker_is_itself(working: Running, servers: Servers) -> None:
    """Each worker is logged in at both servers under its own name, and nobody works as the ledger's owner."""
    connection = await asyncpg.connect(working.exchange.ledger_url)
    rows = await connection.fetch(
        "select usename, application_name from pg_stat_activity where datname = current_database() and pid <> $1",
        connection.get_server_pid(),
    )
    await connection.close()
    assert {(row["usename"], row["application_name"]) for row in rows} == {(role, role) for role in ALL_ROLES}
    async with BrokerAdmin(servers.management_url) as admin:
        for step in Step:
            assert await admin.connections_of(worker_user(step))


async def test_a_process_has_its_own_secrets_only(working: Running, secrets: Mapping[str, str]) -> None:
    """A worker's environment holds its own password and no other; no command line on this machine holds any."""
    for step in Step:
        for pid in family(working.supervisor.pid(step)):
            environment = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8", errors="replace")
            assert set(told(environment, secrets)) <= {f"password of {worker_user(step)}"}
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            assert told(process.read_text(encoding="utf-8", errors="replace"), secrets) == []


def family(pid: int) -> Iterator[int]:
    """Return a process and its children."""
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from family(int(child))


@pytest.mark.timeout(300)
async def test_no_line_tells_a_secret(working: Running, secrets: Mapping[str, str], tmp_path: Path) -> None:
    """Neither what works nor what fails says one: wrong, broken and absent addresses, tracebacks, settings shown."""
    logs = {file.name: file.read_text(encoding="utf-8") for file in working.logs.iterdir()}
    assert all(logs[f"{step}.log"].count("\n") > 2 for step in Step)
    ended = await asyncio.gather(*(run(words, settings) for words, settings in failing(working, tmp_path)))
    for place, (status, said) in enumerate(ended):
        assert status != 0
        assert said
        logs[f"failing {place}"] = said
    assert sum("Traceback" in text for text in logs.values()) > 1
    assert {name: found for name, text in logs.items() if (found := told(text, secrets))} == {}


def failing(working: Running, folder: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Return programs, with their settings, that cannot do their work."""
    ingest = working.exchange.environments[Step.INGEST] | {"LIENTHONG_SERVICE_LOG_LEVEL": "debug"}
    operator = working.exchange.environment | {"LIENTHONG_BROKER_MANAGEMENT_URL": f"http://guest:{WRONG}@127.0.0.1:1"}
    agency = {"LIENTHONG_AGENCY_BROKER_URL": working.exchange.agency_url(MEMBERS[0].unit.code)}
    worker, command = ["lienthong_ingest"], "lienthong_cli"
    document = folder / "a.edxml"
    document.write_text("<edXML/>")

    def other(settings: Mapping[str, str], name: str, password: str) -> dict[str, str]:
        url = URL(settings[name])
        return {**settings, name: str(url.with_password(password)).replace("%2F", "/")}

    def nowhere(settings: Mapping[str, str], *names: str) -> dict[str, str]:
        return {**settings, **{name: str(URL(settings[name]).with_port(1)) for name in names}}

    broker, ledger, kit = "LIENTHONG_BROKER_URL", "LIENTHONG_LEDGER_URL", "LIENTHONG_AGENCY_BROKER_URL"
    for name in (broker, ledger):
        yield worker, other(ingest, name, WRONG)
        yield worker, other(ingest, name, f"{BROKEN}/x")
    yield worker, nowhere(ingest, broker, ledger)
    # No address of this machine (RFC 5737): nobody foresaw that, so it ends with a traceback.
    yield worker, ingest | {"LIENTHONG_SERVICE_HEALTH_HOST": "192.0.2.1"}
    yield [command, "ledger", "totals"], other(operator, ledger, f"{BROKEN}/x")
    yield [command, "topology", "plan"], operator
    yield [command, "topology", "plan"], other(operator, "LIENTHONG_BROKER_MANAGEMENT_URL", f"{BROKEN}/x")
    yield [command, "deadletter", "list"], other(operator, broker, WRONG)
    yield [command, "agency", "send", "--unsigned", str(document)], other(agency, kit, f"{BROKEN}/x")
    yield ["-c", KIT], operator | agency
    yield ["-c", KIT], operator | other(agency, kit, WRONG)


async def run(words: list[str], settings: Mapping[str, str]) -> tuple[int, str]:
    """Run a program of ours until it ends or says that it waits for a server; return its status and all it said."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LIENTHONG_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(words if words[0] == "-c" else ["-m", *words]),
        env={**inherited, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(SECONDS):
            async for line in process.stdout:
                said += line.decode()
                if "dependency_away" in line.decode():
                    process.kill()
            return await process.wait(), said
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
