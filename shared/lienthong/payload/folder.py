"""The payload store in a local folder: one file for each content, durable before it is spoken of."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol

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
    """A `PayloadStore` in a folder that all workers share: ``ab/cd/abcd…``, as the digest says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: set[Path] = set()

    async def put(self, data: bytes) -> str:
        """Write the bytes, synced together with every folder entry on the way to them.

        They are written even when the file is there already: that it can be seen does not say that the process which
        wrote it had synced it.
        """
        return await asyncio.to_thread(self._put, data)

    async def get(self, digest: str) -> bytes:
        """Read the bytes; content that no longer matches its digest is never handed out."""
        return await asyncio.to_thread(self._get, digest)

    def path(self, digest: str) -> Path:
        """Return where the payload of this digest is kept; raises ValueError when it is no SHA-256."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is no SHA-256 in lower-case hexadecimal")
        return self._folder / digest[:2] / digest[2:4] / digest

    def _put(self, data: bytes) -> str:
        digest = sha256(data).hexdigest()
        target = self.path(digest)
        try:
            self._make_folder(target.parent)
            with NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as file:
                temporary = Path(file.name)
                try:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                    temporary.rename(target)
                except BaseException:
                    with suppress(FileNotFoundError):
                        temporary.unlink()
                    raise
            _sync_folder(target.parent)
        except OSError as error:
            raise Unavailable(f"the payload store {self._folder} cannot be written: {error}") from error
        return digest

    def _get(self, digest: str) -> bytes:
        try:
            data = self.path(digest).read_bytes()
        except OSError as error:
            raise Unavailable(f"payload {digest} cannot be read: {error}") from error
        if sha256(data).hexdigest() != digest:
            raise Unavailable(f"payload {digest} has other content than its name says: restore it from a backup")
        return data

    def _make_folder(self, folder: Path) -> None:
        # Synced once by each process: that a folder is there does not say that whoever made it had synced it.
        if folder in self._made:
            return
        if folder != self._folder:
            self._make_folder(folder.parent)
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder.parent)
        self._made.add(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
