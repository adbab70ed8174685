"""The process that examines messages for a worker, and may die of one: ``python -m lienthong.worker.examiner``.

It reads the message from the payload store itself (claim check), believes what is in the trust folder now, gives PDFs
to a process of its own below it, and puts what its judgements rest on into the payload store before it answers.
"""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
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
        self._own = address_space()
        self._limit: int | None = None
        self.pdfs = PdfJudge(workers=1)

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
        if time.monotonic() - self._looked_at > REFRESH_SECONDS:
            self._refresh()
        head, _, data = request.partition(b"\n")
        received_at, _, sha256 = head.decode().partition(" ")
        if sha256:
            data = self._store.read(sha256)
        moment = Moment(datetime.fromisoformat(received_at), datetime.now(UTC), self._trust)
        self._limit_memory(self._own + (self._megabytes + TIMES_THE_MESSAGE * (len(data) // MEBIBYTE)) * MEBIBYTE)
        examined = await examine(data, moment, self.pdfs, scanner=self._scanner)
        if examined.blobs.keys() - self._kept:
            self._limit_memory(None)  # a thread that finds no memory to start with is waited for for ever
            await self._keep(examined)
        return examined

    def _refresh(self) -> None:
        """Take up what changed in the trust folder; no message is to blame for the time and memory that takes."""
        with on_own_account():
            self._limit_memory(None)
            fresh = self._trust.current()
            if fresh is not self._trust:
                self._trust, self._own = fresh, address_space()
            self._looked_at = time.monotonic()

    def _limit_memory(self, limit: int | None) -> None:
        if limit != self._limit:
            limit_address_space(limit)
            self._limit = limit

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
    if sys.version_info < (3, 12):  # where there are other means by default, too
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())  # without a thread for each process, see `_examined`
    examiner = _Examiner(Path(payload), Path(trust), clamd, int(megabytes))
    with asyncio.Runner() as runner:
        runner.run(examiner.pdfs.__aenter__())
        serve(lambda request: runner.run(examiner.answer(request)), file_megabytes=LARGEST_EVIDENCE_MEGABYTES)
        runner.run(examiner.pdfs.__aexit__(None, None, None))


if __name__ == "__main__":
    main(sys.argv[1:])
