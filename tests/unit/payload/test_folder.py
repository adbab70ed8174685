"""The payload store in a folder."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lienthong.errors import Unavailable
from lienthong.payload import FolderStore

if TYPE_CHECKING:
    from pathlib import Path


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=5000))
async def test_what_is_put_can_be_got(tmp_path: Path, data: bytes) -> None:
    """A payload comes back unchanged under the SHA-256 of its content."""
    store = FolderStore(tmp_path / "payload")
    digest = await store.put(data)
    assert digest == sha256(data).hexdigest()
    assert await store.get(digest) == data


async def test_many_at_once_leave_one_file(tmp_path: Path) -> None:
    """The same content put by many at once is one file, and no temporary file stays."""
    store = FolderStore(tmp_path)
    digests = await asyncio.gather(*(store.put(b"same") for _ in range(50)))
    assert len(set(digests)) == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [store.path(digests[0])]


async def test_a_changed_payload_is_not_handed_out(tmp_path: Path) -> None:
    """Content that no longer matches its name is found out."""
    store = FolderStore(tmp_path)
    digest = await store.put(b"true")
    store.path(digest).write_bytes(b"false")
    with pytest.raises(Unavailable, match="other content"):
        await store.get(digest)


async def test_a_missing_payload_is_unavailable(tmp_path: Path) -> None:
    """A payload that cannot be read now may be there later: it is not a refusal."""
    with pytest.raises(Unavailable, match="cannot be read"):
        await FolderStore(tmp_path).get("0" * 64)


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    """A store that cannot be written says so instead of confirming."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="cannot be written"):
        await FolderStore(tmp_path / "file").put(b"x")


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63])
async def test_only_a_digest_names_a_payload(tmp_path: Path, digest: str) -> None:
    """No name but a SHA-256 reaches the file system."""
    with pytest.raises(ValueError, match="no SHA-256"):
        await FolderStore(tmp_path).get(digest)
