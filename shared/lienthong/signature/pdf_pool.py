"""A pool of processes that examine PDFs, each of which may be killed by a bad one without harm to the others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Final, Self

from lienthong.errors import Unavailable
from lienthong.signature.pdf_facts import Flaw, PdfFacts, decode_facts

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["ExaminationPool"]

_LENGTH_BYTES: Final = 8
_MAX_ANSWER: Final = 8 * 1024 * 1024
_START_SECONDS: Final = 60
_FAREWELL_SECONDS: Final = 5
_PATIENCE: Final = 10
"""How much longer than its processor time a PDF may take on the clock before the machine is called too busy."""

_LIFE: Final = 500
"""PDFs after which a process is replaced, so that what libraries keep does not add up."""

_CRASHES: Final = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL})


class ExaminationPool:
    """Examines PDFs in processes of their own.

    Args:
        workers: how many at once.
        seconds: of processor time for one PDF; the kernel kills what takes longer.
        megabytes: of address space for one process, what it needs for itself (about 70) included.
        max_bytes: the largest PDF that is looked at.
    """

    def __init__(self, *, workers: int, seconds: float, megabytes: int, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._children = [_Child(seconds, megabytes) for _ in range(workers)]
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

    async def examine(self, pdf: bytes) -> PdfFacts:
        """Return the facts about a PDF; one that kills its process is a fact, too.

        Raises:
            Unavailable: the machine is too busy, or somebody else ended the process; try again.
        """
        if len(pdf) > self.max_bytes:
            return PdfFacts(Flaw.TOO_LARGE)
        child = await self._idle.get()
        try:
            facts = await child.examine(pdf)
            if facts is None:
                facts = await child.examine(pdf)  # ended by somebody else: once more, in a new process
        finally:
            self._idle.put_nowait(child)
        if facts is None:
            raise Unavailable("the process that examines PDFs was ended from outside, twice")
        return facts


class _Child:
    """One process, started when it is needed and again after it died."""

    def __init__(self, seconds: float, megabytes: int) -> None:
        self.seconds = seconds
        self.megabytes = megabytes
        self.process: asyncio.subprocess.Process | None = None
        self.served = 0

    async def examine(self, pdf: bytes) -> PdfFacts | None:
        """Return the facts, or None when the process was ended by somebody else.

        Raises:
            Unavailable: no process could be started, or it got no processor time.
        """
        process = self.process or await self._start()
        try:
            async with asyncio.timeout(self.seconds * _PATIENCE):
                answer = await self._ask(process, pdf)
        except TimeoutError as error:
            await self.end()
            raise Unavailable("the machine is too busy to examine a PDF now") from error
        except BaseException:
            await self.end()  # an answer left in the pipe would be taken for the next one's
            raise
        self.served += 1
        if answer is None:
            return self._cause_of_death(await self._reap(process))
        facts = decode_facts(answer)
        if facts.flaw is Flaw.TOO_MUCH_MEMORY or self.served >= _LIFE:
            await self.end()
        return facts

    async def end(self) -> None:
        """End the process, if there is one."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self._reap(self.process)

    async def _start(self) -> asyncio.subprocess.Process:
        arguments = ("-I", "-m", "lienthong.signature.pdf_child", str(self.seconds), str(self.megabytes))
        try:
            self.process = process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},  # no password of ours is in reach of a PDF
            )
        except OSError as error:
            raise Unavailable(f"no process to examine PDFs: {error}") from error
        self.served = 0
        try:
            async with asyncio.timeout(_START_SECONDS):
                greeting = await self._receive(process)
        except BaseException as error:
            await self.end()
            if isinstance(error, TimeoutError):
                raise Unavailable("the process that examines PDFs does not start") from error
            raise
        if greeting is None:
            raise Unavailable(f"the process that examines PDFs ends with {await self._reap(process)}")
        return process

    async def _ask(self, process: asyncio.subprocess.Process, pdf: bytes) -> bytes | None:
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            process.stdin.write(len(pdf).to_bytes(_LENGTH_BYTES, "big"))
            process.stdin.write(pdf)
            await process.stdin.drain()
        return await self._receive(process)

    async def _receive(self, process: asyncio.subprocess.Process) -> bytes | None:
        assert process.stdout is not None
        try:
            size = int.from_bytes(await process.stdout.readexactly(_LENGTH_BYTES), "big")
            return await process.stdout.readexactly(size) if size <= _MAX_ANSWER else None
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

    def _cause_of_death(self, status: int) -> PdfFacts | None:
        if status == -signal.SIGPROF:
            return PdfFacts(Flaw.TOO_SLOW)
        if status >= 0 or -status in _CRASHES:
            return PdfFacts(Flaw.CRASHED)
        return None
