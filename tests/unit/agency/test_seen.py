"""The agency's memory of what it handled."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from lienthong.agency import seen
from lienthong.agency.seen import InMemory, open_seen
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
