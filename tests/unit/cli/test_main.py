"""The command line as a whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lienthong_cli.__main__ import ALONE, GROUPS, assembled

PLAIN = """
import sys
sys.modules.update(dict.fromkeys(("docker", "fontpkg_be_vietnam_pro", "fpdf", "pkcs11", "testcontainers")))
from lienthong_cli.__main__ import main
main()
"""
SINGLE = [word for words in ALONE.values() for word in words]


def commands(word: str | None = None) -> set[tuple[str, str]]:
    """Return the commands there are when this one is called, each with its group, if any."""
    found = set()
    for group in assembled(word).registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            found.add((group.name or "", str(command.name or getattr(command.callback, "__name__", ""))))
    return found


def test_it_starts_with_what_production_has() -> None:
    """Without the packages of the extras every command is still there to be asked for."""
    told = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", PLAIN, "--help"], check=True, capture_output=True, text=True, timeout=60
    )
    assert all(f" {word} " in told.stdout for word in (*GROUPS, *SINGLE)), told.stdout


@pytest.mark.parametrize("word", GROUPS)
def test_of_groups_the_one_that_is_called_is_there_in_full(word: str) -> None:
    """A group has the commands it has when all are loaded, and no other group is."""
    assert commands(word)
    assert commands(word) == {(group, name) for group, name in commands() if group == word}


@pytest.mark.parametrize("words", ALONE.values())
def test_every_command_that_stands_for_itself_is_found(words: tuple[str, ...]) -> None:
    """Such a command's module is known by all the commands it has."""
    assert all(commands(word) == {("", name) for name in words} for word in words)
    assert {name for group, name in commands() if not group} == set(SINGLE)
