"""The corpus of attacks: what is said about each, how long it takes, and that nobody else is harmed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import tests.unit.signature_pdf.bombs
import tests.unit.signature_pdf.fields  # noqa: F401 - fills the corpus
from tests.unit.signature_pdf.attacks import CASES, Case
from tests.unit.signature_pdf.files import letter
from tests.unit.signature_pdf.people import RECEIVED, belief, signed

from lienthong.document.verdicts import Verdict
from lienthong.signature.pdf import PdfJudge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECONDS = 5.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def judge() -> AsyncIterator[PdfJudge]:
    """Provide one pool for the whole corpus: what a case does to it, the next one feels."""
    async with PdfJudge(workers=1, seconds=2, megabytes=300) as running:
        yield running


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_each_attack_gets_the_right_answer(judge: PdfJudge, case: Case) -> None:
    """Every attack is answered with its verdict and reason, within five seconds of processor time and 300 MB."""
    pdf = case.make()
    await judge.judge(letter(), at=RECEIVED, belief=belief())  # the process is up
    report = await judge.judge(pdf, at=RECEIVED, belief=belief())
    assert (report.verdict, report.reason.code) == (case.verdict, case.code), report
    assert report.deadly or report.seconds < SECONDS  # what exceeds them the kernel ends


async def test_neighbours_in_a_batch_are_unharmed() -> None:
    """A batch in which every second PDF kills or exhausts its process still gives the good ones their verdict."""
    good = signed(letter())
    deadly = [case.make() for case in CASES if case.name.startswith(("bomb", "loop"))]
    batch = [pdf for bad in deadly for pdf in (bad, good)]
    async with PdfJudge(workers=2, seconds=1, megabytes=300) as judge:
        reports = await asyncio.gather(*(judge.judge(pdf, at=RECEIVED, belief=belief()) for pdf in batch))
    assert {report.verdict for report in reports[1::2]} == {Verdict.VALID}
    assert {report.verdict for report in reports[0::2]} == {Verdict.INVALID}
