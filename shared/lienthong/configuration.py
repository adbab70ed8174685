"""Every setting there is, listed: for the README's table, for ``deploy/env.example``, and for who set a wrong one."""

from __future__ import annotations

import difflib
import os
import re
import textwrap
from typing import TYPE_CHECKING

from pydantic import SecretStr

from lienthong.settings import (
    AccessSettings,
    BrokerSettings,
    DeadlineSettings,
    Group,
    LedgerSettings,
    LifeCycleSettings,
    NotifierSettings,
    ParkingSettings,
    PayloadSettings,
    QuotaSettings,
    ServiceSettings,
    SettingFault,
    SignatureSettings,
    TraceSettings,
    TrustSettings,
    WrongSettingError,
    is_secret,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo

__all__ = ["EVERY_GROUP", "WORKERS", "env_example", "setting_rows", "strange_settings", "wrong_settings"]

EVERY_GROUP: tuple[type[Group], ...] = (
    AccessSettings,
    BrokerSettings,
    DeadlineSettings,
    LedgerSettings,
    LifeCycleSettings,
    NotifierSettings,
    ParkingSettings,
    PayloadSettings,
    QuotaSettings,
    ServiceSettings,
    SignatureSettings,
    TraceSettings,
    TrustSettings,
)
_EVERY_WORKER: tuple[type[Group], ...] = (BrokerSettings, LedgerSettings, ServiceSettings, TraceSettings)
WORKERS: dict[str, tuple[type[Group], ...]] = {
    "ingest": (*_EVERY_WORKER, PayloadSettings, QuotaSettings),
    "signature-verify": (*_EVERY_WORKER, PayloadSettings, SignatureSettings, TrustSettings),
    "router": (*_EVERY_WORKER, ParkingSettings, PayloadSettings),
    "status-tracker": (
        *_EVERY_WORKER,
        LifeCycleSettings,
        PayloadSettings,
        QuotaSettings,
        SignatureSettings,
        TrustSettings,
    ),
    "notifier": (*_EVERY_WORKER, DeadlineSettings, NotifierSettings, TrustSettings),
}
"""What each worker reads."""

_PREFIX = "LIENTHONG_"
_FILE = "_FILE"
_ELSEWHERE = {
    "LIENTHONG_AGENCY_BROKER_URL",
    "LIENTHONG_AGENCY_BROKER_URL_FILE",
    "LIENTHONG_AGENCY_SIGNING_KEY",
    "LIENTHONG_AGENCY_SIGNING_CERTIFICATES",
    "LIENTHONG_OPERATOR",
    "LIENTHONG_BIND",
    "LIENTHONG_SECRETS",
}
"""Options of commands that may be given in the environment too, and what compose files ask for."""
_OTHERS = re.compile(r"LIENTHONG_(TEST_\w+|[A-Z]+\d)")
"""What tests ask for, and of compose files the ports of one of several servers."""
_WIDTH = 118


def setting_rows() -> list[tuple[str, str, str]]:
    """Return the table of settings: name, default, meaning."""
    return [
        (f"`{group.variable(field)}`", f"`{_default(info)}`", info.description or "")
        for group, field, info in _fields(EVERY_GROUP)
    ]


def env_example() -> str:
    """Return an environment file that names every setting with its meaning and default, and sets none."""
    lines = [
        "# Mọi thiết lập của Liên Thông, với giá trị mặc định / every setting of Liên Thông, with its default.",
        "# Bỏ dấu # để đặt; kiểm tra bằng / take the # away to set one; check with: lienthong config check",
        "# Điều bí mật có thể nằm trong tệp / what is secret may stand in a file instead: <NAME>_FILE=/run/secrets/...",
    ]
    title = None
    for group, field, info in _fields(EVERY_GROUP):
        if group is not title:
            title = group
            lines += ["", f"# --- {(group.__doc__ or '').splitlines()[0]}"]
        lines += textwrap.wrap(info.description or "", _WIDTH, initial_indent="# ", subsequent_indent="# ")
        default = _default(info)
        lines.append(f"#{group.variable(field)}={'' if default is None else default}")
    return "\n".join(lines) + "\n"


def wrong_settings(groups: Iterable[type[Group]] = EVERY_GROUP) -> list[SettingFault]:
    """Return everything in the environment that these groups of settings do not take."""
    found: list[SettingFault] = []
    for group in groups:
        try:
            group()
        except WrongSettingError as error:
            found += error.faults
    return found


def strange_settings() -> list[SettingFault]:
    """Return the variables of the environment that look like settings and are none, with what may have been meant."""
    known = {name for group, field, info in _fields(EVERY_GROUP) for name in _names(group.variable(field), info)}
    known |= _ELSEWHERE
    found = []
    for name in sorted(os.environ):
        # Names are read in capitals or not, as pydantic's are.
        wanted = name.upper()
        if not wanted.startswith(_PREFIX) or wanted in known or _OTHERS.fullmatch(wanted):
            continue
        near = difflib.get_close_matches(wanted, known, n=1)
        vi, en = "không có thiết lập này", "there is no such setting"
        if near:
            vi, en = f"{vi}; có phải là {near[0]}?", f"{en}; did you mean {near[0]}?"
        found.append(SettingFault(name, None, vi, en))
    return found


def _fields(groups: Iterable[type[Group]]) -> Iterator[tuple[type[Group], str, FieldInfo]]:
    for group in groups:
        for field, info in group.model_fields.items():
            yield group, field, info


def _names(variable: str, info: FieldInfo) -> tuple[str, ...]:
    return (variable, variable + _FILE) if is_secret(info) else (variable,)


def _default(info: FieldInfo) -> object:
    return info.default.get_secret_value() if isinstance(info.default, SecretStr) else info.default
