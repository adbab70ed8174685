"""Programs that know XML signatures and were not written by us."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lienthong.errors import MisconfiguredError
from lienthong.testing import debian

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def program() -> Callable[[str, str], Path]:
    """Return what finds a program, and installs the Debian package it is in when there is a way to."""

    def find(name: str, package: str) -> Path:
        if shutil.which(name) is None:
            try:
                debian.install(package)
            except MisconfiguredError as error:
                if os.environ.get("CI", "").lower() in {"true", "1"}:
                    pytest.fail(str(error), pytrace=False)
                pytest.skip(str(error))
        found = shutil.which(name)
        assert found is not None, f"{package} has no {name}"
        return Path(found)

    return find


@pytest.fixture(scope="session")
def signed_samples() -> tuple[Path, ...]:
    """Return the messages that are right by profile 1 and were not signed by us."""
    folder = HERE.parents[3] / "shared" / "samples" / "signed"
    if not folder.is_dir():
        pytest.skip(f"no samples at {folder}: they are kept beside the repository")
    return tuple(sorted(folder.glob("*.xml")))
