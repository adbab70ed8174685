"""What a directory of 111,339 agencies costs, import and look-ups and a change: part of ``make bench``.

That is the size of the national directory in October 2025.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from rich.console import Console

from lienthong.access.importing import import_list
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.migrations import migrate
from lienthong.ledger.registry import SuccessorRow
from lienthong.testing.servers import running_servers

AGENCIES: Final = 111_339
LOOK_UPS: Final = 100_000
CHANGES: Final = 20
PROVINCES: Final = 63
BELOW: Final = 40
"""Agencies right below one agency; the rest stands a level deeper."""


def agency_list(agencies: int) -> bytes:
    """Return a list of so many agencies on three levels, with codes of both forms and someone to ask at each."""
    lines = ["code,old_code,name,kind,software,security_level,contact,email"]
    for number in range(agencies):
        province, rest = number % PROVINCES + 1, number // PROVINCES
        code, old = f"H{province:02}", f"000.00.00.H{province:02}"
        if rest:
            department, office = (rest - 1) % BELOW + 1, (rest - 1) // BELOW
            code, old = f"{code}.{department}", f"000.{office:02}.{department:02}.H{province:02}"
            code += f".{office}" if office else ""
        name = f"Ủy ban nhân dân xã Thượng Hải số {number}"
        lines.append(
            f"{code},{old},{name},unit,VNPT iOffice,{number % 5 + 1},Nguyễn Văn {number},vt{number}@example.vn"
        )
    return "\n".join(lines).encode()


async def measure(url: str, console: Console) -> None:
    """Import, import again, read as a worker does, look up, change, and print what each took."""
    await migrate(url)
    operator, worker = await Ledger.connect(url), await Ledger.connect(url, role="lienthong_router")
    data = agency_list(AGENCIES)
    for what in ("into an empty directory", "again"):
        began = time.perf_counter()
        done = await import_list(operator, data, by="bench")
        assert done is not None
        console.print(
            f"import {what}: {done.agencies:,} agencies, {done.new:,} new, {time.perf_counter() - began:.1f} s"
        )
    tracemalloc.start()
    began = time.perf_counter()
    async with worker.transaction() as unit:
        directory = unit.directory
    read = time.perf_counter() - began
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    console.print(f"a worker reads it in {read:.1f} s (traced), keeps {kept >> 20} MiB, {most >> 20} MiB at most")
    codes = [line.split(",")[random.randrange(2)] for line in data.decode().splitlines()[1:]]
    asked = random.choices(codes, k=LOOK_UPS)
    times = []
    for code in asked:
        began = time.perf_counter()
        agency = directory.resolve(code)
        assert agency is not None
        directory.carrier(agency)
        times.append(time.perf_counter() - began)
    median, most_of_them = statistics.median(times) * 1e6, statistics.quantiles(times, n=1000)[-1] * 1e6
    console.print(f"a look-up with its carrier: {median:.1f} µs, 99.9 % of {LOOK_UPS:,} within {most_of_them:.0f} µs")
    seen = []
    for number in range(1, CHANGES + 1):
        async with operator.registry() as registry:
            row = SuccessorRow(f"H01.{number}", "H01", registry.directory.today)
            assert await registry.write_successors([row])
        began = time.perf_counter()
        async with worker.transaction() as unit:
            assert unit.directory.resolve(row.code) is unit.directory.resolve("H01")
        seen.append(time.perf_counter() - began)
    console.print(
        f"the first batch after a change of one agency: {statistics.median(seen) * 1000:.1f} ms longer at most"
    )
    await operator.close()
    await worker.close()


def main() -> None:
    """Measure on a server of our own."""
    console = Console(width=130)
    with tempfile.TemporaryDirectory() as folder, running_servers(Path(folder)) as servers:
        asyncio.run(_on(servers.ledger_url, console))


async def _on(url: str, console: Console) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("create database bench_directory template template0 encoding 'UTF8'")
    try:
        await measure(urlunsplit(urlsplit(url)._replace(path="/bench_directory")), console)
    finally:
        await connection.execute("drop database bench_directory with (force)")
        await connection.close()


if __name__ == "__main__":
    main()
