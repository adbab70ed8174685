"""Words as they are typed and words as they are kept, and what a large ledger is searched with."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import pytest_asyncio
from tests.integration.ledger.conftest import document_row

from lienthong.ledger.search import Search, Wanted, query_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lienthong.ledger.ledger import Ledger

TEXTS = (
    "Ủy ban nhân dân tỉnh Đắk Lắk",
    unicodedata.normalize("NFD", "Nguyễn Thị Ước, Phường Thượng Hải"),
    "7816/VPCP-TTĐT",
    "000.00.00.G22,2015/09/30,1e5 2E-7 0x1f 12abc",
    "vanthu@example.gov.vn https://example.vn/a/b?c=d",
    "Số ① ﬁle Ⅻ ＡＢＣ",
    "a' & !b | (c) <-> \\ :*A",
)


@pytest_asyncio.fixture
async def search(database: str) -> AsyncIterator[Search]:
    """Provide the search of a ledger."""
    opened = await Search.connect(database)
    yield opened
    await opened.close()


async def test_a_text_is_found_by_itself(database: str) -> None:
    """The program takes a typed text apart exactly as the database takes a kept one: words, order, accents, signs."""
    lot = random.Random(14)
    alphabet = "aăâbcdđeêghiklmnoôơpqrstuưvxyÀẢÃÁẠẰẾỘỮỲ0123456789eE.-/_+'\"@:&|!() \u0301\u031b\u0323ﬀ²Ⅷ"
    made = ["".join(lot.choices(alphabet, k=lot.randrange(1, 30))).replace('"', " ") for _ in range(300)]
    connection = await asyncpg.connect(database)
    for text in (*TEXTS, *made):
        for weight in ("", "B"):
            query = query_of(f'"{text}"', weight)
            if query:
                statement = "select setweight(searched($1), 'B') @@ $2::text::tsquery"
                assert await connection.fetchval(statement, text, query), (text, query)
    await connection.close()


async def test_what_nobody_bounds_is_taken(ledger: Ledger, search: Search) -> None:
    """A subject of any length is recorded, and found by its beginning; words beyond the bound are only not found."""
    rows = [
        replace(document_row("long"), subject="Văn phòng " + "chữ" * 300_000, code="x" * 100_000),
        replace(document_row("words"), subject=" ".join(f"từ{number}" for number in range(200_000))),
        replace(document_row("none"), subject=None, code=None, type_name=None),
    ]
    async with ledger.transaction() as unit:
        await unit.record_documents(rows, [])
    assert [one.document for one in await search.find(Wanted("van phong"), limit=9)] == [rows[0].document]
    assert [one.document for one in await search.find(Wanted("tu1"), limit=9)] == [rows[1].document]
    assert {one.document_id for one in await search.find(Wanted(sender="co quan g22"), limit=9)} == {
        "long",
        "words",
        "none",
    }
    assert await search.find(Wanted(sender="nobody"), limit=9) == []
