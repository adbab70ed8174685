"""What can be found about a signature, and what a document is worth because of it.

Three answers, not two: *indeterminate* means that it could not be found out, and is never shown as another answer.
Reason codes are the sub-indications of ETSI EN 319 102-1, clause 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - part of public dataclasses
from enum import StrEnum
from typing import Literal

__all__ = ["Reason", "SignatureFinding", "Value", "Verdict"]


class Verdict(StrEnum):
    """What is known about a signature, or about all signatures of one thing."""

    VALID = "valid"
    INVALID = "invalid"
    INDETERMINATE = "indeterminate"
    UNSIGNED = "unsigned"


class Value(StrEnum):
    """What a document is worth (Decision 28/2018/QĐ-TTg, Art. 4)."""

    PAPER = "paper"
    INFORMATION = "information"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is what it is.

    Attributes:
        code: a sub-indication of ETSI EN 319 102-1, such as ``HASH_FAILURE``; of an attached file the code of its
            `Problem`; empty when the verdict is valid.
        vi: in words a clerk understands, in Vietnamese.
        en: the same in English.
    """

    code: str
    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class SignatureFinding:
    """One signature and what was found about it.

    Attributes:
        kind: on the message, inside a PDF, or a time stamp.
        verdict: valid, invalid or indeterminate.
        reason: why.
        signer: the name in the signer's certificate; None when there is none that can be read.
        agency: the agency code in it (subject ``serialNumber``), as written.
        signed_at: the moment it was judged for: a verified time stamp's, else the time of receipt; UTC.
        claimed_at: what the signer claims (SigningTime); never decides anything.
        subject: which attachment it is in, by name; empty for the message.
        holder: whose certificate it is, as far as it tells.
    """

    kind: Literal["message", "pdf", "timestamp"]
    verdict: Verdict
    reason: Reason
    signer: str | None = None
    agency: str | None = None
    signed_at: datetime | None = None
    claimed_at: datetime | None = None
    subject: str = ""
    holder: Literal["person", "agency", "unknown"] = "unknown"
