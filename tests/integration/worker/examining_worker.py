"""A worker that examines a message twice at once, says that it is ready, and goes on until its input ends.

Arguments: a payload folder with a file ``message`` in it, and a trust folder.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from pathlib import Path

from lienthong.worker.examiners import Examiners


async def main(folder: Path, trust: Path) -> None:
    """Do it."""
    data = (folder / "message").read_bytes()
    now = dt.datetime.now(dt.UTC)
    async with Examiners(folder, trust, processes=2) as examiners:
        await asyncio.gather(*(examiners.examine_bytes(data, received_at=now) for _ in range(2)))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
