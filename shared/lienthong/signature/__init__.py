"""What exactly was signed, and by which key: signature profile 1 for edXML messages.

* `examine_message` says of any bytes whether they carry a signature and whether it is whole; it never raises and
  decides nothing about trust.
* `sign_message` signs a message as `lienthong.edxml.encode` writes it, with a `Signer`: keys from files (`FileSigner`)
  or from a PKCS#11 token (`lienthong.signature.pkcs11`).
"""

from __future__ import annotations

from lienthong.signature.algorithms import SignatureMethod
from lienthong.signature.coverage import Layout, SignedPart
from lienthong.signature.examination import MessageSignature, TimeStamp, examine_message
from lienthong.signature.signed_values import SignedHeader
from lienthong.signature.signer import FileSigner, Signer
from lienthong.signature.signing import sign_message

__all__ = [
    "FileSigner",
    "Layout",
    "MessageSignature",
    "SignatureMethod",
    "SignedHeader",
    "SignedPart",
    "Signer",
    "TimeStamp",
    "examine_message",
    "sign_message",
]
