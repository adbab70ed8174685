"""The payload store of a worker that keeps hundreds of small payloads a second."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Final, Self

import structlog

from lienthong.payload.files import place
from lienthong.payload.folder import FolderStore
from lienthong.payload.journal import JOURNALS, Journal, replay_abandoned
from lienthong.telemetry.events import Event

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["SMALL_BYTES", "JournaledStore"]

SMALL_BYTES: Final = 64 * 1024
"""The largest payload that is journaled: of larger ones, writing them twice costs more than a sync of each."""

log = structlog.stdlib.get_logger(__name__)


class JournaledStore(FolderStore):
    """A `FolderStore` for which all small payloads put at the same time cost one sync of the disk.

    Everybody reads them at their places, as ever. While it is entered, every few seconds what was put is made durable
    there in bulk, and what processes that died left in their journals is replayed.
    """

    def __init__(self, folder: Path, *, settle_seconds: float = 5, settle_bytes: int = 8 * 1024 * 1024) -> None:
        """Name the folder, and how old and how large (before the last batch) a journal may get."""
        super().__init__(folder)
        self._settle_seconds, self._settle_bytes = settle_seconds, settle_bytes
        self._journal: Journal | None = None
        # Held from the record in the journal to the file at its place, so that no journal ends in between.
        self._appending = Lock()
        self._settling = Lock()
        self._full = asyncio.Event()
        self._settler: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Replay what was abandoned, and begin to settle."""
        await self.settle()
        self._settler = asyncio.create_task(self._settle_now_and_then(), name="settle payloads")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Settle all that was put."""
        if self._settler is not None:
            self._settler.cancel()
            await asyncio.wait([self._settler])
        await self.settle()

    async def put(self, data: bytes) -> str:
        """Do what `FolderStore.put` does."""
        digest = await super().put(data)
        if self._journal is not None and self._journal.size >= self._settle_bytes:
            self._full.set()
        return digest

    async def settle(self) -> None:
        """End the journal, once all that stands in it is durable at its place; what fails is tried again later."""
        await asyncio.to_thread(self._settle)

    async def _settle_now_and_then(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settle_seconds):
                    await self._full.wait()
            self._full.clear()
            try:
                await self.settle()
            except Exception:
                log.exception(Event.PAYLOAD_JOURNAL_LEFT)

    def _settle(self) -> None:
        with self._settling:
            with self._appending:
                journal, self._journal = self._journal, None
            if journal is not None and not journal.closed:
                try:
                    journal.settle()
                except OSError as error:
                    log.warning(Event.PAYLOAD_JOURNAL_LEFT, journal=str(journal.path), reason=str(error))
            replay_abandoned(self._folder)

    def _write(self, batch: Mapping[str, bytes]) -> dict[str, OSError]:
        small = {digest: data for digest, data in batch.items() if len(data) <= SMALL_BYTES}
        large = {digest: data for digest, data in batch.items() if digest not in small}
        errors = self._write_small(small) if small else {}
        return errors | super()._write(large)

    def _write_small(self, batch: Mapping[str, bytes]) -> dict[str, OSError]:
        with self._appending:
            try:
                if self._journal is None or self._journal.closed:
                    self._make_journals()
                    self._journal = Journal(self._folder)
                self._journal.append(batch)
            except OSError as error:
                return dict.fromkeys(batch, error)
            errors = {}
            for digest, data in batch.items():
                try:
                    place(self._folder, digest, data)
                except OSError as error:
                    errors[digest] = error
            return errors

    def _make_journals(self) -> None:
        journals = self._folder / JOURNALS
        if journals not in self._made:
            journals.mkdir(parents=True, exist_ok=True)
            self._sync_way(journals, {})
