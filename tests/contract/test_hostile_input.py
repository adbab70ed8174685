"""What a stranger's bytes can do: nothing. See `tests.fuzz.targets` for what is promised of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from tests.fuzz import targets
from tests.fuzz.files import check_signature
from tests.fuzz.promises import MAX_BYTES, MIB, BrokenPromiseError
from tests.fuzz.seeds import fleeting, kept
from tests.fuzz.targets import TARGETS, Target, feed, peak_bytes
from tests.unit.signature_pdf.people import RECEIVED, belief

from lienthong.signature.pdf import PdfJudge, report
from lienthong.signature.pdf_examination import examine
from lienthong.testing.message_forge import Draft

ROOT = Path(__file__).parents[2]
MUTANTS = 100


def run(module: str) -> None:
    """Run a program of `tests.fuzz`, whose memory is its own, and demand that it found nothing."""
    command = [sys.executable, "-m", f"tests.fuzz.{module}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)  # noqa: S603 - our own words only
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


def test_every_kept_input_keeps_every_promise() -> None:
    """What once broke something, and what the fuzzer starts from, is answered within time and memory."""
    run("replay")


@pytest.mark.timeout(600)
def test_the_largest_inputs_of_the_worst_shapes_stay_within_time_and_memory() -> None:
    """No input of up to 50 MiB takes more than 5 s of processor time or 300 MiB, whatever its shape."""
    run("giants")


@pytest.mark.parametrize("name", TARGETS)
def test_changed_inputs_keep_every_promise(name: str) -> None:
    """A few changes by the fuzzer's own mutations, the same each time: they work, and nothing comes of them."""
    target = TARGETS[name]
    seeds, chance = [*kept(target), *list(fleeting(target))[:20]], Random(1)
    for _ in range(MUTANTS):
        target.check(target.mutate(chance.choice(seeds), chance)[: target.max_bytes])


async def test_pdfs_are_answered_for_by_the_process_that_examines_them() -> None:
    """What is checked here without its limits holds in the real process: the same is found there."""
    target, chance = TARGETS["pdf"], Random(1)
    seeds = kept(target)
    changed = [target.mutate(chance.choice(seeds), chance) for _ in range(MUTANTS)]
    async with PdfJudge(workers=1) as judge:
        for pdf in (*seeds, *changed):
            there = await judge.judge(pdf, at=RECEIVED, belief=belief())
            here = report(examine(pdf), pdf, at=RECEIVED, belief=belief())
            assert (there.verdict, there.reason, there.findings) == (here.verdict, here.reason, here.findings)


def test_a_signature_over_what_nobody_signed_is_noticed() -> None:
    """The fuzzer can fail: an intact message that is none of the originals is a finding."""
    forged = Draft(header=Draft().header.replace("d-1", "d-2")).sign()
    check_signature(Draft().sign())
    with pytest.raises(BrokenPromiseError, match="nobody signed"):
        check_signature(forged)


@pytest.mark.parametrize(
    ("check", "promise"),
    [
        (lambda _: sum(range(4_000_000)), "it takes .* s"),
        (lambda _: bytearray(b"x") * (MAX_BYTES + MIB), "it takes .* bytes"),
    ],
    ids=["time", "memory"],
)
def test_what_takes_too_much_is_noticed(check: object, promise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuzzer can fail: time and memory are measured."""
    monkeypatch.setattr(targets, "MAX_SECONDS", 1.0 if "bytes" in promise else 0.01)
    with pytest.raises(BrokenPromiseError, match=promise):
        feed(Target("greedy", check, TARGETS["pdf"].mutate), b"", peak_bytes(anew=True))  # type: ignore[arg-type]
