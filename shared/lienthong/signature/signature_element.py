"""The ``ds:Signature`` element itself: XML-DSig and XAdES, as narrow as profile 1 has them.

Every element stands in its place and none besides: no second object, no key but a certificate's, no transform but the
four that need nothing from outside, no parameters. What a generic verifier would look up, this one only compares.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509

from lienthong.edxml import names
from lienthong.signature.algorithms import DIGESTS, EXCLUSIVE_C14N, SHA256, SignatureMethod, method_of
from lienthong.signature.contents import decode_text
from lienthong.signature.reasons import BrokenSignatureError, Code
from lienthong.signature.shape import DS, leaf
from lienthong.signature.tree import LIMITS, malformed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lxml import etree

__all__ = [
    "BASE64",
    "ENVELOPED",
    "SIGNED_PROPERTIES_TYPE",
    "XADES_NAMESPACE",
    "Reference",
    "SignatureElement",
    "decoded",
    "read_certificates",
    "read_properties",
    "read_signature",
]

XADES_NAMESPACE: Final = "http://uri.etsi.org/01903/v1.3.2#"
XADES: Final = f"{{{XADES_NAMESPACE}}}"
SIGNED_PROPERTIES_TYPE: Final = "http://uri.etsi.org/01903#SignedProperties"
ENVELOPED: Final = f"{names.XMLDSIG}enveloped-signature"
BASE64: Final = f"{names.XMLDSIG}base64"
MAX_CERTIFICATES: Final = 5
MAX_CERTIFICATE_BYTES: Final = 16_384
MAX_TIME_STAMPS: Final = 3
MAX_REFERENCES: Final = LIMITS.attachments + 4
"""Every attachment, and what a message has once."""

_SIGNATURE_PARTS: Final = [f"{DS}{name}" for name in ("SignedInfo", "SignatureValue", "KeyInfo", "Object")]
_REFERENCE_PARTS: Final = [f"{DS}{name}" for name in ("Transforms", "DigestMethod", "DigestValue")]
_DIGEST_PARTS: Final = [f"{DS}{name}" for name in ("DigestMethod", "DigestValue")]
_METHODS: Final = [f"{DS}{name}" for name in ("CanonicalizationMethod", "SignatureMethod")]
_REFERENCE: Final = f"{DS}Reference"
_TRANSFORM: Final = f"{DS}Transform"
_X509_DATA: Final = f"{DS}X509Data"
_X509_CERTIFICATE: Final = f"{DS}X509Certificate"
_SIGNATURE_PROPERTIES: Final = f"{XADES}SignedSignatureProperties"
_SIGNING_TIME: Final = f"{XADES}SigningTime"
_SIGNING_CERTIFICATE: Final = f"{XADES}SigningCertificateV2"
_CERT: Final = f"{XADES}Cert"
_CERT_DIGEST: Final = f"{XADES}CertDigest"
_QUALIFYING_PROPERTIES: Final = f"{XADES}QualifyingProperties"
_TRANSFORMS: Final = {
    (EXCLUSIVE_C14N,): EXCLUSIVE_C14N,
    (ENVELOPED, EXCLUSIVE_C14N): ENVELOPED,
    (BASE64,): BASE64,
}


class Reference(NamedTuple):
    """One thing that is signed.

    Attributes:
        uri: what.
        type: of what type it says it is.
        transform: how it becomes bytes: exclusive c14n, the same of the whole message without the signature, or base64.
        digest_method: the URI of its hash.
        digest: what that has to be.
    """

    uri: str
    type: str | None
    transform: str
    digest_method: str
    digest: bytes


class SignatureElement(NamedTuple):
    """A signature as it stands there; nothing of it is verified yet."""

    id: str | None
    signed_info: etree._Element
    method: SignatureMethod
    references: tuple[Reference, ...]
    value_element: etree._Element
    value: bytes
    certificates: tuple[bytes, ...]
    qualifying: etree._Element
    properties: etree._Element
    time_stamps: tuple[bytes, ...]


class SignedProperties(NamedTuple):
    """What the signer says about signing (EN 319 132-1, 5.2.1 and 5.2.2)."""

    signing_time: dt.datetime


def read_signature(element: etree._Element) -> SignatureElement:
    """Return what a ``ds:Signature`` holds.

    Raises:
        BrokenSignatureError: it has another shape than the profile's, or names what the profile does not accept.
    """
    signed_info, value, key_info, holder = _sequence(element, _SIGNATURE_PARTS)
    method, references = _signed_info(signed_info)
    certificates = _certificates(key_info)
    qualifying = _only_child(holder, _QUALIFYING_PROPERTIES)
    properties, unsigned = _properties(qualifying)
    identity = element.get("Id")
    target = qualifying.get("Target")
    if target is not None and target != f"#{identity}":
        raise malformed("thuộc tính Target không chỉ đúng chữ ký", "the attribute Target names another signature")
    return SignatureElement(
        identity,
        signed_info,
        method,
        references,
        value,
        decoded(value),
        certificates,
        qualifying,
        properties,
        _time_stamps(unsigned),
    )


def decoded(element: etree._Element) -> bytes:
    """Return the bytes behind an element's strict base64.

    Raises:
        BrokenSignatureError: it is not strict, or empty.
    """
    content = decode_text(leaf(element) or "")
    if not content:
        name = _local(element)
        raise malformed(f"{name} không phải base64 đúng chuẩn", f"{name} is not proper base64")
    return content


def read_certificates(encoded: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    """Return the certificates, the signer's first.

    Raises:
        BrokenSignatureError: one cannot be read.
    """
    try:
        return tuple(map(x509.load_der_x509_certificate, encoded))
    except (ValueError, x509.InvalidVersion) as error:
        raise BrokenSignatureError(
            Code.NO_SIGNING_CERTIFICATE_FOUND,
            "Không đọc được chứng thư số trong chữ ký",
            "A certificate in the signature cannot be read",
        ) from error


def read_properties(properties: etree._Element, certificate: bytes) -> SignedProperties:
    """Return what the signer says, having compared the certificate with what was signed.

    Args:
        properties: the SignedProperties.
        certificate: the signer's, DER.

    Raises:
        BrokenSignatureError: the signer's certificate is not the one that was signed, or something is missing.
    """
    about = _first(properties, _SIGNATURE_PROPERTIES)
    time_element = _first(about, _SIGNING_TIME)
    reference = _first(about, _SIGNING_CERTIFICATE)
    digest_of = _first(_first(reference, _CERT), _CERT_DIGEST)
    method, value = _sequence(digest_of, _DIGEST_PARTS)
    if decoded(value) != DIGESTS[_digest_method(method)](certificate).digest():
        raise BrokenSignatureError(
            Code.NO_SIGNING_CERTIFICATE_FOUND,
            "Chứng thư số kèm theo không phải chứng thư đã ghi trong phần được ký (SigningCertificateV2)",
            "The certificate is not the one named in what was signed (SigningCertificateV2)",
        )
    try:
        moment = dt.datetime.fromisoformat(leaf(time_element) or "")
        return SignedProperties(moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC))
    except (ValueError, OverflowError) as error:
        raise malformed("SigningTime không phải thời điểm", "SigningTime is no moment") from error


def _signed_info(element: etree._Element) -> tuple[SignatureMethod, tuple[Reference, ...]]:
    children = list(element)
    tags = [child.tag for child in children]
    if tags[:2] != _METHODS or len(tags) < 3:  # noqa: PLR2004 - one Reference at least
        raise malformed("SignedInfo sai cấu trúc", "SignedInfo has another shape")
    if _algorithm(children[0]) != EXCLUSIVE_C14N:
        raise _not_accepted(children[0])
    if len(children) - 2 > MAX_REFERENCES:
        raise BrokenSignatureError(
            Code.SIG_CONSTRAINTS_FAILURE,
            f"Chữ ký có {len(children) - 2} Reference, tối đa {MAX_REFERENCES}",
            f"The signature has {len(children) - 2} References, at most {MAX_REFERENCES} are accepted",
        )
    return method_of(_algorithm(children[1])), tuple(map(_reference, children[2:]))


def _reference(element: etree._Element) -> Reference:
    if element.tag != _REFERENCE:
        raise malformed("SignedInfo có phần tử lạ", "there is a foreign element in SignedInfo")
    transforms, digest_method, digest_value = _sequence(element, _REFERENCE_PARTS)
    uri = element.get("URI")
    if uri is None:
        raise _wrong_reference("(không có URI)", "(no URI)")
    chain = tuple([_transform(transform) for transform in transforms])
    known = _TRANSFORMS.get(chain)
    if known is None or (known == ENVELOPED) != (uri == ""):
        shown = " ".join(chain)[:200]
        raise BrokenSignatureError(
            Code.SIG_CONSTRAINTS_FAILURE,
            f"Phép biến đổi không được chấp nhận: {shown or '(không có)'}; chỉ dùng exclusive c14n",
            f"Transforms that are not accepted: {shown or '(none)'}; use exclusive c14n only",
        )
    if uri and not uri.startswith("#"):
        raise _wrong_reference(uri, uri)
    hashed = _digest_method(digest_method)
    if known == BASE64 and hashed != SHA256:
        raise _not_accepted(digest_method)  # an attachment is decoded once and hashed once
    return Reference(uri, element.get("Type"), known, hashed, decoded(digest_value))


def _transform(element: etree._Element) -> str:
    if element.tag != _TRANSFORM:
        raise malformed("Transforms có phần tử lạ", "there is a foreign element in Transforms")
    return _algorithm(element, Code.SIG_CONSTRAINTS_FAILURE)


def _certificates(key_info: etree._Element) -> tuple[bytes, ...]:
    holders = list(key_info)
    found = list(holders[0]) if len(holders) == 1 and holders[0].tag == _X509_DATA else []
    if not found or any(child.tag != _X509_CERTIFICATE for child in found):
        raise BrokenSignatureError(
            Code.NO_SIGNING_CERTIFICATE_FOUND,
            "KeyInfo phải chỉ gồm X509Data với các X509Certificate; khóa trần không được chấp nhận",
            "KeyInfo has to be X509Data with X509Certificate elements only; a bare key is not accepted",
        )
    if len(found) > MAX_CERTIFICATES:
        raise BrokenSignatureError(
            Code.SIG_CONSTRAINTS_FAILURE,
            f"Chữ ký kèm {len(found)} chứng thư số, tối đa {MAX_CERTIFICATES}",
            f"The signature carries {len(found)} certificates, at most {MAX_CERTIFICATES} are accepted",
        )
    certificates = tuple(map(decoded, found))
    if max(map(len, certificates)) > MAX_CERTIFICATE_BYTES:
        raise malformed(
            f"một chứng thư số dài quá {MAX_CERTIFICATE_BYTES} byte",
            f"a certificate has more than {MAX_CERTIFICATE_BYTES} bytes",
        )
    return certificates


def _properties(qualifying: etree._Element) -> tuple[etree._Element, etree._Element | None]:
    children = list(qualifying)
    tags = [child.tag for child in children]
    if tags == [f"{XADES}SignedProperties"]:
        return children[0], None
    if tags == [f"{XADES}SignedProperties", f"{XADES}UnsignedProperties"]:
        return children[0], children[1]
    raise malformed("QualifyingProperties sai cấu trúc", "QualifyingProperties has another shape")


def _time_stamps(unsigned: etree._Element | None) -> tuple[bytes, ...]:
    """Return the tokens of the SignatureTimeStamps (EN 319 132-1, 5.3); other unsigned properties say nothing."""
    if unsigned is None:
        return ()
    tokens: list[bytes] = []
    for stamp in unsigned.iterfind(f"{XADES}UnsignedSignatureProperties/{XADES}SignatureTimeStamp"):
        for child in stamp:
            if child.tag == f"{XADES}EncapsulatedTimeStamp":
                tokens.append(decoded(child))
            elif child.tag != f"{DS}CanonicalizationMethod" or _algorithm(child) != EXCLUSIVE_C14N:
                raise malformed("SignatureTimeStamp sai cấu trúc", "SignatureTimeStamp has another shape")
    if len(tokens) > MAX_TIME_STAMPS:
        raise malformed(f"quá {MAX_TIME_STAMPS} dấu thời gian", f"more than {MAX_TIME_STAMPS} time stamps")
    return tuple(tokens)


def _digest_method(element: etree._Element) -> str:
    uri = _algorithm(element)
    if uri not in DIGESTS:
        raise _not_accepted(element)
    return uri


def _algorithm(element: etree._Element, code: Code = Code.CRYPTO_CONSTRAINTS_FAILURE) -> str:
    """Return the URI of an algorithm that has no parameters."""
    attributes = element.items()
    if len(element) or (element.text or "").strip() or len(attributes) != 1 or attributes[0][0] != "Algorithm":
        raise BrokenSignatureError(
            code,
            f"{_local(element)} có tham số; không tham số nào được chấp nhận",
            f"{_local(element)} has parameters; none are accepted",
        )
    return str(attributes[0][1])


def _not_accepted(element: etree._Element) -> BrokenSignatureError:
    name, uri = _local(element), element.get("Algorithm", "")[:100]
    return BrokenSignatureError(
        Code.CRYPTO_CONSTRAINTS_FAILURE,
        f"{name} {uri} không được chấp nhận",
        f"{name} {uri} is not accepted",
    )


def _wrong_reference(vi: str, en: str) -> BrokenSignatureError:
    return BrokenSignatureError(
        Code.SIG_CONSTRAINTS_FAILURE,
        f"Reference {vi[:100]} chỉ ra ngoài gói tin; không lấy gì từ bên ngoài",
        f"The Reference {en[:100]} names something outside the message; nothing is fetched",
    )


def _sequence(parent: etree._Element, tags: list[str]) -> list[etree._Element]:
    """Return an element's children, which have to be just these."""
    children = list(parent)
    if [child.tag for child in children] != tags:
        name = _local(parent)
        raise malformed(f"{name} sai cấu trúc", f"{name} has another shape")
    return children


def _only_child(parent: etree._Element, tag: str) -> etree._Element:
    if len(parent) != 1 or parent[0].tag != tag:
        name = _local(parent)
        raise malformed(f"{name} sai cấu trúc", f"{name} has another shape")
    return parent[0]


def _first(parent: etree._Element, tag: str) -> etree._Element:
    """Return the first child of this name; a second one, where only one is meant, refuses the message."""
    found = [child for child in parent if child.tag == tag]
    name = tag.rpartition("}")[2]
    if not found:
        raise malformed(f"thiếu {name}", f"{name} is missing")
    if len(found) > 1 and name != "Cert":
        raise malformed(f"{name} bị lặp", f"{name} stands there twice")
    return found[0]


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2][:100]
