"""Agency codes in the two forms of the law, and what a code says about who stands above it.

* Old form (QCVN 102:2016; Decision 28/2018/QĐ-TTg, Art. 10.2a): four groups read right to left,
  ``000.11.37.H53``: H53 is the province, 37 its level 2, 11 its level 3.
* New form (Decision 20/2020/QĐ-TTg): read left to right, ``H53.37.11``, at most 35 characters.
* Transitional: right to left without the leading zero groups, ``28.22.H17``; real traffic has them.
* Exceptions such as ``vxp.saas.02`` exist on test axes; an environment may register them, so any word of letters,
  digits and dots is a code that the directory may know.

Which old code is which new one is *not* mechanical below level 1: the directory holds that as data.
"""

from __future__ import annotations

import re
from enum import StrEnum

__all__ = ["CodeForm", "ancestors", "code_form", "is_agency_code", "level_one"]

MAX_LENGTH = 35

OLD = re.compile(r"[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}")
NEW = re.compile(r"[A-Y][0-9]{2}(?:\.[0-9A-Z]{1,6})*")
TRANSITIONAL = re.compile(r"[0-9A-Z]{2,3}(?:\.[0-9A-Z]{2,3})*\.[A-Z][0-9]{2}")
WORD = re.compile(r"[0-9A-Za-z]+(?:\.[0-9A-Za-z]+)*")


class CodeForm(StrEnum):
    """How a code is written."""

    OLD = "old"
    NEW = "new"
    TRANSITIONAL = "transitional"
    OTHER = "other"


def is_agency_code(text: str) -> bool:
    """Tell whether the text could be an agency's code in any form; whether it *is* one, only the directory knows."""
    return len(text) <= MAX_LENGTH and text != "null" and WORD.fullmatch(text) is not None


def code_form(code: str) -> CodeForm:
    """Return the form a code is written in."""
    if OLD.fullmatch(code):
        return CodeForm.OLD
    if NEW.fullmatch(code):
        return CodeForm.NEW
    if TRANSITIONAL.fullmatch(code):
        return CodeForm.TRANSITIONAL
    return CodeForm.OTHER


def level_one(code: str) -> str | None:
    """Return the level-1 code a code stands under, in the new form, or None when its form does not tell."""
    match code_form(code):
        case CodeForm.OLD | CodeForm.TRANSITIONAL:
            return code.rpartition(".")[2]
        case CodeForm.NEW:
            return code.partition(".")[0]
        case CodeForm.OTHER:
            return None


def ancestors(code: str) -> tuple[str, ...]:
    """Return the codes above this one, nearest first, as far as its writing tells.

    Every level is given in the form of the code itself; level 1 also in the new form, since ``000.00.00.H53`` and
    ``H53`` are one agency in every directory.
    """
    match code_form(code):
        case CodeForm.OLD:
            return _old_ancestors(code)
        case CodeForm.NEW:
            groups = code.split(".")
            return tuple(".".join(groups[:count]) for count in range(len(groups) - 1, 0, -1))
        case CodeForm.TRANSITIONAL:
            groups = code.split(".")
            return tuple(".".join(groups[start:]) for start in range(1, len(groups)))
        case CodeForm.OTHER:
            return ()


def _old_ancestors(code: str) -> tuple[str, ...]:
    groups = code.split(".")
    found: list[str] = []
    for position in range(3):
        if set(groups[position]) != {"0"}:
            groups[position] = "0" * len(groups[position])
            found.append(".".join(groups))
    return (*found, groups[3])
