"""What examining a message costs beside the arithmetic nobody can avoid: ``make bench``.

That is the SHA-256 of the bytes and one verification with the signer's key. Small messages are of many documents by a
few agencies, as real ones are; memory is what is added to the message itself, in a process of its own.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from lienthong.document.verdicts import Verdict
from lienthong.edxml import Attachment, Document, Organization, encode
from lienthong.payload import FolderStore
from lienthong.signature import FileSigner, examine_message, sign_message
from lienthong.testing.message_forge import Draft, signer
from lienthong.trust import DevelopmentAuthority
from lienthong.worker.examiners import Examiners

if TYPE_CHECKING:
    from collections.abc import Callable

    from lienthong.signature import Layout

NOON: Final = dt.datetime(2026, 11, 10, 5, tzinfo=dt.UTC)
SIZES: Final = {"10 KB": 10_000, "1 MB": 1_000_000, "10 MB": 10_000_000, "50 MB": 50_000_000}
OVERHEAD: Final = 5_000
"""Bytes of a message that are not base64."""
PIECE: Final = 5_000_000
LIMITS: Final = {"10 KB": 10.0, "50 MB": 6.0}
"""How many times the arithmetic an examination may take."""
CORES: Final = len(os.sched_getaffinity(0))
MESSAGES: Final = 500


def message(size: int, number: int = 0, layout: Layout = "manifest", key: FileSigner | None = None) -> bytes:
    """Return a signed message of about so many bytes, with two attachments; in the other layouts with more."""
    half = hashlib.sha256(b"%d" % number).digest() * ((size - OVERHEAD) * 3 // 4 // 64)
    if layout != "manifest":
        # libxml2, by which the forge signs these, takes no text of more than 10 MB.
        pieces = tuple(half[at : at + PIECE] for at in range(0, len(half), PIECE)) * 2
        return Draft(layout, key or signer("rsa"), pieces).sign()
    attachments = (Attachment("a.bin", half), Attachment("b.bin", half[::-1]))
    document = Document(
        Organization("000.00.01.G01", "Bộ Thử nghiệm", "Chính phủ"),
        (Organization("000.00.02.H02", "Sở Kiểm tra"),),
        f"d-{number}",
        subject="V/v thử nghiệm trao đổi văn bản điện tử",
        attachments=attachments,
    )
    return sign_message(encode(document), key or signer("rsa"), signing_time=NOON)


def best(work: Callable[[], object], seconds: float = 1.0) -> float:
    """Return the shortest time one of many turns took."""
    shortest = float("inf")
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - began)
    return shortest


def arithmetic(key: FileSigner) -> Callable[[bytes], None]:
    """Return what hashes a message and verifies one signature, and nothing else."""
    value = key.sign(b"x" * 1000)
    public = key.certificate_chain[0].public_key()
    method = key.method

    def work(data: bytes) -> None:
        hashlib.sha256(data).digest()
        public.verify(value, b"x" * 1000, method.rsa_padding, method.hash)  # type: ignore[union-attr, call-arg, arg-type]

    return work


def added_megabytes(size: int, layout: Layout) -> float:
    """Return how much memory an examination needs beside the message, in a process of its own."""
    ran = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, __file__, "memory", str(size), layout], capture_output=True, text=True, check=True
    )
    return float(ran.stdout)


def print_memory(size: int, layout: Layout) -> None:
    """Print it."""
    data = message(size, layout=layout)
    examine_message(message(OVERHEAD * 2, layout=layout))
    clear, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")

    def peak() -> int:
        return int(status.read_text(encoding="ascii").partition("VmHWM:")[2].split()[0])

    clear.write_text("5", encoding="ascii")
    before = peak()
    assert examine_message(data).state == "intact"
    sys.stdout.write(f"{(peak() - before) / 1024:.1f}\n")


async def through_examiners(processes: int) -> float:
    """Return how many 10 KB messages a second so many processes examine, everything from the store on included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = DevelopmentAuthority.create(folder / "authority", since=NOON)
        key = authority.issue("G22", "Bộ Thử nghiệm")
        store = FolderStore(folder / "payload")
        signing = FileSigner(key.key, (key.certificate,))
        digests = await asyncio.gather(*(store.put(message(10_000, n, key=signing)) for n in range(MESSAGES)))
        async with Examiners(folder / "payload", authority.trust_folder, processes=processes) as examiners:

            async def all_of_them() -> None:
                now = dt.datetime.now(dt.UTC)
                found = await asyncio.gather(*(examiners.examine(sha256=one, received_at=now) for one in digests))
                assert all(one.findings[0].verdict is Verdict.VALID for one in found)

            await all_of_them()  # the processes are up
            fastest = float("inf")
            for _ in range(5):
                began = time.perf_counter()
                await all_of_them()
                fastest = min(fastest, time.perf_counter() - began)
    return MESSAGES / fastest


def main() -> int:
    """Measure, print, and return 1 when a limit is exceeded."""
    key = signer("rsa")
    bare = arithmetic(key)
    table = Table("message", "layout", "bare arithmetic", "examined in", "ratio", "limit", "added memory")
    exceeded = False
    for name, size in SIZES.items():
        for layout in ("manifest", "enveloped", "by-id", "base64") if size > 100_000 else ("manifest",):
            messages = [message(size, number, layout) for number in range(50 if size < 100_000 else 1)]
            least = best(lambda: [bare(data) for data in messages]) / len(messages)  # noqa: B023 - used at once
            taken = best(lambda: [examine_message(data) for data in messages]) / len(messages)  # noqa: B023 - likewise
            limit = LIMITS.get(name) if layout == "manifest" else None
            exceeded |= limit is not None and taken / least > limit
            table.add_row(
                f"{name} ({len(messages[0]):,} bytes)",
                layout,
                f"{least * 1000:.3f} ms",
                f"{taken * 1000:.3f} ms",
                f"{taken / least:.1f}",
                "" if limit is None else f"{limit:.0f}",
                f"{added_megabytes(size, layout):.1f} MB",
            )
    console = Console(width=130)
    console.print(table)
    one, every = (asyncio.run(through_examiners(processes)) for processes in (1, CORES))
    console.print(
        f"10 KB messages from the payload store, examined and judged in processes of their own: {one:,.0f} a second in "
        f"one, {every:,.0f} in {CORES} ({every / one:.1f} times)"
    )
    return int(exceeded)


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        print_memory(int(sys.argv[2]), sys.argv[3])  # type: ignore[arg-type]
    else:
        sys.exit(main())
