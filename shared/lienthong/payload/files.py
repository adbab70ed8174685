"""The files of the payload store: where each is, how it comes there, and how it gets durable."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DIGEST", "path_of", "place", "sync", "sync_placed", "write_whole"]

DIGEST: Final = re.compile(r"[0-9a-f]{64}")

_SYNCFS_TELLS_ERRORS: Final = (5, 8)
"""The Linux release from which on ``syncfs`` fails when something could not be written (man 2 syncfs)."""


def path_of(folder: Path, digest: str) -> Path:
    """Return where the payload of this digest is kept: ``ab/cd/abcd…``; ValueError when it is no SHA-256."""
    if not DIGEST.fullmatch(digest):
        raise ValueError(f"{digest!r} is no SHA-256 in lower-case hexadecimal")
    return folder / digest[:2] / digest[2:4] / digest


def place(folder: Path, digest: str, data: bytes) -> None:
    """Put a file at its place for everybody to read, at once and whole, but not durable; raises OSError."""
    target = path_of(folder, digest)
    try:
        descriptor, name = mkstemp(dir=target.parent, prefix=".")
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = mkstemp(dir=target.parent, prefix=".")
    try:
        try:
            write_whole(descriptor, data)
        finally:
            os.close(descriptor)
        os.rename(name, target)  # noqa: PTH104 - a string already, hundreds of times a second
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of it, however little one call takes."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync(path: Path) -> None:
    """Make a file, or the entries of a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_placed(folder: Path, digests: Iterable[str], witness: int) -> None:
    """Make placed files durable together, with every folder entry on the way to them; raises OSError.

    The whole of the store has to be on one file system.

    Args:
        folder: the store's.
        digests: which files.
        witness: the store's folder, opened before they were placed: what could not be written since then is told
            to whoever syncs through it.
    """
    if _syncfs is not None:
        if _syncfs(witness) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
        return
    paths = [path_of(folder, digest) for digest in digests]
    for path in paths:
        sync(path)
    for way in sorted({way for path in paths for way in (path.parent, path.parent.parent, folder)}):
        sync(way)


def _find_syncfs() -> ctypes._NamedFuncPointer | None:
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if sys.platform != "linux" or release is None:
        return None
    if (int(release[1]), int(release[2])) < _SYNCFS_TELLS_ERRORS:
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)


_syncfs = _find_syncfs()
