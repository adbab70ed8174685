"""edXML, the envelope of Vietnam's official documents: bytes to values and back. The only package that reads XML.

* `decode` reads a message or raises a `lienthong.errors.Refusal` that names every problem; `inspect` also tells what
  is worth mending. The profile `Profile.LENIENT` reads real traffic, `Profile.STRICT` is what a certified sender does.
* `encode` writes what the national axis's SDK can read; `check` says what a profile would find missing in a value.

The format is QCVN 102:2016/BTTTT as the official SDK and its example messages have it.
"""

from __future__ import annotations

from lienthong.edxml.inspection import Inspection, decode, inspect
from lienthong.edxml.model import (
    ActingAgency,
    Attachment,
    Business,
    BusinessType,
    Document,
    DocumentCode,
    DocumentType,
    Organization,
    OtherInfo,
    Packing,
    Promulgation,
    Receiver,
    Replacement,
    ResponseFor,
    Signer,
    StaffInfo,
    Status,
    TraceHeader,
)
from lienthong.edxml.profile import Limits, Profile
from lienthong.edxml.rules import check
from lienthong.edxml.writer import encode

__all__ = [
    "ActingAgency",
    "Attachment",
    "Business",
    "BusinessType",
    "Document",
    "DocumentCode",
    "DocumentType",
    "Inspection",
    "Limits",
    "Organization",
    "OtherInfo",
    "Packing",
    "Profile",
    "Promulgation",
    "Receiver",
    "Replacement",
    "ResponseFor",
    "Signer",
    "StaffInfo",
    "Status",
    "TraceHeader",
    "check",
    "decode",
    "encode",
    "inspect",
]
