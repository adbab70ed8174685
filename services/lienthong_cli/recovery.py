"""`lienthong backup`, `restore` and `reconcile`: after a loss, and before one."""

from __future__ import annotations

import asyncio
import getpass
import json
import logging
import sys
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lienthong.bus.connection import Bus
from lienthong.errors import MisconfiguredError
from lienthong.ledger.ledger import Ledger
from lienthong.payload import FolderStore
from lienthong.recovery.backup import back_up, kept_payloads
from lienthong.recovery.backup import restore as restore_backup
from lienthong.recovery.findings import TEXTS
from lienthong.recovery.reconcile import Reconciler
from lienthong.settings import BrokerSettings, LedgerSettings, PayloadSettings
from lienthong.telemetry.logs import configure_logging
from lienthong.topology.rights import OPERATOR_USER
from lienthong_cli.endings import REFUSED, explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lienthong.recovery.findings import Finding

__all__ = ["app"]

OPERATOR = "lienthong_operator"
HANDS_MINUTES = 30.0
"""How long an agency may have a message in hand (RabbitMQ's consumer timeout), and longer than the retry ladder."""
LISTED = 20

app = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="In dạng JSON / print JSON.")]


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Thư mục các bản sao lưu / the folder of backups.")],
    as_json: AsJson = False,
) -> None:
    """Sao lưu sổ cái và tệp văn bản khi trục đang chạy / back up ledger and payloads while the exchange works.

    Payloads that an earlier backup in DIR holds are not copied again. Exit status: 1 when a payload that the ledger
    names could not be had: the backup is good for everything else, and `lienthong reconcile` says more.
    """
    with explained(), _progress() as tell:
        store = FolderStore(PayloadSettings().folder)
        made = asyncio.run(back_up(LedgerSettings().url.get_secret_value(), store, folder, tell=tell))
    manifest = made.manifest
    if as_json:
        facts = {"backup": str(made.folder), "copied": made.copied} | manifest.model_dump(mode="json")
        print(json.dumps(facts, ensure_ascii=False))
    else:
        rows = sum(table.rows for table in manifest.tables)
        _say(f"bản sao lưu / backup: {made.folder}")
        _say(
            f"{rows} dòng trong {len(manifest.tables)} bảng, {manifest.payloads} tệp, {made.copied} tệp mới / "
            f"{rows} rows in {len(manifest.tables)} tables, {manifest.payloads} payloads, {made.copied} of them new"
        )
        _say(f"SHA-256 {manifest.digest}")
        for digest in manifest.lacking[:LISTED]:
            _say(f"! thiếu hoặc hỏng / missing or damaged: {digest}")
        if len(manifest.lacking) > LISTED:
            _say(f"! … {len(manifest.lacking)}")
    if manifest.lacking:
        raise typer.Exit(REFUSED)


@app.command()
def restore(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Một bản sao lưu, hoặc thư mục / a backup, or the folder of them.")
    ],
    as_json: AsJson = False,
) -> None:
    """Phục hồi vào nơi trống, khi các tiến trình đã dừng / make an empty installation what a backup shows.

    Of a folder of backups the latest is taken. The workers must be stopped. Afterwards: `lienthong topology apply`,
    `lienthong reconcile --repair --older-than 0`, and then the workers. Exit status: 1 when the backup is damaged.
    """
    with explained(), _progress() as tell:
        store = FolderStore(PayloadSettings().folder)
        done = asyncio.run(restore_backup(LedgerSettings().url.get_secret_value(), store, folder, tell=tell))
    manifest = done.manifest
    if as_json:
        facts = {"backup": str(done.folder), "copied": done.copied, "migrated": done.migrated}
        print(json.dumps(facts | manifest.model_dump(mode="json"), ensure_ascii=False))
        return
    _say(f"đã phục hồi, mọi bảng giống bản sao lưu / restored, every table as in the backup: {done.folder}")
    _say(f"thời điểm / its moment: {manifest.made_at.isoformat()}; SHA-256 {manifest.digest}")
    for digest in manifest.lacking[:LISTED]:
        _say(f"! bản sao lưu không có tệp / the backup has no payload {digest}")


