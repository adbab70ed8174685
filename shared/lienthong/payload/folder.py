"""The payload store in a local folder: one file for each content, durable before it is spoken of."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import ExitStack
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import mkstemp
from typing import Literal, Protocol

from lienthong.errors import Unavailable

__all__ = ["FolderStore", "PayloadStore"]

_DIGEST = re.compile(r"[0-9a-f]{64}")


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

    What is put at the same time is written together, since one sync of the disk serves all of it.
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
            data = self.path(digest).read_bytes()
        except OSError as error:
            raise Unavailable(f"payload {digest} cannot be read: {error}") from error
        if sha256(data).hexdigest() != digest:
            raise Unavailable(f"payload {digest} has other content than its name says: restore it from a backup")
        return data

    def path(self, digest: str) -> Path:
        """Return where the payload of this digest is kept; raises ValueError when it is no SHA-256."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is no SHA-256 in lower-case hexadecimal")
        return self._folder / digest[:2] / digest[2:4] / digest

    async def state(self, digest: str) -> Literal["good", "missing", "damaged"]:
        """Tell how the payload of this digest is kept; raises `Unavailable` when that cannot be found out now."""
        path = self.path(digest)
        if not await asyncio.to_thread(path.exists):
            return "missing"
        return "good" if await asyncio.to_thread(_digest_of, path) == digest else "damaged"

    async def digests(self) -> set[str]:
        """Return the digests of everything that is kept, in whatever condition; empty when nothing ever was."""
        return await asyncio.to_thread(self._digests)

    def _digests(self) -> set[str]:
        return {path.name for path in self._folder.glob("??/??/*") if _DIGEST.fullmatch(path.name)}

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            try:
                await asyncio.to_thread(self._write, {digest: data for digest, (data, _) in batch.items()})
            except OSError as error:
                for _, written in batch.values():
                    away = Unavailable(f"the payload store {self._folder} cannot be written: {error}")
                    away.__cause__ = error
                    written.set_exception(away)
            else:
                for _, written in batch.values():
                    written.set_result(None)
        self._writing = None

    def _write(self, batch: dict[str, bytes]) -> None:
        # All of one step before any of the next: on a journalling file system the first sync does the work of all.
        with ExitStack() as leftovers:
            files: list[tuple[int, Path, Path]] = []
            made: set[Path] = set()
            for digest, data in batch.items():
                target = self.path(digest)
                self._make_folder(target.parent, made)
                descriptor, name = mkstemp(dir=target.parent, prefix=".")
                temporary = Path(name)
                leftovers.callback(temporary.unlink, missing_ok=True)
                leftovers.callback(os.close, descriptor)
                _write_whole(descriptor, data)
                files.append((descriptor, temporary, target))
            for descriptor, _, _ in files:
                os.fsync(descriptor)
            for _, temporary, target in files:
                temporary.rename(target)
            for folder in {target.parent for _, _, target in files} | {folder.parent for folder in made}:
                _sync_folder(folder)
        self._made |= made

    def _make_folder(self, folder: Path, made: set[Path]) -> None:
        # Synced once by each process: that a folder is there does not say that whoever made it had synced it.
        if folder in self._made or folder in made:
            return
        if folder != self._folder:
            self._make_folder(folder.parent, made)
        folder.mkdir(parents=True, exist_ok=True)
        made.add(folder)


def _digest_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Unavailable(f"payload {path.name} cannot be read: {error}") from error


def _write_whole(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
