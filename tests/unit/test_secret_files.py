"""Secrets in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lienthong.access.broker import place_of
from lienthong.bus.admin import BrokerAdmin
from lienthong.bus.connection import Bus
from lienthong.errors import MisconfiguredError
from lienthong.ledger.addresses import Addresses
from lienthong.settings import BrokerSettings

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "LIENTHONG_BROKER_URL"
URL = "amqp://lienthong-router:s3cret@broker/lienthong"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide a file with a secret, which the environment names."""
    made = tmp_path / "router-broker-url"
    made.touch(mode=0o640)
    made.write_text(f"{URL}\n")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv(f"{VARIABLE}_FILE", str(made))
    return made


def test_a_secret_may_stand_in_a_file(file: Path) -> None:
    """Without the line end an editor puts there; the other settings of its group have their own variables."""
    settings = BrokerSettings()
    assert settings.url.get_secret_value() == URL
    assert settings.heartbeat_seconds == 15
    assert "s3cret" not in repr(settings) + str(settings.model_dump()) + settings.model_dump_json()
    assert file.name not in repr(settings)


def test_a_secret_has_one_place(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variable and file at once are refused, whatever they say: one of them is a mistake."""
    monkeypatch.setenv(VARIABLE, URL)
    with pytest.raises(MisconfiguredError, match=f"{VARIABLE}, {VARIABLE}_FILE") as refused:
        BrokerSettings()
    assert "s3cret" not in str(refused.value)
    assert file.exists()


@pytest.mark.parametrize("wrong", ["everybody", "gone", "empty", "a folder", "no text"])
def test_a_file_that_is_no_secret_is_refused(file: Path, wrong: str) -> None:
    """One that everybody may read, that is not there, is empty or cannot be read is named, with what to do."""
    if wrong == "everybody":
        file.chmod(0o644)
    elif wrong in {"gone", "a folder"}:
        file.unlink()
    if wrong == "a folder":
        file.mkdir(mode=0o700)
    if wrong in {"empty", "no text"}:
        file.write_bytes(b" \n" if wrong == "empty" else b"\xff\xfes3cret")
    with pytest.raises(MisconfiguredError, match=str(file)) as refused:
        BrokerSettings()
    assert "s3cret" not in str(refused.value)
    assert ("chmod o-r" in str(refused.value)) == (wrong == "everybody")


@pytest.mark.parametrize("password", ["s3cret/x", "s3cret#x", "s3cret?x", "s3cret[x"])
def test_an_address_that_cannot_be_read_is_not_quoted(password: str) -> None:
    """A character that has to be written as %XX makes an address unreadable; what is said of it has no part of it."""
    amqp, http = f"amqp://u:{password}@host/v", f"http://u:{password}@host"
    for read in (
        lambda: Bus(amqp, name="test"),
        lambda: place_of(amqp),
        lambda: BrokerAdmin(http),
        lambda: Addresses(f"postgresql://u:{password}@host/d"),
    ):
        with pytest.raises(MisconfiguredError, match="%XX") as refused:
            read()
        assert "s3cret" not in str(refused.value)
        assert refused.value.__cause__ is None
        assert refused.value.__context__ is None
