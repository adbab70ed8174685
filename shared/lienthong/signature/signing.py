"""Signing a message by profile 1: the message's bytes stay as they are, a few are put between them.

What is signed is written in exclusive canonical form to begin with, so the bytes that are hashed are those in the
message; only the header and the manifest, which somebody else wrote, are brought into that form by libxml2.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING, Final, NoReturn

import pybase64
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from lienthong.edxml import Limits, names
from lienthong.edxml.model import bare_content_id
from lienthong.edxml.parser import Element, parse
from lienthong.errors import Problem, Refusal
from lienthong.signature.algorithms import EXCLUSIVE_C14N, SHA256, to_concatenated
from lienthong.signature.contents import digest_base64
from lienthong.signature.examination import examine_message
from lienthong.signature.reasons import BrokenSignatureError
from lienthong.signature.shape import EDXML, read_attachments
from lienthong.signature.signature_element import SIGNED_PROPERTIES_TYPE, XADES_NAMESPACE
from lienthong.signature.tree import Tree, canonical, read_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from lienthong.signature.contents import Digested
    from lienthong.signature.signer import Signer

__all__ = ["sign_message"]

HEADER_ID: Final = "message-header"
MANIFEST_ID: Final = "edxml-manifest"
SIGNATURE_ID: Final = "message-signature"
PROPERTIES_ID: Final = "message-signature-properties"
_HEADER_PATH: Final = f"{EDXML}{names.ENVELOPE}/{EDXML}{names.HEADER}/{EDXML}{names.MESSAGE_HEADER}"
_MANIFEST_PATH: Final = f"{EDXML}{names.ENVELOPE}/{EDXML}{names.BODY}/{EDXML}{names.MANIFEST}"


def sign_message(
    message: bytes,
    signer: Signer,
    *,
    signing_time: dt.datetime,
    time_stamp: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """Return a message with its signature, which has been examined before it is returned.

    Args:
        message: an unsigned message, as `lienthong.edxml.encode` writes it; a document or a status.
        signer: the key.
        signing_time: what the signature claims; aware.
        time_stamp: asks a time-stamp authority for a token over these bytes (RFC 3161), DER; it is put beside the
            signature (EN 319 132-1, 5.3).

    Raises:
        Refusal: the message is signed already, or so made that its signature would not be accepted.
        Unavailable: the key or the time-stamp authority cannot be reached now.
    """
    if signing_time.tzinfo is None:
        raise ValueError("a moment needs a zone")
    try:
        prepared, tree, place = _prepare(message)
    except BrokenSignatureError as error:
        _refuse("", error.reason.vi, error.reason.en)
    header, manifest = tree.root.find(_HEADER_PATH), tree.root.find(_MANIFEST_PATH)
    assert header is not None, "it was found before"
    properties = _properties(signer, signing_time)
    references: list[tuple[str, str | None, bytes]] = [(_identity(header.get("Id")), None, canonical(header))]
    if manifest is not None:
        references.append((_identity(manifest.get("Id")), None, canonical(manifest)))
    references.append((PROPERTIES_ID, SIGNED_PROPERTIES_TYPE, properties))
    signature = _signature(signer, _signed_info(signer, references), properties, time_stamp)
    prefix = f"{names.PREFIX}:"
    opening = f'<{prefix}{names.DIGITAL_SIGNATURE} xmlns:{names.PREFIX}="{names.NAMESPACE}">'.encode()
    closing = f"</{prefix}{names.DIGITAL_SIGNATURE}>\n".encode()
    signed = b"".join((prepared[:place], opening, signature, closing, prepared[place:]))
    found = examine_message(signed)
    if found.state != "intact":
        _refuse("", found.reason.vi, found.reason.en)
    return signed


def _prepare(message: bytes) -> tuple[bytes, Tree, int]:
    """Return the message with its Ids and Digests, the tree of it, and where its signature belongs."""
    root, _ = parse(message, Limits())
    outer = _one(_one(root, names.ENVELOPE), names.HEADER)
    header = _one(outer, names.MESSAGE_HEADER)
    body = _one(root, names.ENVELOPE).children.get(names.BODY)
    if names.DIGITAL_SIGNATURE in outer.children:
        _refuse(
            f"{names.HEADER}/{names.DIGITAL_SIGNATURE}",
            f"Gói tin đã có {names.DIGITAL_SIGNATURE}; hãy ký gói tin chưa ký",
            f"The message has a {names.DIGITAL_SIGNATURE} already; sign one that has none",
        )
    inserts = _identifier(message, header, HEADER_ID)
    if body is not None:
        manifest = _one(body[0], names.MANIFEST)
        inserts += _identifier(message, manifest, MANIFEST_ID)
        digests = _digests(read_tree(message))
        for line in manifest.children.get(names.REFERENCE, []):
            inserts.append((line.end, _digest(line, digests)))
    inserts.sort()
    pieces: list[bytes] = []
    kept = 0
    for position, text in inserts:
        pieces += (message[kept:position], text)
        kept = position
    prepared = b"".join((*pieces, message[kept:]))
    moved = sum(len(text) for position, text in inserts if position <= outer.end)
    return prepared, read_tree(prepared), outer.end + moved


def _identifier(message: bytes, element: Element, identity: str) -> list[tuple[int, bytes]]:
    """Return the attribute ``Id`` to insert, or nothing when there is one."""
    if "Id" in element.attributes:
        return []
    name = message[element.start + 1 : element.start + 256].split(b">", 1)[0].split(b"/", 1)[0].split(None, 1)[0]
    return [(element.start + 1 + len(name), f' Id="{identity}"'.encode())]


def _digests(tree: Tree) -> dict[str, Digested | None]:
    return {attachment.content_id: digest_base64(attachment.content) for attachment in read_attachments(tree)}


def _digest(line: Element, digests: dict[str, Digested | None]) -> bytes:
    """Return the Digest of one line of the manifest."""
    if names.DIGEST in line.children:
        _refuse(
            line.path, f"{line.path} đã có {names.DIGEST}; hãy bỏ đi", f"{line.path} has a {names.DIGEST}; leave it out"
        )
    content_id = bare_content_id(line.children[names.CONTENT_ID][0].text if names.CONTENT_ID in line.children else "")
    found = digests.get(content_id)
    if found is None:
        _refuse(
            line.path,
            f"{line.path} không có tệp đính kèm cùng ContentId, hoặc tệp đó không phải base64 đúng chuẩn",
            f"{line.path} has no attachment of the same ContentId, or none in proper base64",
        )
    value = pybase64.b64encode(found.sha256).decode()
    tag = f"{names.PREFIX}:{names.DIGEST}"
    return (
        f'<{tag} xmlns:{names.PREFIX}="{names.NAMESPACE}" Algorithm="{SHA256}" Size="{found.size}">{value}</{tag}>\n'
    ).encode()


def _properties(signer: Signer, signing_time: dt.datetime) -> bytes:
    """Return the SignedProperties in canonical form (EN 319 132-1, 5.2)."""
    moment = signing_time.astimezone(dt.UTC).replace(microsecond=0, tzinfo=None).isoformat()
    certificate = signer.certificate_chain[0].public_bytes(Encoding.DER)
    digest = pybase64.b64encode(hashlib.sha256(certificate).digest()).decode()
    dsig = f'xmlns:ds="{names.XMLDSIG}"'
    return (
        f'<xades:SignedProperties xmlns:xades="{XADES_NAMESPACE}" Id="{PROPERTIES_ID}">'
        f"<xades:SignedSignatureProperties><xades:SigningTime>{moment}Z</xades:SigningTime>"
        "<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>"
        f'<ds:DigestMethod {dsig} Algorithm="{SHA256}"></ds:DigestMethod>'
        f"<ds:DigestValue {dsig}>{digest}</ds:DigestValue>"
        "</xades:CertDigest></xades:Cert></xades:SigningCertificateV2>"
        "</xades:SignedSignatureProperties></xades:SignedProperties>"
    ).encode()


def _signed_info(signer: Signer, references: list[tuple[str, str | None, bytes]]) -> bytes:
    """Return the SignedInfo in canonical form."""
    pieces = [
        f'<ds:SignedInfo xmlns:ds="{names.XMLDSIG}">',
        f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}"></ds:CanonicalizationMethod>',
        f'<ds:SignatureMethod Algorithm="{signer.method.value}"></ds:SignatureMethod>',
    ]
    for identity, kind, xml in references:
        digest = pybase64.b64encode(hashlib.sha256(xml).digest()).decode()
        attribute = f' Type="{kind}"' if kind else ""
        pieces.append(
            f'<ds:Reference{attribute} URI="#{identity}">'
            f'<ds:Transforms><ds:Transform Algorithm="{EXCLUSIVE_C14N}"></ds:Transform></ds:Transforms>'
            f'<ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod>'
            f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"
        )
    pieces.append("</ds:SignedInfo>")
    return "".join(pieces).encode()


def _signature(
    signer: Signer, signed_info: bytes, properties: bytes, time_stamp: Callable[[bytes], bytes] | None
) -> bytes:
    value = signer.sign(signed_info)
    key = signer.certificate_chain[0].public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        value = to_concatenated(value, key)
    value_element = (
        f'<ds:SignatureValue xmlns:ds="{names.XMLDSIG}">{pybase64.b64encode(value).decode()}</ds:SignatureValue>'
    ).encode()
    unsigned = b""
    if time_stamp is not None:
        token = pybase64.b64encode(time_stamp(value_element)).decode()
        unsigned = (
            "<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:SignatureTimeStamp>"
            f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}"/>'
            f"<xades:EncapsulatedTimeStamp>{token}</xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp>"
            "</xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
        ).encode()
    certificates = "".join(
        f"<ds:X509Certificate>{pybase64.b64encode(each.public_bytes(Encoding.DER)).decode()}</ds:X509Certificate>"
        for each in signer.certificate_chain
    )
    return b"".join(
        (
            f'<ds:Signature xmlns:ds="{names.XMLDSIG}" Id="{SIGNATURE_ID}">'.encode(),
            signed_info,
            value_element,
            f"<ds:KeyInfo><ds:X509Data>{certificates}</ds:X509Data></ds:KeyInfo><ds:Object>"
            f'<xades:QualifyingProperties xmlns:xades="{XADES_NAMESPACE}" Target="#{SIGNATURE_ID}">'.encode(),
            properties,
            unsigned,
            b"</xades:QualifyingProperties></ds:Object></ds:Signature>",
        )
    )


def _identity(found: str | None) -> str:
    """Return an Id as it can stand in a URI fragment and in canonical form unescaped."""
    if not found or not found.isascii() or not all(sign.isalnum() or sign in "-_." for sign in found):
        _refuse("", "Thuộc tính Id không dùng được để ký", "The attribute Id cannot be used for signing")
    return found


def _one(parent: Element, name: str) -> Element:
    found = parent.children.get(name, [])
    if len(found) != 1:
        _refuse(name, f"Cần đúng một {name}", f"There has to be just one {name}")
    return found[0]


def _refuse(path: str, vi: str, en: str) -> NoReturn:
    raise Refusal(Problem("CheckSignature", path, f"Không ký được: {vi}", f"Cannot be signed: {en}"))
