"""Every error the exchange raises on purpose, and what a caller does about it.

::

    LienThongError
    ├── Refusal           the message is wrong: record it, answer its sender, never try again
    ├── Unavailable       we could not find out or reach it now: try again later
    └── MisconfiguredError  the operator has to mend a setting before anything can work

Anything else that escapes is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - pydantic reads the annotations of what carries problems
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LienThongError", "MisconfiguredError", "Problem", "Refusal", "Unavailable"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a message, in words its sender can act on.

    Attributes:
        code: what is wrong, in the grammar of the provincial axes: ``N.`` (missing), ``R.`` (range or length),
            ``M.`` (mismatch), ``T.`` (type) and the dotted name of the field, or one of the words ``ExistDoc``,
            ``CheckSignature``, ``Permission``, ``Quota``.
        path: where it is, with positions: ``MessageHeader/To[2]/OrganId``; empty when it is the message itself.
        vi: what is wrong and what to do, in Vietnamese.
        en: the same in English.
        province_code: the number that the provincial integration platforms use for this kind of refusal
            (10 invalid file, 18 receiver does not exist, 19 sender not registered, 21 file processing error,
            22 wrong edXML format, 23 receiver locked).
        retry_at: when the same may be sent again, in a new message; None when that is pointless. UTC.
    """

    code: str
    path: str
    vi: str
    en: str
    province_code: int = 22
    retry_at: datetime | None = None

    def __str__(self) -> str:
        """Say everything on one line."""
        where = f" [{self.path}]" if self.path else ""
        return f"{self.code}{where}: {self.vi} / {self.en}"


class LienThongError(Exception):
    """The root of all errors the exchange raises on purpose."""


class Refusal(LienThongError):  # noqa: N818 - the field's word: a refusal is a result, not a crash
    """The message is wrong; its sender is told every problem, and trying again unchanged is pointless."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        if not self.problems:
            raise ValueError("a refusal names at least one problem")
        super().__init__("; ".join(map(str, self.problems)))


class Unavailable(LienThongError):  # noqa: N818 - reads as the state it reports
    """Something needed could not be reached or found out now; the same call may succeed later."""


class MisconfiguredError(LienThongError):
    """A setting or an installation is wrong; an operator has to mend it."""
