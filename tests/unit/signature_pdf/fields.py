"""Attacks on signature fields and on what a signature is over; adds to the corpus in `attacks`."""

from __future__ import annotations

import re

from tests.unit.signature_pdf.attacks import EMPTY, FORMAT, HASH, NO_CHAIN, OTHER, case, changed, plain
from tests.unit.signature_pdf.craft import craft
from tests.unit.signature_pdf.files import CONTENT, body, build, contents, last, letter, objects, stream, update
from tests.unit.signature_pdf.people import AGENCY, CA, Person, authority, certify, name, person, signed

from lienthong.document.verdicts import Verdict

__all__: list[str] = []

# ---------------------------------------------------------------- fields: stripped, shared, sneaky


def _transplanted() -> bytes:
    donor = signed(build(objects() | {CONTENT: stream(OTHER)}))
    mine, theirs = contents(plain()), contents(donor)
    assert len(mine[1]) == len(theirs[1])
    return plain()[: mine.start(1)] + theirs[1] + plain()[mine.end(1) :]


def _covering() -> bytes:
    return signed(plain(), person("Kẻ khác", "H99"), box=(0, 0, 595, 842))


def _field_number(pdf: bytes) -> int:
    return int(last(rb"(\d+) 0 obj\s*<<(?:(?!endobj).)*?/FT /Sig", pdf)[1])


def _field(pdf: bytes, old: bytes, new: bytes) -> bytes:
    number = _field_number(pdf)
    found = re.subn(old, new, body(pdf, number))
    assert found[1] == 1
    return update(pdf, {number: found[0]})