@app.command()
def reconcile(
    by: Annotated[
        str,
        typer.Option("--by", default_factory=getpass.getuser, help="Người ra lệnh, ghi vào sổ / who, for the record."),
    ],
    repair: Annotated[
        bool, typer.Option("--repair", help="Sửa những gì chứng minh được / mend what can be proved.")
    ] = False,
    older_than: Annotated[
        float, typer.Option(min=0, metavar="MINUTES", help="Bỏ qua việc mới hơn / leave alone what is younger.")
    ] = HANDS_MINUTES,
    again: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Giao lại mọi văn bản chưa báo / deliver all unreported again."),
    ] = None,
    spare: Annotated[
        Path | None,
        typer.Option("--backup", metavar="DIR", help="Lấy tệp thiếu từ bản sao lưu / take payloads from backups."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """So hàng đợi, sổ cái và kho tệp / find what broker, ledger and payload store disagree on, and mend it.

    Without --repair nothing is changed. Exit status: 1 when something is left that is wrong.
    """
    configure_logging("lienthong-reconcile", "error")
    # The command says itself what is wrong; the client library below it says the same for each attempt.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    before = datetime.now(UTC) - timedelta(minutes=older_than)
    with explained():
        findings = asyncio.run(_reconcile(before, by, repair=repair, again=again or (), spare=spare))
    if as_json:
        print(json.dumps([finding.facts() for finding in findings], ensure_ascii=False))
    else:
        _show(findings)
    if any(finding.open for finding in findings):
        raise typer.Exit(REFUSED)


async def _reconcile(
    before: datetime, by: str, *, repair: bool, again: Sequence[str], spare: Path | None
) -> list[Finding]:
    broker, address = BrokerSettings(), LedgerSettings().url.get_secret_value()
    async with AsyncExitStack() as closing:
        bus = Bus(broker.url.get_secret_value(), name="lienthong reconcile", heartbeat_seconds=broker.heartbeat_seconds)
        if bus.user != OPERATOR_USER:
            # What anybody else publishes the workers do not believe the origin of.
            raise MisconfiguredError(f"LIENTHONG_BROKER_URL phải mang tên / has to name the user {OPERATOR_USER}")
        await closing.enter_async_context(bus)
        ledger = await Ledger.connect(address, role=OPERATOR)
        closing.push_async_callback(ledger.close)
        reconciler = Reconciler(
            bus,
            bus.user,
            ledger,
            address,
            FolderStore(PayloadSettings().folder),
            before=before,
            by=by,
            again=again,
            spare=kept_payloads(spare) if spare else None,
        )
        findings = await reconciler.find()
        if repair:
            await reconciler.mend(findings)
        return findings


def _show(findings: Sequence[Finding]) -> None:
    for kind, text in TEXTS.items():
        of_kind = [finding for finding in findings if finding.kind is kind]
        if not of_kind:
            continue
        repaired = sum(finding.repaired for finding in of_kind)
        count = sum(finding.count for finding in of_kind)
        sign = "✓" if repaired == len(of_kind) else "!" if text.a_fault else "·"
        _say(f"{sign} {count}: {text.vi} / {text.en}")
        for finding in of_kind[:LISTED]:
            what = [finding.agency, finding.document, finding.digest, finding.detail, finding.trouble]
            done = "đã sửa / mended" if finding.repaired else ""
            _say("    " + "  ".join(str(one) for one in (*what, done) if one))
        if len(of_kind) > LISTED:
            _say(f"    … {len(of_kind) - LISTED}")
        if repaired < len(of_kind):
            _say(f"    → {text.remedy_vi} / {text.remedy_en}")
    if not any(finding.open for finding in findings):
        _say("không còn gì sai lệch / nothing is left that disagrees")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show people how far it is; say nothing where nobody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bars:
        tasks = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what)
            bars.update(tasks[what], completed=done, total=total)

        yield tell


def _say(text: str) -> None:
    Console(highlight=False, markup=False, soft_wrap=True).print(text)
