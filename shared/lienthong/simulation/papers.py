"""The letters of a run, rendered and signed beforehand, in processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import cache
from multiprocessing import connection, get_context, parent_process
from typing import TYPE_CHECKING, Self

from lienthong.signature.pdf_signing import sign_pdf
from lienthong.simulation.letter import Letter, render

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import TracebackType

    from lienthong.edxml import Document
    from lienthong.signature import FileSigner
    from lienthong.simulation.credentials import Credentials, KeyFiles
    from lienthong.simulation.traffic import Draft, Traffic

__all__ = ["Papers"]


class Papers:
    """Every planned document with its signed PDF; a context manager.

    A PDF costs some 70 ms of computing. All of them are begun on entering, in the order in which they will be sent,
    on all cores.

    Args:
        traffic: what to write.
        credentials: whose keys sign it.
    """

    def __init__(self, traffic: Traffic, credentials: Credentials) -> None:
        self.traffic = traffic
        self.credentials = credentials
        self._drafts = {(draft.sender.code, draft.document_id): draft for draft in traffic}
        self._pdfs: dict[tuple[str, str], Future[bytes]] = {}
        self._processes = ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=_settle_in)

    def __enter__(self) -> Self:
        for name, draft in self._drafts.items():
            keys = tuple(self.credentials.key_files(draft.sender.code, holder) for holder in draft.signing.on_pdf)
            self._pdfs[name] = self._processes.submit(_write, draft.letter, keys)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._processes.shutdown(cancel_futures=True)

    async def document(self, draft: Draft) -> Document:
        """Return a planned document, as soon as its letter is signed."""
        return draft.document(await asyncio.wrap_future(self._pdfs[draft.sender.code, draft.document_id]))

    def planned(self, sender: str, document_id: str) -> Draft | None:
        """Return the draft of a document; None for one that was not planned."""
        return self._drafts.get((sender, document_id))


def _settle_in() -> None:
    """Leave Ctrl-C to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "this runs in a child"
    connection.wait([parent.sentinel])
    os._exit(1)


def _write(letter: Letter, keys: tuple[KeyFiles, ...]) -> bytes:
    """Return the letter as a PDF, signed by each of these keys in turn."""
    return asyncio.run(_signed(render(letter), keys))


async def _signed(pdf: bytes, keys: tuple[KeyFiles, ...]) -> bytes:
    for files in keys:
        pdf = await sign_pdf(pdf, _signer(files), signing_time=datetime.now(UTC))
    return pdf


@cache
def _signer(files: KeyFiles) -> FileSigner:
    return files.signer()
