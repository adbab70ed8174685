"""Properties of the codec over all messages and all bytes, and what the national SDK makes of what we write."""

from __future__ import annotations

import datetime as dt
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lienthong.document.life_cycle import STATUS_CODES
from lienthong.edxml import (
    ActingAgency,
    Attachment,
    Business,
    BusinessType,
    Document,
    DocumentCode,
    DocumentType,
    Organization,
    OtherInfo,
    Packing,
    Profile,
    Promulgation,
    Receiver,
    Replacement,
    ResponseFor,
    Signer,
    StaffInfo,
    Status,
    TraceHeader,
    decode,
    encode,
    inspect,
)
from lienthong.edxml.schema import schema_errors
from lienthong.errors import Refusal

if TYPE_CHECKING:
    from types import ModuleType

DATA = Path(__file__).parents[2] / "data" / "edxml"
EXAMPLES = [path.read_bytes() for path in sorted(DATA.glob("*.edxml"))]

# A text in normal form: what XML can carry, nothing to trim, no carriage return.
SIGNS = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff", include_characters="\n\t")
TEXTS = st.text(SIGNS, min_size=1, max_size=30).map(lambda text: text.strip(" \t\r\n")).filter(bool)
MAYBE = st.none() | TEXTS
NUMBERS = st.none() | st.integers(0, 999_999_999)
FLAGS = st.none() | st.booleans()
DAYS = st.none() | st.dates(dt.date(1, 1, 2))
FIRST, LAST = (dt.datetime.combine(day, dt.time.min) for day in (dt.date(1, 1, 3), dt.date(9999, 12, 30)))
MOMENTS = st.none() | st.datetimes(FIRST, LAST, timezones=st.just(dt.UTC))
CODES = st.from_regex(r"[0-9A-Za-z]{1,6}(\.[0-9A-Za-z]{1,6}){0,3}", fullmatch=True).filter(lambda code: code != "null")
ORGANIZATIONS = st.builds(Organization, CODES, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE)
ANSWERS = st.builds(ResponseFor, CODES, TEXTS, MAYBE, DAYS)


