"""The pool: it survives what its processes do not."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from tests.unit.signature_pdf.bombs import CASES
from tests.unit.signature_pdf.files import letter
from tests.unit.signature_pdf.people import RECEIVED, belief, signed

from lienthong.document.verdicts import Verdict
from lienthong.errors import Unavailable
from lienthong.signature.pdf import PdfJudge
from lienthong.signature.pdf_facts import Flaw, reason_of

if TYPE_CHECKING:
    from lienthong.isolation.pool import _Child


def only_child(judge: PdfJudge) -> _Child:
    """Return the one process of a pool of one."""
    (child,) = judge._pool._children
    return child


async def verdict(judge: PdfJudge, pdf: bytes) -> Verdict:
    """Return the verdict on a PDF."""
    return (await judge.judge(pdf, at=RECEIVED, belief=belief())).verdict


async def test_a_process_ended_from_outside_is_replaced() -> None:
    """When somebody kills an idle process the next PDF is judged all the same, in a new one."""
    async with PdfJudge(workers=1) as judge:
        assert await verdict(judge, letter()) is Verdict.UNSIGNED
        process = only_child(judge).process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        assert await verdict(judge, signed(letter())) is Verdict.VALID


async def test_a_cancelled_judgement_leaves_no_answer_behind() -> None:
    """After a cancelled judgement the next PDF gets its own answer, not the one before."""
    async with PdfJudge(workers=1) as judge:
        assert await verdict(judge, letter()) is Verdict.UNSIGNED
        task = asyncio.create_task(verdict(judge, signed(letter())))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await verdict(judge, letter()) is Verdict.UNSIGNED


async def test_too_large_a_file_is_refused_unread() -> None:
    """A PDF above the limit is refused with its reason and never reaches a process."""
    async with PdfJudge(workers=1, max_bytes=100) as judge:
        found = await judge.judge(letter(), at=RECEIVED, belief=belief())
        assert (found.verdict, found.reason.code) == (Verdict.INVALID, "FORMAT_FAILURE")
        assert only_child(judge).process is None


async def test_a_process_that_cannot_start_is_not_the_document_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process can be started the answer is to try again later, not a verdict; and then it works again."""
    async with PdfJudge(workers=1) as judge:
        with monkeypatch.context() as broken:
            broken.setattr(sys, "executable", "/nonexistent/python")
            with pytest.raises(Unavailable):
                await verdict(judge, letter())
        assert await verdict(judge, letter()) is Verdict.UNSIGNED


async def test_closing_ends_every_process() -> None:
    """No process is left when the judge is closed."""
    async with PdfJudge(workers=2) as judge:
        await asyncio.gather(*(verdict(judge, letter()) for _ in range(4)))
        running = [child.process for child in judge._pool._children if child.process]
    assert running
    assert all(process.returncode is not None for process in running)


async def test_what_takes_too_long_is_killed_and_refused() -> None:
    """A PDF that exceeds its processor time is refused for that, and the next one is judged in a new process."""
    endless = next(case for case in CASES if case.name == "bomb: an index of a billion lines").make()
    async with PdfJudge(workers=1, seconds=0.3) as judge:
        found = await judge.judge(endless, at=RECEIVED, belief=belief())
        assert (found.verdict, found.reason) == (Verdict.INVALID, reason_of(Flaw.TOO_SLOW))
        assert only_child(judge).process is None
        assert await verdict(judge, signed(letter())) is Verdict.VALID


async def test_what_takes_too_much_memory_is_refused() -> None:
    """A PDF that exceeds the memory is refused for that, and the next one is judged in a new process."""
    greedy = next(case for case in CASES if case.name == "oddity: a name of one megabyte for the kids").make()
    async with PdfJudge(workers=1, megabytes=120) as judge:
        found = await judge.judge(greedy, at=RECEIVED, belief=belief())
        assert (found.verdict, found.reason) == (Verdict.INVALID, reason_of(Flaw.TOO_MUCH_MEMORY))
        assert await verdict(judge, signed(letter())) is Verdict.VALID
