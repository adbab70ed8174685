"""The servers themselves: who is let in, which versions, which schema, which time, how much room."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lienthong.access.addresses import ledger_addresses
from lienthong.doctor.findings import Finding, Words
from lienthong.errors import LienThongError
from lienthong.ledger.condition import try_login
from lienthong.ledger.migrations import lacking

if TYPE_CHECKING:
    from lienthong.bus.admin import FoundNode
    from lienthong.doctor.findings import Severity
    from lienthong.doctor.patient import Patient

__all__ = ["check_clocks", "check_logins", "check_nodes", "check_schema", "check_versions", "nodes_in_trouble"]

OLDEST_RABBITMQ = (3, 10)
OLDEST_POSTGRESQL = 15
OFF_SECONDS, FAR_OFF_SECONDS = 5, 60
"""A clock that differs by more: statuses and deadlines carry wrong times; signatures are judged wrongly."""
TICK = timedelta(seconds=1)
"""How exactly the broker tells the time."""


async def check_logins(patient: Patient) -> list[Finding]:
    """Return the workers' addresses of the ledger that do not let them in."""
    folder = patient.instruments.workers
    found = []
    for role, url in ledger_addresses(folder).items() if folder else ():
        try:
            await try_login(url)
        except LienThongError as error:
            remedy = Words(
                f"sửa địa chỉ của {role} rồi chạy: lienthong ledger migrate --workers {folder}",
                f"mend the address of {role}, then run: lienthong ledger migrate --workers {folder}",
            )
            found.append(Finding("logins", "error", role, Words.of(str(error)), remedy))
    return found


async def check_versions(patient: Patient) -> list[Finding]:
    """Return the servers that are older than what the exchange works on."""
    assert patient.admin
    assert patient.ledger
    found = []
    server = await patient.ledger.server(patient.instruments.clock)
    if server.version // 10_000 < OLDEST_POSTGRESQL:
        found.append(_too_old("PostgreSQL", str(server.version // 10_000), str(OLDEST_POSTGRESQL)))
    version = (await patient.admin.overview()).rabbitmq_version
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_RABBITMQ:
        found.append(_too_old("RabbitMQ", version, ".".join(map(str, OLDEST_RABBITMQ))))
    return found


async def check_schema(patient: Patient) -> list[Finding]:
    """Return what the ledger's schema lacks, and the rights of its roles that are not as granted."""
    assert patient.ledger
    migrate = Words("chạy: lienthong ledger migrate", "run: lienthong ledger migrate")
    applied = (await patient.ledger.server(patient.instruments.clock)).migrations
    if lack := lacking(applied):
        what = Words("lược đồ cũ hơn chương trình này", "the schema is too old for this program")
        return [Finding("schema", "error", ", ".join(lack), what, migrate)]
    found = []
    if lack := lacking(applied, kind="post"):
        what = Words("bước nâng cấp cuối chưa chạy", "the last steps of an upgrade were not taken")
        found.append(Finding("schema", "warning", ", ".join(lack), what, migrate))
    missing, extra = await patient.ledger.rights_astray()
    for kind, rights, severity, what in (
        ("grant", missing, "error", Words("vai trò thiếu quyền", "the role lacks a right")),
        ("revoke", extra, "warning", Words("vai trò thừa quyền", "the role has a right it does not need")),
    ):
        for right in rights:
            by = "to" if kind == "grant" else "from"
            sql = f"{kind} {right} {by} {right.role}"
            remedy = Words(f"với chủ sổ cái: psql -c '{sql}'", f"as the ledger's owner: psql -c '{sql}'")
            level: Severity = "error" if severity == "error" else "warning"
            found.append(Finding("schema", level, f"{right.role}: {right}", what, remedy))
    return found


async def check_clocks(patient: Patient) -> list[Finding]:
    """Return the servers whose clock and this machine's differ."""
    assert patient.ledger
    assert patient.admin
    clock = patient.instruments.clock
    server = await patient.ledger.server(clock)
    offsets = {"PostgreSQL": (server.ahead, server.within)}
    before = clock()
    await patient.admin.overview()
    if patient.admin.answered_at is not None:
        middle = before + (clock() - before) / 2
        offsets["RabbitMQ"] = patient.admin.answered_at - middle, TICK + (clock() - before) / 2
    found = []
    for name, (ahead, within) in offsets.items():
        seconds = max(abs(ahead) - within, timedelta()).total_seconds()
        if seconds > OFF_SECONDS:
            shown = f"{ahead.total_seconds():+.0f} s"
            found.append(
                Finding(
                    "clocks",
                    "error" if seconds > FAR_OFF_SECONDS else "warning",
                    name,
                    Words(f"đồng hồ lệch với máy này {shown}", f"its clock differs from this machine's by {shown}"),
                    Words("bật NTP trên cả hai máy: timedatectl", "have NTP on both machines: timedatectl"),
                )
            )
    return found


async def check_nodes(patient: Patient) -> list[Finding]:
    """Return the nodes of the broker that are down or take nothing."""
    assert patient.admin
    return nodes_in_trouble(await patient.admin.node_states())


def nodes_in_trouble(nodes: list[FoundNode]) -> list[Finding]:
    """Return what is wrong with nodes; pure."""
    found = []
    for node in nodes:
        troubles: list[tuple[bool, Severity, Words, Words]] = [
            (
                not node.running,
                "error",
                Words("nút không chạy", "the node is not running"),
                Words("khởi động lại nút đó", "start that node again"),
            ),
            (
                node.disk_free_alarm,
                "error",
                Words("hết đĩa, không nhận tin nào", "it is out of disk and takes nothing"),
                Words("giải phóng hoặc thêm đĩa cho RabbitMQ", "free or add disk where RabbitMQ writes"),
            ),
            (
                node.mem_alarm,
                "error",
                Words("hết bộ nhớ, không nhận tin nào", "it is out of memory and takes nothing"),
                Words(
                    "xem hàng đợi nào dài: rabbitmqctl list_queues; thêm bộ nhớ",
                    "see which queue is long: rabbitmqctl list_queues; add memory",
                ),
            ),
            (
                not node.disk_free_alarm
                and node.disk_free is not None
                and node.disk_free_limit is not None
                and node.disk_free < 2 * node.disk_free_limit,
                "warning",
                Words("sắp hết đĩa", "it is nearly out of disk"),
                Words("giải phóng hoặc thêm đĩa cho RabbitMQ", "free or add disk where RabbitMQ writes"),
            ),
        ]
        found += [
            Finding("nodes", severity, node.name, what, remedy) for holds, severity, what, remedy in troubles if holds
        ]
    return found


def _too_old(name: str, version: str, oldest: str) -> Finding:
    return Finding(
        "versions",
        "error",
        f"{name} {version}",
        Words(f"cũ hơn bản được hỗ trợ ({oldest})", f"older than what is supported ({oldest})"),
        Words(f"nâng cấp lên {oldest} trở lên", f"upgrade it to {oldest} or later"),
    )
