"""The pool survives what its processes do not, and tells apart whose fault that was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lienthong.errors import Unavailable
from lienthong.isolation import Answer, Death, Pool

PROGRAM = str(Path(__file__).with_name("misbehaving.py"))


def pool(*, processes: int = 1, seconds: float = 5, life: int = 500, file_megabytes: int = 0) -> Pool:
    """Return a pool of processes that do to themselves what they are asked to."""
    program = (PROGRAM, str(file_megabytes))
    # However busy the machine is: the processes' limit is of processor time.
    return Pool(program, processes=processes, seconds=seconds, more_seconds=60, life=life)


async def body(running: Pool, request: bytes) -> bytes:
    """Return what is answered."""
    answer = await running.ask(request)
    assert isinstance(answer, Answer), answer
    return answer.body


@pytest.mark.parametrize(
    ("request_", "death"),
    [
        (b"spin", Death.TOO_SLOW),
        (b"take 200", Death.TOO_MUCH_MEMORY),
        (b"crash", Death.CRASHED),
        (b"an error nobody thought of", Death.CRASHED),
    ],
)
async def test_what_a_request_does_to_its_process_is_its_answer(request_: bytes, death: Death) -> None:
    """Too slow, too greedy and deadly are told apart, and the next request finds a new process."""
    async with pool(seconds=0.5) as running:
        assert await body(running, b"echo before") == b"before"
        assert await running.ask(request_) is death
        assert await body(running, b"echo after") == b"after"


async def test_deaths_do_not_reach_another_s_answer() -> None:
    """Among requests that end their processes in every way each good one gets its own answer."""
    requests = [(b"echo %d" % n, b"spin", b"take 200", b"crash")[n % 4] for n in range(24)]
    async with pool(processes=3, seconds=0.2) as running, asyncio.TaskGroup() as group:
        asked = [group.create_task(running.ask(request)) for request in requests]
    for number, (request, answered) in enumerate(zip(requests, asked, strict=True)):
        found = answered.result()
        if request.startswith(b"echo"):
            assert isinstance(found, Answer)
            assert found.body == b"%d" % number
        else:
            assert isinstance(found, Death)


async def test_a_process_ended_from_outside_says_nothing_about_the_request(tmp_path: Path) -> None:
    """The request is tried once more; ended twice, nobody knows, and the caller tries later."""
    async with pool(file_megabytes=1) as running:
        with pytest.raises(Unavailable, match="twice"):
            await running.ask(b"killed")
        assert await body(running, b"killed " + str(tmp_path / "once").encode()) == b"not again"
        assert await body(running, b"echo after") == b"after"


async def test_memory_kept_by_others_is_not_the_request_s_fault() -> None:
    """A request that fails in a process half full is judged by what it needs in a new one."""
    async with pool() as running:
        assert await body(running, b"keep 60") == b"kept"
        assert await body(running, b"take 60") == str(60 * 1024 * 1024).encode()


async def test_a_request_may_have_less_time_than_others() -> None:
    """The processor time of one request can be less than the pool's, never more."""
    async with pool(seconds=0.5) as running:
        assert await running.ask(b"spin", seconds=0.1) is Death.TOO_SLOW
        assert await running.ask(b"spin", seconds=100) is Death.TOO_SLOW


async def test_a_process_writes_only_what_it_may(tmp_path: Path) -> None:
    """Where no files are expected none can be written."""
    target = str(tmp_path / "written").encode()
    async with pool() as running:
        assert await running.ask(b"write " + target) is Death.CRASHED
    async with pool(file_megabytes=1) as running:
        assert await body(running, b"write " + target) == b"written"


async def test_a_process_is_replaced_in_time() -> None:
    """After its life of requests a process makes room for a new one."""
    async with pool(life=2) as running:
        first, second, third = [await body(running, b"who") for _ in range(3)]
    assert first == second
    assert third != first
