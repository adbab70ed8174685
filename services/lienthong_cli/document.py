"""`lienthong document`: documents found again, and the whole story of one."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lienthong.document.life_cycle import State
from lienthong.document.zone import VIETNAM
from lienthong.ledger.search import Wanted
from lienthong.ledger.story import Stories, Story
from lienthong.reporting.model import Language, printable
from lienthong.reporting.story import moments, state_words
from lienthong.settings import LedgerSettings
from lienthong_cli.endings import REFUSED, USAGE, explained, fail

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

app = typer.Typer(no_args_is_help=True, help="Tìm và xem văn bản trong sổ cái / documents found in the ledger.")

ResultT = TypeVar("ResultT")
_ANY: TypeAdapter[Any] = TypeAdapter(Any)
PRIORITIES = ("thường / ordinary", "khẩn / urgent", "thượng khẩn / very urgent", "hỏa tốc / express", "hỏa tốc hẹn giờ")

AsJson = Annotated[bool, typer.Option("--json", help="In ra JSON cho chương trình / JSON for programs.")]


def _day(what: str) -> Any:
    return typer.Option(formats=["%Y-%m-%d"], help=what)


@app.command()
def find(
    text: Annotated[
        list[str] | None, typer.Argument(metavar="[WORD]...", help="Từ trong trích yếu, số, người ký, loại / words.")
    ] = None,
    subject: Annotated[str, typer.Option(help="Trích yếu / subject.")] = "",
    number: Annotated[str, typer.Option(help="Số, ký hiệu / number and notation.")] = "",
    signer: Annotated[str, typer.Option(help="Người ký, chức vụ / who signed it, or the office.")] = "",
    kind: Annotated[str, typer.Option(help="Loại văn bản / kind of document.")] = "",
    attachment: Annotated[str, typer.Option(help="Tên tệp đính kèm / name of an attached file.")] = "",
    sender: Annotated[str, typer.Option(help="Bên gửi, mã hoặc tên / code or name of the sender.")] = "",
    receiver: Annotated[str, typer.Option(help="Bên nhận, mã hoặc tên / code or name of a receiver.")] = "",
    document_id: Annotated[str | None, typer.Option("--id", help="Mã văn bản của bên gửi / its DocumentId.")] = None,
    state: Annotated[State | None, typer.Option(help="Trạng thái / state, of it or at one receiver.")] = None,
    priority: Annotated[int | None, typer.Option(min=0, max=4, help="Độ khẩn / urgency.")] = None,
    issued_from: Annotated[datetime | None, _day("Ban hành từ ngày / issued on or after.")] = None,
    issued_to: Annotated[datetime | None, _day("Ban hành đến ngày / issued on or before.")] = None,
    due_to: Annotated[datetime | None, _day("Hạn trả lời đến ngày / due on or before.")] = None,
    received_from: Annotated[datetime | None, _day("Trục nhận từ ngày / received on or after.")] = None,
    received_to: Annotated[datetime | None, _day("Trục nhận đến ngày / received on or before.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Nhiều nhất / at most so many.")] = 20,
    after: Annotated[UUID | None, typer.Option(metavar="ID", help="Trang sau văn bản này / the next page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tìm văn bản, có dấu hoặc không dấu / find documents, with or without accents, the latest first.

    Every word has to be there. "van phong" in quotation marks: right after one another; lien*: begins a word.
    """
    wanted = Wanted(
        # What the shell has taken the quotation marks off is a phrase still.
        " ".join(f'"{word}"' if " " in word and '"' not in word else word for word in text or ()),
        subject,
        number,
        signer,
        kind,
        attachment,
        sender,
        receiver,
        document_id,
        state,
        priority,
        issued_from.date() if issued_from else None,
        issued_to.date() if issued_to else None,
        due_to.date() if due_to else None,
        received_from.replace(tzinfo=VIETNAM) if received_from else None,
        received_to.replace(tzinfo=VIETNAM) + timedelta(days=1) if received_to else None,
    )
    found = _read(lambda stories: stories.find(wanted, limit=limit, after=after))
    following = str(found[-1].document) if len(found) == limit else None
    if as_json:
        _print_json({"documents": found, "after": following})
        return
    table = Table()
    for title in ("Nhận lúc\nreceived", "Bên gửi\nsender", "Số, ký hiệu\nnumber", "Trích yếu\nsubject", "Mã\nid"):
        table.add_column(title, overflow="fold")
    for one in found:
        cells = (_at(one.received_at), one.sender, _said(one.code), _said(one.subject), str(one.document))
        table.add_row(*map(Text, cells))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{len(found)}" + (f"; trang sau / next page: --after {following}" if following else ""))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="Mã trên trục, 8 ký tự đầu, hoặc DocumentId / its id.")],
    as_json: AsJson = False,
    lang: Annotated[Language, typer.Option("--lang", help="Ngôn ngữ / language.")] = "both",
) -> None:
    """Xem toàn bộ diễn biến của một văn bản / tell the whole story of one document, with the digests it rests on.

    Exit status: 1 when there is no such document, 2 when several are called so, which are listed.
    """

    async def work(stories: Stories) -> Story | list[UUID]:
        called = await stories.called(name)
        story = await stories.story(called[0]) if len(called) == 1 else None
        return story or called

    found = _read(work)
    if not isinstance(found, Story):
        if found:
            fail(f"nhiều văn bản mang mã này / several are called so: {', '.join(map(str, found))}", USAGE)
        fail(f"{printable(name)}: không có trong sổ cái / is not in the ledger", REFUSED)
    if as_json:
        _print_json({"document": found.document, "submission": found.submission, **found.parts})
        return
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for title, value in _facts(found):
        console.print(f"{title:38}{value}")
    for moment in moments(found):
        console.print(f"{_at(moment.at)}  {moment.words.shown(lang)}")
        if moment.digest:
            console.print(f"{'':21}sha256 {moment.digest}")
    console.print(f"Bút toán / entries: {len(found.parts['entries'])}")


