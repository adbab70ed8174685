"""The real daemon from Debian, with one signature of our own, so that nothing is downloaded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from lienthong.errors import MisconfiguredError
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


@contextlib.contextmanager
def running_daemon(folder: Path) -> Iterator[Path]:
    """Run a daemon in a folder, and give its socket."""
    if not (daemon := shutil.which("clamd") or shutil.which("clamd", path="/usr/sbin")):
        try:
            install("clamav-daemon")
        except MisconfiguredError as error:
            if os.environ.get("CI", "").lower() in {"true", "1"}:
                pytest.fail(str(error), pytrace=False)
            pytest.skip(str(error))
        daemon = shutil.which("clamd", path="/usr/sbin") or "clamd"
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
