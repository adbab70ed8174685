"""Example messages as the national SDK writes them, to be changed by each test."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "data" / "edxml"


@pytest.fixture(scope="session")
def document_text() -> str:
    """Return a whole document: two addressees, a raw PDF and a zip-wrapped text."""
    return (DATA / "document.edxml").read_bytes().decode()


@pytest.fixture(scope="session")
def status_text() -> str:
    """Return a whole status, 03."""
    return (DATA / "status.edxml").read_bytes().decode()
