"""The broker's queues: what has to be there, who takes from them, and what stands in them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lienthong.access.addresses import broker_logins
from lienthong.access.drift import Wanted, differences, find
from lienthong.doctor.findings import Finding, Words
from lienthong.settings import AccessSettings
from lienthong.topology.names import QUARANTINE, Step, dead_queue
from lienthong.topology.plan import AGENCY_DEAD_QUEUE, step_queues

if TYPE_CHECKING:
    from lienthong.access.drift import Difference
    from lienthong.doctor.patient import Patient

__all__ = ["check_dead_letters", "check_topology", "check_work"]

MANY = 5
"""More differences of one kind with one remedy are told in one line."""
LONG_QUEUE = 10_000
"""So much work is minutes for the workers: more come in than they do."""


async def check_topology(patient: Patient) -> list[Finding]:
    """Return where the broker differs from plan and ledger: queues, bindings, users, their rights and passwords."""
    assert patient.admin
    assert patient.ledger
    assert patient.place
    workers = patient.instruments.workers
    apply = f"lienthong topology apply{f' --workers {workers}' if workers else ''}"
    mend = Words(f"chạy: {apply}", f"run: {apply}")
    if not await patient.admin.has_vhost(patient.place.vhost):
        what = Words("chưa có virtual host", "the virtual host is missing")
        return [Finding("topology", "error", patient.place.vhost, what, mend)]
    logins = broker_logins(patient.place, workers)
    participants, diverted = await patient.ledger.participants(), await patient.ledger.diverted()
    wanted = Wanted(participants, logins, patient.admin.user, AccessSettings(), diverted=diverted)
    found: dict[tuple[str, str, str], list[Difference]] = {}
    for one in differences(wanted, await find(patient.admin, patient.place.vhost)):
        # What mends itself alike for many agencies is one line; a remedy of its own has each its own.
        found.setdefault((one.kind, one.thing, one.remedy), []).append(one)
    return [finding for alike in found.values() for finding in _told(alike, mend)]


async def check_work(patient: Patient) -> list[Finding]:
    """Return the workers' queues that nobody takes from, and those that are long."""
    assert patient.bus
    found = []
    for step in Step:
        queues = step_queues(step)
        # What is missing is named by the topology.
        counts = {queue: count for queue, count in (await patient.bus.counts(queues)).items() if count}
        idle = [queue for queue, count in counts.items() if not count.consumers]
        if idle:
            ready = sum(counts[queue].ready for queue in idle)
            module = f"lienthong_{step.replace('-', '_')}"
            found.append(
                Finding(
                    "work",
                    "error",
                    ", ".join(idle),
                    Words(f"không có tiến trình nào lấy, {ready} tin chờ", f"nobody takes from it, {ready} wait"),
                    Words(
                        f"khởi động tiến trình {step} (python -m {module}), xem nhật ký của nó",
                        f"start the worker {step} (python -m {module}), see its log",
                    ),
                )
            )
        for queue, count in counts.items():
            if count.consumers and count.ready > LONG_QUEUE:
                what = Words(f"{count.ready} tin chờ", f"{count.ready} messages wait")
                remedy = Words(f"chạy thêm tiến trình {step}", f"run more workers of {step}")
                found.append(Finding("work", "warning", queue, what, remedy))
    return found


async def check_dead_letters(patient: Patient) -> list[Finding]:
    """Return the dead letters on the broker, and those in the ledger that wait for a decision."""
    assert patient.bus
    found = []
    queues = [*map(dead_queue, Step), AGENCY_DEAD_QUEUE, QUARANTINE]
    decide = Words(
        "lienthong deadletter list, sửa nguyên nhân, rồi replay hoặc discard",
        "lienthong deadletter list, mend the cause, then replay or discard",
    )
    for queue, ready in (await patient.bus.lengths(queues)).items():
        if ready:
            what = Words(f"{ready} thư chết chờ", f"{ready} dead letters wait")
            if queue == QUARANTINE:
                what = Words(f"{ready} tin không rõ của ai", f"{ready} messages that nobody vouches for")
            found.append(Finding("dead-letters", "error" if queue != QUARANTINE else "warning", queue, what, decide))
    waiting = len(await patient.ledger.dead_letters()) if patient.ledger else 0
    if waiting:
        what = Words(
            f"{waiting} thư chết trong sổ chờ quyết định", f"{waiting} listed dead letters wait for a decision"
        )
        found.append(Finding("dead-letters", "warning", "dead_letter", what, decide))
    return found


def _told(alike: list[Difference], mend: Words) -> list[Finding]:
    """Return a finding for each difference of one kind, or one for all when there are many."""
    if len(alike) > MANY:
        first = alike[0]
        names = ", ".join(one.name for one in alike[:MANY])
        alike = [replace(first, name=f"{names} … ({len(alike)})", detail=first.detail)]
    return [
        Finding(
            "topology",
            "warning" if one.kind == "extra" else "error",
            f"{one.thing} {one.name}",
            _difference(one),
            _by_hand(one.remedy) if one.remedy else mend,
        )
        for one in alike
    ]


def _difference(one: Difference) -> Words:
    """Return what a difference says, the field's terms in both languages."""
    vi, _, en = str(one).partition(" / ")
    return Words(f"{vi} {en.partition(' ')[2]}", en)


def _by_hand(remedy: str) -> Words:
    """Return a remedy of ``vi / en: commands`` with the commands in both languages."""
    vi, _, en = remedy.partition(" / ")
    return Words(f"{vi}: {en.partition(': ')[2]}", en)
