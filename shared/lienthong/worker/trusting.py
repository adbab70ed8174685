"""Whether what a worker judges signatures by is there and up to date."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lienthong.errors import Unavailable
from lienthong.trust import TrustStore
from lienthong.trust.report import states

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["TrustCheck"]


def _now() -> datetime:
    return datetime.now(UTC)


class TrustCheck:
    """Looks at a trust folder whenever it is called; files that did not change are not read again.

    An authority that has expired itself needs no fresh list: what it signed is judged by what was known then.

    Args:
        folder: the trust folder.
        clock: the present.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], datetime] = _now) -> None:
        self._folder, self._clock = folder, clock
        self._store: TrustStore | None = None
        self._looking: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """See that every authority can be judged by.

        Raises:
            MisconfiguredError: there is no trust folder, or no root in it.
            Unavailable: of these authorities it is not known now what they revoked.
        """
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(asyncio.to_thread(self._look), name="look at the trust folder")
        # Who asked may go away before large lists are read; the next one finds them read.
        await asyncio.shield(self._looking)

    def _look(self) -> None:
        self._store = self._store.current() if self._store else TrustStore.load(self._folder)
        now = self._clock()
        stale = [
            f"{state.name}: {'; '.join(state.revocation_warnings)}"
            for state in states(self._store, now)
            if state.days_left >= 0 and state.revocation_warnings
        ]
        if stale:
            raise Unavailable("; ".join(stale))
