"""Why a message's signature does not hold: the codes of ETSI EN 319 102-1, clause 5.1.3, and their words."""

from __future__ import annotations

from enum import StrEnum

from lienthong.document.verdicts import Reason
from lienthong.errors import LienThongError

__all__ = ["ABSENT", "INTACT", "BrokenSignatureError", "Code"]


class Code(StrEnum):
    """The sub-indications this package gives (ETSI EN 319 102-1, table 6)."""

    FORMAT_FAILURE = "FORMAT_FAILURE"
    """It cannot be processed: not XML as the profile allows, or of another shape."""
    HASH_FAILURE = "HASH_FAILURE"
    """Something signed is not what it was."""
    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    """The signature value was not made by this key over this."""
    SIG_CONSTRAINTS_FAILURE = "SIG_CONSTRAINTS_FAILURE"
    """It does not sign what has to be signed, or not in a way that is accepted."""
    CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
    """An algorithm or a key is too weak, or unknown."""
    NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
    """Whose key it is cannot be told."""
    SIGNED_DATA_NOT_FOUND = "SIGNED_DATA_NOT_FOUND"
    """Something signed is not there."""


class BrokenSignatureError(LienThongError):
    """The signature does not hold; never leaves this package's public functions."""

    def __init__(self, code: Code, vi: str, en: str) -> None:
        self.reason = Reason(code.value, vi, en)
        super().__init__(f"{code}: {en}")


ABSENT = Reason("", "Gói tin không có chữ ký số theo hồ sơ 1", "The message carries no signature of profile 1")
INTACT = Reason("", "Chữ ký số còn nguyên vẹn", "The signature is intact")
