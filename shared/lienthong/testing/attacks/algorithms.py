"""Weak, unknown and parameterised algorithms, transforms that choose, references that lead astray."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lienthong.signature.algorithms import EXCLUSIVE_C14N, SignatureMethod
from lienthong.signature.signature_element import BASE64, ENVELOPED
from lienthong.testing.attacks.expectations import CONSTRAINTS, CRYPTO, FORMAT, NOT_FOUND, WEAK, changed
from lienthong.testing.message_forge import DIGEST_URIS, HEADER_REF, MANIFEST_REF, PROPERTIES, Draft, Ref, signer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lienthong.testing.attacks.expectations import Found

__all__ = ["algorithms", "references", "transforms"]


def algorithms() -> Iterator[Found]:
    """Something weak, unknown, or with parameters."""
    dsig, more, new = (
        "http://www.w3.org/2000/09/xmldsig#",
        "http://www.w3.org/2001/04/xmldsig-more#",
        "http://www.w3.org/2007/05/xmldsig-more#",
    )
    for uri in (
        f"{dsig}rsa-sha1",
        f"{dsig}dsa-sha1",
        f"{dsig}hmac-sha1",
        f"{more}hmac-sha256",
        f"{more}rsa-md5",
        f"{more}ecdsa-sha1",
        f"{more}ecdsa-sha224",
        f"{more}rsa-sha224",
        f"{more}ecdsa-sha512",
        f"{new}sha1-rsa-MGF1",
        f"{new}sha512-rsa-MGF1",
        "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519",
        "urn:none",
        "",
        f" {more}rsa-sha256",
        f"{more}RSA-SHA256",
    ):
        yield f"method {uri}", WEAK, Draft(method=uri).sign
    public = signer().certificate_chain[0].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = hmac.new(public, b"", "sha256").digest()
    yield "HMAC with the public key", WEAK, Draft(method=f"{more}hmac-sha256", value=forged).sign
    inside = "<ds:HMACOutputLength>1</ds:HMACOutputLength>"
    yield "HMAC of one bit", WEAK, Draft(method=f"{more}hmac-sha256", inside_method=inside, value=b"\0").sign
    yield "method with parameters", WEAK, Draft(inside_method=inside).sign
    yield "PSS with parameters", WEAK, Draft(key=signer("pss"), method=f"{new}rsa-pss", inside_method="<p/>").sign
    yield "RSA method, ECDSA key", WEAK, Draft(method=f"{more}rsa-sha256").sign
    yield "ECDSA method, RSA key", WEAK, Draft(key=signer("rsa"), method=f"{more}ecdsa-sha256").sign
    yield "PSS for PKCS#1", CRYPTO, Draft(key=signer("rsa"), method=SignatureMethod.RSA_PSS_SHA256.value).sign
    yield "SHA-384 for SHA-256", CRYPTO, Draft(method=SignatureMethod.ECDSA_SHA384.value).sign
    for uri in DIGEST_URIS:
        if "sha224" in uri or "sha1" in uri or "md5" in uri:
            yield (
                f"digest {uri}",
                WEAK,
                Draft(references=[replace(HEADER_REF, digest_uri=uri), MANIFEST_REF, PROPERTIES]).sign,
            )
    yield (
        "unknown digest",
        WEAK,
        Draft(references=[replace(HEADER_REF, digest_uri="urn:x"), MANIFEST_REF, PROPERTIES]).sign,
    )
    for uri in (
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/TR/xml-exc-c14n#",
        "urn:x",
    ):
        yield f"canonicalization {uri}", WEAK, Draft(canonicalization=uri).sign
    yield (
        "canonicalization with parameters",
        WEAK,
        changed(
            Draft(),
            (
                "</ds:CanonicalizationMethod>",
                f'<i:InclusiveNamespaces xmlns:i="{EXCLUSIVE_C14N}" PrefixList="x"/></ds:CanonicalizationMethod>',
            ),
        ),
    )


def transforms() -> Iterator[Found]:
    """A transform chooses what is signed."""
    xpath = "http://www.w3.org/TR/1999/REC-xpath-19991116"
    for name, transforms in {
        "XPath": (xpath, EXCLUSIVE_C14N),
        "XPath filter 2": ("http://www.w3.org/2002/06/xmldsig-filter2", EXCLUSIVE_C14N),
        "XSLT": ("http://www.w3.org/TR/1999/REC-xslt-19991116",),
        "inclusive c14n": ("http://www.w3.org/TR/2001/REC-xml-c14n-20010315",),
        "c14n with comments": (f"{EXCLUSIVE_C14N}WithComments",),
        "unregistered URI": ("http://www.w3.org/TR/xml-exc-c14n#",),
        "decryption": ("http://www.w3.org/2002/07/decrypt#XML", EXCLUSIVE_C14N),
        "exclusive c14n twice": (EXCLUSIVE_C14N, EXCLUSIVE_C14N),
        "base64 then c14n": (BASE64, EXCLUSIVE_C14N),
        "enveloped on an element": (ENVELOPED, EXCLUSIVE_C14N),
        "unknown": ("urn:x",),
        "none": (),
    }.items():
        yield (
            name,
            CONSTRAINTS,
            Draft(references=[replace(HEADER_REF, transforms=transforms), MANIFEST_REF, PROPERTIES]).sign,
        )
    inside = "<ds:XPath>not(ancestor::*)</ds:XPath>"
    hidden = replace(HEADER_REF, transforms=(xpath,), inside_transform=inside)
    yield "XPath that selects nothing", CONSTRAINTS, Draft(references=[hidden, MANIFEST_REF, PROPERTIES]).sign
    prefixes = f'<i:InclusiveNamespaces xmlns:i="{EXCLUSIVE_C14N}" PrefixList="#default"></i:InclusiveNamespaces>'
    listed = replace(HEADER_REF, inside_transform=prefixes)
    yield "PrefixList", CONSTRAINTS, Draft(references=[listed, MANIFEST_REF, PROPERTIES]).sign
    yield "whole message without enveloped", CONSTRAINTS, Draft(references=[Ref("", value=b"x"), PROPERTIES]).sign


def references() -> Iterator[Found]:
    """A reference names what it should not."""
    for uri in (
        "file:///etc/passwd",
        "/etc/passwd",
        "header.xml",
        "http://127.0.0.1:9/x",
        "https://127.0.0.1/x",
        "cid:a1",
        "ftp://x/",
    ):
        yield (
            f"to {uri}",
            CONSTRAINTS,
            Draft(references=[HEADER_REF, MANIFEST_REF, Ref(uri, value=b"x"), PROPERTIES]).sign,
        )
    for uri in ("#", "#none", "#xpointer(/)", "#xpointer(id('h'))", "#H", "# h", "#h "):
        yield f"to {uri}", NOT_FOUND, Draft(references=[Ref(uri, value=b"x"), MANIFEST_REF, PROPERTIES]).sign
    yield (
        "to the signature itself",
        CONSTRAINTS,
        Draft(references=[HEADER_REF, MANIFEST_REF, Ref("#s", value=b"x"), PROPERTIES]).sign,
    )
    yield "twice to the header", CONSTRAINTS, Draft(references=[HEADER_REF, HEADER_REF, MANIFEST_REF, PROPERTIES]).sign
    enveloped = Ref("", (ENVELOPED, EXCLUSIVE_C14N))
    yield "twice to the whole", CONSTRAINTS, Draft(references=[enveloped, enveloped, PROPERTIES]).sign
    for count, code in ((200, CONSTRAINTS), (5000, FORMAT)):
        yield (
            f"{count} references",
            code,
            Draft(references=[*[replace(HEADER_REF, value=b"x")] * count, PROPERTIES]).sign,
        )
    yield "no URI", CONSTRAINTS, changed(Draft(), (' URI="#h"', ""))
    yield "none", FORMAT, Draft(references=[]).sign
    yield "ds:Manifest", FORMAT, Draft(more_objects="<ds:Object><ds:Manifest/></ds:Object>").sign
