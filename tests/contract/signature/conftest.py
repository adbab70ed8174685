"""Signatures that were not made by us."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def signed_samples() -> tuple[Path, ...]:
    """Return the messages that are right by profile 1 and were not signed by us."""
    folder = HERE.parents[3] / "shared" / "samples" / "signed"
    if not folder.is_dir():
        pytest.skip(f"no samples at {folder}: they are kept beside the repository")
    return tuple(sorted(folder.glob("*.xml")))
