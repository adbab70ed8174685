"""What the doctor finds, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Severity", "Words"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Words:
    """The same in Vietnamese and English."""

    vi: str
    en: str

    @classmethod
    def of(cls, text: str) -> Words:
        """Return both halves of a text such as errors have, ``vi / en``; one that has only one half is both."""
        vi, _, en = text.partition(" / ")
        return cls(vi, en or vi)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        check: which check found it.
        severity: an error stops or endangers the exchange now; a warning will.
        subject: what it is about: a setting, queue, role, certificate …
        what: what is wrong.
        remedy: what to do.
    """

    check: str
    severity: Severity
    subject: str
    what: Words
    remedy: Words

    def facts(self) -> dict[str, str]:
        """Return it for JSON."""
        return {
            "check": self.check,
            "severity": self.severity,
            "subject": self.subject,
            "vi": self.what.vi,
            "en": self.what.en,
            "remedy_vi": self.remedy.vi,
            "remedy_en": self.remedy.en,
        }

    def __str__(self) -> str:
        """Say it on one line."""
        severity = {"error": "lỗi / error", "warning": "cảnh báo / warning"}[self.severity]
        what, remedy = (f"{words.vi} / {words.en}" for words in (self.what, self.remedy))
        return f"{severity} [{self.check}] {self.subject}: {what} → {remedy}"
