"""Keeping revocation fresh in the background, so that no judgement ever waits for a network.

Every list and every known certificate's OCSP answer has a task of its own: fetch, check that it is authentic, fresh and
not older than what is at hand, put it into the trust folder, wait, again. A server that is dead, slow, lying or stale
costs its own task's patience and nothing else; what was fetched before stays until it expires by its own word.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
from collections import OrderedDict
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import aiohttp
import structlog

from lienthong.errors import LienThongError, Unavailable
from lienthong.telemetry import metrics
from lienthong.telemetry.events import Event
from lienthong.trust.publications import (
    Publication,
    StatusQuestion,
    addresses,
    configured,
    issuer_of,
    joined,
    keep,
    named_in,
    question_about,
)
from lienthong.trust.report import observe, states
from lienthong.trust.store import TrustStore, identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

    from cryptography import x509

    from lienthong.trust.sources import Source

__all__ = ["Patience", "Refreshed", "Refresher"]

MOST_CERTIFICATES = 5000
"""Signers whose OCSP answers are kept fresh; the one not seen for longest makes room."""
AT_ONCE_PER_HOST = 2
LARGEST_ANSWER = 256 * 1024
CHUNK = 64 * 1024

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds.

    Attributes:
        every: between two fetches that succeed; less when what was fetched expires sooner.
        answer: for one answer, from connecting to its last byte; the national services have taken 131 s.
        hurry: until an answer that does not come is asked for a second time: a server that was switched off in the
            middle of one never says so, and what is there again has forgotten what it was asked.
        first_retry: after a failure; doubles with each further one.
        last_retry: the most it grows to: documents wait for what is missing.
        look: between two looks at what is to be fetched.
    """

    every: float = 1800.0
    answer: float = 180.0
    hurry: float = 10.0
    first_retry: float = 5.0
    last_retry: float = 10.0
    look: float = 30.0


