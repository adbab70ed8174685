"""A ClamAV daemon for all tests here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.clamav.daemon import running_daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Provide the socket of a running daemon."""
    with running_daemon(tmp_path_factory.mktemp("clamav")) as socket:
        yield socket
