"""The scanner against the real daemon from Debian, with one signature of our own, so that nothing is downloaded."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from lienthong.errors import MisconfiguredError
from lienthong.signature.attachments import ClamdScanner, Scan, ScanResult
from lienthong.testing.debian import install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + rb"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""The harmless test file all scanners know, in two halves so that this source is not one."""

CONFIGURATION = """\
LocalSocket {folder}/clamd.sock
DatabaseDirectory {folder}/database
Foreground yes
StreamMaxLength 1M
LogFile {folder}/clamd.log
"""


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Provide the socket of a running daemon."""
    if not (daemon := shutil.which("clamd") or shutil.which("clamd", path="/usr/sbin")):
        try:
            install("clamav-daemon")
        except MisconfiguredError as error:
            if os.environ.get("CI", "").lower() in {"true", "1"}:
                pytest.fail(str(error), pytrace=False)
            pytest.skip(str(error))
        daemon = shutil.which("clamd", path="/usr/sbin") or "clamd"
    folder = tmp_path_factory.mktemp("clamav")
    (folder / "database").mkdir()
    (folder / "database" / "test.ndb").write_text(f"Test.EICAR:0:*:{EICAR.hex()}\n")
    (folder / "clamd.conf").write_text(CONFIGURATION.format(folder=folder))
    folder.chmod(0o755)
    process = subprocess.Popen(  # noqa: S603 - the daemon we installed
        [daemon, "--config-file", folder / "clamd.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    socket = folder / "clamd.sock"
    try:
        asyncio.run(answers(socket, process))
        yield socket
    finally:
        process.kill()
        process.wait()


async def answers(socket: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the daemon answers a ping."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            reader, writer = await asyncio.open_unix_connection(socket)
            writer.write(b"zPING\0")
            answer = await reader.read(16)
            writer.close()
        except OSError:
            await asyncio.sleep(0.05)
            continue
        if answer == b"PONG\0":
            return
    pytest.fail("clamd does not answer: " + (socket.parent / "clamd.log").read_text()[-500:])


async def test_the_daemon_finds_what_it_knows(clamd: Path) -> None:
    """A file with the pattern is infected and the virus is named; a clean one is clean, both at the same time."""
    scanner = ClamdScanner(clamd)
    clean, infected, inside = await asyncio.gather(
        scanner.scan(b"Kinh gui"), scanner.scan(EICAR), scanner.scan(bytes(300_000) + EICAR)
    )
    assert clean == ScanResult(Scan.CLEAN)
    assert (infected.scan, inside.scan) == (Scan.INFECTED, Scan.INFECTED)
    assert "EICAR" in infected.detail
    assert "EICAR" in infected.vi


async def test_an_empty_file_is_clean(clamd: Path) -> None:
    """A stream of no bytes gets an answer, too."""
    assert (await ClamdScanner(clamd).scan(b"")).scan is Scan.CLEAN


async def test_what_the_daemon_will_not_take_is_not_called_clean(clamd: Path) -> None:
    """A file above the daemon's limit could not be looked at: indeterminate, with its own words."""
    found = await ClamdScanner(clamd).scan(bytes(3 << 20))
    assert found.scan is Scan.INDETERMINATE
    assert found.detail


async def test_no_daemon_is_not_a_clean_file(tmp_path: Path) -> None:
    """When nobody listens the answer is that it could not be found out."""
    assert (await ClamdScanner(tmp_path / "nobody.sock").scan(b"x")).scan is Scan.INDETERMINATE


@pytest.mark.parametrize(
    "answer", [b"", b"stream: OK", b"rubbish\0", b"stream: OK \0", b"UNKNOWN COMMAND\0", b"x" * 9000]
)
async def test_an_odd_answer_is_not_a_clean_file(answer: bytes, tmp_path: Path) -> None:
    """A daemon that breaks off, babbles or never ends its answer has found out nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(bytes(4))
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(serve, tmp_path / "odd.sock"):
        found = await ClamdScanner(tmp_path / "odd.sock", seconds=5).scan(b"x")
    assert found.scan is Scan.INDETERMINATE


async def test_a_silent_daemon_costs_its_time_and_no_more(tmp_path: Path) -> None:
    """A daemon that takes the file and says nothing is given up after the limit."""
    silent = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    async with await asyncio.start_unix_server(serve, tmp_path / "silent.sock"):
        found = await ClamdScanner(tmp_path / "silent.sock", seconds=0.2).scan(b"x")
        silent.set()
    assert found.scan is Scan.INDETERMINATE
    assert "0.2 s" in found.detail
