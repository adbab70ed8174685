"""The command `lienthong`: its groups of commands, assembled."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from typing import Final

import typer

__all__ = ["assembled", "main"]

GROUPS: Final = {
    "agency": ("agency", "access", "directory", "standing", "limits"),
    "calendar": ("calendar",),
    "config": ("config",),
    "deadletter": ("deadletter",),
    "deploy": ("deploy",),
    "demo": ("demo",),
    "document": ("document",),
    "edxml": ("edxml",),
    "signature": ("signature",),
    "ledger": ("ledger",),
    "report": ("report",),
    "notify": ("notify",),
    "topology": ("topology",),
    "trust": ("trust",),
}
"""Each group's module, which has its `app`, and those that add commands of their own to it with `add_commands`."""
ALONE: Final = {"recovery": ("backup", "restore", "reconcile"), "doctor": ("doctor",), "drill": ("drill",)}
"""The modules whose commands stand for themselves, with these."""


def assembled(word: str | None = None) -> typer.Typer:
    """Return the command line.

    Args:
        word: the command or group that is going to be called: nothing else is loaded then, which saves half a second.
            All are when it is None, or none of them.
    """
    app = typer.Typer(
        name="lienthong",
        help="Liên Thông: trục liên thông văn bản mở / an open exchange for signed official documents.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    anything = not (word in GROUPS or any(word in words for words in ALONE.values()))
    for name, modules in GROUPS.items():
        if anything or name == word:
            app.add_typer(_loaded(*modules), name=name)
    for module, words in ALONE.items():
        if anything or word in words:
            app.add_typer(_loaded(module))
    return app


@cache
def _loaded(module: str, *others: str) -> typer.Typer:
    group: typer.Typer = import_module(f"{__package__}.{module}").app
    for other in others:
        import_module(f"{__package__}.{other}").add_commands(group)
    return group


def main() -> None:
    """Run the command line."""
    assembled(next(iter(sys.argv[1:]), None))()


if __name__ == "__main__":
    main()
