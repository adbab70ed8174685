"""Examining messages on all cores, in processes that a message can end without harm to others."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final, Self

from lienthong.document.verdicts import Reason, SignatureFinding, Verdict
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.isolation import Death, Pool
from lienthong.signature.attachments import clamd_address
from lienthong.signature.verification import Examined
from lienthong.trust import TrustStore
from lienthong.worker.examiner import AWAY, EXAMINED, SCAN_SECONDS

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

__all__ = ["Examiners"]

_MESSAGES: Final = 20_000
"""How many one process examines before it is replaced."""

_DEATHS: Final = {
    Death.TOO_SLOW: Reason(
        "FORMAT_FAILURE",
        "Không xét xong gói tin trong thời gian cho phép; hãy bỏ bớt hoặc xuất lại các tệp đính kèm rồi ký và gửi lại",
        "The message could not be examined within the limits (time); leave files out or export them again, then sign "
        "and send again",
    ),
    Death.TOO_MUCH_MEMORY: Reason(
        "FORMAT_FAILURE",
        "Không xét xong gói tin trong bộ nhớ cho phép; hãy bỏ bớt hoặc xuất lại các tệp đính kèm rồi ký và gửi lại",
        "The message could not be examined within the limits (memory); leave files out or export them again, then sign "
        "and send again",
    ),
    Death.CRASHED: Reason(
        "FORMAT_FAILURE",
        "Gói tin làm chương trình xét chữ ký ngừng đột ngột; hãy xuất lại các tệp đính kèm rồi ký và gửi lại",
        "The message could not be examined within the limits (the program that examines it crashed); export its files "
        "again, then sign and send again",
    ),
}


class Examiners:
    """Examines messages in processes of their own; an async context manager that owns them.

    Each process keeps up with the trust folder by itself, and puts what its judgements rest on (certificates, CRLs,
    OCSP answers, time stamps) into the payload store before it answers.

    Args:
        payload_folder: the payload store's.
        trust_folder: who is believed.
        processes: how many at once; 0 for one on each core.
        clamd: the ClamAV daemon that scans attached files, by its socket's path or as host:port; None for none.
        seconds: of processor time for one message, its PDFs apart, which have as much again.
        megabytes: of memory for one message, beside a small multiple of its size.
    """

    def __init__(
        self,
        payload_folder: Path,
        trust_folder: Path,
        *,
        processes: int = 0,
        clamd: str | None = None,
        seconds: float = 5,
        megabytes: int = 300,
    ) -> None:
        self._trust_folder = trust_folder
        self._clamd = clamd
        arguments = (str(payload_folder), str(trust_folder), clamd or "", str(megabytes))
        self._pool = Pool(
            ("-m", "lienthong.worker.examiner", *arguments),
            processes=processes or len(os.sched_getaffinity(0)),
            seconds=seconds,
            more_seconds=SCAN_SECONDS + 40,  # and its PDFs, on a busy machine
            life=_MESSAGES,
        )

    async def __aenter__(self) -> Self:
        """Look whether there is somebody to believe; processes are started when they are needed.

        Raises:
            MisconfiguredError: the trust folder is not there or has no root in it, or that is no address of a daemon.
        """
        if self._clamd is not None:
            clamd_address(self._clamd)
        try:
            await asyncio.to_thread(TrustStore.load, self._trust_folder)
        except MisconfiguredError as error:
            raise MisconfiguredError(
                f"LIENTHONG_TRUST_FOLDER={self._trust_folder}: cần thư mục tin cậy có ít nhất một chứng thư gốc trong "
                f"roots/ / has to be a trust folder with at least one root certificate in roots/ ({error})"
            ) from error
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._pool.__aexit__(kind, error, traceback)

    async def examine(self, *, sha256: str, received_at: datetime) -> Examined:
        """Examine a message that is in the payload store.

        A message that exceeds its limits, or crashes what examines it, is examined so far: its one finding is invalid
        and says so.

        Args:
            sha256: its digest, in lower-case hexadecimal.
            received_at: when it was received; the moment that counts for signatures without a time stamp.

        Raises:
            Unavailable: it could not be examined now, for no fault of its own; try again.
        """
        return await self._ask(f"{received_at.isoformat()} {sha256}\n".encode())

    async def examine_bytes(self, data: bytes, *, received_at: datetime) -> Examined:
        """Examine a message at hand; otherwise like `examine`."""
        return await self._ask(f"{received_at.isoformat()}\n".encode() + data)

    async def _ask(self, request: bytes) -> Examined:
        outcome = await self._pool.ask(request)
        if isinstance(outcome, Death):
            return Examined((SignatureFinding("message", Verdict.INVALID, _DEATHS[outcome]),))
        kind, rest = outcome.body[:1], outcome.body[1:]
        if kind == EXAMINED:
            return Examined.decode(rest)
        if kind == AWAY:
            raise Unavailable(rest.decode())
        raise RuntimeError(f"examining failed in its process:\n{rest.decode()}")
