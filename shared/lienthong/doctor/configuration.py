"""Whether the settings can be used: of each by itself, and what they name."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from lienthong.access.broker import place_of
from lienthong.bus.admin import BrokerAdmin
from lienthong.configuration import EVERY_GROUP, WORKERS, strange_settings, wrong_settings
from lienthong.doctor.findings import Finding, Words
from lienthong.errors import LienThongError, MisconfiguredError
from lienthong.ledger.addresses import Addresses
from lienthong.settings import (
    BrokerSettings,
    LedgerSettings,
    NotifierSettings,
    PayloadSettings,
    SettingFault,
    SignatureSettings,
    TrustSettings,
)
from lienthong.signature.policy import Policy
from lienthong.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lienthong.doctor.patient import Patient
    from lienthong.settings import Group

__all__ = ["check_configuration", "faults"]


def faults(worker: str | None = None) -> list[SettingFault]:
    """Return everything that is wrong with the settings of the environment; connects to nothing.

    Args:
        worker: whose settings: ``ingest`` … ``notifier``; None takes everybody's, and looks for strange ones.
    """
    groups = EVERY_GROUP if worker is None else WORKERS[worker]
    found = wrong_settings(groups)
    wrong = {fault.variable for fault in found}
    for group in groups:
        if not any(group.variable(field) in wrong for field in group.model_fields):
            found += _unusable(group, trust_needed=worker != "notifier")
    return found + strange_settings()


async def check_configuration(_patient: Patient) -> list[Finding]:
    """Return the settings that are wrong."""
    remedy = Words(
        "sửa biến môi trường; mọi thiết lập có trong deploy/env.example",
        "mend the variable; deploy/env.example has every setting",
    )
    found = []
    for fault in faults():
        shown = "" if fault.value is None else f"={fault.value!r}"
        what = Words(fault.vi, fault.en)
        found.append(Finding("configuration", "error", f"{fault.variable}{shown}", what, remedy))
    return found


def _unusable(group: type[Group], *, trust_needed: bool) -> Iterator[SettingFault]:
    """Yield the settings of a group whose values are well-formed and of no use."""
    attempts: dict[str, Callable[[], object]] = {}
    if group is BrokerSettings:
        broker = BrokerSettings()
        attempts["url"] = lambda: place_of(broker.url.get_secret_value())
        attempts["management_url"] = lambda: BrokerAdmin(broker.management_url.get_secret_value())
    elif group is LedgerSettings:
        attempts["url"] = lambda: Addresses(LedgerSettings().url.get_secret_value())
    elif group is SignatureSettings and (policy := SignatureSettings().policy):
        attempts["policy"] = lambda: Policy.read(policy)
    elif group is NotifierSettings and (authorities := NotifierSettings().authorities):
        attempts["authorities"] = lambda: _authorities(authorities)
    elif group is PayloadSettings:
        attempts["folder"] = lambda: _folder(PayloadSettings().folder)
    elif group is TrustSettings and trust_needed:
        attempts["folder"] = lambda: TrustStore.load(TrustSettings().folder)
    for field, attempt in attempts.items():
        try:
            attempt()
        except LienThongError as error:
            what = Words.of(str(error))
            shown = os.environ.get(group.variable(field)) if field in {"policy", "authorities", "folder"} else None
            yield SettingFault(group.variable(field), shown, what.vi, what.en)


def _authorities(file: Path) -> None:
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:
        raise MisconfiguredError(
            f"phải là tệp PEM đọc được / has to be a PEM file that can be read ({error.strerror or error})"
        ) from None


def _folder(folder: Path) -> None:
    # The store makes it where it is not there yet.
    if folder.exists() and not folder.is_dir():
        raise MisconfiguredError("phải là thư mục / has to be a folder")
