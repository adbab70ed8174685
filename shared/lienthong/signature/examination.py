"""Examining the signature of a message: is it there, is it whole, and what exactly was signed by which key.

Whether the key's owner is believed is not decided here (`lienthong.trust`), nor whether that agency may speak for the
sender: the caller compares `MessageSignature.agency` with the directory and `MessageSignature.header` with what
`lienthong.edxml` decoded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - part of public dataclasses
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from cryptography.x509.oid import NameOID

from lienthong.document.verdicts import Reason
from lienthong.signature.algorithms import verify
from lienthong.signature.coverage import Coverage, Layout, SignedPart
from lienthong.signature.reasons import ABSENT, INTACT, BrokenSignatureError, Code
from lienthong.signature.shape import find_signature, read_frame
from lienthong.signature.signature_element import (
    SignatureElement,
    read_certificates,
    read_properties,
    read_signature,
)
from lienthong.signature.tree import Tree, canonical, malformed, read_tree

if TYPE_CHECKING:
    from cryptography import x509

    from lienthong.signature.signed_values import SignedHeader

__all__ = ["Layout", "MessageSignature", "SignedPart", "TimeStamp", "examine_message"]


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """A time stamp on the signature; nothing of it is verified here.

    Attributes:
        token: the RFC 3161 token, DER.
        imprint_of: the bytes its imprint has to be of (EN 319 132-1, 5.3: the canonical SignatureValue).
    """

    token: bytes = field(repr=False)
    imprint_of: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MessageSignature:
    """What was found about the signature of a message.

    Attributes:
        state: *absent*: it has none; *intact*: it has one, which covers everything, and nothing covered was changed;
            *broken*: anything else, whatever the bytes.
        reason: why.
        certificates: the signer's first, then what else came with it; of a broken signature merely what it says.
        claimed_at: when the signer says it was; of a broken signature always None.
        agency: the subject's ``serialNumber`` in the signer's certificate, as written; None when it has not just one.
        header: what was signed about sender, addressees and document; None unless intact.
        layout: how the attachments are covered; None unless intact.
        parts: what is covered; empty unless intact.
        time_stamps: of the signature value; empty unless intact.
    """

    state: Literal["absent", "intact", "broken"]
    reason: Reason
    certificates: tuple[x509.Certificate, ...] = ()
    claimed_at: datetime | None = None
    agency: str | None = None
    header: SignedHeader | None = None
    layout: Layout | None = None
    parts: tuple[SignedPart, ...] = ()
    time_stamps: tuple[TimeStamp, ...] = ()

    @property
    def signer(self) -> str | None:
        """Return the common name in the signer's certificate."""
        return _only(self.certificates[0], NameOID.COMMON_NAME) if self.certificates else None


def examine_message(data: bytes) -> MessageSignature:
    """Return what there is to say about the signature of a message.

    Any bytes whatever get an answer; nothing is fetched or kept.

    Args:
        data: the message as received.

    Raises:
        MemoryError: there is not enough for a message of this size, and for nothing else that it is to blame for.
    """
    examination = _Examination()
    try:
        return examination.of(data)
    except BrokenSignatureError as error:
        reason = error.reason
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a message must not be able to stop its judge, and is not intact then
        kind = type(error).__name__
        reason = Reason(
            Code.FORMAT_FAILURE.value,
            f"Không xử lý được chữ ký ({kind})",
            f"The signature cannot be processed ({kind})",
        )
    certificates = examination.certificates
    return MessageSignature("broken", reason, certificates, agency=_agency(certificates))


class _Examination:
    """One message under examination; keeps what is known so far, for a broken signature says something, too."""

    def __init__(self) -> None:
        self.certificates: tuple[x509.Certificate, ...] = ()

    def of(self, data: bytes) -> MessageSignature:
        tree = read_tree(data)
        element = find_signature(tree)
        if element is None:
            return MessageSignature("absent", ABSENT)
        frame = read_frame(tree, element)
        signature = read_signature(element)
        self.certificates = _certificates(signature.certificates)
        _refuse_ambiguous_ids(tree, signature)
        verify(self.certificates[0], signature.method, signature.value, canonical(signature.signed_info))
        properties = read_properties(signature.properties, signature.certificates[0])
        stamps: tuple[TimeStamp, ...] = ()
        if signature.time_stamps:
            imprint_of = canonical(signature.value_element)
            stamps = tuple(TimeStamp(token, imprint_of) for token in signature.time_stamps)
        header, layout, parts = Coverage(tree, frame, signature).check()
        return MessageSignature(
            "intact",
            INTACT,
            self.certificates,
            properties.signing_time,
            _agency(self.certificates),
            header,
            layout,
            parts,
            stamps,
        )


def _refuse_ambiguous_ids(tree: Tree, signature: SignatureElement) -> None:
    """Refuse a signature that names something by a name that stands anywhere else, whatever the attribute's name.

    ``Id``, ``ID``, ``id`` and ``xml:id`` are identifiers to one reader and none to the next.
    """
    values = tree.attribute_values
    for reference in signature.references:
        if reference.uri and values.count(reference.uri[1:]) > 1:
            raise malformed(
                f"mã định danh {reference.uri[1:101]} xuất hiện nhiều lần",
                f"the identifier {reference.uri[1:101]} stands there more than once",
            )


@lru_cache(maxsize=256)
def _certificates(encoded: tuple[bytes, ...]) -> tuple[x509.Certificate, ...]:
    """Return certificates; agencies sign with the same one for years, and reading a key takes as long as using it."""
    return read_certificates(encoded)


def _agency(certificates: tuple[x509.Certificate, ...]) -> str | None:
    return _only(certificates[0], NameOID.SERIAL_NUMBER) if certificates else None


@lru_cache(maxsize=512)
def _only(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str | None:
    try:
        found = certificate.subject.get_attributes_for_oid(oid)
    except Exception:  # noqa: BLE001 - a stranger made it; what cannot be read names nobody
        return None
    value = found[0].value if len(found) == 1 else None
    return value if isinstance(value, str) else None
