"""Looking for viruses with a ClamAV daemon, by its socket; three answers, for a silent scanner is not a clean file.

The protocol is clamd's INSTREAM (clamd(8), COMMANDS): the file goes over the socket in chunks, each after its length
in four bytes, ended by a length of zero; the answer is ``stream: OK`` or ``stream: <name> FOUND``.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from lienthong.errors import MisconfiguredError

__all__ = ["ClamdScanner", "Scan", "ScanResult", "Scanner", "clamd_address"]

_CHUNK: Final = 256 * 1024
_MAX_ANSWER: Final = 4096


class Scan(StrEnum):
    """What is known about a file."""

    CLEAN = "clean"
    INFECTED = "infected"
    INDETERMINATE = "indeterminate"


@dataclass(frozen=True, slots=True)
class ScanResult:
    """A scanner's answer.

    Attributes:
        scan: clean, infected, or it could not be found out.
        detail: the virus's name, or why it could not be found out; empty when clean.
    """

    scan: Scan
    detail: str = ""

    @property
    def vi(self) -> str:
        """Say it to a clerk in Vietnamese."""
        return {
            Scan.CLEAN: "Không phát hiện mã độc",
            Scan.INFECTED: f"Phát hiện mã độc {self.detail}; hãy quét và gửi lại tệp sạch",
            Scan.INDETERMINATE: f"Chưa kiểm tra được mã độc ({self.detail})",
        }[self.scan]

    @property
    def en(self) -> str:
        """Say it to a clerk in English."""
        return {
            Scan.CLEAN: "No virus was found",
            Scan.INFECTED: f"The virus {self.detail} was found; clean the file and send it again",
            Scan.INDETERMINATE: f"It could not be found out whether there is a virus ({self.detail})",
        }[self.scan]


class Scanner(Protocol):
    """Looks for viruses."""

    async def scan(self, content: bytes) -> ScanResult:
        """Return what is found in a file; never raises because of the file or the scanner."""
        ...


def clamd_address(text: str) -> Path | tuple[str, int]:
    """Return where a daemon is, from an operator's words: the path of its socket, or ``host:port``.

    Raises:
        MisconfiguredError: it is neither.
    """
    if "/" in text:
        return Path(text)
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise MisconfiguredError(
            f"clamd {text!r}: cần đường dẫn socket hoặc máy:cổng / has to be a socket's path, or host:port "
            "(LIENTHONG_SIGNATURE_CLAMD)"
        )
    return host.strip("[]"), int(port)


class ClamdScanner:
    """A ClamAV daemon behind a Unix socket or a TCP port.

    Args:
        address: the path of the socket, or host and port.
        seconds: how long one file may take, waiting for its turn included.
        at_once: how many files are scanned at the same time.
    """

    def __init__(self, address: Path | tuple[str, int], *, seconds: float = 30, at_once: int = 4) -> None:
        self._address = address
        self._seconds = seconds
        self._turns = asyncio.Semaphore(at_once)

    async def scan(self, content: bytes) -> ScanResult:
        """Return what the daemon says about a file."""
        try:
            async with asyncio.timeout(self._seconds), self._turns:
                answer = await self._ask(content)
        except TimeoutError:
            return ScanResult(Scan.INDETERMINATE, f"no answer within {self._seconds:g} s")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            return ScanResult(Scan.INDETERMINATE, f"clamd: {type(error).__name__}")
        return _result(answer)

    async def _ask(self, content: bytes) -> str:
        if isinstance(self._address, tuple):
            reader, writer = await asyncio.open_connection(*self._address, limit=_MAX_ANSWER)
        else:
            reader, writer = await asyncio.open_unix_connection(self._address, limit=_MAX_ANSWER)
        try:
            # A daemon that refuses in the middle has said why; the answer is read all the same.
            with contextlib.suppress(ConnectionError):
                writer.write(b"zINSTREAM\0")
                for start in range(0, len(content), _CHUNK):
                    chunk = content[start : start + _CHUNK]
                    writer.write(len(chunk).to_bytes(4, "big") + chunk)
                    await writer.drain()
                writer.write(bytes(4))
                await writer.drain()
            return (await reader.readuntil(b"\0")).rstrip(b"\0").decode("utf-8", "replace")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _result(answer: str) -> ScanResult:
    text = answer.removeprefix("stream:").strip()
    if answer == "stream: OK":
        return ScanResult(Scan.CLEAN)
    if answer.startswith("stream: ") and text.endswith(" FOUND"):
        return ScanResult(Scan.INFECTED, text.removesuffix(" FOUND"))
    return ScanResult(Scan.INDETERMINATE, f"clamd: {text[:200]}")
