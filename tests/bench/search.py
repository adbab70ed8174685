"""What finding one document among a million costs, and a report about a month of them: part of ``make bench``."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from rich.console import Console
from rich.table import Table

from lienthong.ledger.figures import Figures
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.migrations import migrate
from lienthong.ledger.rows import AgencyRow
from lienthong.ledger.search import Search, Wanted
from lienthong.simulation.units import units_2019
from lienthong.testing.servers import running_servers

DOCUMENTS: Final = 1_000_000
TIMES: Final = 5
AT_ONCE: Final = 100_000
DOCUMENT: Final = """
insert into document (document, sender, document_id, business, user_name, message_id, sha256, size, subject, code,
                      promulgated_on, type_name, priority, lane, addressees, submitted_at, received_at, recorded_at,
                      forwarded_at, signer_name, signer_position)
select md5('d' || n)::uuid, sender, sender || ',' || made::date || ',' || n, 0, sender, 'm' || n, repeat('a', 64),
       1000 + n % 3000000,
       'V/v ' || verbs[1 + n % 7] || ' ' || things[1 + n / 7 % 11] || ' ' ||
       ($4::text[])[1 + n / 77 % 95] || ' số ' || n,
       (n % 5000) || '/UBND-VP', made::date, kinds[1 + n % 4], n % 20 / 19, 'ordinary', array[sender], made, made, made,
       made, families[1 + n % 9] || ' Văn ' || n % 977, 'TM. Chủ tịch'
from (
    select n, ($3::text[])[1 + n % 95] as sender, now() - make_interval(mins => $5::int - n) as made,
           array['triển khai', 'báo cáo', 'đề nghị', 'phối hợp', 'tổ chức', 'kiểm tra', 'xử lý'] as verbs,
           array['Văn phòng điện tử', 'phòng chống dịch', 'đầu tư công', 'hội nghị', 'kết nối, liên thông', 'đất đai',
                 'an toàn giao thông', 'cải cách hành chính', 'thi đua khen thưởng', 'ngân sách', 'cháy nổ'] as things,
           array['Công văn', 'Quyết định', 'Báo cáo', 'Tờ trình'] as kinds,
           array['Nguyễn', 'Trần', 'Lê', 'Phạm', 'Hoàng', 'Đặng', 'Bùi', 'Đỗ', 'Võ'] as families
    from generate_series($1::int, $2::int) as n
) as made
"""
DELIVERY: Final = """
insert into delivery (document, addressee, written, carrier, state, recorded_at, changed_at)
select md5('d' || n)::uuid, ($3::text[])[1 + n % 89], '', ($3::text[])[1 + n % 89],
       (array['finished', 'processing', 'arrived', 'delivered'])[1 + n % 4],
       now() - make_interval(mins => $4::int - n), now()
from generate_series($1::int, $2::int) as n
"""
ROUTING: Final = """
insert into routing (document, outcome, recorded_at, forwarded_at)
select md5('d' || n)::uuid, 'routed', at, at
from generate_series($1::int, $2::int) as n, lateral (select now() - make_interval(mins => $3::int - n) as at) as its
"""


async def fill(url: str, documents: int) -> float:
    """Make so many documents, one a minute up to now, each delivered once; returns the seconds that took."""
    units = units_2019()
    ledger = await Ledger.connect(url)
    await ledger.register([AgencyRow(unit.code, unit.name, unit.kind, "official", supervised=True) for unit in units])
    await ledger.close()
    codes, names = [unit.code for unit in units], [unit.name for unit in units]
    connection = await asyncpg.connect(url)
    # The rows fit together by the way they are made: to look each of them up would take longer than all else.
    await connection.execute("set session_replication_role = replica")
    began = time.perf_counter()
    for first in range(1, documents + 1, AT_ONCE):
        last = min(first + AT_ONCE - 1, documents)
        await connection.execute(DOCUMENT, first, last, codes, names, documents)
        await connection.execute(DELIVERY, first, last, codes, documents)
        await connection.execute(ROUTING, first, last, documents)
    seconds = time.perf_counter() - began
    await connection.execute("vacuum analyze document")
    await connection.execute("analyze")
    await connection.close()
    return seconds


def searches(documents: int) -> dict[str, Wanted]:
    """Return what is looked for, from what is everywhere to what is there once."""
    day = (datetime.now(UTC) - timedelta(minutes=documents // 2)).date()
    return {
        "van phong (a tenth of all)": Wanted("van phong"),
        'subject "kết nối, liên thông", by a name': Wanted(subject='"kết nối, liên thông"', sender="an giang"),
        "one number of one sender": Wanted(number="102/UBND-VP", sender="H01"),
        "the subject's own number": Wanted(f"so {documents // 3}"),
        "the sender's id": Wanted(document_id=_document_id(documents, documents // 3)),
        "signer, a rare name": Wanted(signer="dang van 511"),
        "beginning of a word": Wanted("ngan* 77*"),
        "issued on one day long ago": Wanted(issued_from=day, issued_to=day),
        "received by one, urgent": Wanted(receiver="H05", priority=1),
        "finished at somebody": Wanted(state="finished"),
        "refused by somebody (none)": Wanted("van phong", state="refused"),
        "words that are nowhere together": Wanted("dat dai ngan sach"),
        "everything, newest first": Wanted(),
    }


def _document_id(documents: int, number: int) -> str:
    sender = units_2019()[number % 95].code
    made: date = (datetime.now(UTC) - timedelta(minutes=documents - number)).date()
    return f"{sender},{made},{number}"


async def measure(url: str, documents: int, console: Console) -> None:
    """Fill a ledger, and print how long each search and a month's reports take."""
    await migrate(url)
    console.print(f"{documents:,} documents made in {await fill(url, documents):.0f} s")
    search, figures = await Search.connect(url), await Figures.connect(url)
    table = Table("searched", "found", "first, ms", "then, ms")
    for name, wanted in searches(documents).items():
        times, found = [], 0
        for _ in range(TIMES):
            began = time.perf_counter()
            found = len(await search.find(wanted, limit=20))
            times.append((time.perf_counter() - began) * 1000)
        table.add_row(name, str(found), f"{times[0]:.0f}", f"{min(times[1:]):.1f}")
    console.print(table)
    until = datetime.now(UTC) + timedelta(days=1)
    for days in (31, 366):
        since = until - timedelta(days=days)
        began = time.perf_counter()
        traffic = await figures.traffic(since, until)
        middle = time.perf_counter()
        await figures.supervised(since, until)
        ended = time.perf_counter()
        console.print(
            f"{days} days, {traffic.totals['documents']:,} documents: traffic {middle - began:.1f} s, "
            f"feedback {ended - middle:.1f} s"
        )
    await search.close()
    await figures.close()


def main() -> None:
    """Measure on a server of our own; the number of documents may be given."""
    documents = int(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENTS
    with tempfile.TemporaryDirectory() as folder, running_servers(Path(folder)) as servers:
        asyncio.run(_on(servers.ledger_url, documents, Console(width=130)))


async def _on(url: str, documents: int, console: Console) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("create database bench_search template template0 encoding 'UTF8'")
    try:
        await measure(urlunsplit(urlsplit(url)._replace(path="/bench_search")), documents, console)
    finally:
        await connection.execute("drop database bench_search with (force)")
        await connection.close()


if __name__ == "__main__":
    main()
