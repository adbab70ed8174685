"""Logs are JSON lines, whoever wrote them."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from lienthong.errors import MisconfiguredError
from lienthong.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return what was logged."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_our_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """Event, fields, service, level and an aware UTC time stand in one object, Vietnamese readable."""
    configure_logging("lienthong-router", "info")
    structlog.stdlib.get_logger("x").info("batch_settled", size=3, agency="Bộ Nội vụ")
    (line,) = lines(capsys)
    assert line.items() >= {"event": "batch_settled", "size": 3, "agency": "Bộ Nội vụ", "level": "info"}.items()
    assert line["service"] == "lienthong-router"
    assert datetime.fromisoformat(line["at"]).utcoffset() is not None


def test_a_librarys_line_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    """What a library logs can be searched like ours, with its traceback inside."""
    configure_logging("lienthong-router", "info")
    try:
        int("broken")
    except ValueError:
        logging.getLogger("aiormq.connection").exception("reader %s", "died")
    (line,) = lines(capsys)
    assert (line["event"], line["logger"], line["level"]) == ("reader died", "aiormq.connection", "error")
    assert "ValueError: invalid literal" in line["exception"]


def test_the_level_is_a_threshold(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines below the level are not written."""
    configure_logging("lienthong-router", "WARNING")
    structlog.stdlib.get_logger("x").info("no")
    structlog.stdlib.get_logger("x").warning("yes")
    assert [line["event"] for line in lines(capsys)] == ["yes"]


def test_an_unknown_level_is_the_operators_to_mend() -> None:
    """A wrong level is said, not guessed."""
    with pytest.raises(MisconfiguredError, match="debug, info, warning, error"):
        configure_logging("lienthong-router", "loud")
