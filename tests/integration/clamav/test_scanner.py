"""The scanner against the real daemon from Debian, with one signature of our own, so that nothing is downloaded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.integration.clamav.daemon import EICAR

from lienthong.errors import MisconfiguredError
from lienthong.signature.attachments import ClamdScanner, Scan, ScanResult, clamd_address


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


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/run/clamav/clamd.ctl", Path("/run/clamav/clamd.ctl")),
        ("./clamd.sock", Path("clamd.sock")),
        ("scanner.example:3310", ("scanner.example", 3310)),
        ("[::1]:3310", ("::1", 3310)),
    ],
)
def test_an_operator_names_a_socket_or_a_port(text: str, address: Path | tuple[str, int]) -> None:
    """A path is a Unix socket; host and port are TCP, also of IPv6."""
    assert clamd_address(text) == address


@pytest.mark.parametrize("text", ["", "clamd", "clamd:", ":3310", "clamd:a"])
def test_what_is_no_address_is_the_operator_s_to_mend(text: str) -> None:
    """Anything else names the setting, in both languages."""
    with pytest.raises(MisconfiguredError, match=r"cần .* has to be .*LIENTHONG_SIGNATURE_CLAMD"):
        clamd_address(text)
