"""The payload store that journals small payloads."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.payload.power import Disk

from lienthong.errors import Unavailable
from lienthong.payload import FolderStore, JournaledStore, files, journal, journaled
from lienthong.payload.journal import JOURNALS, Journal, replay_abandoned

if TYPE_CHECKING:
    from collections.abc import Sequence


def journals(folder: Path) -> list[Path]:
    """Return the journals that are there."""
    return sorted((folder / JOURNALS).iterdir())


def contents(folder: Path) -> set[str]:
    """Return the names of all files at their places, temporary ones included."""
    return {path.name for path in folder.glob("??/??/*")}


def abandoned(folder: Path, payloads: Sequence[bytes]) -> list[str]:
    """Leave a journal of these as a process does that dies before any of them is at its place; return the digests."""
    (folder / JOURNALS).mkdir(parents=True, exist_ok=True)
    left = Journal(folder)
    batch = {sha256(data).hexdigest(): data for data in payloads}
    left.append(batch)
    left.close()
    return list(batch)


# What happens to a store: payloads put at once, by their numbers; all settled; or its process killed and started again.
Happening = list[int] | str
happenings = st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=5) | st.sampled_from(["settle", "kill"]))


def payload(number: int) -> bytes:
    """Return a payload, every third of them a large one."""
    return b"%d " % number * (50 if number % 3 == 0 else 1 + number)


async def live(folder: Path, story: list[Happening], confirmed: dict[str, bytes]) -> None:
    """Let all that happen, and note what a put confirmed."""
    store = JournaledStore(folder)

    async def put(data: bytes) -> None:
        with suppress(Unavailable):
            confirmed[await store.put(data)] = data

    for happening in story:
        if happening == "settle":
            await store.settle()
        elif happening == "kill":
            if store._journal is not None:
                store._journal.close()
            store = JournaledStore(folder)
            await store.settle()
        else:
            await asyncio.gather(*(put(payload(int(number))) for number in happening))
            for digest in list(confirmed):
                assert FolderStore(folder).path(digest).read_bytes() == confirmed[digest]
    if store._journal is not None:
        store._journal.close()


@settings(max_examples=150, deadline=None)
@given(
    story=happenings,
    cut_at=st.integers(1, 60),
    failing=st.sets(st.integers(1, 30), max_size=3),
    seed=st.integers(0, 2**32),
    luck=st.sampled_from([0, 0.5, 0.9, 1]),
    bulk=st.booleans(),
    only_reads=st.booleans(),
)
async def test_what_was_confirmed_survives_a_power_failure(
    *, story: list[Happening], cut_at: int, failing: set[int], seed: int, luck: float, bulk: bool, only_reads: bool
) -> None:
    """Whenever power is lost, whichever syncs failed before, each payload that was confirmed is read again."""
    confirmed: dict[str, bytes] = {}
    expected: dict[str, bytes] = {}
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        before, after = Path(name, "before"), Path(name, "after")
        before.mkdir()
        patch.setattr(journaled, "SMALL_BYTES", 90)
        with Disk(
            before,
            after,
            cut_at=cut_at,
            failing=failing,
            chance=Random(seed),
            luck=luck,
            on_cut=lambda: expected.update(confirmed),
        ) as disk:
            disk.take_over(patch, bulk=bulk)
            await live(before / "store", story, confirmed)
            disk.lose_power()
            store = FolderStore(after / "store")
            if not only_reads:
                async with JournaledStore(after / "store"):
                    assert not [*(after / "store").glob(f"{JOURNALS}/*")]
            for digest, data in expected.items():
                assert await store.get(digest) == data


async def test_a_batch_of_small_payloads_costs_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many small payloads are put at once, one sync serves them all, once the journal is there."""
    store = JournaledStore(tmp_path)
    await store.put(b"the journal is made")
    synced: list[int] = []

    def count(descriptor: int) -> None:
        synced.append(descriptor)

    monkeypatch.setattr(os, "fsync", count)
    monkeypatch.setattr(os, "fdatasync", count)
    await asyncio.gather(*(store.put(b"%d" % number) for number in range(100)))
    assert len(synced) == 1


