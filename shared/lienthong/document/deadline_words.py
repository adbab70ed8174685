"""What clocks and holders are called, and what is told about a deadline; both languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lienthong.document.deadlines import Clock, Holder, Level
from lienthong.document.zone import VIETNAM

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["CLOCK_WORDS", "HOLDER_WORDS", "deadline_words"]

CLOCK_WORDS = {
    Clock.SENDING: ("gửi văn bản", "sending the document"),
    Clock.RECEIPT: ("thông báo đã nhận", "telling that it was received"),
    Clock.TRANSFER: ("chuyển giao xử lý", "handing it on"),
    Clock.FINISH: ("hoàn thành xử lý", "finishing it"),
}
"""What has to be done, in Vietnamese and English."""
HOLDER_WORDS = {
    Holder.SENDER: ("bên gửi", "the sender"),
    Holder.EXCHANGE: ("trục liên thông", "the exchange"),
    Holder.CLERK: ("văn thư bên nhận", "the receiver's clerk"),
    Holder.LEADER: ("lãnh đạo bên nhận", "a leader at the receiver"),
    Holder.OFFICER: ("chuyên viên bên nhận", "an officer at the receiver"),
    Holder.NOBODY: ("không ai", "nobody"),
}
"""Who holds the ball, in Vietnamese and English."""
_RULES = {
    Clock.SENDING: "Điều 6.2 Quyết định 28/2018/QĐ-TTg",
    Clock.RECEIPT: "Điều 21.2 Nghị định 30/2020/NĐ-CP",
    Clock.TRANSFER: "Điều 4.2c Nghị định 30/2020/NĐ-CP",
    Clock.FINISH: "hạn ghi trong văn bản / the document's due date",
}
_OVER = {Level.HALF: "50 %", Level.MOST: "80 %"}


def deadline_words(
    clock: Clock, level: Level, agency: str, due_at: datetime | None, met_at: datetime | None
) -> tuple[str, str]:
    """Return what is told about a clock, in Vietnamese and English.

    Args:
        clock: which.
        level: what there is to tell.
        agency: who has to act.
        due_at: by when; None where the document's date lies in the future.
        met_at: when it was done; None while it is not.
    """
    if due_at is None or level is Level.AHEAD:
        return (
            f"Ngày ban hành ghi trong văn bản sau ngày trục nhận: {agency} kiểm tra lại ngày và đồng hồ của mình",
            f"The document is dated later than the exchange received it: {agency} should check its date and clock",
        )
    vi, en = CLOCK_WORDS[clock]
    when, rule = _when(due_at), _RULES[clock]
    if level is not Level.BREACH:
        share = _OVER[level]
        return (
            f"Đã hết {share} thời gian để {agency} {vi}, hạn trước {when} ({rule})",
            f"{share} of the time is over for {agency}, {en}: due before {when} ({rule})",
        )
    if met_at is not None:
        done = _when(met_at)
        return (
            f"{agency} {vi} muộn: lúc {done}, hạn trước {when} ({rule})",
            f"{agency} was late, {en}: at {done}, due before {when} ({rule})",
        )
    return (
        f"{agency} quá hạn {vi}: hạn trước {when} ({rule})",
        f"{agency} is late, {en}: due before {when} ({rule})",
    )


def _when(moment: datetime) -> str:
    return moment.astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M")
