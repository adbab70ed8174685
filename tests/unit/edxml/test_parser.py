"""Hostile and broken bytes."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from lienthong.edxml import Limits, decode, inspect
from lienthong.edxml.parser import Lines, parse
from lienthong.errors import Refusal

MEGABYTE = 1_000_000
NAMESPACE = b"http://www.mic.gov.vn/TBT/QCVN_102_2016"
LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 10))
HOSTILE = {
    "nothing": (b"", "no element"),
    "no XML": (b"\x00\x01\x02", "UTF-8"),
    "billion laughs": (b'<!DOCTYPE a [<!ENTITY l0 "ha">' + LAUGHS + b"]><a>&l9;</a>", "DOCTYPE"),
    "external entity": (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>', "DOCTYPE"),
    "external DTD": (b'<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd"><a/>', "DOCTYPE"),
    "parameter entity": (b'<!DOCTYPE a [<!ENTITY % p "x"> %p;]><a/>', "DOCTYPE"),
    "undefined entity": (b"<a>&nbsp;</a>", "undefined entity"),
    "processing instruction": (b"<a/><?php system(1) ?>", "processing instruction"),
    "style sheet": (b'<?xml version="1.0"?><?xml-stylesheet href="x"?><a/>', "processing instruction"),
    "NUL": (b"<a>\x00</a>", "line 1 column 4"),
    "NUL by reference": (b"<a>&#0;</a>", "line 1 column 4"),
    "UTF-16 with mark": ("<a/>".encode("utf-16"), "not in UTF-8"),
    "UTF-16 without mark": ("<a/>".encode("utf-16-le"), "not in UTF-8"),
    "UTF-32": ("<a/>".encode("utf-32-be"), "not in UTF-8"),
    "UTF-7": (b'<?xml version="1.0" encoding="UTF-7"?><a>+ADw-b+AD4-</a>', "UTF-7"),
    "EBCDIC": (b'<?xml version="1.0" encoding="cp037"?><a/>', "cp037"),
    "Latin-1": (b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>', "ISO-8859-1"),
    "XML 1.1": (b'<?xml version="1.1"?><a/>', "1.1"),
    "invalid UTF-8": (b"<a>\xe1\xba</a>", "line 1"),
    "overlong UTF-8": (b"<a>\xc0\xbc</a>", "line 1 column 4"),
    "surrogate": (b"<a>\xed\xa0\x80</a>", "line 1 column 4"),
    "surrogate by reference": (b"<a>&#xD800;</a>", "line 1 column 4"),
    "noncharacter": (b"<a>\xef\xbf\xbf</a>", "line 1 column 4"),
    "cut off": (b"<a>\n <b>text", "line 2"),
    "two roots": (b"<a/><b/>", "junk after document element"),
    "mismatched": (b"<a>\n<b></a>", "line 2"),
    "twice the same attribute": (b'<a b="1" b="2"/>', "duplicate attribute"),
    "deep nesting": (b"<a>" * 100_000, "deep"),
    "deeper nesting": (b"<a>" * 10_000_000, "deep"),
    "attributes": (b"<a " + b" ".join(b'a%d=""' % number for number in range(65)) + b"/>", "attributes"),
    "a million attributes": (b"<a " + b" ".join(b'a%d=""' % number for number in range(MEGABYTE)) + b"/>", "large"),
    "a million namespaces": (
        b"<a " + b" ".join(b'xmlns:a%d="u"' % number for number in range(MEGABYTE)) + b"/>",
        "large",
    ),
    "long attribute": (b'<a b="' + b"x" * 5000 + b'"/>', "attribute"),
    "very long attribute": (b'<a b="' + b"x" * 40 * MEGABYTE + b'"/>', "large"),
    "very long name": (b"<" + b"a" * 40 * MEGABYTE + b"/>", "large"),
    "very long comment": (b"<a><!--" + b"x" * 40 * MEGABYTE + b"--></a>", "large"),
    "elements": (b"<a>" + b"<b/>" * 20_001 + b"</a>", "elements"),
    "long text": (b"<a>" + b"x" * 65_537 + b"</a>", "longer"),
    "long text of references": (b"<a>" + b"&#65;" * 65_537 + b"</a>", "longer"),
    "long text in a section": (b"<a><![CDATA[" + b"x" * 40 * MEGABYTE + b"]]></a>", "longer"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_is_refused_at_once_and_by_name(name: str) -> None:
    """Whatever a stranger sends costs little time, ends in a refusal, and the refusal says what is wrong."""
    data, said = HOSTILE[name]
    started = time.process_time()
    with pytest.raises(Refusal, match=said) as refused:
        decode(data)
    assert time.process_time() - started < 2
    assert refused.value.problems[0].vi
    assert refused.value.problems[0].province_code in (10, 22)


def test_60_megabytes_of_text_are_refused_before_they_are_read() -> None:
    """The size is looked at first: neither time nor memory is spent."""
    data = b"<edXML>" + b"x" * 60 * MEGABYTE + b"</edXML>"
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(Refusal) as refused:
        decode(data)
    elapsed, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.problems[0].code == "R.edXML"
    assert "60000015" in refused.value.problems[0].en
    assert elapsed < 0.1
    assert peak < MEGABYTE


def test_a_smaller_limit_can_be_set() -> None:
    """Limits belong to whoever reads."""
    with pytest.raises(Refusal, match="limit of 10"):
        decode(b"<edXML></edXML>", limits=Limits(total_bytes=10))


def test_what_stands_before_the_declaration_is_shown() -> None:
    """A stray 1212 at the beginning, seen in the official example, is named, not just 'not well-formed'."""
    (problem,) = inspect(b'1212<?xml version="1.0"?><a/>').problems
    assert problem.code == "T.edXML"
    assert "“1212”" in problem.vi
    assert "“1212”" in problem.en


def test_errors_name_line_and_column() -> None:
    """A sender finds the place without a search."""
    (problem,) = inspect(b'<a xmlns="u">\n  <b></c>\n</a>').problems
    assert "line 2 column 8" in problem.en
    assert "dòng 2 cột 8" in problem.vi


def test_undeclared_prefixes_are_named_and_reading_goes_on() -> None:
    """A prefix nothing declares is an error of its own; the rest is judged all the same."""
    problems = inspect(b'<edXML xmlns="' + NAMESPACE + b'">\n <x:edXMLEnvelope y:href=""/></edXML>').problems
    assert [(problem.code, problem.path) for problem in problems] == [
        ("T.edXMLEnvelope", "edXMLEnvelope"),
        ("T.edXMLEnvelope", "edXMLEnvelope"),
        ("N.edXMLHeader", "edXMLHeader"),
    ]
    assert "“x” (line 2 column 2)" in problems[0].en
    assert "“y” (line 2 column 2)" in problems[1].en


def test_columns_count_characters() -> None:
    """Vietnamese letters of several bytes count as one column."""
    (problem, *_) = inspect("<edXML xmlns='u'>ếế<x:a/></edXML>".encode()).problems
    assert "column 20" in problem.en


def test_lines_and_columns_are_true_far_into_a_large_message() -> None:
    """Places are found in blocks, so that telling thousands of them costs nothing; they stay exact."""
    for line_length in (10, 997, 70_000):
        filler = (b"x" * (line_length - 1) + b"\n") * (300_000 // line_length)
        data = b"<a><b>" + filler.replace(b"x", b" ") + b"</b>  <c/></a>"
        root, _ = parse(data, Limits(text_chars=400_000))
        (found,) = root.children["c"]
        assert Lines(data).line(found) == data[: found.start].count(b"\n") + 1
        assert Lines(data).column(found) == 7
    data = b"<a>" + b" " * 200_000 + b"<c/></a>"
    (found,) = parse(data, Limits(text_chars=400_000))[0].children["c"]
    assert (Lines(data).line(found), Lines(data).column(found)) == (1, 200_004)


@pytest.mark.parametrize(
    "crowd",
    [
        b"<edXML:To xmlns:edXML='urn:x'/>" * 9_000,
        b"<edXML:Nobody/>" * 19_000,
        b"".join(b"<p%d:To/>" % number for number in range(19_000)),
        b"<edXML:To><edXML:OrganId>?</edXML:OrganId></edXML:To>" * 9_000,
        b"<edXML:Subject/>" * 19_000,
        b"<edXML:To " + b" ".join(b"xmlns:p%d='u'" % number for number in range(60)) + b"/>",
    ],
)
def test_a_crowd_of_defects_at_the_end_of_a_large_message_is_refused_quickly(crowd: bytes) -> None:
    """Finding places, paths and words for thousands of problems is no way to keep us busy."""
    padding = b"<edXML:x>" + b" " * 50_000 + b"\n</edXML:x>"
    data = (
        b'<edXML xmlns="%b"><edXML:edXMLEnvelope xmlns:edXML="%b"><edXML:edXMLHeader><edXML:MessageHeader>%b%b'
        b"</edXML:MessageHeader></edXML:edXMLHeader></edXML:edXMLEnvelope></edXML>"
    ) % (NAMESPACE, NAMESPACE, padding * 800, crowd)
    started = time.process_time()
    inspection = inspect(data)
    assert time.process_time() - started < 3
    assert inspection.problems
    assert len(inspection.problems) <= 200


@pytest.mark.parametrize("inside", [b"<a>%s</a>", b"<a b='%s'/>", b"<a xmlns:b='%s'/>"])
def test_texts_and_attributes_are_bounded_together(inside: bytes) -> None:
    """Many long texts cost as much as one: one sign makes all of its text four bytes wide in memory."""
    data = b"<edXML>" + inside % ("\U0001f4dc".encode() + b"x" * 999) * 20 + b"</edXML>"
    parse(data, Limits(total_chars=30_000))
    with pytest.raises(Refusal, match="more than 15000 characters"):
        parse(data, Limits(total_chars=15_000))


@pytest.mark.parametrize("noise", [b"&#65;", b"<![CDATA[A]]>", b"A\n"])
def test_noise_inside_base64_costs_little(noise: bytes) -> None:
    """However XML lets one write forty megabytes of the letter A."""
    data = (
        b'<edXML xmlns="'
        + NAMESPACE
        + b'"><edXMLEnvelope><edXMLHeader><MessageHeader><To/></MessageHeader></edXMLHeader>'
        b"</edXMLEnvelope><AttachmentEncoded><Attachment><AttachmentName>a.txt</AttachmentName><ContentTransferEncoded>"
        + noise * (40 * MEGABYTE // len(noise))
        + b"</ContentTransferEncoded></Attachment></AttachmentEncoded></edXML>"
    )
    started = time.process_time()
    assert inspect(data).kind == "document"
    assert time.process_time() - started < 4


@pytest.mark.parametrize("place", [b"<edXML>%s</edXML>", b"<edXML><Attachment>AAAA%s</Attachment></edXML>"])
def test_comments_count_as_elements(place: bytes) -> None:
    """Seven million comments fit into fifty megabytes: each costs a call, and nobody needs them."""
    limits = Limits(elements=100)
    parse(place % (b"<!---->" * 98), limits)
    with pytest.raises(Refusal, match="at most 100 elements and comments"):
        parse(place % (b"<!---->" * 101), limits)