async def test_settling_leaves_only_the_payloads(tmp_path: Path) -> None:
    """When the store is left, every payload is a file at its place, and no journal or temporary file stays."""
    small, large = [b"%d" % number for number in range(10)], [b"%d" % number * 70_000 for number in range(3)]
    async with JournaledStore(tmp_path) as store:
        digests = await asyncio.gather(*(store.put(data) for data in (*small, *large)))
        (path,) = journals(tmp_path)
        assert path.stat().st_size < 1000, "large payloads are not journaled"
    assert journals(tmp_path) == []
    assert contents(tmp_path) == set(digests)
    assert [await FolderStore(tmp_path).get(digest) for digest in digests] == [*small, *large]


@pytest.mark.parametrize("limits", [{"settle_seconds": 0.01}, {"settle_bytes": 1}])
async def test_journals_end_while_the_store_is_used(tmp_path: Path, limits: dict[str, float]) -> None:
    """A journal that is old or large is settled by itself."""
    async with JournaledStore(tmp_path, **limits) as store:  # type: ignore[arg-type] # each is of its own type
        await store.put(b"x")
        async with asyncio.timeout(60):
            while journals(tmp_path):  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.01)


async def test_one_payload_in_the_way_concerns_its_caller_only(tmp_path: Path) -> None:
    """A payload, small or large, whose place cannot be written is unavailable, and the others are kept."""
    store = JournaledStore(tmp_path)
    every = [b"%d" % number * length for number in range(4) for length in (1, 70_000)]
    blocked = {sha256(every[0]).hexdigest(), sha256(every[1]).hexdigest()}
    assert len({sha256(data).hexdigest()[:2] for data in every}) == len(every), "each has a folder of its own"
    for digest in blocked:
        (tmp_path / digest[:2]).write_bytes(b"")
    outcomes = await asyncio.gather(*(store.put(data) for data in every), return_exceptions=True)
    assert [isinstance(outcome, Unavailable) for outcome in outcomes] == [True, True] + [False] * 6
    assert contents(tmp_path) == {sha256(data).hexdigest() for data in every} - blocked


async def test_a_journal_that_failed_is_not_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch whose sync fails is unavailable; the next one goes to another journal, and nothing before is lost."""
    store = JournaledStore(tmp_path)
    before = await store.put(b"before")
    with monkeypatch.context() as patch:

        def fail(_descriptor: int) -> None:
            raise OSError("the disk is gone")

        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(Unavailable, match="the disk is gone"):
            await store.put(b"lost")
    after = await store.put(b"after")
    assert len(journals(tmp_path)) == 2
    store.path(before).unlink()
    await store.settle()
    assert [await store.get(before), await store.get(after)] == [b"before", b"after"]
    assert journals(tmp_path) == []


@pytest.mark.parametrize("damage", ["missing", "empty", "zeros", "other"])
async def test_reading_mends_what_a_dead_process_journaled(tmp_path: Path, damage: str) -> None:
    """What is missing or damaged at its place, and stands in the journal of a dead process, is read all the same."""
    (digest,) = abandoned(tmp_path, [b"true"])
    store = FolderStore(tmp_path)
    if damage != "missing":
        store.path(digest).parent.mkdir(parents=True)
        store.path(digest).write_bytes({"empty": b"", "zeros": bytes(4), "other": b"false"}[damage])
    assert await store.get(digest) == b"true"
    assert journals(tmp_path) == []


async def test_who_compares_the_store_sees_what_is_journaled(tmp_path: Path) -> None:
    """A backup and a comparison with the ledger miss nothing that only a dead process's journal has."""
    (digest,) = abandoned(tmp_path, [b"one"])
    assert await FolderStore(tmp_path).state(digest) == "good"
    (other,) = abandoned(tmp_path, [b"another"])
    assert await FolderStore(tmp_path).digests() == {digest, other}


