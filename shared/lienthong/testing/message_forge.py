"""Signed messages to order, right ones and wrong ones: what the tests of the verifier are made of.

A `Draft` is a message in pieces, each of which can be replaced before it is signed; the signature is made by the rules
whatever the pieces say, so a wrong piece is the only thing wrong with the message.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from lienthong.edxml import names
from lienthong.signature.algorithms import EXCLUSIVE_C14N, SHA256, to_concatenated
from lienthong.signature.signature_element import BASE64, ENVELOPED, SIGNED_PROPERTIES_TYPE, XADES_NAMESPACE
from lienthong.signature.signer import FileSigner, Signer
from lienthong.signature.tree import canonical, parse_canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lienthong.signature.examination import Layout

__all__ = [
    "AGENCY",
    "DIGEST_URIS",
    "HEADER",
    "HEADER_REF",
    "MANIFEST_REF",
    "PROPERTIES",
    "TRACE",
    "Draft",
    "Ref",
    "attachment",
    "certificate",
    "document_called",
    "header",
    "line",
    "signer",
]

AGENCY: Final = "000.00.01.G01"
NAMESPACES: Final = f'xmlns="{names.NAMESPACE}" xmlns:edXML="{names.NAMESPACE}"'
_document_id: Final = ContextVar("document_id", default="d-1")


@contextmanager
def document_called(document_id: str) -> Iterator[None]:
    """Let what is drafted in this block be a document of this id."""
    token = _document_id.set(document_id)
    try:
        yield
    finally:
        _document_id.reset(token)


def header() -> str:
    """Return the MessageHeader of the document that is drafted."""
    return HEADER.replace(">d-1<", f">{_document_id.get()}<")


HEADER: Final = (
    '<edXML:MessageHeader Id="h"><edXML:From><edXML:OrganId>000.00.01.G01</edXML:OrganId>'
    "<edXML:OrganName>Bộ Thử nghiệm</edXML:OrganName></edXML:From><edXML:To><edXML:OrganId>000.00.02.H02"
    "</edXML:OrganId></edXML:To><edXML:DocumentId>d-1</edXML:DocumentId><edXML:Subject>V/v thử</edXML:Subject>"
    "</edXML:MessageHeader>"
)
TRACE: Final = (
    '<edXML:TraceHeaderList id="t"><edXML:TraceHeader><edXML:OrganId>000.00.01.G01</edXML:OrganId>'
    "<edXML:Timestamp>2026/11/10 08:00:00</edXML:Timestamp></edXML:TraceHeader></edXML:TraceHeaderList>"
)
DIGEST_URIS: Final = {
    SHA256: "sha256",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmldsig-more#sha224": "sha224",
    "http://www.w3.org/2000/09/xmldsig#sha1": "sha1",
    "http://www.w3.org/2001/04/xmldsig-more#md5": "md5",
}
Kind = Literal["rsa", "pss", "p256", "p384", "stranger"]


@cache
def signer(kind: Kind = "p256", agency: str | None = AGENCY) -> FileSigner:
    """Return a signer with a key of this kind and a certificate of its own, the same each time.

    ``stranger`` is another key in the agency's name.
    """
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if kind in {"rsa", "pss"}:
        key = rsa.generate_private_key(65537, 2048)
    else:
        key = ec.generate_private_key(ec.SECP384R1() if kind == "p384" else ec.SECP256R1())
    return FileSigner(key, (certificate(key, agency),), pss=kind == "pss")


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, agency: str | None = AGENCY) -> x509.Certificate:
    """Return a self-signed certificate that names an agency, or none."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, "Văn thư Bộ Thử nghiệm")]
    if agency is not None:
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, agency))
    name = x509.Name(attributes)
    begins = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, begins, begins + dt.timedelta(days=700))
    return builder.sign(key, hashes.SHA256())


