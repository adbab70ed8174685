"""Signature wrapping: what was signed is somewhere, and a reader finds something else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lienthong.testing.attacks.expectations import CONSTRAINTS, FORMAT, NO_CERTIFICATE, ONE, TWO, changed
from lienthong.testing.message_forge import TRACE, Draft, header, line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lienthong.testing.attacks.expectations import Found

__all__ = ["wrapping"]

SIGNATURE: Final = re.compile(rb"<ds:Signature .*</ds:Signature>")


def wrapping() -> Iterator[Found]:
    """The signed header is somewhere, and a reader finds another one."""
    draft = Draft()
    end = "</edXML:edXMLHeader>"
    places = {
        "in the header": (end, f"<Old>{header()}</Old>{end}"),
        "in the envelope": ("</edXML:edXMLEnvelope>", f"<Old>{header()}</Old></edXML:edXMLEnvelope>"),
        "in the root": ("</edXML>", f"<Old>{header()}</Old></edXML>"),
        "in the body": ("</edXML:edXMLBody>", f"{header()}</edXML:edXMLBody>"),
        "among the attachments": ("</AttachmentEncoded>", f"{header()}</AttachmentEncoded>"),
        "in the trace": ("</edXML:TraceHeaderList>", f"{header()}</edXML:TraceHeaderList>"),
        "beside the signature": ("</edXML:DigitalSignature>", f"{header()}</edXML:DigitalSignature>"),
        "in another object": ("</ds:Signature>", f"<ds:Object>{header()}</ds:Object></ds:Signature>"),
        "in the object": ("</ds:Object>", f"{header()}</ds:Object>"),
        "in KeyInfo": ("</ds:KeyInfo>", f"{header()}</ds:KeyInfo>"),
        "in unsigned properties": (
            "</xades:QualifyingProperties>",
            f"<xades:UnsignedProperties>{header()}</xades:UnsignedProperties></xades:QualifyingProperties>",
        ),
    }
    for place, (before, after) in places.items():
        moved = changed(draft, (header(), _without(_forged_header())), (before, after))
        # Unsigned properties and the trace may hold anything: there the header that is read is simply not signed.
        free = place in {"in unsigned properties", "in the trace"}
        code = NO_CERTIFICATE if place == "in KeyInfo" else FORMAT
        yield f"moved {place}", CONSTRAINTS if free else code, moved
        yield f"moved {place}, same Id", code, changed(draft, (header(), _forged_header()), (before, after))
    yield "second header before", FORMAT, changed(draft, (header(), _without(_forged_header()) + header()))
    yield "second header after", FORMAT, changed(draft, (header(), header() + _without(_forged_header())))
    yield "second header, same Id", FORMAT, changed(draft, (header(), _forged_header() + header()))
    for attribute in ("ID", "id", "xml:id", "edXML:Id", "Name"):
        trace = TRACE.replace('id="t"', f'{attribute}="h"')
        yield f"{attribute} of the same value elsewhere", FORMAT, changed(draft, (TRACE, trace))
    other = _forged_header().replace('Id="h"', 'xml:id="h"')
    yield "header by xml:id", FORMAT, changed(draft, (header(), other), ("</edXML>", f"<Old>{header()}</Old></edXML>"))
    yield "header by ID alone", CONSTRAINTS, changed(draft, (header(), header().replace("Id=", "ID=")))
    envelope = re.compile(rb"<edXML:edXMLEnvelope>.*</edXML:edXMLEnvelope>")

    def doubled(after: bool) -> bytes:
        data = draft.sign()
        found = envelope.search(data)
        assert found is not None
        forged = SIGNATURE.sub(b"", found[0]).replace(b"H02", b"H66").replace(b' Id="h"', b"").replace(b' Id="m"', b"")
        return data.replace(found[0], found[0] + forged if after else forged + found[0])

    yield "second envelope before", FORMAT, lambda: doubled(after=False)
    yield "second envelope after", FORMAT, lambda: doubled(after=True)

    def moved_signature(before: bytes, after: bytes) -> Callable[[], bytes]:
        def make() -> bytes:
            data = draft.sign()
            found = SIGNATURE.search(data)
            assert found is not None
            return data.replace(found[0], b"").replace(before, after.replace(b"@", found[0]), 1)

        return make

    for name, old, new in (
        ("in the header", b"</edXML:edXMLHeader>", b"@</edXML:edXMLHeader>"),
        ("in the root", b"</edXML>", b"@</edXML>"),
        ("in MessageHeader", b"</edXML:MessageHeader>", b"@</edXML:MessageHeader>"),
        ("in the trace", b"</edXML:TraceHeaderList>", b"@</edXML:TraceHeaderList>"),
        ("in the body", b"</edXML:edXMLBody>", b"@</edXML:edXMLBody>"),
        ("in the manifest", b"</edXML:edXMLManifest>", b"@</edXML:edXMLManifest>"),
        ("in an attachment", b"</Attachment>", b"@</Attachment>"),
        ("in a wrapper", b"<edXML:DigitalSignature>", b"<edXML:DigitalSignature><Old>@</Old>"),
        ("twice", b"<edXML:DigitalSignature>", b"<edXML:DigitalSignature>@@"),
    ):
        yield f"signature {name}", FORMAT, moved_signature(old, new)
    manifest = f'<edXML:edXMLManifest Id="m" version="1.0">{line(1, ONE)}{line(2, TWO)}</edXML:edXMLManifest>'
    forged = manifest.replace("1.pdf", "9.exe")
    yield "second manifest", FORMAT, changed(draft, (manifest, _without(forged) + manifest))
    yield "second manifest, same Id", FORMAT, changed(draft, (manifest, forged + manifest))
    yield (
        "manifest moved out",
        FORMAT,
        changed(draft, (manifest, _without(forged)), ("</edXML>", f"<Old>{manifest}</Old></edXML>")),
    )
    yield (
        "second body",
        FORMAT,
        changed(
            draft, ("<edXML:edXMLBody>", f"<edXML:edXMLBody>{_without(forged)}</edXML:edXMLBody><edXML:edXMLBody>")
        ),
    )
    yield "other root", FORMAT, changed(draft, ("<edXML xmlns", "<Other xmlns"), ("</edXML>", "</Other>"))
    yield "text instead of the header", FORMAT, changed(draft, (header(), "h"))


def _forged_header() -> str:
    return header().replace("000.00.02.H02", "000.00.66.H66")


def _without(xml: str, name: str = "Id") -> str:
    return re.sub(rf' {name}="[^"]*"', "", xml, count=1)
