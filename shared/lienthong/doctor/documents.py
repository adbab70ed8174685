"""What stands still between ledger and agencies, and what would be lost with the ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lienthong.doctor.findings import Finding, Words
from lienthong.errors import MisconfiguredError
from lienthong.recovery.backup import backups
from lienthong.recovery.manifest import Manifest

if TYPE_CHECKING:
    from lienthong.doctor.patient import Patient

__all__ = ["check_backups", "check_parked", "check_unfinished"]

AT_WORK = timedelta(minutes=30)
"""What is recorded is worked on within seconds; the retry ladder takes eleven minutes and a half."""
OLDEST_BACKUP = timedelta(hours=26)
"""One each night, and two hours to make it."""


async def check_unfinished(patient: Patient) -> list[Finding]:
    """Return what was recorded long ago and has not gone on."""
    assert patient.ledger
    server = await patient.ledger.server(patient.instruments.clock)
    # By the clock that wrote the times which it is compared with.
    before = patient.instruments.clock() + server.ahead - AT_WORK
    minutes = int(AT_WORK.total_seconds() // 60)
    remedy = Words(
        "xem tiến trình đó có chạy không; rồi lienthong reconcile, và --repair nếu thiếu tin",
        "see whether that worker runs; then lienthong reconcile, and --repair when a message is gone",
    )
    found = [
        Finding(
            "unfinished",
            "error",
            step,
            Words(
                f"{count} việc đã ghi sổ quá {minutes} phút mà chưa xử lý tiếp",
                f"{count} recorded more than {minutes} minutes ago and not worked on any further",
            ),
            remedy,
        )
        for step, count in sorted((await patient.ledger.unfinished(before)).items())
    ]
    if untold := await patient.ledger.untold(before):
        what = Words(
            f"{untold} thông báo quá {minutes} phút chưa đến cơ quan",
            f"{untold} notices have not reached agencies for more than {minutes} minutes",
        )
        found.append(Finding("unfinished", "error", "notifier", what, remedy))
    return found


async def check_parked(patient: Patient) -> list[Finding]:
    """Return the agencies that do not collect."""
    assert patient.ledger
    return [
        Finding(
            "parked",
            "warning",
            one.code,
            Words(
                f"{one.name} không lấy văn bản từ {one.parked_at:%Y-%m-%d %H:%M} UTC, {one.documents} văn bản chờ",
                f"{one.name} has not collected since {one.parked_at:%Y-%m-%d %H:%M} UTC, {one.documents} wait for it",
            ),
            Words(
                f"liên hệ cơ quan: lienthong agency show {one.code}",
                f"get in touch with it: lienthong agency show {one.code}",
            ),
        )
        for one in await patient.ledger.parked()
    ]


async def check_backups(patient: Patient) -> list[Finding]:
    """Return what is wrong with the latest backup, where it is known where backups are."""
    folder = patient.instruments.backups
    if folder is None:
        return []
    remedy = Words(f"chạy: lienthong backup {folder}", f"run: lienthong backup {folder}")
    known = backups(folder)
    if not known:
        return [Finding("backups", "error", str(folder), Words("chưa có bản sao lưu", "there is no backup"), remedy)]
    try:
        manifest = Manifest.read(known[-1])
    except MisconfiguredError as error:
        return [Finding("backups", "error", str(known[-1]), Words.of(str(error)), remedy)]
    found = []
    age = patient.instruments.clock() - manifest.made_at
    if age > OLDEST_BACKUP:
        hours = int(age.total_seconds() // 3600)
        what = Words(f"bản mới nhất đã {hours} giờ", f"the latest backup is {hours} hours old")
        found.append(Finding("backups", "warning", known[-1].name, what, remedy))
    if manifest.lacking:
        count = len(manifest.lacking)
        what = Words(f"thiếu {count} tệp văn bản", f"{count} payloads are not in it")
        see = Words("xem: lienthong reconcile", "see: lienthong reconcile")
        found.append(Finding("backups", "warning", known[-1].name, what, see))
    return found
