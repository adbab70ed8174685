"""Signatures, attached files and PDFs."""

from __future__ import annotations

import signal
from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from tests.fuzz.promises import DATA, SMALL, demand, demand_problems

from lienthong import edxml
from lienthong.errors import Refusal
from lienthong.signature.attachments import ZipLimits, examine_attachment
from lienthong.signature.examination import examine_message
from lienthong.signature.pdf_examination import examine as examine_pdf
from lienthong.signature.pdf_facts import PdfFacts, decode_facts, encode_facts, reason_of

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["check_attachment", "check_pdf", "check_signature"]

PDF_SECONDS = 4.0
"""What the process that examines PDFs gives one; see `lienthong.signature.pdf.PdfJudge`."""


def check_signature(data: bytes) -> None:
    """A signature is only intact over what one of the signed originals says."""
    found = examine_message(data)
    demand(bool(found.reason.vi and found.reason.en), "there is a reason in both languages")
    found.reason.vi.encode()
    if found.state != "intact":
        demand(found.header is None and not found.parts, "only an intact signature covers anything")
        return
    demand(found.header is not None, "an intact signature covers a header")
    if len(data) > SMALL:
        return
    try:
        read = edxml.decode(data)
    except Refusal:
        return
    demand(found.header is not None and not found.header.differences(read), "what was signed is what is read")
    demand(_signed_content(read) in _signed_originals(), "nobody signed this")


def _signed_content(message: edxml.Document | edxml.Status) -> object:
    """Return what a reader reads of a message, without what no signature covers."""
    if isinstance(message, edxml.Status):
        return message
    files = tuple((one.name, one.content_id, one.description, one.sha256) for one in message.attachments)
    return replace(message, trace=(), business=edxml.Business(), attachments=()), files


@cache
def _signed_originals() -> tuple[object, ...]:
    originals = [path.read_bytes() for path in sorted((DATA / "signature").glob("signed-*"))]
    demand(bool(originals), "there are signed originals")
    demand(all(examine_message(one).state == "intact" for one in originals), "the originals are intact")
    return tuple(_signed_content(edxml.decode(one)) for one in originals)


def check_attachment(data: bytes) -> None:
    """A file is looked into within limits, and gets a name that is safe anywhere; the input is name, type, content."""
    name, _, rest = data.partition(b"\n")
    declared, _, content = rest.partition(b"\n")
    limits = ZipLimits()
    report = examine_attachment(
        name.decode("utf-8", "replace"), content, declared.decode("utf-8", "replace"), limits=limits
    )
    safe = report.safe_name
    demand(0 < len(safe.encode()) <= 255, "a safe name has 1 to 255 bytes")
    demand(safe not in {".", ".."} and not set(safe) & set('/\\\0:*?"<>|\r\n'), "a safe name is no path")
    for found in report.findings:
        demand_problems((found.problem,))
    packed = [one for one in report.pdfs if one.content is not content]
    demand(sum(len(one.content) for one in packed) <= limits.unpacked_bytes, "what is unpacked is within the limit")


class _TimeIsUp(BaseException):
    """What the kernel would do to the process that examines PDFs; not an `Exception`, which nothing may catch."""


def check_pdf(data: bytes) -> None:
    """Any PDF gets facts or is killed; a signature is only intact over what was signed in one of the originals."""
    facts = _pdf_facts(data)
    if facts is None:
        return
    demand(decode_facts(encode_facts(facts)) == facts, "facts cross a pipe unchanged")
    for flaw in (facts.flaw, *(one.flaw for one in facts.signatures)):
        if flaw is not None:
            reason_of(flaw)
    for one in facts.signatures:
        if one.flaw is None:
            demand(_covered(data, one.covered) in _covered_originals(), "nobody signed this")
    if facts.flaw is None and facts.signatures and facts.signatures[-1].flaw is None:
        tail = data[facts.signatures[-1].covered[2] :]
        demand(not tail or b"/DSS" in tail, "nothing but archival data follows the last signature")


def _pdf_facts(data: bytes) -> PdfFacts | None:
    """Examine as the child process does; None when it would be killed for its time or has too little memory."""
    before = signal.signal(signal.SIGPROF, _time_is_up)
    signal.setitimer(signal.ITIMER_PROF, PDF_SECONDS)
    try:
        return examine_pdf(data)
    except (_TimeIsUp, MemoryError):
        return None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _time_is_up(_number: int, _frame: FrameType | None) -> None:
    raise _TimeIsUp


def _covered(data: bytes, covered: tuple[int, int, int]) -> bytes:
    begin, after, end = covered
    return sha256(data[:begin] + b"gap" + data[after:end]).digest()


@cache
def _covered_originals() -> frozenset[bytes]:
    found = set()
    for path in sorted((DATA / "pdf").glob("signed-*")):
        data = path.read_bytes()
        facts = examine_pdf(data)
        demand(facts.flaw is None and bool(facts.signatures), "the originals are intact")
        found |= {_covered(data, one.covered) for one in facts.signatures}
    demand(bool(found), "there are signed originals")
    return frozenset(found)