@settings(max_examples=60, deadline=None)
@given(data=st.data(), payloads=st.lists(st.binary(max_size=300), min_size=1, max_size=6, unique=True))
def test_a_torn_tail_costs_only_what_it_held(data: st.DataObject, payloads: list[bytes]) -> None:
    """Every record before the place where a journal is torn or zeroed is replayed, and nothing that never was."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        digests = abandoned(folder, payloads)
        (path,) = journals(folder)
        whole = path.read_bytes()
        at = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:at] + bytes(data.draw(st.sampled_from([0, 3, 44, len(whole) - at]))))
        ends = [sum(44 + len(one) for one in payloads[: count + 1]) for count in range(len(payloads))]
        replayed = replay_abandoned(folder)
        # A record of which only zeros are missing comes to its end all the same.
        assert contents(folder) == set(digests[:replayed])
        assert replayed >= sum(end <= at for end in ends)
        assert journals(folder) == []


def test_two_replay_at_once(tmp_path: Path) -> None:
    """However many find the same journals at once, all of them are replayed, and nobody fails."""
    digests = [abandoned(tmp_path, [b"%d %d" % (each, one) for one in range(20)]) for each in range(10)]
    together, counts = Barrier(4), list[int]()

    def replay() -> None:
        together.wait()
        counts.append(replay_abandoned(tmp_path))

    threads = [Thread(target=replay) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 200
    assert contents(tmp_path) == {digest for each in digests for digest in each}
    assert journals(tmp_path) == []


async def test_a_living_process_keeps_its_journal(tmp_path: Path) -> None:
    """Nobody takes the journal of a process that lives."""
    store = JournaledStore(tmp_path)
    await store.put(b"x")
    assert replay_abandoned(tmp_path) == 0
    assert len(journals(tmp_path)) == 1


def test_a_new_journal_taken_for_abandoned_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds and removes a journal before its maker has locked it makes the maker begin another."""
    (tmp_path / JOURNALS).mkdir()
    real = fcntl.flock
    removed: list[Path] = []

    def late(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        removed.extend(journals(tmp_path))
        replay_abandoned(tmp_path)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    held = Journal(tmp_path)
    assert len(removed) == 1
    assert journals(tmp_path) == [held.path]
    held.close()


async def test_a_journal_that_cannot_be_replayed_stays(tmp_path: Path) -> None:
    """What cannot be brought to its place now is kept, and tried again."""
    (digest,) = abandoned(tmp_path, [b"x"])
    (tmp_path / digest[:2]).write_bytes(b"")
    async with JournaledStore(tmp_path) as store:
        assert len(journals(tmp_path)) == 1
        (tmp_path / digest[:2]).unlink()
        assert await store.get(digest) == b"x"


async def test_without_syncfs_each_file_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system cannot be synced at once, each file and each folder above it is."""
    monkeypatch.setattr(files, "_syncfs", None)
    async with JournaledStore(tmp_path) as store:
        digest = await store.put(b"x")
        synced: list[Path] = []
        real = os.fsync

        def note(descriptor: int) -> None:
            synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
            real(descriptor)

        monkeypatch.setattr(os, "fsync", note)
    place = store.path(digest)
    assert {place, *list(place.parents)[:3]} <= set(synced)
    assert journals(tmp_path) == []


KILLED = """
import asyncio, sys
from pathlib import Path
from lienthong.payload import JournaledStore

async def main():
    async with JournaledStore(Path(sys.argv[1]), settle_seconds=0.02) as store:
        for number in range(10**9):
            for digest in await asyncio.gather(*(store.put(b"%d %d" % (number, each)) for each in range(20))):
                print(digest, flush=True)

asyncio.run(main())
"""


async def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    """What a process confirmed before SIGKILL is read again, its files being taken away or not."""
    with subprocess.Popen(  # noqa: ASYNC220, S603 - ourselves
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(500)]
        process.send_signal(signal.SIGKILL)
        told += [line.strip() for line in process.stdout if len(line) == 65]
        process.wait()  # its output may end a moment before its locks do
    held = {digest.hex() for path in journals(tmp_path) for digest in _journaled(path)}
    for digest in held:
        FolderStore(tmp_path).path(digest).unlink(missing_ok=True)
    async with JournaledStore(tmp_path) as store:
        for digest in told:
            assert await store.state(digest) == "good"
    assert journals(tmp_path) == []


def _journaled(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return [bytes.fromhex(digest) for digest, _ in journal._records(file)]