def told(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return a strategy for None or a group that says something: the wire cannot tell an empty group from none."""
    return st.none() | values.filter(lambda value: value != type(value)())


STAFF = told(st.builds(StaffInfo, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE))
BUSINESS = st.builds(
    Business,
    st.sampled_from(BusinessType),
    MAYBE,
    MAYBE,
    STAFF,
    FLAGS,
    FLAGS,
    FLAGS,
    st.lists(st.builds(Receiver, CODES, st.booleans()), max_size=2).map(tuple),
    st.lists(st.builds(Replacement, TEXTS, st.lists(TEXTS, max_size=2).map(tuple)), max_size=2).map(tuple),
)
NAMES = st.builds(
    "{}.{}".format, TEXTS.filter(lambda text: "\n" not in text), st.sampled_from(["pdf", "docx", "txt", "zip", "q"])
)
ATTACHMENTS = st.builds(
    Attachment,
    NAMES,
    st.binary(max_size=40),
    st.sampled_from(["", "application/zip", "application/pdf", "text/plain", "application/docx"]) | TEXTS,
    st.just("") | CODES,
    MAYBE,
)
DOCUMENTS = st.builds(
    Document,
    sender=ORGANIZATIONS,
    addressees=st.lists(ORGANIZATIONS, min_size=1, max_size=3, unique_by=lambda found: found.organ_id).map(tuple),
    document_id=TEXTS,
    code=told(st.builds(DocumentCode, MAYBE, MAYBE)),
    promulgation=told(st.builds(Promulgation, MAYBE, DAYS)),
    document_type=told(st.builds(DocumentType, NUMBERS, MAYBE, NUMBERS)),
    subject=MAYBE,
    content=MAYBE,
    signer=told(st.builds(Signer, MAYBE, MAYBE, MAYBE)),
    due_date=DAYS,
    to_places=st.lists(TEXTS, max_size=2).map(tuple),
    other=told(
        st.builds(OtherInfo, NUMBERS, MAYBE, MAYBE, NUMBERS, NUMBERS, FLAGS, st.lists(TEXTS, max_size=2).map(tuple))
    ),
    response_for=st.lists(ANSWERS, max_size=2).map(tuple),
    steering_type=NUMBERS,
    trace=st.lists(st.builds(TraceHeader, st.none() | CODES, MOMENTS), max_size=2).map(tuple),
    business=BUSINESS,
    attachments=st.lists(ATTACHMENTS, max_size=3).map(tuple),
    response_for_tasks=st.lists(TEXTS, max_size=2).map(tuple),
    application_type=MAYBE,
    feedback=st.none() | ANSWERS,
    agency=told(st.builds(ActingAgency, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE)),
)
STATUSES = st.builds(
    Status,
    sender=ORGANIZATIONS,
    response_for=ANSWERS,
    status_code=st.sampled_from(sorted(STATUS_CODES)),
    staff=STAFF,
    description=MAYBE,
    timestamp=MOMENTS,
)
MESSAGES = DOCUMENTS | STATUSES


@given(MESSAGES)
@settings(deadline=None, max_examples=200)
def test_what_is_written_is_read_as_the_same_message(message: Document | Status) -> None:
    """Nothing we model is lost on the way, and writing is a function of what is said."""
    written = encode(message)
    assert decode(written) == message
    assert encode(decode(written)) == written


@given(MESSAGES)
@settings(deadline=None, max_examples=100)
def test_what_is_written_is_valid_by_our_schema(message: Document | Status) -> None:
    """Schema and writer describe the same format."""
    assert schema_errors(encode(message)) == ()


@given(DOCUMENTS)
@settings(deadline=None, max_examples=200)
def test_the_national_sdk_reads_our_documents(national_sdk: ModuleType, document: Document) -> None:
    """Its parser loses documents over small things; over ours it loses none, and reads what we meant."""
    found = national_sdk.read(encode(document))
    assert found.sender == document.sender.organ_id
    assert found.addressees == [addressee.organ_id for addressee in document.addressees]
    assert found.document_id == document.document_id
    assert found.subject == document.subject
    assert found.priority == document.priority
    assert found.steering_type == (document.steering_type or 0)
    assert found.due == document.due_date
    assert found.promulgated == (document.promulgation.date if document.promulgation else None)
    assert found.to_places == list(document.to_places)
    assert found.business_type == document.business.type
    assert found.business_document_id == document.business.document_id
    assert [hop[0] for hop in found.trace] == [hop.organ_id for hop in document.trace]
    assert found.answers == [(answer.organ_id, answer.document_id) for answer in document.response_for]
    assert [(file.name, file.content) for file in found.files] == [
        (attachment.name, attachment.content) for attachment in document.attachments
    ]
    assert found.reference_ids == [attachment.content_id for attachment in document.attachments]


@given(STATUSES)
@settings(deadline=None, max_examples=50)
def test_the_national_sdk_reads_our_statuses(national_sdk: ModuleType, status: Status) -> None:
    """Sender, code and the document it is about arrive."""
    found = national_sdk.read(encode(status))
    assert found.sender == status.sender.organ_id
    assert found.status_code == status.status_code
    assert found.answers == [(status.response_for.organ_id, status.response_for.document_id)]


def test_the_model_of_the_national_sdk_loses_what_the_sdk_loses(national_sdk: ModuleType) -> None:
    """The opponent is as strict as the real one, else passing it means nothing."""
    whole = (DATA / "document.edxml").read_bytes().decode()
    for old, new in (
        (">1</edXML:SteeringType>", "> 1</edXML:SteeringType>"),
        ("http://www.mic.gov.vn/TBT/QCVN_102_2016", "http://www.e-doc.vn/Schema/"),
        ("edXMLHeader>", "Header>"),
        ("<AttachmentName>cong-van.pdf</AttachmentName>", ""),
        ("<ContentType>application/pdf</ContentType>", "<ContentType>application/zip</ContentType>"),
    ):
        assert old in whole
        with pytest.raises(national_sdk.LostDocumentError):
            national_sdk.read(whole.replace(old, new).encode())
    assert [file.name for file in national_sdk.read(whole.encode()).files] == [
        "cong-van.pdf",
        "0b5f7a9e-5a52-4a0e-9d0a-0a4a7d0c7d11.txt",
    ]
    assert national_sdk.read(whole.replace(">1</edXML:Pr", "> 1 </edXML:Pr").encode()).priority == 0
    assert national_sdk.read(whole.replace("2026/12/01", "2026/02/30").encode()).due == dt.date(2026, 3, 2)


def readable_or_refused(data: bytes) -> None:
    """Read bytes in both profiles; anything but a message or a refusal escapes and fails the test."""
    for profile in Profile:
        inspection = inspect(data, profile=profile)
        assert (inspection.message is None) == bool(inspection.problems)
        if inspection.message is None:
            with pytest.raises(Refusal) as refused:
                decode(data, profile=profile)
            assert refused.value.problems == inspection.problems
            assert all(problem.vi and problem.en and problem.code[1] == "." for problem in inspection.problems)
            continue
        message = decode(data, profile=profile)
        written = encode(message)
        assert decode(written) == message or not all_named(message)
        assert encode(decode(written)) == written


def all_named(message: Document | Status) -> bool:
    """Tell whether every file has an extension; writing adds one to a name without."""
    return message.kind == "status" or all("." in attachment.name for attachment in message.attachments)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(
    b"<edXML xmlns='http://www.mic.gov.vn/TBT/QCVN_102_2016'><edXMLEnvelope><edXMLHeader><Status/></edXMLHeader></edXMLEnvelope></edXML>"
)
@settings(deadline=None, max_examples=500)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """A stranger's bytes never end in another exception."""
    readable_or_refused(data)


FRAGMENTS = st.sampled_from(
    [
        b"", b" ", b"null", b"\x00", b"<", b">", b"&", b"&amp;", b"&#0;", b"&#13;", b"<!--", b"-->", b"<![CDATA[",
        b"]]>", b"</edXML:To>", b"<edXML:To>", b"<edXML:OrganId>", b"</edXML:OrganId>", b"<?x?>", b"<!DOCTYPE a>",
        b"xmlns=''", b"<edXML:Status>", b"<Attachment/>", b"edXML:", b"x:", b"0001/01/01", b"31/12/2026",
        b"9999/12/31 23:59:59", b"9999999999", b"-1", b"1.5", b"\xff", b"\xed\xa0\x80", b"=",
        b"PK\x03\x04", b"cid:cid:", b"Business",
    ]
)  # fmt: skip


@given(
    st.sampled_from(EXAMPLES),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 60), FRAGMENTS), min_size=1, max_size=5),
)
@settings(deadline=None, max_examples=500)
def test_mutilated_messages_are_read_or_refused(whole: bytes, cuts: list[tuple[float, int, bytes]]) -> None:
    """Real-looking messages with pieces cut out and others put in, down to half an element."""
    data = whole
    for place, length, piece in cuts:
        start = int(place * len(data))
        data = data[:start] + piece + data[start + length :]
    readable_or_refused(data)


