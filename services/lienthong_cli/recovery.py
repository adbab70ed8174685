"""`lienthong backup`, `restore` and `reconcile`: after a loss, and before one."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lienthong.payload import FolderStore
from lienthong.recovery.backup import back_up
from lienthong.recovery.backup import restore as restore_backup
from lienthong.settings import LedgerSettings, PayloadSettings
from lienthong_cli.endings import REFUSED, explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["app"]

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
