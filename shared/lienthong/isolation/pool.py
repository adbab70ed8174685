"""A pool of processes that answer requests, each of which may be killed by a bad one without harm to the others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from lienthong.errors import Unavailable
from lienthong.isolation.child import ANSWER, EXHAUSTED, REQUEST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

__all__ = ["Answer", "Death", "Pool"]

_MAX_ANSWER: Final = 8 * 1024 * 1024
_START_SECONDS: Final = 60
_FAREWELL_SECONDS: Final = 5
_PATIENCE: Final = 10
"""How much longer than its processor time a request may take on the clock before the machine is called too busy."""

_CRASHES: Final = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL})


class Death(StrEnum):
    """What a request can do to the process that was to answer it."""

    TOO_SLOW = "too-slow"
    TOO_MUCH_MEMORY = "too-much-memory"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        body: what the process answered.
        seconds: of processor time it took.
    """

    body: bytes
    seconds: float


class Pool:
    """Answers requests in processes of their own; an async context manager that owns them.

    Two failures are kept apart. A request that exceeds its limits or crashes its process is answered with a `Death`: a
    fact about the request, which would happen again. A process that is ended from outside says nothing about the
    request, which is tried once more in a new process.

    Args:
        program: what Python runs in them (``-m``, module, arguments…); it calls `lienthong.isolation.child.serve`.
        processes: how many; each is started when it is first needed.
        seconds: of processor time for one request; the kernel kills what takes longer.
        more_seconds: what a request may take on the clock beside processor time, waiting for others.
        life: requests after which a process is replaced, so that what libraries keep does not add up.
    """

    def __init__(
        self, program: Sequence[str], *, processes: int, seconds: float, more_seconds: float = 0, life: int = 500
    ) -> None:
        self._seconds = seconds
        self._children = [_Child(program, seconds * _PATIENCE + more_seconds, life) for _ in range(processes)]
        self._idle: asyncio.Queue[_Child] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        for child in self._children:
            self._idle.put_nowait(child)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for child in self._children:
            await child.end()

    async def ask(self, request: bytes, *, seconds: float | None = None) -> Answer | Death:
        """Return the answer to a request, or what it did to its process.

        Args:
            request: whatever the program understands.
            seconds: of processor time, when it is less than the pool's.

        Raises:
            Unavailable: the machine is too busy, or somebody else ended the process twice; try again.
        """
        seconds = self._seconds if seconds is None else min(seconds, self._seconds)
        child = await self._idle.get()
        try:
            outcome = await child.ask(request, seconds)
            # Memory that requests before it have left in pieces is not this one's fault: a new process tells.
            if outcome is None or (outcome is Death.TOO_MUCH_MEMORY and child.served > 1):
                outcome = await child.ask(request, seconds)
        finally:
            self._idle.put_nowait(child)
        if outcome is None:
            raise Unavailable("the process that examines was ended from outside, twice")
        return outcome


class _Child:
    """One process, started when it is needed and again after it died."""

    def __init__(self, program: Sequence[str], clock_seconds: float, life: int) -> None:
        self.program = program
        self.clock_seconds = clock_seconds
        self.life = life
        self.process: asyncio.subprocess.Process | None = None
        self.served = 0

    async def ask(self, request: bytes, seconds: float) -> Answer | Death | None:
        """Return the answer or how the process died of the request; None when it was ended by somebody else.

        Raises:
            Unavailable: no process could be started, or it got no processor time.
        """
        process = self.process or await self._start()
        self.served += 1
        try:
            async with asyncio.timeout(self.clock_seconds):
                with contextlib.suppress(ConnectionError):
                    assert process.stdin is not None
                    process.stdin.write(REQUEST.pack(len(request), seconds))
                    process.stdin.write(request)
                    await process.stdin.drain()
                received = await self._receive(process)
        except TimeoutError as error:
            await self.end()
            raise Unavailable("the machine is too busy to examine this now") from error
        except BaseException:
            await self.end()  # an answer left in the pipe would be taken for the next one's
            raise
        if received is None:
            return _cause_of_death(await self._reap(process))
        if isinstance(received, Death) or self.served >= self.life:
            await self.end()
        return received

    async def end(self) -> None:
        """End the process, if there is one."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self._reap(self.process)

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            self.process = process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                *self.program,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                # No password of ours is in reach of what it reads. One arena: each further one reserves 64 MB of the
                # address space that is limited.
                env={"PATH": os.defpath, "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"},
            )
        except OSError as error:
            raise Unavailable(f"no process to examine in: {error}") from error
        self.served = 0
        try:
            async with asyncio.timeout(_START_SECONDS):
                greeting = await self._receive(process)
        except BaseException as error:
            await self.end()
            if isinstance(error, TimeoutError):
                raise Unavailable("the process that examines does not start") from error
            raise
        if greeting is None:
            raise Unavailable(f"the process that examines ends with {await self._reap(process)}")
        return process

    async def _receive(self, process: asyncio.subprocess.Process) -> Answer | Death | None:
        assert process.stdout is not None
        try:
            status, size, seconds = ANSWER.unpack(await process.stdout.readexactly(ANSWER.size))
            if status == EXHAUSTED:
                return Death.TOO_MUCH_MEMORY
            return Answer(await process.stdout.readexactly(size), seconds) if size <= _MAX_ANSWER else Death.CRASHED
        except asyncio.IncompleteReadError:
            return None

    async def _reap(self, process: asyncio.subprocess.Process) -> int:
        """Wait for a process that is ending, and return its exit status (negative: the signal that ended it)."""
        self.process = None
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()


def _cause_of_death(status: int) -> Death | None:
    if status == -signal.SIGPROF:
        return Death.TOO_SLOW
    return Death.CRASHED if status >= 0 or -status in _CRASHES else None
