"""What is wrong with a message, collected while it is read: every problem, not just the first."""

from __future__ import annotations

import re
from itertools import takewhile

from lienthong.edxml import names
from lienthong.edxml.profile import Profile
from lienthong.errors import Problem

__all__ = ["FILE_PROCESSING", "FORMAT", "INVALID_FILE", "Findings", "code_of", "excerpt"]

INVALID_FILE = 10
FILE_PROCESSING = 21
FORMAT = 22
"""The provincial platforms' numbers for what a format can be refused for."""

MAX_FINDINGS = 200
"""So many of each sort are told one by one; a message with more is not mended by reading on."""

_POSITION = re.compile(r"\[[0-9]+\]")
_FRAMES = (f"{names.ATTACHMENT_ENCODED}/{names.ATTACHMENT}", f"{names.MANIFEST}/{names.REFERENCE}")
_VOCABULARY = frozenset(value for name, value in vars(names).items() if name.isupper() and isinstance(value, str))
_EXCERPT = 60


class Findings:
    """Problems refuse a message, warnings do not; a blemish is a problem in the strict profile only."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._told: set[tuple[str, str]] = set()
        self._refused_at: set[str] = set()

    def refuse(self, sort: str, path: str, vi: str, en: str, province_code: int = FORMAT) -> None:
        """Add a problem; `sort` is N, R, M or T (see `lienthong.errors.Problem`)."""
        self._refused_at.add(path)
        # A stranger's element names have no place in the code of a refusal: these are counted, and must stay few.
        code = code_of(sort, "/".join(takewhile(_known, path.split("/"))))
        self._add(self.problems, Problem(code, path, vi, en, province_code))

    def warn(self, sort: str, path: str, vi: str, en: str) -> None:
        """Add something worth mending that stops nobody."""
        self._add(self.warnings, Problem(code_of(sort, path), path, vi, en))

    def blemish(self, sort: str, path: str, vi: str, en: str) -> None:
        """Add what a certified sender may not do, but real traffic does."""
        if self.profile is Profile.STRICT:
            self.refuse(sort, path, vi, en)
        else:
            self.warn(sort, path, vi, en)

    def refused_at(self, path: str) -> bool:
        """Tell whether a problem was already found at this place."""
        return path in self._refused_at

    def _add(self, where: list[Problem], finding: Problem) -> None:
        same = (finding.path, finding.en)
        if same not in self._told and len(where) < MAX_FINDINGS:
            self._told.add(same)
            where.append(finding)


def _known(step: str) -> bool:
    return _POSITION.sub("", step) in _VOCABULARY


def code_of(sort: str, path: str) -> str:
    """Return a problem's code for a place: the provincial axes' grammar of sort and dotted name, without positions."""
    plain = _POSITION.sub("", path)
    for frame in _FRAMES:
        if plain.startswith(frame):
            plain = plain[frame.rindex("/") + 1 :]
    if plain == names.STATUS or plain.startswith(f"{names.STATUS}/"):
        plain = names.MESSAGE_HEADER + plain[len(names.STATUS) :]
    return f"{sort}.{plain.replace('/', '.') or names.ROOT}"


def excerpt(text: str) -> str:
    """Return the beginning of a stranger's text, fit to stand in a message."""
    shown = "".join(sign if sign.isprintable() else "�" for sign in text[:_EXCERPT])
    return f"“{shown}{'…' if len(text) > _EXCERPT else ''}”"
