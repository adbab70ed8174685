"""`lienthong deadletter`: what could not be worked on, why, and what an operator does about it."""

from __future__ import annotations

import asyncio
import getpass
import json
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from lienthong.bus.connection import Bus
from lienthong.edxml.wire_time import VIETNAM
from lienthong.errors import MisconfiguredError
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.reports import Reports
from lienthong.payload import FolderStore
from lienthong.settings import BrokerSettings, LedgerSettings, PayloadSettings
from lienthong.telemetry.logs import configure_logging
from lienthong.topology.plan import exchange_plan
from lienthong.topology.rights import OPERATOR_USER
from lienthong.worker.dead_letters import DeadLetters
from lienthong_cli.endings import REFUSED, UNAVAILABLE, USAGE, explained, fail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from datetime import datetime
    from uuid import UUID

    from lienthong.ledger.rows import RecordedDeadLetter

__all__ = ["app"]

ROLE = "lienthong_operator"
SHORT_ID = 8
STATES = {
    "waiting": "đang chờ / waiting",
    "replaying": "đang gửi lại / replaying",
    "replayed": "đã gửi lại / replayed",
    "discarding": "đang loại bỏ / discarding",
    "discarded": "đã loại bỏ / discarded",
}
HAPPENED = {
    "DeadLetterFound": "thành thư chết / became a dead letter",
    "DeadLetterReplayOrdered": "lệnh gửi lại / replay ordered",
    "DeadLetterDiscardOrdered": "lệnh loại bỏ / discard ordered",
}

ResultT = TypeVar("ResultT")

app = typer.Typer(
    no_args_is_help=True,
    help="Thư chết: xem, gửi lại, loại bỏ / dead letters: look at them, replay them, discard them.",
)


class Origin(StrEnum):
    """Whose dead letter it is."""

    INGEST = "ingest"
    SIGNATURE_VERIFY = "signature-verify"
    ROUTER = "router"
    STATUS_TRACKER = "status-tracker"
    NOTIFIER = "notifier"
    AGENCY = "agency"
    QUARANTINE = "quarantine"


StepName = Annotated[Origin | None, typer.Option("--step", help="Chỉ của bước này / only those of this step.")]
AsJson = Annotated[bool, typer.Option("--json", help="In dạng JSON / print JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Mã thư chết, hoặc phần đầu / its id, or the start of it.")]
By = Annotated[
    str, typer.Option("--by", default_factory=getpass.getuser, help="Người ra lệnh, ghi vào sổ / who, for the record.")
]


