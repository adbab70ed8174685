"""Fuzzing guided by coverage: ``python -m tests.fuzz --minutes 10``; what `make fuzz` runs.

Every target gets an equal share of the time, in a process of its own, one after the other. What reaches new code is
kept in the working corpus (``.fuzz/``, not committed), so that the next run goes on from there. An input for which
something does not hold is kept as ``.fuzz/<target>.finding-…``; it belongs into ``tests/data/fuzz/<target>/``, with the
fix. Ends with 1 when there is any.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import re
import resource
import sys
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import atheris

if TYPE_CHECKING:
    from types import ModuleType

    from tests.fuzz.targets import Target

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".fuzz"
HANG_SECONDS = 60
"""On the clock, which other programs use, too; the limit of processor time is `tests.fuzz.promises.MAX_SECONDS`."""
HEAP_MIB = 2048
BLIND = 0.5
"""Share of the changes that know nothing of form: libFuzzer's own."""
GUIDED = ["lienthong", "zipfile", "pyhanko.pdf_utils", "pyhanko.sign.validation", "pyhanko.sign.diff_analysis"]
"""What inputs are meant to reach; covering all libraries would take most of the time."""


@dataclass(frozen=True)
class Result:
    """What came of fuzzing one target.

    Attributes:
        executions: inputs tried.
        seconds: in how long.
        edges: of the guided code that were reached.
        corpus: inputs that reach something of their own.
        findings: files of inputs for which something does not hold.
    """

    executions: int
    seconds: float
    edges: int
    corpus: int
    findings: tuple[Path, ...]


def main() -> int:
    """Fuzz for so long, print what came of it, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz", description="Fuzz everything a stranger's bytes reach.")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long in all; by default 1")
    parser.add_argument("--target", action="append", help="only this one; may be repeated")
    arguments = parser.parse_args()
    deadline = time.monotonic() + 60 * arguments.minutes
    with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=GUIDED):
        targets = importlib.import_module("tests.fuzz.targets")
        seeds = importlib.import_module("tests.fuzz.seeds")
    targets.quiet()
    chosen = [targets.TARGETS[name] for name in arguments.target or targets.TARGETS]
    sys.stdout.write(f"{'target':12}{'executions':>12}{'seconds':>9}{'edges':>8}{'corpus':>8}  findings\n")
    findings: list[Path] = []
    for place, target in enumerate(chosen):
        share = max(2.0, (deadline - time.monotonic()) / (len(chosen) - place))
        result = _fuzz(target, share, targets, seeds)
        findings += result.findings
        shown = " ".join(str(path.relative_to(ROOT)) for path in result.findings) or "0"
        counts = f"{result.executions:12,}{result.seconds:9.0f}{result.edges:8,}{result.corpus:8,}"
        sys.stdout.write(f"{target.name:12}{counts}  {shown}\n")
        sys.stdout.flush()
    return 1 if findings else 0


def _fuzz(target: Target, seconds: float, targets: ModuleType, seeds: ModuleType) -> Result:
    """Fuzz one target in a process of its own, and read what libFuzzer says at the end."""
    started = time.monotonic()
    corpus = WORK / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    for data in (*seeds.kept(target), *seeds.fleeting(target)):
        (corpus / sha256(data).hexdigest()).write_bytes(data)
    log = WORK / f"{target.name}.log"
    before = set(WORK.glob(f"{target.name}.finding-*"))
    left = seconds - (time.monotonic() - started)
    child = os.fork()
    if child == 0:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        _run(target, left, targets, corpus)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    said = log.read_text(encoding="utf-8", errors="replace")
    found = sorted(set(WORK.glob(f"{target.name}.finding-*")) - before)
    if status and not found:
        found = [log]
    edges, files = (re.findall(rf"{word}: (\d+)", said) or ["0"] for word in ("cov", "corp"))
    executions = re.findall(r"stat::number_of_executed_units: *(\d+)", said) or ["0"]
    return Result(int(executions[-1]), time.monotonic() - started, int(edges[-1]), int(files[-1]), tuple(found))


def _run(target: Target, seconds: float, targets: ModuleType, corpus: Path) -> None:
    """Fuzz until the time is over or something does not hold; runs in the child."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    target.check(b"")
    idle: list[int] = []

    def test_one(data: bytes) -> None:
        if not idle:
            idle.append(targets.peak_bytes())
        targets.feed(target, data, idle[0])

    def mutated(data: bytes, max_size: int, seed: int) -> Any:
        chance = Random(seed)
        for _ in range(chance.choice((1, 1, 2, 4))):
            blind = chance.random() < BLIND
            data = atheris.Mutate(data[:max_size], max_size) if blind else target.mutate(data, chance)
        return data[:max_size]

    options = [
        f"-max_total_time={max(1, int(seconds))}",
        f"-max_len={target.max_bytes}",
        f"-timeout={HANG_SECONDS}",
        f"-rss_limit_mb={HEAP_MIB}",
        f"-artifact_prefix={WORK / target.name}.finding-",
        "-print_final_stats=1",
        "-reload=0",
        str(corpus),
    ]
    atheris.Setup(["fuzz", *options], test_one, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
