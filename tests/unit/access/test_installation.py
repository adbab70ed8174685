"""The keys and passwords of an installation."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from lienthong.access.addresses import broker_logins, ledger_logins
from lienthong.access.broker import place_of
from lienthong.access.installation import Installation, Places
from lienthong.errors import MisconfiguredError
from lienthong.ledger.logins import ROLES
from lienthong.topology.rights import OWN_USERS

if TYPE_CHECKING:
    from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    """Return what every process is given, by file."""
    given = (file for file in folder.rglob("*") if file.is_file() and folder / "authority" not in file.parents)
    return {str(file.relative_to(folder)): file.read_bytes() for file in given}


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    """Made again, an installation has the same keys and passwords; only the broker's certificate gets a new name."""
    Installation(tmp_path, Places()).complete()
    before = contents(tmp_path)
    Installation(tmp_path, Places()).complete()
    assert contents(tmp_path) == before
    Installation(tmp_path, Places(names=("exchange.example",))).complete()
    after = contents(tmp_path)
    changed = {name for name in before if after[name] != before[name]}
    assert (changed, after.keys()) == ({"broker/broker.pem", "broker/broker.key"}, before.keys())


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    """No key or password may be read by others; by the group only those of the two servers."""
    Installation(tmp_path, Places()).complete()
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in contents(tmp_path)}
    servers = ("broker/", "ledger/")
    assert {mode for name, mode in modes.items() if name.startswith(servers)} == {0o640}
    assert {mode for name, mode in modes.items() if not name.startswith(servers)} == {0o600}


def test_the_commands_know_all_logins_by_it(tmp_path: Path) -> None:
    """What the operator has is what `ledger migrate` and `topology apply` need: a login for each role and each user."""
    Installation(tmp_path, Places(broker=("b1", "b2"), ledger=("l1", "l2"))).complete()
    operator = tmp_path / "operator"
    assert ledger_logins(operator).keys() == set(ROLES)
    place = place_of((operator / "broker-url").read_text(encoding="utf-8"))
    assert broker_logins(place, None) == dict.fromkeys(OWN_USERS)
    assert "@l1:5432,l2:5432/" in (tmp_path / "ingest/ledger-url").read_text(encoding="utf-8")


def test_an_agencys_folder_is_named_by_a_code(tmp_path: Path) -> None:
    """What is no agency code makes no folder, least of all somewhere else."""
    installation = Installation(tmp_path / "keys", Places())
    with pytest.raises(MisconfiguredError):
        installation.agency("../H23", tmp_path / "agencies", ["G22"])
    assert not (tmp_path / "H23").exists()