@given(st.sampled_from(EXAMPLES), st.randoms(use_true_random=False), FRAGMENTS)
@settings(deadline=None, max_examples=300)
def test_messages_with_strange_values_are_read_or_refused(whole: bytes, chance: random.Random, value: bytes) -> None:
    """Well-formed messages in which elements are swapped, repeated, emptied or filled with something else."""
    lines = whole.split(b"\r\n")
    for _ in range(3):
        place, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(4):
            case 0:
                lines[place], lines[other] = lines[other], lines[place]
            case 1:
                lines.insert(place, lines[other])
            case 2:
                del lines[place]
            case _:
                head, _, tail = lines[place].partition(b">")
                lines[place] = head + b">" + value + tail[tail.find(b"<") :] if b"<" in tail else lines[place]
    readable_or_refused(b"\r\n".join(lines))


def test_every_truncation_is_refused() -> None:
    """A message cut anywhere is no message, and never half of one."""
    whole = (DATA / "status.edxml").read_bytes().rstrip()
    for length in range(len(whole)):
        assert inspect(whole[:length]).message is None


def test_twenty_megabytes_are_read_in_a_moment() -> None:
    """Large files are decoded once, without detours through text."""
    content = b"%PDF-1.7\n" + random.Random(20).randbytes(20_000_000)
    message = Document(Organization("H23"), (Organization("G22"),), "1", attachments=(Attachment("a.pdf", content),))
    data = encode(message)
    started = time.process_time()
    found = decode(data)
    assert time.process_time() - started < 1
    assert isinstance(found, Document)
    assert found.attachments[0].content == content
    assert found.attachments[0].packing is Packing.RAW
