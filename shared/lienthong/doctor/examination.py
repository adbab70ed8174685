"""The doctor's round: connect to what can be connected to, then every check that can look."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lienthong.access.broker import place_of
from lienthong.bus.admin import BrokerAdmin
from lienthong.bus.connection import Bus
from lienthong.doctor.certificates import check_agencies, check_connections, check_trust
from lienthong.doctor.configuration import check_configuration
from lienthong.doctor.documents import check_backups, check_parked, check_unfinished
from lienthong.doctor.findings import Finding, Words
from lienthong.doctor.patient import Instruments, Patient
from lienthong.doctor.queues import check_dead_letters, check_topology, check_work
from lienthong.doctor.servers import check_clocks, check_logins, check_nodes, check_schema, check_versions
from lienthong.doctor.storage import check_payloads
from lienthong.errors import LienThongError, MisconfiguredError
from lienthong.ledger.condition import Condition
from lienthong.settings import BrokerSettings, LedgerSettings, WrongSettingError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["CHECKS", "Check", "Examination", "examine"]

Organ = Literal["bus", "admin", "ledger"]
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """One look.

    Attributes:
        name: what is looked at; findings carry it.
        look: does it.
        needs: what has to let us in for it; where it does not, that is the finding.
    """

    name: str
    look: Callable[[Patient], Awaitable[list[Finding]]]
    needs: tuple[Organ, ...] = ()


CHECKS = (
    Check("configuration", check_configuration),
    Check("logins", check_logins),
    Check("versions", check_versions, ("admin", "ledger")),
    Check("schema", check_schema, ("ledger",)),
    Check("clocks", check_clocks, ("admin", "ledger")),
    Check("nodes", check_nodes, ("admin",)),
    Check("payloads", check_payloads),
    Check("topology", check_topology, ("admin", "ledger")),
    Check("work", check_work, ("bus",)),
    Check("dead-letters", check_dead_letters, ("bus",)),
    Check("unfinished", check_unfinished, ("ledger",)),
    Check("parked", check_parked, ("ledger",)),
    Check("connections", check_connections),
    Check("agencies", check_agencies, ("ledger",)),
    Check("trust", check_trust),
    Check("backups", check_backups),
)


@dataclass(frozen=True, slots=True)
class Examination:
    """What came of a round.

    Attributes:
        findings: everything that is not as it should be, in the order of the checks.
        blind: neither broker nor ledger could be looked at.
        checked: the names of the checks that looked.
    """

    findings: tuple[Finding, ...]
    blind: bool
    checked: tuple[str, ...]


async def examine(instruments: Instruments | None = None) -> Examination:
    """Look at everything, changing nothing but for a file that is made in the payload folder and removed.

    The settings are those of the environment, of an operator: ``LIENTHONG_BROKER_URL`` of ``lienthong-operator``,
    ``LIENTHONG_BROKER_MANAGEMENT_URL`` of an administrator, ``LIENTHONG_LEDGER_URL`` of ``lienthong_operator``.
    """
    patient = Patient(instruments or Instruments())
    findings: list[Finding] = []
    checked: list[str] = []
    async with AsyncExitStack() as closing:
        findings += await _connect(patient, closing)
        for check in CHECKS:
            if any(getattr(patient, organ) is None for organ in check.needs):
                continue
            try:
                findings += await check.look(patient)
            except WrongSettingError:
                # The configuration says so.
                continue
            except LienThongError as error:
                remedy = Words(
                    "sửa điều đó rồi chạy lại lienthong doctor", "mend that, then run lienthong doctor again"
                )
                findings.append(Finding(check.name, "error", check.name, Words.of(str(error)), remedy))
            else:
                checked.append(check.name)
    blind = patient.bus is None and patient.admin is None and patient.ledger is None
    return Examination(tuple(findings), blind, tuple(checked))


async def _connect(patient: Patient, closing: AsyncExitStack) -> list[Finding]:
    """Connect to broker and ledger; what does not let us in is a finding."""

    async def bus() -> None:
        settings = BrokerSettings()
        url = settings.url.get_secret_value()
        patient.place = place_of(url)
        opened = Bus(url, name="lienthong doctor", connect_seconds=CONNECT_SECONDS)
        patient.bus = await closing.enter_async_context(opened)

    async def admin() -> None:
        opened = BrokerAdmin(BrokerSettings().management_url.get_secret_value())
        await closing.enter_async_context(opened)
        # Only an administrator may read this.
        await opened.users()
        patient.admin = opened

    async def ledger() -> None:
        opened = await Condition.connect(LedgerSettings().url.get_secret_value())
        closing.push_async_callback(opened.close)
        patient.ledger = opened

    found = []
    for variable, connect in (
        ("LIENTHONG_BROKER_URL", bus),
        ("LIENTHONG_BROKER_MANAGEMENT_URL", admin),
        ("LIENTHONG_LEDGER_URL", ledger),
    ):
        try:
            await connect()
        except WrongSettingError:
            continue
        except LienThongError as error:
            refused = isinstance(error, MisconfiguredError)
            remedy = (
                Words(f"sửa {variable}: người dùng, mật khẩu, tên", f"mend {variable}: user, password, name")
                if refused
                else Words(
                    f"khởi động máy chủ, xem mạng và tường lửa, sửa {variable}",
                    f"start the server, see to network and firewall, mend {variable}",
                )
            )
            found.append(Finding("connection", "error", variable, Words.of(str(error)), remedy))
    return found