@app.command("list")
def list_letters(
    step: StepName = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Kể cả đã xử lý / those already replayed or discarded as well.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Liệt kê thư chết và lý do / list the dead letters, with the reason of each."""

    async def run() -> list[RecordedDeadLetter]:
        async with _desk() as desk:
            return await desk.reports.dead_letters(step, settled=everything)

    letters = _run(run())
    if as_json:
        print(json.dumps([_facts(letter) for letter in letters], ensure_ascii=False, indent=2))
        return
    table = Table("ID", "Bước / Step", "Từ / From", "Lý do / Reason", "Lúc / Since", "Trạng thái / State")
    for letter in letters:
        table.add_row(
            str(letter.dead_letter)[:SHORT_ID],
            letter.step,
            letter.user_name or "-",
            letter.reason,
            _when(letter.found_at),
            STATES[letter.state],
        )
    Console().print(table if letters else "không có thư chết / no dead letters")


@app.command()
def show(letter_id: Id, as_json: AsJson = False) -> None:
    """Mọi điều về một thư chết / everything about one dead letter, its history included.

    The body is in the payload store, under the path that is shown.
    """

    async def run() -> tuple[RecordedDeadLetter, list[dict[str, object]]]:
        async with _desk() as desk:
            letter = await desk.find(letter_id)
            history = await desk.reports.dead_letter_history(letter.dead_letter)
            return letter, [{"at": at.isoformat(), "what": kind, **facts} for at, kind, facts in history]

    letter, history = _run(run())
    facts = _facts(letter) | {"body": str(FolderStore(PayloadSettings().folder).path(letter.sha256))}
    if as_json:
        print(json.dumps(facts | {"history": history}, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for name, value in facts.items():
        console.print(f"{name.replace('_', ' '):14}{'-' if value is None else value}")
    for one in history:
        more = [f"{name}={one[name]}" for name in ("by", "reason", "attempts", "times") if one.get(name) is not None]
        console.print(f"{one['at']}  {HAPPENED[str(one['what'])]}  {' '.join(more)}")


@app.command()
def replay(
    by: By,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Mã thư chết / ids, or the starts of them.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Tất cả đang chờ / all that wait.")] = False,
    step: StepName = None,
    as_json: AsJson = False,
) -> None:
    """Đưa thư chết về hàng đợi của nó / put dead letters back where they came from, as their senders published them.

    What had been done about one before is recognised and not done twice. Exit status: 1 when one could not be replayed.
    """
    if everything == bool(ids) or (step and not everything):
        fail("cần mã thư chết, hoặc --all [--step] / give ids, or --all [--step]", USAGE)

    async def run() -> tuple[set[UUID], set[UUID], dict[UUID, str]]:
        async with _desk() as desk:
            if everything:
                waiting = await desk.reports.dead_letters(step)
                # Nobody would take back what is in quarantine.
                wanted = {one.dead_letter for one in waiting if one.state == "waiting" and one.queue is not None}
            else:
                wanted = {(await desk.find(one)).dead_letter for one in ids or ()}
            ordered = await desk.letters.replay(sorted(wanted), by)
            return wanted, ordered, await desk.letters.finish()

    wanted, ordered, failed = _run(run())
    left = {
        key: failed.get(key, "đã gửi lại / replayed")
        if key in ordered
        else "không gửi lại được: không còn chờ, hoặc không có hàng đợi nào nhận / "
        "cannot be replayed: it does not wait, or no queue would take it"
        for key in sorted(wanted)
    }
    if as_json:
        print(json.dumps({str(key): {"replayed": _done(key, ordered, failed)} for key in left}, indent=2))
    else:
        for key, text in left.items():
            typer.echo(f"{str(key)[:SHORT_ID]}: {text}")
    _end(wanted, ordered, failed)


@app.command()
def discard(
    letter_id: Id,
    by: By,
    reason: Annotated[str, typer.Option(help="Lý do, người gửi sẽ đọc / why; its sender will read it.")],
    as_json: AsJson = False,
) -> None:
    """Loại bỏ một thư chết và báo người gửi / discard a dead letter, and tell its sender where there is one to tell.

    Its body stays in the payload store. Exit status: 1 when it does not wait any more.
    """

    async def run() -> tuple[UUID, bool, dict[UUID, str], RecordedDeadLetter]:
        async with _desk() as desk:
            key = (await desk.find(letter_id)).dead_letter
            ordered = await desk.letters.discard(key, by, reason)
            failed = await desk.letters.finish()
            return key, ordered, failed, await desk.find(str(key))

    key, ordered, failed, letter = _run(run())
    if as_json:
        print(json.dumps(_facts(letter), ensure_ascii=False, indent=2))
    elif not ordered:
        typer.echo(f"{str(key)[:SHORT_ID]}: không còn chờ / does not wait any more: {STATES[letter.state]}")
    else:
        told = "đã báo người gửi / its sender is told" if letter.refusal else "không có ai để báo / nobody to tell"
        typer.echo(f"{str(key)[:SHORT_ID]}: {failed.get(key, f'đã loại bỏ / discarded; {told}')}")
    _end({key}, {key} if ordered else set(), failed)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What an operator works with."""

    letters: DeadLetters
    reports: Reports

    async def find(self, start: str) -> RecordedDeadLetter:
        """Return the dead letter whose id begins so; ends the command unless there is exactly one."""
        found = [
            letter
            for letter in await self.reports.dead_letters(settled=True)
            if str(letter.dead_letter).startswith(start.lower())
        ]
        if len(found) != 1:
            fail(f"{start}: {len(found)} thư chết mang mã này / {len(found)} dead letters have this id", USAGE)
        return found[0]


@asynccontextmanager
async def _desk() -> AsyncIterator[_Desk]:
    """Open the exchange as an operator, and take what is in its dead-letter queues into the ledger."""
    broker, address = BrokerSettings(), LedgerSettings().url.get_secret_value()
    async with AsyncExitStack() as closing:
        bus = Bus(
            broker.url.get_secret_value(), name="lienthong deadletter", heartbeat_seconds=broker.heartbeat_seconds
        )
        if bus.user != OPERATOR_USER:
            # What anybody else publishes the workers do not believe the origin of.
            raise MisconfiguredError(f"LIENTHONG_BROKER_URL phải mang tên / has to name the user {OPERATOR_USER}")
        await closing.enter_async_context(bus)
        await bus.declare(exchange_plan())
        ledger = await Ledger.connect(address, role=ROLE)
        closing.push_async_callback(ledger.close)
        reports = await Reports.connect(address)
        closing.push_async_callback(reports.close)
        letters = DeadLetters(bus, bus.user, ledger, FolderStore(PayloadSettings().folder))
        await letters.collect()
        yield _Desk(letters, reports)


def _run(work: Coroutine[None, None, ResultT]) -> ResultT:
    configure_logging("lienthong-deadletter", "error")
    # The command says itself what is wrong; the client library below it says the same for each attempt.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    with explained():
        return asyncio.run(work)


def _done(key: UUID, ordered: set[UUID], failed: dict[UUID, str]) -> bool:
    return key in ordered and key not in failed


def _end(wanted: set[UUID], ordered: set[UUID], failed: dict[UUID, str]) -> None:
    if failed:
        fail(
            "chưa gửi đi được, lệnh sau sẽ gửi tiếp / not published yet, the next command goes on with it: "
            + "; ".join(f"{str(key)[:SHORT_ID]}: {why}" for key, why in failed.items()),
            UNAVAILABLE,
        )
    if wanted - ordered:
        raise typer.Exit(REFUSED)


def _facts(letter: RecordedDeadLetter) -> dict[str, object]:
    return {
        name: value if isinstance(value, int | str | dict) or value is None else str(value)
        for name, value in asdict(letter).items()
    }


def _when(moment: datetime) -> str:
    return moment.astimezone(VIETNAM).isoformat(sep=" ", timespec="seconds")
