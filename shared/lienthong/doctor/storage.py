"""Where payloads are kept: whether it can be written, and how much room is left."""

from __future__ import annotations

import asyncio
import tempfile
from typing import TYPE_CHECKING

from lienthong.doctor.findings import Finding, Words
from lienthong.settings import PayloadSettings

if TYPE_CHECKING:
    from pathlib import Path

    from lienthong.doctor.patient import Patient

__all__ = ["check_payloads"]

SCARCE, VERY_SCARCE = 0.10, 0.03
"""Of a file system: so little room is a warning, an error."""
LEAST_BYTES = 1 << 30
"""Less is an error however small the disk is: a submission may have 50 MB, and a batch holds a hundred."""


async def check_payloads(patient: Patient) -> list[Finding]:
    """Return what is wrong with the payload folder, as this user sees it."""
    return await asyncio.to_thread(_check, PayloadSettings().folder, patient)


def _check(folder: Path, patient: Patient) -> list[Finding]:
    subject = f"LIENTHONG_PAYLOAD_FOLDER={folder}"
    # The store makes it with the first payload.
    folder = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        return [
            Finding(
                "payloads",
                "error",
                subject,
                Words(f"không ghi được: {error.strerror}", f"it cannot be written: {error.strerror}"),
                Words(
                    "tạo thư mục, gắn đúng ổ đĩa, cho người dùng của các tiến trình quyền ghi",
                    "make the folder, mount its disk, let the workers' user write there",
                ),
            )
        ]
    usage = patient.instruments.disk_usage(folder)
    share = usage.free / usage.total
    if share >= SCARCE and usage.free >= LEAST_BYTES:
        return []
    shown = f"{usage.free / (1 << 30):.1f} GiB, {share:.0%}"
    return [
        Finding(
            "payloads",
            "error" if share < VERY_SCARCE or usage.free < LEAST_BYTES else "warning",
            subject,
            Words(f"đĩa sắp đầy, còn {shown}", f"its disk is nearly full, {shown} left"),
            Words("thêm đĩa, hoặc dọn thứ khác trên đĩa đó", "add disk, or remove what else is on it"),
        )
    ]
