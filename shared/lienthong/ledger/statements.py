"""The ledger's SQL, kept as SQL: files of named statements, read once."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

__all__ = ["STATEMENT_FILES", "statement", "statements"]

STATEMENT_FILES = (
    "facts",
    "directory",
    "access",
    "reports",
    "figures",
    "search",
    "story",
    "dead_letters",
    "recovery",
    "parking",
    "quotas",
    "deadlines",
    "letters",
    "condition",
)

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements() -> dict[str, str]:
    """Return every statement by name.

    Raises:
        ValueError: two statements share a name.
    """
    found: dict[str, str] = {}
    for file in STATEMENT_FILES:
        text = resources.files(__package__).joinpath("sql", f"{file}.sql").read_text(encoding="utf-8")
        _, *pieces = _NAME.split(text)
        for name, body in zip(pieces[::2], pieces[1::2], strict=True):
            if name in found:
                raise ValueError(f"two statements are called {name}")
            found[name] = body.strip()
    return found


def statement(name: str) -> str:
    """Return the statement of this name; raises KeyError when there is none."""
    return statements()[name]
