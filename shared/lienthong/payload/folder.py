"""The payload store in a local folder: one file for each content, durable before it is spoken of."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Literal, Protocol

from lienthong.errors import Unavailable
from lienthong.payload.files import DIGEST, path_of, sync, write_whole
from lienthong.payload.journal import replay_abandoned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FolderStore", "PayloadStore"]


class PayloadStore(Protocol):
    """Keeps bytes under their SHA-256, in lower-case hexadecimal."""

    async def put(self, data: bytes) -> str:
        """Keep the bytes durably and return their digest; raises `Unavailable` when that is impossible now."""
        ...

    async def get(self, digest: str) -> bytes:
        """Return the bytes of this digest, checked against it; raises `Unavailable` when they are not to be had."""
        ...


class FolderStore:
    """A `PayloadStore` in a folder that all workers share: ``ab/cd/abcd…``, as the digest says.

    What is put at the same time is written together, since one sync of the disk serves all of it. What is missing or
    damaged may stand in the journal of a process that died (see `JournaledStore`): that is looked up before it is told.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: set[Path] = set()
        self._waiting: dict[str, tuple[bytes, asyncio.Future[None]]] = {}
        self._writing: asyncio.Task[None] | None = None

    async def put(self, data: bytes) -> str:
        """Write the bytes, synced together with every folder entry on the way to them.

        They are written even when the file is there already: that it can be seen does not say that the process which
        wrote it had synced it.
        """
        digest = sha256(data).hexdigest()
        if digest not in self._waiting:
            self._waiting[digest] = data, asyncio.get_running_loop().create_future()
        written = self._waiting[digest][1]
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_waiting(), name="write payloads")
        # Others may wait for the same content: one of them giving up is not the end of it.
        await asyncio.shield(written)
        return digest

    async def get(self, digest: str) -> bytes:
        """Read the bytes; content that no longer matches its digest is never handed out."""
        return await asyncio.to_thread(self.read, digest)

    def read(self, digest: str) -> bytes:
        """Do the same in a process that has nothing else to do meanwhile."""
        try:
            return self._read(digest)
        except Unavailable:
            if not replay_abandoned(self._folder):
                raise
        return self._read(digest)

    def path(self, digest: str) -> Path:
        """Return where the payload of this digest is kept; raises ValueError when it is no SHA-256."""
        return path_of(self._folder, digest)

    async def state(self, digest: str) -> Literal["good", "missing", "damaged"]:
        """Tell how the payload of this digest is kept; raises `Unavailable` when that cannot be found out now."""
        return await asyncio.to_thread(self._state, digest)

    async def digests(self) -> set[str]:
        """Return the digests of everything that is kept, in whatever condition; empty when nothing ever was."""
        return await asyncio.to_thread(self._digests)

    def _read(self, digest: str) -> bytes:
        try:
            data = self.path(digest).read_bytes()
        except OSError as error:
            raise Unavailable(f"payload {digest} cannot be read: {error}") from error
        if sha256(data).hexdigest() != digest:
            raise Unavailable(f"payload {digest} has other content than its name says: restore it from a backup")
        return data

    def _state(self, digest: str) -> Literal["good", "missing", "damaged"]:
        path = self.path(digest)
        if not _is_good(path) and not (replay_abandoned(self._folder) and _is_good(path)):
            return "damaged" if path.exists() else "missing"
        return "good"

    def _digests(self) -> set[str]:
        replay_abandoned(self._folder)
        return {path.name for path in self._folder.glob("??/??/*") if DIGEST.fullmatch(path.name)}

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            errors: Mapping[str, Exception]
            try:
                errors = await asyncio.to_thread(self._write, {digest: data for digest, (data, _) in batch.items()})
            except Exception as error:  # noqa: BLE001 - a bug is for those who wait to raise
                errors = dict.fromkeys(batch, error)
            for digest, (_, written) in batch.items():
                trouble = errors.get(digest)
                if trouble is None:
                    written.set_result(None)
                elif isinstance(trouble, OSError):
                    away = Unavailable(f"the payload store {self._folder} cannot be written: {trouble}")
                    away.__cause__ = trouble
                    written.set_exception(away)
                else:
                    written.set_exception(trouble)
        self._writing = None

    def _write(self, batch: Mapping[str, bytes]) -> dict[str, OSError]:
        """Write payloads durably; returns what came between by their digests."""
        # All of one step before any of the next: on a journalling file system the first sync does the work of all.
        errors: dict[str, OSError] = {}
        staged: dict[str, tuple[int, Path]] = {}
        synced: dict[Path, OSError | None] = {}

        def each(step: Callable[[str], object]) -> None:
            for digest in batch.keys() - errors.keys():
                try:
                    step(digest)
                except OSError as error:
                    errors[digest] = error

        with ExitStack() as leftovers:

            def stage(digest: str) -> None:
                folder = self.path(digest).parent
                if folder not in self._made:
                    folder.mkdir(parents=True, exist_ok=True)
                descriptor, name = mkstemp(dir=folder, prefix=".")
                leftovers.callback(Path(name).unlink, missing_ok=True)
                leftovers.callback(os.close, descriptor)
                staged[digest] = descriptor, Path(name)
                write_whole(descriptor, batch[digest])

            each(stage)
            each(lambda digest: os.fsync(staged[digest][0]))
            each(lambda digest: staged[digest][1].replace(self.path(digest)))
            each(lambda digest: self._sync_way(self.path(digest).parent, synced))
        return errors

    def _sync_way(self, folder: Path, synced: dict[Path, OSError | None]) -> None:
        """Sync a folder of the store, and those above it that this process has not synced yet; each once."""
        # That a folder is there does not say that whoever made it had synced it.
        way = [one for one in (folder, *folder.parents) if one.is_relative_to(self._folder)]
        for one in [folder, *(new.parent for new in way if new not in self._made)]:
            if one not in synced:
                synced[one] = _trouble_syncing(one)
            trouble = synced[one]
            if trouble is not None:
                raise trouble
        self._made.update(way)


def _trouble_syncing(folder: Path) -> OSError | None:
    try:
        sync(folder)
    except OSError as error:
        return error
    return None


def _is_good(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest() == path.name
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unavailable(f"payload {path.name} cannot be read: {error}") from error