@dataclass(frozen=True)
class Ref:
    """A Reference to be made; its digest is computed unless given."""

    uri: str
    transforms: tuple[str, ...] = (EXCLUSIVE_C14N,)
    digest_uri: str = SHA256
    type: str | None = None
    value: bytes | None = None
    inside_transform: str = ""


PROPERTIES: Final = Ref("#p", type=SIGNED_PROPERTIES_TYPE)
HEADER_REF: Final = Ref("#h")
MANIFEST_REF: Final = Ref("#m")


def line(number: int, content: bytes, *, digest: bool = True) -> str:
    """Return the manifest's line of an attachment."""
    value = base64.b64encode(hashlib.sha256(content).digest()).decode()
    what = f'<edXML:Digest Algorithm="{SHA256}" Size="{len(content)}">{value}</edXML:Digest>' if digest else ""
    return (
        f"<edXML:Reference><edXML:ContentId>cid:a{number}</edXML:ContentId><edXML:AttachmentName>{number}.pdf"
        f"</edXML:AttachmentName>{what}</edXML:Reference>"
    )


def attachment(number: int, content: bytes, encoded: str | None = None) -> str:
    """Return an attachment as a message carries it."""
    text = base64.b64encode(content).decode() if encoded is None else encoded
    return (
        f'<Attachment Id="x{number}"><ContentId>a{number}</ContentId><AttachmentName>{number}.pdf</AttachmentName>'
        f'<ContentTransferEncoded Id="a{number}">{text}</ContentTransferEncoded></Attachment>'
    )


