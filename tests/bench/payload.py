"""What keeping a batch of small payloads costs with a journal, beside a sync of each file: part of ``make bench``."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from lienthong.payload import FolderStore, JournaledStore

BATCH: Final = 100
BYTES: Final = 5_000
TURNS: Final = 15


async def seconds_of(store: FolderStore) -> float:
    """Return how long a batch of new payloads takes."""
    batch = [os.urandom(BYTES) for _ in range(BATCH)]
    began = time.perf_counter()
    await asyncio.gather(*(store.put(data) for data in batch))
    return time.perf_counter() - began


async def main() -> None:
    """Measure both in turn, on the same disk, and print the medians."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        plain = FolderStore(Path(name, "plain"))
        async with JournaledStore(Path(name, "journaled"), settle_seconds=1) as journaled:
            each, together = [], []
            for _ in range(TURNS):
                each.append(await seconds_of(plain))
                together.append(await seconds_of(journaled))
    slow, fast = statistics.median(each), statistics.median(together)
    Console(width=130).print(
        f"{BATCH} payloads of {BYTES:,} bytes at once: {slow * 1000:.0f} ms with a sync of each, {fast * 1000:.0f} ms "
        f"through the journal ({slow / fast:.1f} times faster; longest {max(each) * 1000:.0f} and "
        f"{max(together) * 1000:.0f} ms)"
    )


if __name__ == "__main__":
    asyncio.run(main())
