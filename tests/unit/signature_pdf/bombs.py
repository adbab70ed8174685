"""Hostile structure: wrong CMS, weak algorithms, loops, bombs, oddities; adds to the corpus in `attacks`."""

from __future__ import annotations

import zlib
from functools import cache
from typing import TYPE_CHECKING

from asn1crypto import cms
from cryptography.hazmat.primitives.serialization import Encoding
from tests.unit.signature_pdf.attacks import CASES, FORMAT, NO_CERTIFICATE, WEAK, Case, case, plain
from tests.unit.signature_pdf.craft import craft
from tests.unit.signature_pdf.files import (
    A4,
    CONTENT,
    PAGES,
    body,
    build,
    contents,
    letter,
    objects,
    stream,
    update,
)
from tests.unit.signature_pdf.people import CA, authority, certify, document_stamped, name, person, signed, stamper

from lienthong.document.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography import x509

__all__ = ["CASES", "Case"]

# ---------------------------------------------------------------- the CMS


def _hex(value: bytes) -> Callable[[], bytes]:
    """Return a maker of a letter whose /Contents is this."""

    def make() -> bytes:
        pdf = plain()
        found = contents(pdf)
        text = value.hex().encode().ljust(len(found[1]), b"0")[: len(found[1])]
        return pdf[: found.start(1)] + text + pdf[found.end(1) :]

    return make


case("", "crafted: a right signature", lambda: craft(letter()), Verdict.VALID)
case(
    "",
    "crafted: adbe.pkcs7.detached without a named certificate",
    lambda: craft(letter(), dictionary=b"/Type /Sig /SubFilter /adbe.pkcs7.detached", with_ess=False),
    Verdict.VALID,
)
case("", "crafted: no /Type", lambda: craft(letter(), dictionary=b"/SubFilter /ETSI.CAdES.detached"), Verdict.VALID)
case(FORMAT, "contents: zeros", _hex(b""))
case(FORMAT, "contents: rubbish", _hex(bytes(range(1, 200))))
case(FORMAT, "contents: an endless length", _hex(b"\x30\x84\xff\xff\xff\xff"))
case(FORMAT, "contents: deeply nested", _hex(b"\x30\x80" * 1500))
case(FORMAT, "contents: another CMS type", _hex(cms.ContentInfo({"content_type": "data", "content": b"x"}).dump()))
case(
    FORMAT,
    "contents: a payload in the padding",
    lambda: craft(letter(), finish=lambda der: der + bytes(9) + b"<evil/>"),
)
case(FORMAT, "contents: a payload right after the CMS", lambda: craft(letter(), finish=lambda der: der + b"\x01"))
case(FORMAT, "CMS: two signers", lambda: craft(letter(), signers=2))
case(FORMAT, "CMS: no signer", lambda: craft(letter(), signers=0))
case(FORMAT, "CMS: content inside", lambda: craft(letter(), encapsulated=b"something else"))
case(FORMAT, "CMS: no signed attributes", lambda: craft(letter(), with_attributes=False))
case(NO_CERTIFICATE, "CMS: no certificate", lambda: craft(letter(), certificates=()))
case(
    NO_CERTIFICATE,
    "CMS: somebody else's certificate",
    lambda: craft(letter(), certificates=(person("Sở", "H23").certificate,)),
)
case(NO_CERTIFICATE, "CMS: the certificate is not named", lambda: craft(letter(), with_ess=False))
case(
    NO_CERTIFICATE, "CMS: another certificate is named", lambda: craft(letter(), named=person("Sở", "H23").certificate)
)
case(WEAK, "algorithm: SHA-1", lambda: craft(letter(), digest="sha1", algorithm="sha1_ecdsa"))
case(WEAK, "algorithm: MD5", lambda: craft(letter(), person(kind="rsa2048"), digest="md5", algorithm="md5_rsa"))
case(WEAK, "algorithm: SHA-1 called by its signature only", lambda: craft(letter(), algorithm="sha1_ecdsa"))
case(WEAK, "algorithm: SHA-224", lambda: craft(letter(), digest="sha224", algorithm="sha224_ecdsa"))
case(WEAK, "key: RSA of 1024 bits", lambda: craft(letter(), person(kind="rsa1024"), algorithm="sha256_rsa"))
case(WEAK, "key: P-521", lambda: craft(letter(), person(kind="p521"), digest="sha512", algorithm="sha512_ecdsa"))
case(
    "",
    "key: RSA of 2048 bits is allowed",
    lambda: craft(letter(), person(kind="rsa2048"), algorithm="sha256_rsa"),
    Verdict.VALID,
)
case(FORMAT, "algorithm: an RSA signature called ECDSA", lambda: craft(letter(), person(kind="rsa2048")))
case(FORMAT, "format: unknown /SubFilter", lambda: craft(letter(), dictionary=b"/Type /Sig /SubFilter /Evil.detached"))
case(FORMAT, "format: no /SubFilter", lambda: craft(letter(), dictionary=b"/Type /Sig"))
case(FORMAT, "format: adbe.pkcs7.sha1", lambda: craft(letter(), dictionary=b"/Type /Sig /SubFilter /adbe.pkcs7.sha1"))
case(
    FORMAT,
    "format: adbe.x509.rsa_sha1",
    lambda: craft(letter(), dictionary=b"/Type /Sig /SubFilter /adbe.x509.rsa_sha1"),
)
case(
    FORMAT,
    "format: a signature called a time stamp",
    lambda: craft(letter(), dictionary=b"/Type /DocTimeStamp /SubFilter /ETSI.RFC3161"),
)
case(
    FORMAT, "format: unknown /Type", lambda: craft(letter(), dictionary=b"/Type /Evil /SubFilter /ETSI.CAdES.detached")
)


