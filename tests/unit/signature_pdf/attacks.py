"""Attacks on signed PDFs: each with what has to be said about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from tests.unit.signature_pdf.craft import craft
from tests.unit.signature_pdf.files import (
    CONTENT,
    FONT,
    OVERLAY,
    PAGE,
    PAGES,
    TEXT,
    body,
    contents,
    flate,
    flip,
    form,
    last,
    letter,
    stream,
    update,
)
from tests.unit.signature_pdf.people import AGENCY, person, signed

from lienthong.document.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT: Final = "FORMAT_FAILURE"
HASH: Final = "HASH_FAILURE"
CRYPTO: Final = "SIG_CRYPTO_FAILURE"
WEAK: Final = "CRYPTO_CONSTRAINTS_FAILURE"
NO_CERTIFICATE: Final = "NO_SIGNING_CERTIFICATE_FOUND"
NO_CHAIN: Final = "NO_CERTIFICATE_CHAIN_FOUND"
EMPTY: Final = "SIGNED_DATA_NOT_FOUND"


@dataclass(frozen=True)
class Case:
    """One file and what has to be said about it."""

    name: str
    make: Callable[[], bytes]
    verdict: Verdict
    code: str


CASES: list[Case] = []


def case(code: str, label: str, make: Callable[[], bytes], verdict: Verdict = Verdict.INVALID) -> None:
    """Put a case into the corpus."""
    CASES.append(Case(label, make, verdict, code))


@cache
def plain() -> bytes:
    """Return a letter with one right signature."""
    return signed(letter())


@cache
def filled() -> bytes:
    """Return a form with one right signature."""
    return signed(form())


@cache
def certified() -> bytes:
    """Return a letter certified by its author."""
    return signed(letter(), certify=True)


def changed(number: int, new: bytes, pdf: bytes | None = None) -> bytes:
    """Return a signed letter with an object changed in an update."""
    return update(pdf or plain(), {number: new})


# ---------------------------------------------------------------- bytes changed


def _turned(found: bytes) -> bytes:
    return flip(plain(), plain().index(found))


def _cut(size: int) -> bytes:
    return plain()[:size]


BYTES: list[tuple[str, bytes, str]] = [
    ("page text", b"Pay 100", HASH),
    ("media box", b"595 842", HASH),
    ("font name", b"Helvetica", HASH),
    ("title", b"A letter", HASH),
    ("version in the header", b"1.7\n", HASH),
    ("a line of the first table", b"0000000015", HASH),
]
for label, found, code in BYTES:
    case(code, f"a bit turned: {label}", partial(_turned, found))


MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")


def _in_cms(found: bytes, further: int = 0, pdf: bytes | None = None) -> bytes:
    """Return a signed letter with a bit turned in its CMS, so far after what is found there (or before its end)."""
    pdf = pdf or plain()
    hexadecimal = contents(pdf)
    der = bytearray.fromhex(hexadecimal[1].decode())
    der[(der.index(found) if found else len(bytes(der).rstrip(b"\0"))) + further] ^= 1
    return pdf[: hexadecimal.start(1)] + der.hex().encode() + pdf[hexadecimal.end(1) :]


case(CRYPTO, "a bit turned: signature value", lambda: _in_cms(b"", -3))
case(CRYPTO, "a bit turned: message digest", lambda: _in_cms(MESSAGE_DIGEST, 11 + 4 + 5))
case(CRYPTO, "a bit turned: signing time", lambda: _in_cms(b"261110", 5, craft(letter())))
case(NO_CERTIFICATE, "a bit turned: agency in the certificate", lambda: _in_cms(AGENCY.encode()))
case(NO_CERTIFICATE, "a bit turned: name in the certificate", lambda: _in_cms("Văn thư".encode()))
for size in (9, 500):
    case(
        "",
        f"cut after {size} bytes: nothing of the signature is left",
        partial(_cut, size),
        Verdict.UNSIGNED,
    )
for size in (3000, 8000):
    case(FORMAT, f"cut after {size} bytes", partial(_cut, size))
case(FORMAT, "the last ten bytes missing", lambda: plain()[:-10])
case(FORMAT, "rubbish before the header", lambda: b"\n" + plain())
case(FORMAT, "another PDF before it", lambda: letter() + plain())
case(FORMAT, "no PDF at all", lambda: b"PK\x03\x04 nothing")
case(FORMAT, "empty", lambda: b"")

# ---------------------------------------------------------------- something after the signature


def _signature_object_again() -> bytes:
    pdf = plain()
    number = int(last(rb"(\d+) 0 obj\s*<<(?:(?!endobj).)*?/ByteRange", pdf)[1])
    return update(pdf, {number: body(pdf, number).replace(b"/Filter", b"/Name (Somebody else)\n/Filter")})


OTHER = TEXT.replace(b"100", b"999")
case(FORMAT, "update: other page text", lambda: changed(CONTENT, stream(OTHER)))
case(FORMAT, "update: other compressed text", lambda: changed(CONTENT, flate(OTHER)))
case(FORMAT, "update: other page", lambda: changed(PAGE, body(plain(), PAGE).replace(b"842", b"600")))
case(
    FORMAT,
    "update: page shows another stream",
    lambda: update(plain(), {PAGE: body(plain(), PAGE).replace(b"4 0 R", b"40 0 R"), 40: stream(OTHER)}),
)
case(
    FORMAT,
    "update: a page added",
    lambda: update(
        plain(),
        {
            PAGES: b"<< /Type /Pages /Kids [3 0 R 40 0 R] /Count 2 >>",
            40: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
        },
    ),
)
case(
    FORMAT,
    "update: the page replaced",
    lambda: update(
        plain(),
        {
            PAGES: b"<< /Type /Pages /Kids [40 0 R] /Count 1 >>",
            40: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 41 0 R >>",
            41: stream(OTHER),
        },
    ),
)
case(
    FORMAT,
    "shadow: hide (overlay shrinks)",
    lambda: changed(OVERLAY, stream(b"", b"/Type /XObject /Subtype /Form /BBox [0 0 0 0]")),
)
case(FORMAT, "shadow: hide (overlay freed)", lambda: _freed(OVERLAY))
case(FORMAT, "shadow: replace (font)", lambda: changed(FONT, b"<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>"))
case(
    FORMAT,
    "shadow: hide and replace (another catalog)",
    lambda: update(
        plain(),
        {
            30: b"<< /Type /Catalog /Pages 31 0 R >>",
            31: b"<< /Type /Pages /Kids [32 0 R] /Count 1 >>",
            32: b"<< /Type /Page /Parent 31 0 R /MediaBox [0 0 595 842] /Contents 33 0 R >>",
            33: stream(OTHER),
        },
        b"/Root 30 0 R",
    ),
)
case(
    FORMAT,
    "evil annotation: a note over the text",
    lambda: update(
        plain(),
        {
            PAGE: re.sub(rb"/Annots[^\]]*\]", b"/Annots [40 0 R]", body(plain(), PAGE).rstrip())
            if b"/Annots [" in body(plain(), PAGE)
            else body(plain(), PAGE).rstrip().removesuffix(b">>") + b"/Annots [40 0 R] >>",
            40: b"<< /Type /Annot /Subtype /FreeText /Rect [72 690 300 720] /Contents (Pay 999) /DA (/F1 14 Tf) >>",
        },
    ),
)
case(
    FORMAT,
    "evil annotation: after certification",
    lambda: update(
        certified(),
        {
            PAGE: body(certified(), PAGE).rstrip().removesuffix(b">>") + b"/Annots [40 0 R] >>",
            40: b"<< /Type /Annot /Subtype /Stamp /Rect [72 690 300 720] >>",
        },
    ),
)
case(
    FORMAT,
    "update: a script on opening",
    lambda: changed(
        1, body(plain(), 1).rstrip().removesuffix(b">>") + b"/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> >>"
    ),
)
case(
    FORMAT,
    "update: embedded file",
    lambda: changed(
        1, body(plain(), 1).rstrip().removesuffix(b">>") + b"/Names << /EmbeddedFiles << /Names [] >> >> >>"
    ),
)
case(FORMAT, "update: the signature dictionary itself", _signature_object_again)
case(FORMAT, "appended: one line feed", lambda: plain() + b"\n")
case(FORMAT, "appended: a comment", lambda: plain() + b"% hello\n")
case(FORMAT, "appended: zeros", lambda: plain() + bytes(4096))
case(FORMAT, "appended: an object nobody refers to", lambda: plain() + b"4 0 obj\n" + stream(OTHER) + b"\nendobj\n")
case(FORMAT, "appended: a whole other PDF", lambda: plain() + letter())
case(FORMAT, "appended: a table and no trailer", lambda: plain() + b"xref\n0 0\n")
case(FORMAT, "appended: rubbish and the end mark again", lambda: plain() + b"rubbish\n" + plain()[-40:])


def _freed(number: int) -> bytes:
    pdf = update(plain(), {})
    return pdf.replace(b"xref\ntrailer", b"xref\n%d 1\n0000000000 00001 f \ntrailer" % number)


# ---------------------------------------------------------------- forms


def _certified_form() -> bytes:
    pdf = signed(form(), certify=True)
    return update(pdf, {8: body(pdf, 8).replace(b"100", b"999")})


case(
    FORMAT,
    "form: a field filled in after signing",
    lambda: changed(8, body(filled(), 8).replace(b"100", b"999"), filled()),
)
case(
    FORMAT,
    "form: a field filled in, then signed by another",
    lambda: signed(changed(8, body(filled(), 8).replace(b"100", b"999"), filled()), person("Kẻ khác", "H99")),
)
case(
    FORMAT,
    "form: a field's appearance changed",
    lambda: update(
        filled(),
        {
            8: body(filled(), 8).rstrip().removesuffix(b">>") + b"/AP << /N 40 0 R >> >>",
            40: stream(b"", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9]"),
        },
    ),
)
case(FORMAT, "form: filled in after certification", _certified_form)
case(FORMAT, "certified: page text changed", lambda: changed(CONTENT, stream(OTHER), certified()))
case(
    FORMAT,
    "certified without changes, then signed",
    lambda: signed(
        craft(
            letter(),
            dictionary=b"/Type /Sig /SubFilter /ETSI.CAdES.detached /Reference [<< /Type /SigRef /TransformMethod "
            b"/DocMDP /TransformParams << /Type /TransformParams /P 1 /V /1.2 >> >>]",
        ),
        person("Sở", "H23"),
    ),
)
