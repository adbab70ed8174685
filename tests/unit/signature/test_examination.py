"""Examining messages that are right, in all the ways they may be, and messages that are not signed."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import get_args

import pytest

from lienthong.edxml import Document, Organization, ResponseFor, Status, decode
from lienthong.signature import Layout, examine_message
from lienthong.testing.message_forge import (
    AGENCY,
    HEADER,
    HEADER_REF,
    MANIFEST_REF,
    PROPERTIES,
    TRACE,
    Draft,
    Kind,
    Ref,
    line,
    signer,
)

LAYOUTS: tuple[Layout, ...] = get_args(Layout)
KINDS: tuple[Kind, ...] = ("rsa", "pss", "p256", "p384")
ONE = b"%PDF-1.7 first"
SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"
PSS_WITHOUT_PARAMETERS = "http://www.w3.org/2007/05/xmldsig-more#rsa-pss"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_accepted_layout_and_key_is_intact(layout: Layout, kind: Kind) -> None:
    """Profile 1 accepts four layouts, RSA, PSS, and ECDSA on two curves."""
    found = examine_message(Draft(layout, signer(kind)).sign())
    assert found.state == "intact", found.reason.en
    assert found.layout == layout
    assert found.agency == AGENCY
    assert found.signer == "Văn thư Bộ Thử nghiệm"
    assert found.header is not None
    assert (found.header.sender, found.header.addressees) == (AGENCY, ("000.00.02.H02",))
    assert [part.kind for part in found.parts] == ["header", "manifest", "attachment", "attachment"]
    assert found.claimed_at is not None
    assert found.claimed_at.isoformat() == "2026-11-10T08:00:00+00:00"


def edited(data: bytes, *changes: tuple[str, str]) -> bytes:
    """Return a signed message with changes that mean nothing."""
    text = data.decode()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    return text.encode()


HOP = "<edXML:TraceHeader><edXML:OrganId>P01</edXML:OrganId></edXML:TraceHeader></edXML:TraceHeaderList>"


@pytest.mark.parametrize("layout", ["manifest", "by-id", "base64"])
def test_a_hop_that_appends_its_trace_breaks_nothing(layout: Layout) -> None:
    """TraceHeaderList is never signed: every hop appends to it."""
    data = edited(Draft(layout).sign(), ("</edXML:TraceHeaderList>", HOP))
    assert examine_message(data).state == "intact"


def test_an_enveloped_signature_that_a_hop_broke_says_so() -> None:
    """A refusal tells its reader what to do: here, to sign by the manifest."""
    found = examine_message(edited(Draft("enveloped").sign(), ("</edXML:TraceHeaderList>", HOP)))
    assert (found.state, found.reason.code) == ("broken", "HASH_FAILURE")
    assert "TraceHeaderList" in found.reason.en
    assert "TraceHeaderList" in found.reason.vi


@pytest.mark.parametrize(
    "changes",
    [
        [('<?xml version="1.0" encoding="UTF-8"?>\n', "")],
        [('<?xml version="1.0" encoding="UTF-8"?>', "\ufeff<?xml version='1.0' encoding='utf-8' standalone='yes' ?>")],
        [('<edXML:MessageHeader Id="h">', "<edXML:MessageHeader\n  Id = 'h' >")],
        [("<edXML:OrganId>000", "<edXML:OrganId>&#48;00")],
        [("V/v thử", "<![CDATA[V/v thử]]>")],
        [("<edXML:edXMLHeader>", '<edXML:edXMLHeader xmlns:unused="urn:x">\n  ')],
        [("<ContentId>a1", "<ContentId>cid:a1")],
        [("<AttachmentName>1.pdf</AttachmentName>", "<FieldName>f</FieldName>\n")],
        [("<ds:KeyInfo>", "\n<ds:KeyInfo>")],
    ],
)
def test_what_canonical_form_removes_breaks_nothing(changes: list[tuple[str, str]]) -> None:
    """Declaration, mark of order, quotes, references, CDATA and unused prefixes say nothing (XML-EXC-C14N)."""
    found = examine_message(edited(Draft().sign(), *changes))
    assert found.state == "intact", found.reason.en


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("separator", ["\n", "\r\n", "&#13;\n", " ", "\t"])
def test_white_space_in_base64_means_nothing(layout: Layout, separator: str) -> None:
    """Senders wrap base64 as they like, and Java writes its line ends as character references."""
    encoded = [base64.b64encode(content).decode() for content in (ONE, b"%PDF-1.7 second")]
    wrapped = [separator.join(text[at : at + 8] for at in range(0, len(text), 8)) for text in encoded]
    attached = [
        f'<Attachment><ContentId>a{number}</ContentId><ContentTransferEncoded Id="a{number}">{text}'
        "</ContentTransferEncoded></Attachment>"
        for number, text in enumerate(wrapped, 1)
    ]
    found = examine_message(Draft(layout, attached=attached).sign())
    assert found.state == "intact", found.reason.en


@pytest.mark.parametrize(
    "draft",
    [
        Draft(references=[replace(HEADER_REF, digest_uri=SHA512), MANIFEST_REF, PROPERTIES]),
        Draft(key=signer("pss"), method=PSS_WITHOUT_PARAMETERS),
        Draft(references=[PROPERTIES, MANIFEST_REF, HEADER_REF]),
        Draft("by-id", references=[HEADER_REF, MANIFEST_REF, Ref("#x1"), Ref("#x2"), PROPERTIES]),
        Draft(references=[HEADER_REF, MANIFEST_REF, Ref("#x1"), Ref("#a2"), PROPERTIES]),
        Draft(contents=()),
        Draft(contents=(b"",)),
        Draft(contents=tuple(b"%d" % number for number in range(100))),
        Draft(signing_time="2026-11-10T15:00:00.5+07:00"),
        Draft(trace=""),
        Draft(key=signer("p256", None)),
    ],
)
def test_what_the_profile_leaves_open_is_intact(draft: Draft) -> None:
    """SHA-2 of any size, any order of references, whole attachments, no or a hundred of them."""
    found = examine_message(draft.sign())
    assert found.state == "intact", found.reason.en


def test_a_certificate_without_an_agency_names_none() -> None:
    """Who signed is read from the certificate and never guessed from the message."""
    found = examine_message(Draft(key=signer("p256", None)).sign())
    assert found.agency is None


STATUS_HEADER = (
    '<edXML:MessageHeader Id="h"><edXML:From><edXML:OrganId>H02</edXML:OrganId></edXML:From><edXML:ResponseFor>'
    "<edXML:OrganId>G01</edXML:OrganId><edXML:DocumentId>d-1</edXML:DocumentId></edXML:ResponseFor>"
    "<edXML:StatusCode>03</edXML:StatusCode></edXML:MessageHeader>"
)


def test_a_status_needs_no_manifest() -> None:
    """A status is only a header (QCVN 102, status message), so its header is all there is to sign."""
    data = Draft(header=STATUS_HEADER, body="", trace="", contents=(), references=[HEADER_REF, PROPERTIES]).sign()
    found = examine_message(data)
    assert found.state == "intact", found.reason.en
    assert found.header is not None
    status = Status(Organization("H02"), ResponseFor("G01", "d-1"), "03")
    assert found.header.differences(status) == ()
    assert found.header.differences(replace(status, status_code="02")) == ("status_code",)


def test_a_decoded_message_is_compared_with_what_was_signed() -> None:
    """Whoever acts on a decoded value can see that it is the signed one."""
    data = Draft().sign()
    message = decode(data)
    header = examine_message(data).header
    assert isinstance(message, Document)
    assert header is not None
    assert header.differences(message) == ()
    forged = replace(message, addressees=(Organization("000.00.66.H66"),), subject=None)
    assert header.differences(forged) == ("addressees", "subject")


UNSIGNED = b"<edXML xmlns='http://www.mic.gov.vn/TBT/QCVN_102_2016'>%s</edXML>"


@pytest.mark.parametrize(
    "inside",
    [b"", b"<Signature><SignedInfo/></Signature>", b"<DigitalSignature/>", b"<!-- unsigned --><a/>", b"<To/><To/>"],
)
def test_what_is_not_signed_is_absent_and_not_broken(inside: bytes) -> None:
    """An old Signature without namespace is no proof, but no forgery either (design, section 7)."""
    found = examine_message(UNSIGNED % inside)
    assert (found.state, found.reason.code, found.certificates) == ("absent", "", ())


def test_a_broken_signature_tells_whose_it_claims_to_be_and_nothing_signed() -> None:
    """What is not proven is not handed on as if it were."""
    found = examine_message(edited(Draft().sign(), (">d-1<", ">d-2<")))
    assert (found.state, found.agency) == ("broken", AGENCY)
    assert (found.header, found.layout, found.parts, found.claimed_at) == (None, None, (), None)


def test_time_stamps_are_handed_on_with_what_they_have_to_cover() -> None:
    """A SignatureTimeStamp is of the canonical SignatureValue (EN 319 132-1, 5.3)."""
    stamp = (
        "<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:SignatureTimeStamp>"
        "<xades:EncapsulatedTimeStamp>QUJD</xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp>"
        "</xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
    )
    properties = "</xades:SignedProperties>"
    found = examine_message(edited(Draft().sign(), (properties, properties + stamp)))
    assert found.state == "intact", found.reason.en
    assert [each.token for each in found.time_stamps] == [b"ABC"]
    assert found.time_stamps[0].imprint_of.startswith(b'<ds:SignatureValue xmlns:ds="')


def test_two_lines_are_told_apart_by_their_content_id_alone() -> None:
    """Attachments and lines match by ContentId, whatever their order."""
    reordered = Draft(lines=[line(2, b"%PDF-1.7 second"), line(1, ONE)], trace=TRACE, header=HEADER)
    assert examine_message(reordered.sign()).state == "intact"