def _facts(story: Story) -> Iterator[tuple[str, str]]:
    document = story.document
    yield "Mã trên trục / id", str(document.document)
    yield "Mã văn bản / DocumentId", printable(document.document_id)
    yield "Bên gửi / sender", f"{document.sender} {document.sender_name}"
    yield "Số, ký hiệu / number", _said(document.code)
    yield "Ngày ban hành / issued on", str(document.promulgated_on or "-")
    yield "Loại / kind", _said(document.type_name)
    yield "Trích yếu / subject", _said(document.subject)
    yield "Người ký / signer", " ".join(filter(None, (document.signer_position, _said(document.signer_name))))
    urgent = PRIORITIES[document.priority] if 0 <= document.priority < len(PRIORITIES) else str(document.priority)
    yield "Độ khẩn / urgency", urgent
    yield "Hạn / due on", str(document.due_on or "-")
    yield "Trạng thái / state", state_words(document.state).shown("both")
    if document.test:
        yield "Văn bản thử / a test", "không có giá trị chính thức / never official"
    for one in document.receivers:
        state = state_words(one.state).shown("both")
        yield "Bên nhận / receiver", f"{one.agency} {one.name}: {state} ({_at(one.changed_at)})"
    for file in story.parts["attachments"]:
        yield "Tệp / file", f"{printable(file['name'])} ({file['size']} byte) sha256 {file['sha256']}"


def _read(work: Callable[[Stories], Awaitable[ResultT]]) -> ResultT:
    async def run() -> ResultT:
        stories = await Stories.connect(LedgerSettings().url.get_secret_value())
        try:
            return await work(stories)
        finally:
            await stories.close()

    with explained():
        return asyncio.run(run())


def _print_json(value: object) -> None:
    print(json.dumps(_ANY.dump_python(value, mode="json"), ensure_ascii=False, indent=2))


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(VIETNAM):%Y-%m-%d %H:%M:%S}"


def _said(text: str | None) -> str:
    return printable(text) if text else "-"
