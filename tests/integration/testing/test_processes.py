"""Child processes that are made to stand still."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lienthong.testing.processes import Family, Switch

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 20.0


def test_what_is_frozen_stands_still_with_all_it_started(tmp_path: Path) -> None:
    """A server is more than one process: each of them is stopped, and each goes on."""
    child = tmp_path / "child"
    with Family(tmp_path / "scratch", stop_signal=signal.SIGKILL) as family:
        script = f"sleep 60 & echo $! >{child}.new; mv {child}.new {child}; wait"
        parent = family.start(["/bin/sh", "-c", script], log=tmp_path / "log", environment=dict(os.environ))
        await_that(child.exists)
        pids = (parent.pid, int(child.read_text()))
        switch = Switch(parent, signal.SIGTERM)
        switch.freeze()
        await_that(lambda: [state(pid) for pid in pids] == ["T", "T"])
        switch.thaw()
        await_that(lambda: "T" not in map(state, pids))


def state(pid: int) -> str:
    """Return what a process does, as Linux has it: ``T`` when it was stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def await_that(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
