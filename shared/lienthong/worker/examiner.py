"""The process that examines messages for a worker, and may die of one: ``python -m lienthong.worker.examiner``.

It reads the message from the payload store itself (claim check), believes what is in the trust folder now, gives PDFs
to a process of its own below it, and puts what its judgements rest on into the payload store before it answers.
"""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.isolation.child import MEBIBYTE, address_space, limit_address_space, on_own_account, serve
from lienthong.payload import FolderStore
from lienthong.signature.attachments import ClamdScanner, clamd_address
from lienthong.signature.pdf import PdfJudge
from lienthong.signature.verification import Moment, examine
from lienthong.trust import TrustStore

if TYPE_CHECKING:
    from lienthong.signature.verification import Examined

__all__ = ["AWAY", "BUG", "EXAMINED", "main"]

EXAMINED: Final = b"="
"""What an answer begins with: a message examined; the rest is `Examined.encode`."""
AWAY: Final = b"?"
"""Something needed is not to be had now; the rest says what."""
BUG: Final = b"!"
"""An error nobody thought of; the rest is its traceback."""

TIMES_THE_MESSAGE: Final = 2
"""How many times its own size a message may take of memory, beside what any message may. A right one of 50 MB takes
about 230 MB in all: itself, its tree, the files in it, and a copy on its way to a process for PDFs."""

SCAN_SECONDS: Final = 20
"""How long the scanner may take for all files of a message."""

REFRESH_SECONDS: Final = 1
LARGEST_EVIDENCE_MEGABYTES: Final = 64
"""As large as the largest file of a trust folder."""


class _Examiner:
    """Examines one message after the other."""

    def __init__(self, payload: Path, trust: Path, clamd: str, megabytes: int) -> None:
        self._store = FolderStore(payload)
        self._trust = TrustStore.load(trust)
        self._looked_at = time.monotonic()
        self._scanner = ClamdScanner(clamd_address(clamd), seconds=SCAN_SECONDS) if clamd else None
        self._megabytes = megabytes
        self._kept: set[str] = set()
        self._own = 0
        self.pdfs = PdfJudge(workers=1)

    def measure(self) -> None:
        """Measure what the process needs for itself; what a message may take is added to it."""
        self._own = address_space()

    async def answer(self, request: bytes) -> bytes:
        """Return the answer to a request of `Examiners`; raises MemoryError only."""
        try:
            return EXAMINED + (await self._examined(request)).encode()
        except (Unavailable, MisconfiguredError) as error:
            return AWAY + str(error).encode()
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - not the message's fault: told as what it is
            return BUG + traceback.format_exc().encode()

    async def _examined(self, request: bytes) -> Examined:
        with on_own_account():
            self._refresh()
        head, _, data = request.partition(b"\n")
        received_at, _, sha256 = head.decode().partition(" ")
        if sha256:
            data = await self._store.get(sha256)
        moment = Moment(datetime.fromisoformat(received_at), datetime.now(UTC), self._trust)
        limit_address_space(self._own + self._megabytes * MEBIBYTE + TIMES_THE_MESSAGE * len(data))
        try:
            examined = await examine(data, moment, self.pdfs, scanner=self._scanner)
        finally:
            limit_address_space(None)
        await self._keep(examined)
        return examined

    def _refresh(self) -> None:
        if time.monotonic() - self._looked_at < REFRESH_SECONDS:
            return
        before, self._trust = self._trust, self._trust.current()
        self._looked_at = time.monotonic()
        if self._trust is not before:
            self.measure()

    async def _keep(self, examined: Examined) -> None:
        new = examined.blobs.keys() - self._kept
        await asyncio.gather(*(self._store.put(examined.blobs[digest]) for digest in new))
        self._kept |= new


def main(arguments: list[str]) -> None:
    """Answer until the parent is gone.

    Args:
        arguments: payload folder, trust folder, the ClamAV daemon (empty for none), megabytes for one message.
    """
    payload, trust, clamd, megabytes = arguments
    examiner = _Examiner(Path(payload), Path(trust), clamd, int(megabytes))
    with asyncio.Runner() as runner:
        # One thread, started now: each would take of the address space that is there for a message.
        runner.get_loop().set_default_executor(ThreadPoolExecutor(1))
        runner.run(asyncio.to_thread(int))
        runner.run(examiner.pdfs.__aenter__())
        examiner.measure()
        serve(lambda request: runner.run(examiner.answer(request)), file_megabytes=LARGEST_EVIDENCE_MEGABYTES)
        runner.run(examiner.pdfs.__aexit__(None, None, None))


if __name__ == "__main__":
    main(sys.argv[1:])
