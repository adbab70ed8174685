"""Examining a whole message: what belongs together in it, and what one part of it costs the others."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest_asyncio
from tests.unit.signature_pdf.bombs import CASES
from tests.unit.signature_pdf.files import letter

from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import Attachment, Document, Organization, encode
from lienthong.signature import FileSigner, sign_message
from lienthong.signature.attachments import AttachmentFlaw
from lienthong.signature.pdf import PdfJudge
from lienthong.signature.pdf_facts import Flaw, reason_of
from lienthong.signature.pdf_signing import sign_pdf
from lienthong.signature.policy import LEGACY, Policy
from lienthong.signature.verification import Moment, examine
from lienthong.testing.hierarchy import Hierarchy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = dt.datetime(2026, 11, 10, 5, tzinfo=dt.UTC)
HIERARCHY = Hierarchy(NOW)
CREDENTIAL = HIERARCHY.signer()
SIGNER = FileSigner(CREDENTIAL.key, (CREDENTIAL.certificate,))
MOMENT = Moment(NOW, NOW, HIERARCHY.store())


@pytest_asyncio.fixture
async def pdfs() -> AsyncIterator[PdfJudge]:
    """Provide a judge with little patience."""
    async with PdfJudge(workers=1, seconds=0.5) as judge:
        yield judge


def message(*attachments: Attachment) -> bytes:
    """Return an unsigned message of H23."""
    return encode(
        Document(Organization("H23", "Tỉnh"), (Organization("G22", "Bộ Nội vụ"),), "d-1", attachments=attachments)
    )


async def test_everything_a_judgement_rests_on_is_kept(pdfs: PdfJudge) -> None:
    """Certificates and lists behind the message's signature and behind its PDF's are there once, with their bytes."""
    pdf = Attachment("a.pdf", await sign_pdf(letter(), SIGNER, signing_time=NOW))
    found = await examine(sign_message(message(pdf), SIGNER, signing_time=NOW), MOMENT, pdfs)
    assert [(one.kind, one.verdict) for one in found.findings] == [("message", Verdict.VALID), ("pdf", Verdict.VALID)]
    assert found.signers == (CREDENTIAL.certificate,)
    assert sorted(one.kind for one in found.evidence) == ["certificate"] * 3 + ["crl"] * 2
    assert {one.sha256: one.size for one in found.evidence} == {key: len(der) for key, der in found.blobs.items()}


async def test_after_a_deadly_pdf_no_more_are_tried(pdfs: PdfJudge) -> None:
    """A message of many PDFs that each take all the time there is costs it once, and is refused for the first."""
    endless = next(case for case in CASES if case.name == "bomb: an index of a billion lines").make()
    data = message(*(Attachment(f"{number}.pdf", endless) for number in range(30)))
    found = await examine(data, MOMENT, pdfs)
    assert [(one.subject, one.reason) for one in found.findings] == [("0.pdf", reason_of(Flaw.TOO_SLOW))]
    assert found.appraise(Policy()).appraisal.value is Value.REFUSED


async def test_names_that_clash_refuse(pdfs: PdfJudge) -> None:
    """Two files that would overwrite each other where they are stored are both named."""
    found = await examine(message(Attachment("a.txt", b"Kinh gui"), Attachment("A.TXT", b"Noi nhan")), MOMENT, pdfs)
    assert [file.flaw for file in found.files] == [AttachmentFlaw.SAME_NAME] * 2
    assert found.appraise(Policy()).appraisal.value is Value.REFUSED


async def test_the_old_signature_is_seen_and_not_counted(pdfs: PdfJudge) -> None:
    """A message with the old envelope's signature only is unsigned, and says that this one does not count."""
    data = message().replace(b"</edXML:edXMLHeader>", b"<Signature>abc</Signature></edXML:edXMLHeader>")
    found = await examine(data, MOMENT, pdfs)
    assert (found.findings, found.legacy) == ((), True)
    appraisal = found.appraise(Policy()).appraisal
    assert (appraisal.verdict, LEGACY in appraisal.reasons) == (Verdict.UNSIGNED, True)


async def test_what_cannot_be_read_is_not_merely_unsigned(pdfs: PdfJudge) -> None:
    """A message without signature that has no certain reading is refused, for nobody can say what is attached to it."""
    data = message(Attachment("a.txt", b"Kinh gui")).replace(b"S2luaCBndWk=", b"S2luaCBndWk")
    (finding,) = (await examine(data, MOMENT, pdfs)).findings
    assert (finding.kind, finding.verdict) == ("message", Verdict.INVALID)