case(EMPTY, "stripped: the field's value taken out", lambda: _field(plain(), rb"/V \d+ 0 R", b""))
case(FORMAT, "stripped: the form taken out", lambda: changed(1, b"<< /Type /Catalog /Pages 2 0 R >>"))
case(
    FORMAT,
    "stripped: the form without fields",
    lambda: update(plain(), {1: b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [] /SigFlags 3 >> >>"}),
)
case(
    FORMAT,
    "stripped: remains spelled with escapes",
    lambda: build(objects() | {8: b"<< /Type /Sig /Byte#52ange [0 10 20 30] /Contents <00> >>", 9: b"<< /Length 5"}),
)
case(EMPTY, "an empty field beside the signature", lambda: _two_fields(b"<< /FT /Sig /T (Empty) >>"))
case(
    EMPTY,
    "only an empty field",
    lambda: build(objects(b"/AcroForm << /Fields [8 0 R] >>") | {8: b"<< /FT /Sig /T (Empty) >>"}),
)
case(FORMAT, "two fields share one signature", lambda: _two_fields(b"<< /FT /Sig /T (Twin) /V 8 0 R >>"))
case(FORMAT, "a text field called signature", lambda: _two_fields(b"<< /FT /Sig /T (Twin) /V (signed) >>"))
case(FORMAT, "the value is null", lambda: craft(letter(), value=b"null"))
case(FORMAT, "the value is an array", lambda: craft(letter(), value=b"[%d 0 R]"))
case(FORMAT, "the value is a number", lambda: craft(letter(), value=b"7"))
case(FORMAT, "the field is its own kid", lambda: craft(letter(), field=b"/Kids [9 0 R]"))
case(FORMAT, "nine signatures", lambda: _many(9))
case("", "eight signatures are allowed", lambda: _many(8), Verdict.VALID)
case(
    NO_CHAIN,
    "sneaky: countersigned by a stranger",
    lambda: signed(plain(), person("Kẻ lạ", AGENCY, "p256", "Other CA")),
)
case(NO_CHAIN, "a look-alike authority of the same name", lambda: signed(letter(), _look_alike()))
case(NO_CHAIN, "signed by itself", lambda: signed(letter(), authority("Văn thư Bộ Thử nghiệm")))
case(FORMAT, "sneaky: a second signature's picture over the page", _covering)
case(HASH, "a signature moved here from another letter", _transplanted)


def _two_fields(other: bytes) -> bytes:
    """Return a letter whose signature is made with another field beside it."""
    return (
        craft(build(objects() | {8: other}), fields=b"8 0 R")
        if b"8 0 R" not in other
        else craft(build(objects() | {8: b"null", 9: other.replace(b"8 0 R", b"10 0 R")}), fields=b"9 0 R")
    )


def _many(count: int) -> bytes:
    pdf = letter()
    for number in range(count):
        pdf = signed(pdf, person(f"Người {number}", AGENCY))
    return pdf


def _look_alike() -> Person:
    stranger = person("Văn thư", AGENCY, "p256", "Other CA")
    fake = authority("Other CA").key
    own = certify(name("Văn thư", AGENCY), stranger.key, name(CA), fake)
    return Person(stranger.key, (own, certify(name(CA), fake, name(CA), fake, authority=True)))


# ---------------------------------------------------------------- what the signature is over


def _range(label: str, written: bytes) -> None:
    case(FORMAT, f"byte range: {label}", lambda: craft(letter(), written=lambda *_: written))


for label, text in {
    "null": b"null",
    "with null": b"0 null 20 30",
    "text": b"(0) (1) (2) (3)",
    "names": b"/a /b /c /d",
    "booleans": b"false true true true",
    "reals": b"0.0 10.5 20.5 30.5",
    "negative": b"0 -10 20 30",
    "empty": b"",
    "two numbers": b"0 100",
    "five numbers": b"0 1 2 3 4",
    "beyond the file": b"0 100 200 99999999",
    "enormous": b"0 99999999999999999999 99999999999999999999 1",
    "backwards": b"0 900 800 100",
    "an array in it": b"[0] 1 2 3",
    "references": b"1 0 R 2 0 R 3 0 R 4 0 R",
    "nothing": b"0 0 0 0",
    "nested to itself": b"8 0 R 8 0 R 8 0 R 8 0 R",
}.items():
    _range(label, text)
case(
    FORMAT,
    "byte range: a hole after the signature, signed by an insider",
    lambda: craft(letter(), ranges=lambda begins, ends, size: (0, begins, ends + 40, size - ends - 40)),
)
case(
    FORMAT,
    "byte range: a hole before the signature, signed by an insider",
    lambda: craft(letter(), ranges=lambda begins, ends, size: (0, begins - 40, ends, size - ends)),
)
case(
    FORMAT,
    "byte range: two holes, signed by an insider",
    lambda: craft(letter(), ranges=lambda begins, ends, size: (0, 300, 310, begins - 310, ends, size - ends)),
)
case(
    FORMAT,
    "byte range: not from the beginning, signed by an insider",
    lambda: craft(letter(), ranges=lambda begins, ends, size: (10, begins - 10, ends, size - ends)),
)
case(
    FORMAT,
    "byte range: not to the end, signed by an insider",
    lambda: craft(letter(), ranges=lambda begins, ends, size: (0, begins, ends, size - ends - 20)),
)
case(
    FORMAT,
    "byte range: only the beginning, signed by an insider",
    lambda: craft(letter(), ranges=lambda begins, _ends, _size: (0, begins)),
)
case(
    FORMAT,
    "byte range: the parts overlap, signed by an insider",
    lambda: craft(letter(), ranges=lambda begins, _ends, size: (0, begins, begins - 100, size - begins + 100)),
)
case(
    FORMAT,
    "byte range: the signature covers itself",
    lambda: craft(letter(), written=lambda _b, _e, size: b"0 %d %d 1" % (size - 1, size - 1)),
)
case(
    FORMAT,
    "contents: something foreign hidden in the gap",
    lambda: craft(
        letter(),
        ranges=lambda begins, ends, size: (0, begins - 30, ends, size - ends),
        gap=(b"/Note (hidden in the gap)    ", b""),
    ),
)