def _flood(count: int) -> bytes:
    """Return a letter whose signature brings look-alikes of its issuer: same name, same key, other serial numbers."""
    ca = authority(CA)
    fake = authority("Other CA").key
    copies: list[x509.Certificate] = [certify(name(CA), ca.key, name(CA), fake, authority=True) for _ in range(count)]
    return craft(letter(), certificates=(person().certificate, *copies))


case("", "certificates: five look-alikes do no harm", lambda: _flood(5), Verdict.VALID)
case(FORMAT, "certificates: a flood of seven look-alikes", lambda: _flood(7))
case(FORMAT, "certificates: a flood of twelve look-alikes", lambda: _flood(12))

# ---------------------------------------------------------------- loops


def _letter(**changes: bytes) -> bytes:
    """Return a signed letter with other objects: ``o2=b"..."`` is object 2."""
    return craft(build(objects() | {int(key[1:]): value for key, value in changes.items()}))


def _loop(label: str, **changes: bytes) -> None:
    case(FORMAT, f"loop: {label}", lambda: _letter(**changes))


_loop("the page tree is its own kid", o2=b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>")
_loop(
    "two page nodes hold each other",
    o2=b"<< /Type /Pages /Kids [20 0 R] /Count 1 >>",
    o20=b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>",
)
_loop("the same page twice", o2=b"<< /Type /Pages /Kids [3 0 R 3 0 R] /Count 2 >>")
_loop("kids that is no array", o2=b"<< /Type /Pages /Kids 7 /Count 1 >>")
_loop("a page that is a number", o2=b"<< /Type /Pages /Kids [20 0 R] /Count 1 >>", o20=b"17")
_loop("a page that is not there", o2=b"<< /Type /Pages /Kids [99 0 R] /Count 1 >>")
_loop("a reference to itself", o2=b"2 0 R")
_loop("two references to each other", o2=b"20 0 R", o20=b"2 0 R")
_loop(
    "a tree of doubling nodes",
    o2=b"<< /Type /Pages /Kids [20 0 R 20 0 R] /Count 9 >>",
    **{f"o{n}": b"<< /Type /Pages /Kids [%d 0 R %d 0 R] >>" % (n + 1, n + 1) for n in range(20, 60)},
)
case(
    FORMAT,
    "loop: 30,000 pages",
    lambda: _letter(
        o2=b"<< /Type /Pages /Kids [" + b" ".join(b"%d 0 R" % n for n in range(20, 30_020)) + b"] /Count 30000 >>",
        **{f"o{n}": b"<< /Type /Page /Parent 2 0 R %s >>" % A4 for n in range(20, 30_020)},
    ),
)
case(FORMAT, "loop: the table's /Prev is itself", lambda: _previous(plain()))
case(
    FORMAT,
    "loop: a field tree of doubling nodes",
    lambda: craft(
        build(
            objects()
            | {
                8: b"<< /T (a) /Kids [20 0 R 20 0 R] >>",
                **{n: b"<< /T (a) /Kids [%d 0 R %d 0 R] >>" % (n + 1, n + 1) for n in range(20, 60)},
                60: b"<< /FT /Tx /T (end) >>",
            }
        ),
        fields=b"8 0 R",
    ),
)
case(
    FORMAT,
    "loop: a field is its own ancestor",
    lambda: craft(
        build(objects() | {8: b"<< /T (a) /Kids [20 0 R] >>", 20: b"<< /T (b) /Kids [8 0 R] >>"}), fields=b"8 0 R"
    ),
)


def _previous(pdf: bytes) -> bytes:
    at = int(pdf[pdf.rindex(b"startxref") + 9 :].split()[0])
    data = update(pdf, {CONTENT: body(pdf, CONTENT)})
    here = int(data[data.rindex(b"startxref") + 9 :].split()[0])
    return data.replace(b"/Prev %d" % at, (b"/Prev %d" % here).ljust(len(b"/Prev %d" % at)))


# ---------------------------------------------------------------- bombs


@cache
def _spaced(megabytes: int) -> bytes:
    squeezer = zlib.compressobj(9)
    blank = b" " * (1 << 20)
    head = squeezer.compress(PAGE_NODE)
    return head + b"".join(squeezer.compress(blank) for _ in range(megabytes)) + squeezer.flush()


def _archived() -> bytes:
    pdf = plain()
    certificate = person().certificate_chain[1]
    catalog = body(pdf, 1).rstrip().removesuffix(b">>") + b"/DSS 80 0 R >>"
    return update(
        pdf,
        {
            1: catalog,
            80: b"<< /Type /DSS /Certs [81 0 R] >>",
            81: stream(certificate.public_bytes(Encoding.DER)),
        },
    )


@cache
def _zeros(megabytes: int) -> bytes:
    """Return so many zeros, compressed."""
    squeezer = zlib.compressobj(9)
    return b"".join(squeezer.compress(bytes(1 << 20)) for _ in range(megabytes)) + squeezer.flush()


def _with_table(entries: bytes, data: bytes) -> bytes:
    """Return a signed letter after which a cross-reference stream takes over."""
    pdf = plain()
    start = len(pdf)
    return pdf + b"70 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (stream(data, entries), start)


XREF = b"/Type /XRef /Root 1 0 R /Size 71 /W [1 4 2] /Filter /FlateDecode "
case(FORMAT, "bomb: a cross-reference stream of 1 GB", lambda: _with_table(XREF, _zeros(1024)))
case(
    FORMAT,
    "bomb: a cross-reference stream of 1 GB, by its own account",
    lambda: _with_table(XREF.replace(b"/Size 71", b"/Size 153391689"), _zeros(1024)),
)
case(
    FORMAT,
    "bomb: a cross-reference stream squeezed twice",
    lambda: _with_table(XREF.replace(b"/FlateDecode", b"[/FlateDecode /FlateDecode]"), zlib.compress(_zeros(2048), 9)),
)
case(
    FORMAT,
    "bomb: fifty filters",
    lambda: _with_table(XREF.replace(b"/FlateDecode", b"[" + b"/FlateDecode " * 50 + b"]"), _zeros(1)),
)
case(
    FORMAT,
    "bomb: a predictor a billion columns wide",
    lambda: _with_table(XREF + b"/DecodeParms << /Predictor 12 /Columns 1000000000 >>", _zeros(1)),
)
case(
    FORMAT,
    "bomb: entries a billion bytes wide",
    lambda: _with_table(XREF.replace(b"[1 4 2]", b"[1 1000000000 1000000000]"), _zeros(1)),
)
case(FORMAT, "bomb: an index of a billion lines", lambda: _with_table(XREF + b"/Index [0 1000000000]", _zeros(4)))
case(FORMAT, "bomb: negative widths", lambda: _with_table(XREF.replace(b"[1 4 2]", b"[1 -4 2]"), _zeros(1)))


def _object_stream(data: bytes, entries: bytes = b"/N 1 /First 5") -> bytes:
    """Return a letter whose page tree lies in an object stream, found by a cross-reference stream."""
    pdf = bytearray(plain())
    at = len(pdf)
    pdf += b"70 0 obj\n%s\nendobj\n" % stream(data, b"/Type /ObjStm /Filter /FlateDecode " + entries)
    start = len(pdf)
    previous = int(plain()[plain().rindex(b"startxref") + 9 :].split()[0])
    lines = b"".join(
        kind.to_bytes(1, "big") + a.to_bytes(4, "big") + b.to_bytes(2, "big")
        for kind, a, b in ((2, 70, 0), (1, at, 0), (1, start, 0))
    )
    table = stream(lines, b"/Type /XRef /Root 1 0 R /Size 72 /W [1 4 2] /Index [2 1 70 2] /Prev %d" % previous)
    return bytes(pdf + b"71 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (table, start))


PAGE_NODE = b"2 0  << /Type /Pages /Kids [3 0 R] /Count 1 >>"
case(FORMAT, "bomb: an object stream of 1 GB", lambda: _object_stream(_zeros(1024)))
case(FORMAT, "bomb: an object stream of 1 GB after a good object", lambda: _object_stream(_spaced(1024)))
case(
    FORMAT,
    "bomb: an object stream with a billion objects",
    lambda: _object_stream(zlib.compress(PAGE_NODE), b"/N 1000000000 /First 5"),
)
case(
    FORMAT,
    "bomb: an object stream that extends itself",
    lambda: _object_stream(zlib.compress(PAGE_NODE), b"/N 1 /First 5 /Extends 70 0 R"),
)
case(
    FORMAT,
    "bomb: the page tree once more, in an object stream",
    lambda: _object_stream(zlib.compress(PAGE_NODE.replace(b"3 0 R", b"4 0 R"))),
)


def _odd(label: str, **changes: bytes) -> None:
    case(FORMAT, f"oddity: {label}", lambda: _letter(**changes))


DEEP = 50_000
_odd("arrays nested 50,000 deep in the page tree", o2=b"[" * DEEP + b"]" * DEEP)
_odd("dictionaries nested 50,000 deep in the page tree", o2=b"<< /A " * DEEP + b"1" + b">>" * DEEP)
_odd("a page tree that is null", o2=b"null")
_odd("a page tree that is text", o2=b"(pages)")
_odd("an unclosed dictionary", o2=b"<< /Type /Pages /Kids [3 0 R")
_odd("an unclosed text", o2=b"<< /Type /Pages /Kids [3 0 R] /A (((((")
_odd("an unclosed hexadecimal text", o2=b"<< /Type /Pages /Kids [3 0 R] /A <41")
_odd("a name of one megabyte for the kids", o2=b"<< /Type /Pages /Kids /" + b"A" * (1 << 20) + b" >>")
_odd("a number of 100,000 digits for a kid", o2=b"<< /Type /Pages /Kids [" + b"9" * 100_000 + b" 0 R] >>")
case(
    FORMAT,
    "oddity: an encrypted file",
    lambda: build(
        objects()
        | {8: b"<< /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <%s> /U <%s> >>" % (b"00" * 32, b"00" * 32)},
        b"/Encrypt 8 0 R /ID [<00> <00>]",
    ),
)
case(
    "",
    "oddity: 40,000 objects, rightly signed",
    lambda: _letter(**{f"o{n}": b"<< /A %d >>" % n for n in range(20, 40_020)}),
    Verdict.VALID,
)
case(
    "",
    "oddity: ten megabytes, rightly signed",
    lambda: signed(build(objects() | {20: stream(bytes(10 << 20))})),
    Verdict.VALID,
)
case("", "archived: validation data added after signing", _archived, Verdict.VALID)
case("", "archived: dated by a document time stamp", lambda: document_stamped(plain(), stamper()), Verdict.VALID)
case(
    "", "archived: twice", lambda: document_stamped(document_stamped(_archived(), stamper()), stamper()), Verdict.VALID
)
case(
    FORMAT,
    "archived: validation data that replaces the page tree with the like",
    lambda: update(_archived(), {PAGES: body(plain(), PAGES)}),
)
case(FORMAT, "archived: validation data, and a comment after it", lambda: _archived() + b"% more\n")
case(FORMAT, "archived: validation data, and other text", lambda: update(_archived(), {CONTENT: stream(b"BT ET")}))
