"""Signatures made by hand, so that every part of them can be wrong."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.unit.signature_pdf.files import body, last, update
from tests.unit.signature_pdf.people import SIGNED, Person, person

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cryptography import x509

ROOM = 12_000
"""Hexadecimal digits kept for the CMS."""

__all__ = ["ROOM", "certificate_choice", "craft", "signed_data"]


def certificate_choice(certificate: x509.Certificate) -> Any:
    """Return a certificate as CMS holds it."""
    return cms.CertificateChoices("certificate", asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER)))


def signed_data(
    content: bytes,
    who: Person,
    *,
    digest: str = "sha256",
    algorithm: str = "sha256_ecdsa",
    certificates: Sequence[x509.Certificate] | None = None,
    named: x509.Certificate | None = None,
    signers: int = 1,
    encapsulated: bytes | None = None,
    with_attributes: bool = True,
    with_ess: bool = True,
) -> cms.SignedData:
    """Return a CMS over the content, by default a right one of a P-256 key."""
    own = who.certificate.public_bytes(Encoding.DER)
    mine = asn1_x509.Certificate.load(own)
    ess = hashlib.sha256((named or who.certificate).public_bytes(Encoding.DER)).digest()
    attributes = cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["data"]}),
            cms.CMSAttribute({"type": "signing_time", "values": [cms.Time({"utc_time": core.UTCTime(SIGNED)})]}),
            cms.CMSAttribute({"type": "message_digest", "values": [hashlib.new(digest, content).digest()]}),
        ]
        + (
            [
                cms.CMSAttribute(
                    {
                        "type": "signing_certificate_v2",
                        "values": [tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2({"cert_hash": ess})]})],
                    }
                )
            ]
            if with_ess
            else []
        )
    )
    info: dict[str, Any] = {
        "version": "v1",
        "sid": cms.SignerIdentifier(
            "issuer_and_serial_number",
            cms.IssuerAndSerialNumber({"issuer": mine.issuer, "serial_number": mine.serial_number}),
        ),
        "digest_algorithm": algos.DigestAlgorithm({"algorithm": digest}),
        "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": algorithm}),
        "signature": who.sign(attributes.dump() if with_attributes else content),
    }
    if with_attributes:
        info["signed_attrs"] = attributes
    carried = [who.certificate] if certificates is None else certificates
    return cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": digest})],
            "encap_content_info": {"content_type": "data", "content": encapsulated},
            "certificates": [certificate_choice(certificate) for certificate in carried] or None,
            "signer_infos": [cms.SignerInfo(info) for _ in range(signers)],
        }
    )


def craft(
    pdf: bytes,
    who: Person | None = None,
    *,
    ranges: Callable[[int, int, int], Sequence[int]] | None = None,
    written: Callable[[int, int, int], bytes] | None = None,
    finish: Callable[[bytes], bytes] = lambda der: der,
    dictionary: bytes = b"/Type /Sig /SubFilter /ETSI.CAdES.detached",
    value: bytes = b"%d 0 R",
    field: bytes = b"",
    fields: bytes = b"",
    gap: tuple[bytes, bytes] = (b"", b""),
    **options: Any,
) -> bytes:
    """Return the letter signed in an update, with anything about it as wanted.

    `ranges` are what the signature is over, `written` is what the file says; both get the gap and the file's length.
    """
    number = int(last(rb"/Size (\d+)", pdf)[1])
    catalog = re.sub(rb"/AcroForm <<.*?>> ?", b"", body(pdf, 1))
    signature = b"<< /Filter /Adobe.PPKLite %s /ByteRange [%s] %s/Contents <%s>%s >>" % (
        dictionary,
        b" " * 60,
        gap[0],
        b"0" * ROOM,
        gap[1],
    )
    widget = b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Sig%d) /V %s /F 132 /Rect [0 0 0 0] /P 3 0 R %s >>"
    form = b"/AcroForm << /Fields [%d 0 R %s] /SigFlags 3 >> >>" % (number + 1, fields)
    parts = {
        1: catalog.rstrip().removesuffix(b">>") + form,
        number: signature,
        number + 1: widget % (number, value % number if b"%" in value else value, field),
    }
    data = update(pdf, parts)
    begins = data.rindex(b"<" + b"0" * ROOM + b">")
    ends = begins + ROOM + 2
    size = len(data)
    numbers = (0, begins, ends, size - ends) if ranges is None else tuple(ranges(begins, ends, size))
    text = b" ".join(b"%d" % item for item in numbers) if written is None else written(begins, ends, size)
    data = data.replace(b"/ByteRange [" + b" " * 60, b"/ByteRange [" + text.ljust(60), 1)
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    content = b"".join(data[start : start + length] for start, length in pairs)
    der = cms.ContentInfo(
        {"content_type": "signed_data", "content": signed_data(content, who or person(), **options)}
    ).dump()
    text = finish(der).hex().encode()
    assert len(text) <= ROOM
    return data[: begins + 1] + text.ljust(ROOM, b"0") + data[begins + 1 + ROOM :]
