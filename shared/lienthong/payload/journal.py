"""The journal that makes many small payloads durable by one sync of the disk.

A process appends what it has to keep to a file of its own, ``journal/<uuid>`` in the store's folder, and syncs that.
The payloads then come to their places unsynced; when, later, all of those have been synced together, the journal is
removed. What a crash leaves of a journal is replayed by whoever finds that nobody holds its lock.

A record is a mark, the SHA-256 of the payload, its length in bytes (32 bits, big-endian) and the payload. Only the last
append to a journal can be torn, since none follows one that failed: replaying ends at the first record that is not
whole.
"""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import ExitStack
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Final
from uuid import uuid4

import structlog

from lienthong.payload.files import place, sync, sync_placed, write_whole
from lienthong.telemetry.events import Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["JOURNALS", "Journal", "replay_abandoned"]

JOURNALS: Final = "journal"
"""The folder of all journals, in the store's; longer than the two letters of the folders of payloads."""

_MARK: Final = b"LTpl\x01\r\n\x00"
_HEADER: Final = struct.Struct(f">{len(_MARK)}s32sI")

log = structlog.stdlib.get_logger(__name__)


class Journal:
    """A journal that this process holds; used by one thread at a time.

    Attributes:
        path: where it is.
        size: its length in bytes.
        closed: whether nothing can be appended any more.
    """

    def __init__(self, folder: Path) -> None:
        """Create it in a store whose ``journal`` folder is there and durable; raises OSError."""
        self.size = 0
        self.closed = False
        self._folder = folder
        self._digests: set[str] = set()
        self._held = ExitStack()
        with ExitStack() as held:
            # Through this the disk's errors are told that come after now.
            self._witness = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            held.callback(os.close, self._witness)
            self.path, self._descriptor = _create(folder / JOURNALS)
            held.callback(os.close, self._descriptor)
            sync(folder / JOURNALS)
            self._held = held.pop_all()

    def append(self, batch: Mapping[str, bytes]) -> None:
        """Write payloads by their digests; durable when it returns. After an error the journal is closed."""
        records = b"".join(
            part
            for digest, data in batch.items()
            for part in (_HEADER.pack(_MARK, bytes.fromhex(digest), len(data)), data)
        )
        try:
            write_whole(self._descriptor, records)
            os.fdatasync(self._descriptor)
        except BaseException:
            self.close()
            raise
        self.size += len(records)
        self._digests.update(batch)

    def settle(self) -> None:
        """Make what was appended durable at its places, where it has to be by now, and end the journal.

        After an error it is there still, for `replay_abandoned`: to sync again what failed once would prove nothing.
        """
        try:
            sync_placed(self._folder, self._digests, self._witness)
            self.path.unlink()
        finally:
            self.close()

    def close(self) -> None:
        """Let go of it: from now on it is abandoned."""
        self.closed = True
        self._held.close()


def replay_abandoned(folder: Path) -> int:
    """Bring all that stands in journals that nobody holds to its places, durably; returns how many payloads.

    They are written whether or not they can be read there: what can be read need not be on the disk. A journal that
    cannot be replayed now is left for the next time.
    """
    try:
        paths = sorted((folder / JOURNALS).iterdir())
    except OSError:  # none, or none that can be read
        return 0
    replayed = 0
    for path in paths:
        try:
            replayed += _replay(folder, path)
        except OSError as error:
            log.warning(Event.PAYLOAD_JOURNAL_LEFT, journal=str(path), reason=str(error))
    return replayed


def _replay(folder: Path, path: Path) -> int:
    with ExitStack() as held:
        try:
            file = held.enter_context(path.open("rb"))
        except FileNotFoundError:
            return 0
        if not _locked(file.fileno()):
            return 0
        witness = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        held.callback(os.close, witness)
        digests = []
        for digest, data in _records(file):
            place(folder, digest, data)
            digests.append(digest)
        sync_placed(folder, digests, witness)
        path.unlink(missing_ok=True)
        log.info(Event.PAYLOAD_JOURNAL_REPLAYED, journal=str(path), payloads=len(digests))
        return len(digests)


def _records(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    while len(header := file.read(_HEADER.size)) == _HEADER.size:
        mark, digest, length = _HEADER.unpack(header)
        if mark != _MARK:
            return
        data = file.read(length)
        if sha256(data).digest() != digest:
            return
        yield digest.hex(), data


def _create(journals: Path) -> tuple[Path, int]:
    while True:
        path = journals / str(uuid4())
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        # Between those two calls somebody may have taken it for abandoned, and removed it.
        if _locked(descriptor):
            return path, descriptor
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Take the lock of a journal; False when another has it, or had it and removed the journal."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0
