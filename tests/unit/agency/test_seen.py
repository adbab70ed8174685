"""The agency's memory of what it handled and signed."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lienthong.agency import seen
from lienthong.agency.seen import BLOCK, Amendment, InMemory, open_seen
from lienthong.errors import MisconfiguredError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("durable", [False, True])
async def test_what_was_handled_is_known_with_its_first_moment(tmp_path: Path, durable: bool) -> None:
    """A repeat is told from a new message, and its arrival keeps the moment of the first time."""
    memory = open_seen(tmp_path / "deep" / "seen.sqlite" if durable else None)
    assert await memory.handled_at("a") is None
    first = await memory.remember("a")
    assert first.tzinfo is not None
    assert await memory.remember("a") == first
    assert await memory.handled_at("a") == first
    assert await memory.handled_at("b") is None
    await memory.close()


async def test_a_file_remembers_across_restarts(tmp_path: Path) -> None:
    """A restarted agency does not handle a document twice, and finds what it could not read."""
    path = tmp_path / "seen.sqlite"
    memory = open_seen(path)
    moment = await memory.remember("a")
    await memory.keep_unreadable("b", b"\xff", "broken")
    await memory.keep_unreadable("b", b"\xff", "broken")
    await memory.close()
    again = open_seen(path)
    assert await again.handled_at("a") == moment
    await again.close()
    connection = sqlite3.connect(path)
    assert connection.execute("select key, body, reason from unreadable").fetchall() == [("b", b"\xff", "broken")]
    connection.close()


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agency that runs for years without a file does not fill its memory; the oldest is forgotten."""
    monkeypatch.setattr(seen, "REMEMBERED", 3)
    memory = InMemory()
    for key in "abcd":
        await memory.remember(key)
    assert await memory.handled_at("a") is None
    assert await memory.handled_at("d") is not None


def test_a_place_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    """An operator is told which file, instead of a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(MisconfiguredError, match=r"seen\.sqlite"):
        open_seen(tmp_path / "file" / "seen.sqlite")


@given(
    before=st.lists(st.sampled_from((b"a", b"b" * BLOCK, b"<header>" * 99)), max_size=9).map(b"".join),
    places=st.lists(st.integers(0, 9 * BLOCK), max_size=4),
)
@example(before=b"a" * 3 * BLOCK, places=[BLOCK])  # what stays at the beginning could also be what stays at the end
def test_what_signing_changed_is_all_that_need_be_kept(before: bytes, places: list[int]) -> None:
    """From a message and what was inserted into it come the very bytes that were signed."""
    after = before
    for place in places:
        after = after[:place] + b"aa" + after[place:]
    assert Amendment.between(before, after).applied_to(before) == after


def test_a_large_attachment_is_not_kept() -> None:
    """The state file grows with the number of documents, not with their size."""
    header, attachment = b"<header/>", bytes(range(256)) * 40_000
    amendment = Amendment.between(header + attachment, header + b"<signature/>" + attachment)
    assert len(amendment.text) < 3 * BLOCK


@pytest.mark.parametrize("durable", [False, True])
async def test_the_first_signature_counts(tmp_path: Path, durable: bool) -> None:
    """Two tasks that sign the same content at once send the same bytes, and so does a later call."""
    memory = open_seen(tmp_path / "seen.sqlite" if durable else None)
    assert await memory.amendment("d") is None
    first = await memory.keep_amendment("d", Amendment(0, b"one", 0))
    assert await memory.keep_amendment("d", Amendment(0, b"two", 0)) == first == Amendment(0, b"one", 0)
    assert await memory.amendment("d") == first
    await memory.close()


async def test_signatures_are_remembered_across_restarts_for_a_week(tmp_path: Path) -> None:
    """A restarted agency sends what it signed before; what nobody repeats any more does not fill the disk."""
    path = tmp_path / "seen.sqlite"
    for days in (6, 8):
        memory = open_seen(path)
        await memory.keep_amendment("old", Amendment(1, b"\xff", 2))
        await memory.close()
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("update signed set signed_at = ?", ((datetime.now(UTC) - timedelta(days=days)).isoformat(),))
        connection.close()
        memory = open_seen(path)
        await memory.keep_amendment("new", Amendment(0, b"", 0))
        assert await memory.amendment("old") == (Amendment(1, b"\xff", 2) if days < 7 else None)
        await memory.close()


@pytest.mark.parametrize("durable", [False, True])
async def test_signatures_kept_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool) -> None:
    """However much an agency sends, neither its memory nor its disk fills; the oldest is forgotten."""
    monkeypatch.setattr(seen, "AMENDMENT_BYTES", 30)
    monkeypatch.setattr(seen, "AMENDMENTS", 3)
    memory = open_seen(tmp_path / "seen.sqlite" if durable else None)
    for digest in "abcd":
        await memory.keep_amendment(digest, Amendment(0, b"0123456789", 0))
    assert await memory.amendment("a") is None
    assert await memory.amendment("b") is not None
    assert await memory.amendment("d") is not None
    await memory.close()
