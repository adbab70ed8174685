"""The demo as people start it: from the shell, on servers given by URL."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lienthong.document.zone import VIETNAM
from lienthong.edxml import Document, decode
from lienthong.simulation.happenings import planned
from lienthong.simulation.occasions import with_occasions
from lienthong.simulation.traffic import plan_traffic
from lienthong.simulation.units import cast
from lienthong.testing.servers import BROKER_VARIABLE, LEDGER_VARIABLE, MANAGEMENT_VARIABLE
from lienthong.topology.plan import agency_permissions

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

    from lienthong.bus.admin import BrokerAdmin
    from lienthong.testing.servers import Servers

SECONDS = 200.0
"""For a whole run, where others are at work as well."""


@pytest.fixture
def environment(servers: Servers) -> dict[str, str]:
    """Provide an environment in which the demo takes the session's servers."""
    return {
        **os.environ,
        BROKER_VARIABLE: servers.broker_url,
        MANAGEMENT_VARIABLE: servers.management_url,
        LEDGER_VARIABLE: servers.ledger_url,
        "PYTHONUNBUFFERED": "1",
    }


@asynccontextmanager
async def lienthong(folder: Path, environment: dict[str, str], *words: str) -> AsyncIterator[Process]:
    """Start the command line in a folder."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lienthong_cli",
        *words,
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(folder: Path, environment: dict[str, str], *words: str) -> tuple[int, str]:
    """Run the command line to its end; returns its status and what it printed."""
    async with lienthong(folder, environment, *words) as process, asyncio.timeout(SECONDS):
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()


def workers_in(folder: Path) -> list[str]:
    """Return the worker processes whose payload store lies in a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"LIENTHONG_PAYLOAD_FOLDER={folder}".encode() in place.read_bytes():
                found.append(place.with_name("cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def settings_of(agency: dict[str, str]) -> dict[str, str]:
    """Return what `up` tells a person to export in order to be one of the agencies."""
    return {
        "LIENTHONG_AGENCY_BROKER_URL": agency["broker_url"],
        "LIENTHONG_AGENCY_SIGNING_KEY": agency["signing_key"],
        "LIENTHONG_AGENCY_SIGNING_CERTIFICATES": agency["signing_certificates"],
    }


async def test_a_run_prints_the_table_of_january_2019(tmp_path: Path, environment: dict[str, str]) -> None:
    """One command: 84/95, 11/95, 78, 76, 41, 22, 13, 2, 6; the values; all that may happen; nothing left running."""
    status, output = await ended(tmp_path, environment, "demo", "run", "--documents=12", "--seconds=2")
    assert status == 0, output
    figures = re.findall(r"│ +(\d+(?:/95)?) │$", output, flags=re.MULTILINE)
    assert figures[:9] == ["84/95", "11/95", "78", "76", "41", "22", "13", "2", "6"]
    paper, information, refused, *happenings = map(int, figures[9:])
    documents = re.findall(r"documents sent (\d+)/\1;", output)[-1]
    assert (information, refused) == (3, 2)
    assert paper + information + refused == int(documents)
    traffic = plan_traffic(cast(seed=2019), documents=12, seed=2019, issued_on=datetime.now(VIETNAM).date())
    expected = planned(with_occasions(traffic, seed=2019))
    assert sorted(happenings) == sorted(expected.values())
    assert min(happenings) > 0
    assert "lost 0, delivered twice 0" in output
    assert "given by URL" in output
    assert workers_in(tmp_path) == []
    folder = tmp_path / ".lienthong/demo/reports"
    reports = {file.stem: json.loads(file.read_text(encoding="utf-8"))["figures"] for file in folder.glob("*.json")}
    assert reports.keys() == {"connection", "feedback", "traffic", "deadlines"}
    assert {file.name for file in folder.iterdir()} == {
        f"{report}.{form}" for report in reports for form in ("json", "html", "pdf")
    }
    assert list(reports["feedback"].values()) == [95, 84, 11, 78, 76, 41, 22, 13, 2, 6]
    assert reports["connection"] == reports["feedback"]
    assert reports["traffic"]["documents"] == paper + information + refused
    assert reports["deadlines"]["late"] == expected["late"]
    assert {path.name for path in (tmp_path / ".lienthong" / "demo").iterdir()} == {"logs", "reports"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_run_stops_everything(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    """Ctrl-C, or SIGTERM, in the middle of a run leaves no process behind."""
    async with lienthong(tmp_path, environment, "demo", "run", "--documents=30", "--seconds=300") as process:
        assert process.stdout is not None
        async with asyncio.timeout(SECONDS):
            async for line in process.stdout:
                # The first plain line of progress.
                if b"documents sent" in line:
                    break
            assert len(workers_in(tmp_path)) == 5
            process.send_signal(number)
            await process.stdout.read()
            await process.wait()
    assert process.returncode == 130
    assert workers_in(tmp_path) == []


async def test_real_users_of_a_broker_are_spared(
    tmp_path: Path, environment: dict[str, str], vhost: str, broker_admin: BrokerAdmin
) -> None:
    """On a broker where an agency's code is a user of another virtual host the demo touches nothing, and says why."""
    name = vhost.rpartition("/")[2]
    await broker_admin.put_user("H23", "real")
    await broker_admin.set_permissions(name, "H23", agency_permissions("H23"))
    try:
        status, output = await ended(tmp_path, environment, "demo", "run")
        assert status != 0
        assert "H23" in output
        assert "a broker of its own" in " ".join(output.split())
        assert await broker_admin.permissions(name, "H23") == agency_permissions("H23")
    finally:
        await broker_admin.delete_user("H23")


async def test_up_lets_a_person_play_an_agency(tmp_path: Path, environment: dict[str, str]) -> None:
    """`up` leaves two agencies to the shell, robots answer them, `status` shows it, `down` ends everything."""
    status, output = await ended(tmp_path, environment, "demo", "up")
    try:
        assert status == 0, output
        state = json.loads((tmp_path / ".lienthong/demo/demo.json").read_text(encoding="utf-8"))
        first, second = state["agencies"]
        as_first, as_second = (environment | settings_of(agency) for agency in (first, second))
        for agency in (first, second):
            assert all(f"export {name}='{value}'" in output for name, value in settings_of(agency).items())

        status, output = await ended(tmp_path, as_first, "agency", "send", first["sample"])
        assert status == 0, output
        assert all(words in output for words in ("delivered to", "Has the value of paper"))
        (tmp_path / "wrong.xml").write_text("<wrong/>")
        status, output = await ended(tmp_path, as_first, "agency", "send", "--unsigned", "wrong.xml")
        assert status == 1, output
        assert "bị từ chối / refused" in output

        words = ("agency", "receive", "--folder=in", "--count=1", "--state=seen.sqlite")
        status, output = await ended(tmp_path, as_second, *words)
        assert status == 0, output
        assert "có giá trị như văn bản giấy / has the value of paper" in output
        document_id = re.findall(r"DocumentId=(\S+)", output)[0]
        (kept,) = (tmp_path / "in").glob("*/document.edxml")
        sample = decode(Path(first["sample"]).read_bytes())
        assert isinstance(sample, Document)
        assert decode(kept.read_bytes()) == sample
        (attachment,) = (tmp_path / "in").glob("*/01-*.pdf")
        assert attachment.read_bytes() == sample.attachments[0].content

        reported = ("report", document_id, f"--to={first['code']}", "--code=02", "--reason=Gửi nhầm nơi nhận")
        status, output = await ended(tmp_path, as_second, "agency", *reported)
        assert status == 0, output
        status, output = await ended(tmp_path, as_second, "agency", *reported[:2], "--to=G99", "--code=03")
        assert status == 1, output
        assert "M.MessageHeader.ResponseFor" in output
        status, output = await ended(tmp_path, as_first, "agency", "watch", "--wait=3")
        assert status == 0, output
        assert all(words in output for words in (f"{second['code']} 01", "Gửi nhầm nơi nhận"))

        status, output = await ended(tmp_path, environment, "demo", "status")
        assert status == 0, output
        assert "84/95" in output
        status, output = await ended(tmp_path, environment, "demo", "run")
        assert status == 3
        assert "lienthong demo down" in output
    finally:
        status, output = await ended(tmp_path, environment, "demo", "down")
    assert status == 0, output
    assert workers_in(tmp_path) == []
    assert not (tmp_path / ".lienthong").exists()
    status, output = await ended(tmp_path, environment, "demo", "status")
    assert status == 1


async def test_an_agency_is_told_what_is_wrong_with_its_command(tmp_path: Path, environment: dict[str, str]) -> None:
    """A broker that is not there and a code that is none are said in words, with a status of their own."""
    nowhere = environment | {"LIENTHONG_AGENCY_BROKER_URL": "amqp://not-a-code@127.0.0.1:1/lienthong"}
    status, output = await ended(tmp_path, nowhere, "agency", "watch", "--wait=1")
    assert status == 3
    assert "phải là mã cơ quan" in output
    status, output = await ended(tmp_path, nowhere, "agency", "report", "d1", "--to=H23", "--code=99")
    assert status == 2
    assert "01, 02, 03" in output
    status, output = await ended(tmp_path, nowhere, "agency", "send", "nothing.edxml")
    assert status == 2
    assert "no such file" in output
