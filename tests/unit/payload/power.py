"""A disk that fails and loses its power: what was synced survives, and of the rest whatever chance leaves."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lienthong.payload import files

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from random import Random

    import pytest


class Disk:
    """Stands for the disk under a folder: takes its syncs, and knows at each what a power failure would leave.

    A sync that fails takes with it what was not synced before: it can be read, but no later sync brings it to the disk.
    Files are held open once seen, so that no other gets their inode number.
    """

    def __init__(
        self,
        folder: Path,
        left: Path,
        *,
        cut_at: int,
        failing: Collection[int],
        chance: Random,
        luck: float,
        on_cut: Callable[[], None],
    ) -> None:
        """Lose power before the sync of this number, and fail at those; with this luck what is unsynced makes it."""
        self._folder, self._left, self._cut_at, self._failing = folder, left, cut_at, failing
        self._chance, self._luck, self._on_cut = chance, luck, on_cut
        self._syncs = 0
        self._off = False
        self._contents: dict[int, bytes] = {}
        self._entries: dict[int, dict[str, int]] = {folder.stat().st_ino: {}}
        self._lost: set[int] = set()
        self._held: list[int] = []

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the files."""
        for descriptor in self._held:
            os.close(descriptor)

    def take_over(self, patch: pytest.MonkeyPatch, *, bulk: bool) -> None:
        """Take all syncs of this process from now on, with or without one for the whole file system."""
        patch.setattr(os, "fsync", self._sync)
        patch.setattr(os, "fdatasync", self._sync)
        patch.setattr(files, "_syncfs", self._sync_all if bulk else None)
        patch.setattr(ctypes, "get_errno", lambda: errno.EIO)

    def lose_power(self) -> None:
        """Copy what is left to the other folder, if power was not lost before; nothing is watched from now on."""
        if not self._off:
            self._off = True
            self._on_cut()
            self._leave(self._folder, self._left)

    def _sync(self, descriptor: int) -> None:
        if not self._take([Path(f"/proc/self/fd/{descriptor}").readlink()]):
            raise OSError(errno.EIO, "the disk fails")

    def _sync_all(self, _witness: int) -> int:
        return 0 if self._take([self._folder, *self._folder.rglob("*")]) else -1

    def _take(self, paths: list[Path]) -> bool:
        if self._off:
            return True
        self._syncs += 1
        if self._syncs == self._cut_at:
            self.lose_power()
            return True
        fails = self._syncs in self._failing
        for path in paths:
            descriptor = os.open(path, os.O_RDONLY)
            self._held.append(descriptor)
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                if not fails:
                    self._entries[status.st_ino] = {each.name: each.stat().st_ino for each in path.iterdir()}
            elif fails and self._contents.get(status.st_ino) != path.read_bytes():
                self._lost.add(status.st_ino)
            elif status.st_ino not in self._lost:
                self._contents[status.st_ino] = path.read_bytes()
        return not fails

    def _leave(self, folder: Path, left: Path) -> None:
        left.mkdir()
        now = {path.name: path for path in folder.iterdir()}
        before = self._entries.get(folder.stat().st_ino, {})
        for name in now.keys() | before.keys():
            path = now.get(name)
            inode = path.stat().st_ino if path else None
            if inode != before.get(name) and not self._made_it():
                path, inode = None, before.get(name)
            if inode is None:
                continue
            if path is not None and path.is_dir():
                self._leave(path, left / name)
            else:
                synced = self._contents.get(inode, b"")
                tail = path.read_bytes()[len(synced) :] if path else b""
                (left / name).write_bytes(synced + self._mangled(tail))

    def _mangled(self, tail: bytes) -> bytes:
        if self._made_it():
            return tail
        part = tail[: self._chance.randint(0, len(tail))] if self._luck else b""
        return self._chance.choice([b"", bytes(len(tail)), part, part + bytes(len(tail) - len(part))])

    def _made_it(self) -> bool:
        return self._chance.random() < self._luck