@dataclass
class Draft:
    """A message in pieces."""

    layout: Layout = "manifest"
    key: Signer = field(default_factory=signer)
    contents: tuple[bytes, ...] = (b"%PDF-1.7 first", b"%PDF-1.7 second")
    header: str = field(default_factory=header)
    trace: str = TRACE
    lines: list[str] | None = None
    manifest: str | None = None
    body: str | None = None
    attached: list[str] | None = None
    references: list[Ref] | None = None
    canonicalization: str = EXCLUSIVE_C14N
    method: str | None = None
    inside_method: str = ""
    signing_time: str = "2026-11-10T08:00:00Z"
    named: x509.Certificate | None = None
    properties: str | None = None
    key_info: str | None = None
    more_objects: str = ""
    signature_attributes: str = ""
    value: bytes | None = None

    def sign(self) -> bytes:
        """Return the message with its signature."""
        properties = self.properties if self.properties is not None else self.own_properties()
        bare = parse_canonical(self._assemble(""))
        with_properties = parse_canonical(self._assemble(self._signature("", b"", properties)))
        made = []
        for reference in self.references if self.references is not None else self._references():
            root = bare if reference.uri == "" else with_properties
            digest = base64.b64encode(_digest(root, reference)).decode()
            transforms = "".join(
                f'<ds:Transform Algorithm="{uri}">{reference.inside_transform}</ds:Transform>'
                for uri in reference.transforms
            )
            kind = f' Type="{reference.type}"' if reference.type else ""
            made.append(
                f'<ds:Reference{kind} URI="{reference.uri}"><ds:Transforms>{transforms}</ds:Transforms>'
                f'<ds:DigestMethod Algorithm="{reference.digest_uri}"></ds:DigestMethod>'
                f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"
            )
        method = self.key.method.value if self.method is None else self.method
        signed_info = (
            f'<ds:SignedInfo xmlns:ds="{names.XMLDSIG}"><ds:CanonicalizationMethod Algorithm="{self.canonicalization}">'
            f'</ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="{method}">'
            f"{self.inside_method}</ds:SignatureMethod>{''.join(made)}</ds:SignedInfo>"
        )
        return self._assemble(self._signature(signed_info, self._value(signed_info.encode()), properties))

    def _value(self, signed_info: bytes) -> bytes:
        if self.value is not None:
            return self.value
        value = self.key.sign(signed_info)
        public = self.key.certificate_chain[0].public_key()
        return to_concatenated(value, public) if isinstance(public, ec.EllipticCurvePublicKey) else value

    def _references(self) -> list[Ref]:
        if self.layout == "enveloped":
            return [Ref("", (ENVELOPED, EXCLUSIVE_C14N)), PROPERTIES]
        numbers = range(1, len(self.contents) + 1)
        attachments = {
            "manifest": [],
            "by-id": [Ref(f"#a{number}") for number in numbers],
            "base64": [Ref(f"#a{number}", (BASE64,)) for number in numbers],
        }[self.layout]
        return [HEADER_REF, MANIFEST_REF, *attachments, PROPERTIES]

    def own_properties(self) -> str:
        """Return the SignedProperties as they ought to be."""
        named = (self.named or self.key.certificate_chain[0]).public_bytes(Encoding.DER)
        digest = base64.b64encode(hashlib.sha256(named).digest()).decode()
        return (
            f'<xades:SignedProperties Id="p"><xades:SignedSignatureProperties><xades:SigningTime>{self.signing_time}'
            "</xades:SigningTime><xades:SigningCertificateV2><xades:Cert><xades:CertDigest>"
            f'<ds:DigestMethod Algorithm="{SHA256}"/><ds:DigestValue>{digest}</ds:DigestValue></xades:CertDigest>'
            "</xades:Cert></xades:SigningCertificateV2></xades:SignedSignatureProperties></xades:SignedProperties>"
        )

    def _signature(self, signed_info: str, value: bytes, properties: str) -> str:
        own = "".join(
            f"<ds:X509Certificate>{base64.b64encode(each.public_bytes(Encoding.DER)).decode()}</ds:X509Certificate>"
            for each in self.key.certificate_chain
        )
        key_info = f"<ds:X509Data>{own}</ds:X509Data>" if self.key_info is None else self.key_info
        return (
            f'<ds:Signature xmlns:ds="{names.XMLDSIG}" Id="s"{self.signature_attributes}>{signed_info}'
            f"<ds:SignatureValue>{base64.b64encode(value).decode()}</ds:SignatureValue><ds:KeyInfo>{key_info}"
            f'</ds:KeyInfo><ds:Object><xades:QualifyingProperties xmlns:xades="{XADES_NAMESPACE}" Target="#s">'
            f"{properties}</xades:QualifyingProperties></ds:Object>{self.more_objects}</ds:Signature>"
        )

    def _assemble(self, signature: str) -> bytes:
        numbered = list(enumerate(self.contents, 1))
        digest = self.layout == "manifest"
        lines = self.lines if self.lines is not None else [line(n, c, digest=digest) for n, c in numbered]
        manifest = self.manifest
        if manifest is None:
            manifest = f'<edXML:edXMLManifest Id="m" version="1.0">{"".join(lines)}</edXML:edXMLManifest>'
        body = self.body if self.body is not None else f"<edXML:edXMLBody>{manifest}</edXML:edXMLBody>"
        attached = self.attached if self.attached is not None else [attachment(n, c) for n, c in numbered]
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML {NAMESPACES}><edXML:edXMLEnvelope><edXML:edXMLHeader>'
            f"{self.header}{self.trace}<edXML:DigitalSignature>{signature}</edXML:DigitalSignature></edXML:edXMLHeader>"
            f"{body}</edXML:edXMLEnvelope><AttachmentEncoded>{''.join(attached)}</AttachmentEncoded></edXML>"
        ).encode()


def _digest(root: Any, reference: Ref) -> bytes:
    """Return the digest of what a reference names; of nothing where it names nothing."""
    if reference.value is not None:
        return reference.value
    found = root if reference.uri == "" else root.find(f".//*[@Id='{reference.uri[1:]}']")
    if found is None:
        data = b""
    elif BASE64 in reference.transforms:
        data = base64.b64decode(found.text or "")
    else:
        data = canonical(found)
    return hashlib.new(DIGEST_URIS.get(reference.digest_uri, "sha256"), data).digest()
