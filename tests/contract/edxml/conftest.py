"""The national SDK's model reader, and example messages."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def national_sdk() -> ModuleType:
    """Return the model reader; tests are no package, so it is loaded by its place."""
    spec = spec_from_file_location("national_sdk_reader", HERE / "national_sdk_reader.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return the folder of our own example messages."""
    return HERE.parents[1] / "data" / "edxml"