class _Host:
    """What is asked of one host: lists, or OCSP answers.

    Attributes:
        slots: how much is asked of it at once.
        turn: whose turn it is to try again, of the answers that could not be had.
        returned: set when something is answered that was not before; from then on another one stands here.
    """

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(AT_ONCE_PER_HOST)
        self.turn = asyncio.Lock()
        self.returned = asyncio.Event()

    def answers(self) -> None:
        """Let everything that waits for the host try again."""
        self.returned.set()
        self.returned = asyncio.Event()

    async def wait(self, seconds: float, *, in_turn: bool) -> None:
        """Wait to try again, no longer than until the host answers anything.

        There are few lists. There may be thousands of OCSP answers: of these one at a time finds out for all.
        """
        returned = self.returned
        async with self.turn if in_turn else contextlib.nullcontext():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(returned.wait(), seconds)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What came of one fetch.

    Attributes:
        url: the address.
        trouble: why nothing was kept; None when it went well.
        next_update: until when what was fetched is good.
    """

    url: str
    trouble: str | None = None
    next_update: dt.datetime | None = None


class Refresher:
    """Fetches what configured authorities publish into a trust folder, in the background until its block ends.

    Args:
        folder: the trust folder.
        urls: lists to fetch besides those that certificates, and the folder's ``addresses.txt``, name.
        patience: how long to wait for what.
        largest_list: bytes of a list; a larger one is refused.
        clock: the present.
    """

    def __init__(
        self,
        folder: Path,
        *,
        urls: Iterable[str] = (),
        patience: Patience | None = None,
        largest_list: int = 32 * 1024 * 1024,
        clock: Callable[[], dt.datetime] | None = None,
    ) -> None:
        self._folder = folder
        self._urls = tuple(urls)
        self._patience = patience or Patience()
        self._largest_list = largest_list
        self._clock = clock or _now
        self._store = TrustStore.load(folder)
        self._known: OrderedDict[bytes, x509.Certificate] = OrderedDict()
        self._news = asyncio.Event()
        self._targets: dict[bytes, frozenset[Publication | StatusQuestion]] = {}
        self._warned: set[tuple[str, str]] = set()
        self._hosts: dict[tuple[str, type], _Host] = {}
        self._tasks: dict[Publication | StatusQuestion, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._resources = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None

    def remember(self, certificate: x509.Certificate) -> None:
        """Keep the status of a signer's certificate fresh from now on; costs nothing, judges nothing."""
        key = identity(certificate)
        if key not in self._known:
            self._news.set()
        self._known[key] = certificate
        self._known.move_to_end(key)
        if len(self._known) > MOST_CERTIFICATES:
            self._known.popitem(last=False)

    async def __aenter__(self) -> Self:
        """Begin."""
        self._looking = asyncio.create_task(self._look(), name="trust refresher")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [*self._tasks.values(), *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._resources.aclose()

    async def refresh(self) -> tuple[Refreshed, ...]:
        """Fetch everything once, now, and return what came of each; for operators and tests."""
        try:
            wanted = await self._wanted()
            return tuple(await asyncio.gather(*map(self._fetch, wanted)))
        finally:
            if self._looking is None:
                await self._resources.aclose()
                self._session = None

    async def _look(self) -> None:
        """Keep one task for each thing to be fetched."""
        while True:
            self._news.clear()
            try:
                wanted = set(await self._wanted())
            except LienThongError as error:
                log.warning(Event.TRUST_FOLDER_UNUSABLE, folder=str(self._folder), reason=str(error))
                wanted = set(self._tasks)
            for gone in self._tasks.keys() - wanted:
                self._tasks.pop(gone).cancel()
            for new in wanted - self._tasks.keys():
                self._tasks[new] = asyncio.create_task(self._keep_fresh(new), name=f"refresh {new.url}")
            self._report()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._patience.look)

    def _report(self) -> None:
        """Set the metrics, and log each warning once while it lasts."""
        now = self._clock()
        observe(self._store, now)
        warnings = {(state.name, kind) for state in states(self._store, now) for kind in state.warnings}
        warnings |= {(str(self._folder), problem) for problem in self._store.problems}
        for subject, warning in sorted(warnings - self._warned):
            log.warning(Event.TRUST_ATTENTION, subject=subject, reason=warning)
        self._warned = warnings

    async def _wanted(self) -> list[Publication | StatusQuestion]:
        """Return everything to be fetched, lists first."""
        return await asyncio.to_thread(self._resolve, dict(self._known))

    def _resolve(self, known: dict[bytes, x509.Certificate]) -> list[Publication | StatusQuestion]:
        """Find out where the status of each known certificate is published; checked once for each of them."""
        before, self._store = self._store, self._store.current()
        if before.all_authorities() != self._store.all_authorities():
            self._targets = {}
        self._targets = {
            key: self._targets[key] if key in self._targets else self._targets_of(certificate)
            for key, certificate in known.items()
        }
        lists = set(configured((*self._urls, *addresses(self._folder))))
        for authority in self._store.intermediates:
            issuer = issuer_of(authority, self._store)
            lists |= frozenset() if issuer is None else named_in(authority, issuer)
        named = [one for targets in self._targets.values() for one in targets]
        lists |= {one for one in named if isinstance(one, Publication)}
        questions = {one for one in named if isinstance(one, StatusQuestion)}
        return [*sorted(joined(lists), key=_url), *sorted(questions, key=_url)]

    def _targets_of(self, certificate: x509.Certificate) -> frozenset[Publication | StatusQuestion]:
        issuer = issuer_of(certificate, self._store)
        if issuer is None:
            return frozenset()
        question = question_about(certificate, issuer)
        return named_in(certificate, issuer) | (frozenset() if question is None else {question})

    async def _keep_fresh(self, wanted: Publication | StatusQuestion) -> None:
        failures = 0
        host = self._host(wanted)
        while True:
            outcome = await self._fetch(wanted)
            if outcome.trouble is None:
                if failures:
                    host.answers()
                failures = 0
                await asyncio.sleep(self._pause(failures, outcome.next_update))
            else:
                failures += 1
                log.warning(Event.TRUST_REFRESH_FAILED, url=wanted.url, reason=outcome.trouble)
                await host.wait(self._pause(failures, None), in_turn=isinstance(wanted, StatusQuestion))

    def _host(self, wanted: Publication | StatusQuestion) -> _Host:
        """Return the host; one for lists and one for OCSP answers: thousands of these do not hold up a list."""
        return self._hosts.setdefault((urlsplit(wanted.url).netloc, type(wanted)), _Host())

    def _pause(self, failures: int, next_update: dt.datetime | None) -> float:
        """Return how long to wait, spread so that the workers of an exchange do not come at one instant."""
        patience = self._patience
        if failures:
            seconds = min(patience.last_retry, patience.first_retry * 2 ** min(failures - 1, 20))
        else:
            assert next_update is not None
            left = (next_update - self._clock()).total_seconds()
            seconds = max(patience.first_retry, min(patience.every, left / 2))
        return float(seconds * random.uniform(0.75, 1.25))  # noqa: S311 - spreads load, protects nothing

    async def _fetch(self, wanted: Publication | StatusQuestion) -> Refreshed:
        """Fetch one thing and keep it; a failure is a result."""
        host = urlsplit(wanted.url).netloc
        try:
            async with self._host(wanted).slots:
                data = await self._ask(wanted)
            source = await asyncio.to_thread(self._take, wanted, data)
        except (Unavailable, OSError, TimeoutError, aiohttp.ClientError) as error:
            trouble = str(error) or type(error).__name__
            metrics.TRUST_REFRESH_FAILED.labels(host).inc()
            return Refreshed(wanted.url, trouble)
        metrics.TRUST_REFRESHED.labels(host).inc()
        return Refreshed(wanted.url, None, source.next_update)

    async def _ask(self, wanted: Publication | StatusQuestion) -> bytes:
        """Return an answer's bytes: of a server that takes its time, or of one that has come back meanwhile."""
        patience = self._patience
        patient = asyncio.create_task(self._download(wanted, patience.answer))
        try:
            while not (await asyncio.wait([patient], timeout=patience.hurry))[0]:
                with contextlib.suppress(Unavailable, OSError, TimeoutError, aiohttp.ClientError):
                    return await self._download(wanted, patience.hurry)
            return patient.result()
        finally:
            patient.cancel()
            await asyncio.gather(patient, return_exceptions=True)

    async def _download(self, wanted: Publication | StatusQuestion, seconds: float) -> bytes:
        """Return an answer's bytes, all of them within the time and size allowed."""
        if self._session is None:
            self._session = await self._resources.enter_async_context(aiohttp.ClientSession())
        limit = aiohttp.ClientTimeout(total=seconds)
        most = self._largest_list
        if isinstance(wanted, StatusQuestion):
            most = LARGEST_ANSWER
            headers = {"Content-Type": "application/ocsp-request"}
            call = self._session.post(
                wanted.url, data=wanted.request, headers=headers, allow_redirects=False, timeout=limit
            )
        else:
            call = self._session.get(wanted.url, allow_redirects=False, timeout=limit)
        async with call as response:
            if response.status != 200:  # noqa: PLR2004 - HTTP's OK
                raise Unavailable(f"HTTP status {response.status}")
            data = bytearray()
            async for chunk in response.content.iter_chunked(CHUNK):
                data += chunk
                if len(data) > most:
                    raise Unavailable(f"more than {most} bytes")
            return bytes(data)

    def _take(self, wanted: Publication | StatusQuestion, data: bytes) -> Source:
        """Check what was fetched and put it into the folder, unless what is there is newer or the same."""
        source = wanted.read(data, self._store)
        if not source.is_fresh(self._clock()):
            raise Unavailable(f"stale: it was good until {source.next_update:%Y-%m-%d %H:%M:%S} UTC")
        place = wanted.place(data)
        target = self._folder / place
        try:
            held = target.read_bytes()
            if held == data:
                return source
            # What is no longer fresh still says since when something is revoked: an older one must not take its place.
            known = wanted.read(held, self._store)
        except (OSError, Unavailable):
            pass
        else:
            if source.this_update < known.this_update:
                raise Unavailable("older than what was fetched before")
        keep(self._folder, place, data)
        return source


def _url(wanted: Publication | StatusQuestion) -> str:
    return wanted.url


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
