"""What is there but not signed, and what was signed but is not there, or is another."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from lienthong.signature.algorithms import EXCLUSIVE_C14N
from lienthong.signature.signature_element import BASE64
from lienthong.testing.attacks.expectations import CONSTRAINTS, CRYPTO, FORMAT, HASH, NOT_FOUND, ONE, TWO, WEAK, changed
from lienthong.testing.message_forge import (
    HEADER_REF,
    MANIFEST_REF,
    PROPERTIES,
    TRACE,
    Draft,
    Ref,
    attachment,
    header,
    line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lienthong.testing.attacks.expectations import Found

__all__ = ["attachments", "coverage", "tampering"]


def coverage() -> Iterator[Found]:
    """Something is there that the signature does not cover."""
    for name, references, code in (
        ("header not signed", [MANIFEST_REF, PROPERTIES], CONSTRAINTS),
        ("manifest not signed", [HEADER_REF, PROPERTIES], CONSTRAINTS),
        ("properties not signed", [HEADER_REF, MANIFEST_REF], CONSTRAINTS),
        ("only properties signed", [PROPERTIES], CONSTRAINTS),
        ("properties without their Type", [HEADER_REF, MANIFEST_REF, replace(PROPERTIES, type=None)], CONSTRAINTS),
        ("header with the properties' Type", [replace(HEADER_REF, type=PROPERTIES.type), MANIFEST_REF], CONSTRAINTS),
        ("trace signed instead of the header", [Ref("#t"), MANIFEST_REF, PROPERTIES], CONSTRAINTS),
        ("attachment instead of the manifest", [HEADER_REF, Ref("#a1"), PROPERTIES], CONSTRAINTS),
    ):
        yield name, code, Draft(references=references).sign
    bare = Draft(references=[HEADER_REF, PROPERTIES], body="", contents=())
    yield "no manifest in a document", CONSTRAINTS, bare.sign
    yield (
        "body without a manifest",
        FORMAT,
        Draft(references=[HEADER_REF, PROPERTIES], body="<edXML:edXMLBody/>", contents=()).sign,
    )
    yield "attachments without a manifest", CONSTRAINTS, Draft(references=[HEADER_REF, PROPERTIES], body="").sign
    yield "no Digest", CONSTRAINTS, Draft(lines=[line(1, ONE, digest=False), line(2, TWO)]).sign
    for layout in ("by-id", "base64"):
        transforms = (BASE64,) if layout == "base64" else (EXCLUSIVE_C14N,)
        one = Ref("#a1", transforms)
        some = [HEADER_REF, MANIFEST_REF, one, PROPERTIES]
        yield f"{layout}: one attachment not signed", CONSTRAINTS, Draft(layout, references=some).sign
        without = [HEADER_REF, one, Ref("#a2", transforms), PROPERTIES]
        yield f"{layout}: manifest not signed", CONSTRAINTS, Draft(layout, references=without).sign
        swapped = changed(Draft(layout), (">a1<", ">a0<"), (">a2<", ">a1<"), (">a0<", ">a2<"))
        yield f"{layout}: ContentIds swapped", CONSTRAINTS, swapped
        yield (
            f"{layout}: added",
            CONSTRAINTS,
            changed(Draft(layout), ("</AttachmentEncoded>", f"{attachment(3, ONE)}</AttachmentEncoded>")),
        )
    yield (
        "base64 of a whole Attachment",
        CONSTRAINTS,
        Draft("base64", references=[HEADER_REF, MANIFEST_REF, Ref("#x1", (BASE64,), value=b"1"), PROPERTIES]).sign,
    )
    yield (
        "base64 of the header",
        CONSTRAINTS,
        Draft(references=[replace(HEADER_REF, transforms=(BASE64,), value=b"1"), MANIFEST_REF, PROPERTIES]).sign,
    )
    hop = TRACE.replace("</edXML:TraceHeaderList>", "<edXML:TraceHeader/></edXML:TraceHeaderList>")
    yield "enveloped: trace appended", HASH, changed(Draft("enveloped"), (TRACE, hop))
    yield (
        "enveloped: text behind the signature",
        HASH,
        changed(Draft("enveloped"), ("</ds:Signature>", "</ds:Signature>x")),
    )


def attachments() -> Iterator[Found]:
    """The attachments are not those of the manifest."""
    first, second = attachment(1, ONE), attachment(2, TWO)
    bait = attachment(1, b"%PDF-1.7 forged")
    for layout in ("manifest", "by-id", "base64", "enveloped"):
        draft = Draft(layout)
        yield f"{layout}: content changed", HASH, changed(draft, (first, bait))
        yield f"{layout}: contents swapped", HASH, _swapped(draft)
        missing = NOT_FOUND if layout in {"manifest", "by-id", "base64"} else HASH
        yield f"{layout}: one taken out", missing, changed(draft, (second, ""))
        renamed = changed(draft, ("<AttachmentName>1.pdf", "<AttachmentName>1.exe"))
        yield f"{layout}: renamed", HASH if layout == "enveloped" else CONSTRAINTS, renamed
        typed = changed(draft, ("<AttachmentName>1.pdf", "<ContentType>text/html</ContentType><AttachmentName>1.pdf"))
        yield f"{layout}: type added", HASH if layout == "enveloped" else CONSTRAINTS, typed
    draft = Draft()
    yield "added", CONSTRAINTS, changed(draft, (second, second + attachment(3, ONE)))
    yield "duplicated ContentId", CONSTRAINTS, changed(draft, (second, second + bait))
    yield (
        "duplicated ContentId with cid:",
        CONSTRAINTS,
        changed(draft, (second, bait.replace(">a1<", ">cid:a1<") + second)),
    )
    yield "duplicated line", CONSTRAINTS, Draft(lines=[line(1, ONE), line(1, TWO), line(2, TWO)]).sign
    yield "line without attachment", NOT_FOUND, Draft(lines=[line(1, ONE), line(2, TWO), line(3, ONE)]).sign
    yield "line without ContentId", CONSTRAINTS, Draft(lines=[line(1, ONE), line(2, TWO).replace("cid:a2", "")]).sign
    yield "no ContentId", CONSTRAINTS, changed(draft, ("<ContentId>a1</ContentId>", ""))
    yield "ContentId twice", FORMAT, changed(draft, ("<ContentId>a1", "<ContentId>a2</ContentId><ContentId>a1"))
    yield (
        "content twice",
        FORMAT,
        changed(
            draft,
            ("<ContentTransferEncoded", "<ContentTransferEncoded>QUFB</ContentTransferEncoded><ContentTransferEncoded"),
        ),
    )
    yield (
        "content with elements",
        FORMAT,
        changed(draft, ("</ContentTransferEncoded>", "<b/></ContentTransferEncoded>")),
    )
    yield (
        "content with elements around",
        FORMAT,
        changed(draft, (base64.b64encode(ONE), b"<b>" + base64.b64encode(ONE) + b"</b>")),
    )
    empty = first[: first.index("<ContentTransferEncoded")] + "</Attachment>"
    yield "no content", FORMAT, changed(draft, (first, empty))
    yield (
        "content of another namespace",
        FORMAT,
        changed(draft, ("<ContentTransferEncoded", '<ContentTransferEncoded xmlns="urn:x"')),
    )
    yield (
        "content hidden in the header",
        FORMAT,
        Draft(
            header=header().replace(
                "</edXML:MessageHeader>", "<ContentTransferEncoded></ContentTransferEncoded></edXML:MessageHeader>"
            )
        ).sign,
    )
    yield (
        "content hidden in the trace",
        FORMAT,
        changed(
            draft,
            (
                "</edXML:TraceHeaderList>",
                "<ContentTransferEncoded>QQ==</ContentTransferEncoded></edXML:TraceHeaderList>",
            ),
        ),
    )
    for name, size, code in (
        ("wrong size", f'Size="{len(ONE) + 1}"', HASH),
        ("negative size", 'Size="-1"', FORMAT),
        ("size with zeros", f'Size="0{len(ONE)}"', FORMAT),
        ("size of words", 'Size="many"', FORMAT),
        ("size of other digits", 'Size="１４"', FORMAT),
    ):
        yield name, code, Draft(lines=[line(1, ONE).replace(f'Size="{len(ONE)}"', size), line(2, TWO)]).sign
    digest = line(1, TWO).partition("<edXML:Digest")[2].removesuffix("</edXML:Reference>")
    twice = line(1, ONE).replace("<edXML:Digest", f"<edXML:Digest{digest}<edXML:Digest")
    yield "Digest twice", FORMAT, Draft(lines=[twice, line(2, TWO)]).sign
    sha1 = line(1, ONE).replace("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1")
    yield "Digest with SHA-1", WEAK, Draft(lines=[sha1, line(2, TWO)]).sign
    yield "foreign element among them", FORMAT, changed(draft, (second, f"<Old>{second}</Old>"))
    yield "foreign element in one", FORMAT, changed(draft, ("<AttachmentName>", "<Old/><AttachmentName>"))
    many = [b"x"] * 101
    yield "more than a hundred", FORMAT, Draft(contents=tuple(many)).sign


def _swapped(draft: Draft) -> Callable[[], bytes]:
    one, two = base64.b64encode(ONE), base64.b64encode(TWO)

    def make() -> bytes:
        return draft.sign().replace(one, b"@").replace(two, one).replace(b"@", two)

    return make


def tampering() -> Iterator[Found]:
    """Something signed was simply changed."""
    for layout in ("manifest", "enveloped", "by-id", "base64"):
        draft = Draft(layout)
        for name, before, after in (
            (
                "sender",
                "<edXML:OrganId>000.00.01.G01</edXML:OrganId><edXML:OrganName>",
                "<edXML:OrganId>000.00.01.G02</edXML:OrganId><edXML:OrganName>",
            ),
            ("addressee", "000.00.02.H02", "000.00.02.H03"),
            ("document id", "</edXML:DocumentId>", "x</edXML:DocumentId>"),
            ("subject", "V/v thử", "V/v thư"),
            ("addressee added", "<edXML:DocumentId>", "<edXML:To/><edXML:DocumentId>"),
            ("line of the manifest", "<edXML:AttachmentName>1.pdf", "<edXML:AttachmentName>9.pdf"),
        ):
            yield f"{layout}: {name}", HASH, changed(draft, (before, after))
        yield f"{layout}: SignedInfo", CRYPTO, changed(draft, ("<ds:DigestValue>", "<ds:DigestValue>AAAA"))
