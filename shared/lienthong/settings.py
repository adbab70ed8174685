"""The settings of every service, read once from the environment in its ``__main__``.

Each class is one group; the name of a variable is ``LIENTHONG_`` + the group + the field, in capitals. What is secret
may stand in a file instead, named by the same variable with ``_FILE`` after it, as with Docker's secrets.

A wrong value is explained in one line of its own; see `WrongSettingError` and `lienthong config check`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from lienthong.errors import MisconfiguredError
from lienthong.secret_files import secret_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

__all__ = [
    "AccessSettings",
    "BrokerSettings",
    "DeadlineSettings",
    "LedgerSettings",
    "LifeCycleSettings",
    "NotifierSettings",
    "ParkingSettings",
    "PayloadSettings",
    "QuotaSettings",
    "ServiceSettings",
    "SettingFault",
    "SignatureSettings",
    "TraceSettings",
    "TrustSettings",
    "WrongSettingError",
]


LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
SHORTEST_WEBHOOK_SECRET = 32


@dataclass(frozen=True, slots=True)
class SettingFault:
    """One setting that is wrong.

    Attributes:
        variable: its name in the environment.
        value: what stands there; None when it is a secret, or stands nowhere.
        vi: what is expected, in Vietnamese.
        en: the same in English.
    """

    variable: str
    value: str | None
    vi: str
    en: str

    def __str__(self) -> str:
        """Say it on one line."""
        shown = "" if self.value is None else f"={self.value!r}"
        return f"{self.variable}{shown}: {self.vi} / {self.en}"


class WrongSettingError(MisconfiguredError):
    """Settings of one group are wrong; its text has a line for each, and never a secret."""

    def __init__(self, faults: Iterable[SettingFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, self.faults)))


class _SecretSource(PydanticBaseSettingsSource):
    """Reads secret fields, from their variables or from the files these name."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return one field's value, its name, and that it is no JSON."""
        prefix = str(self.config.get("env_prefix", ""))
        variable = f"{prefix}{field_name}".upper()
        try:
            secret = secret_of(variable) if is_secret(field) else None
        except MisconfiguredError as error:
            vi, _, en = str(error).partition(" / ")
            raise WrongSettingError([SettingFault(variable, None, vi, en)]) from None
        return secret, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the fields that have a value."""
        found = {name: self.get_field_value(info, name)[0] for name, info in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def is_secret(field: FieldInfo) -> bool:
    """Tell whether a setting is a secret, which may stand in a file and is never shown."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


class Group(BaseSettings):
    """What all groups of settings have in common.

    Raises:
        WrongSettingError: a value is not what is expected.
    """

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            faults = [self._fault(one) for one in error.errors(include_url=False, include_context=True)]
            raise WrongSettingError(faults) from None

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the name of the variable of one of its fields."""
        return f"{cls.model_config.get('env_prefix')}{field}".upper()

    @classmethod
    def _fault(cls, error: ErrorDetails) -> SettingFault:
        context = error.get("ctx", {})
        field = str(error["loc"][0]) if error["loc"] else str(context["field"])
        variable = cls.variable(field)
        shown = None if is_secret(cls.model_fields[field]) else os.environ.get(variable)
        return SettingFault(variable, shown, *_expected(error["type"], context, error["msg"]))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then secrets, then the rest of the environment."""
        return init_settings, _SecretSource(settings_cls), env_settings


def _expected(kind: str, context: Mapping[str, Any], message: str) -> tuple[str, str]:
    """Return what a field expects, in Vietnamese and English, by pydantic's name of what is wrong."""
    match kind:
        case "unfit":
            return str(context["vi"]), str(context["en"])
        case "bool_parsing" | "bool_type":
            return "phải là true hoặc false", "has to be true or false"
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return "phải là số nguyên", "has to be a whole number"
        case "float_parsing" | "float_type":
            return "phải là số", "has to be a number"
        case "greater_than_equal":
            return f"ít nhất là {context['ge']}", f"has to be at least {context['ge']}"
        case "less_than_equal":
            return f"nhiều nhất là {context['le']}", f"has to be at most {context['le']}"
        case "greater_than":
            return f"phải lớn hơn {context['gt']}", f"has to be more than {context['gt']}"
        case "literal_error":
            choice = str(context["expected"]).replace("'", "").replace(" or ", ", ")
            return f"phải là một trong: {choice}", f"has to be one of: {choice}"
    return "giá trị sai", message


def _unfit(field: str, vi: str, en: str) -> PydanticCustomError:
    """Return what a rule over several fields raises about one of them."""
    return PydanticCustomError("unfit", "{en}", {"field": field, "vi": vi, "en": en})


class AccessSettings(Group):
    """How agencies get in."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_ACCESS_", frozen=True, hide_input_in_errors=True)

    passwords: bool = Field(
        False, description="whether an agency may log in with a password, for development; else by certificate only"
    )
    connections: int = Field(20, ge=3, description="most connections of one agency; the SDK needs three")
    channels: int = Field(100, ge=3, description="most channels of one agency")


class BrokerSettings(Group):
    """Where RabbitMQ is."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_BROKER_", frozen=True, hide_input_in_errors=True)

    url: SecretStr = Field(
        SecretStr("amqp://guest:guest@127.0.0.1:5672/lienthong"),
        description="AMQP address with user, password and virtual host; several, comma-separated, are tried in turn",
    )
    management_url: SecretStr = Field(
        SecretStr("http://guest:guest@127.0.0.1:15672"),
        description="the broker's management API, several comma-separated; only operators' commands need it",
    )
    heartbeat_seconds: int = Field(15, ge=1, description="AMQP heartbeat: a dead peer is noticed after three of them")


class DeadlineSettings(Group):
    """What the law leaves open about deadlines."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_DEADLINE_", frozen=True, hide_input_in_errors=True)

    at_once_minutes: int = Field(
        30, ge=1, description="how long *at once* is: for urgent documents to be sent, received and handed on"
    )


class LedgerSettings(Group):
    """Where PostgreSQL is."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_LEDGER_", frozen=True, hide_input_in_errors=True)

    url: SecretStr = Field(
        SecretStr("postgresql://lienthong@127.0.0.1:5432/lienthong"),
        description="PostgreSQL address of the ledger; of several hosts, comma-separated, the one that takes writes",
    )


class LifeCycleSettings(Group):
    """How statuses are taken."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_LIFE_CYCLE_", frozen=True, hide_input_in_errors=True)

    profile: Literal["real-traffic", "strict"] = Field(
        "real-traffic",
        description="`real-traffic` applies a status that leaves steps out (03, then 06) and keeps which; `strict` "
        "refuses it",
    )


class NotifierSettings(Group):
    """How people and systems outside the exchange are told."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_NOTIFIER_", frozen=True, hide_input_in_errors=True)

    mail_host: str | None = Field(None, description="SMTP server that takes our mail; without one mail waits")
    mail_port: int = Field(587, ge=1, le=65535, description="its port: 587 for STARTTLS, 465 for implicit TLS")
    mail_tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls", description="`starttls` or `implicit`; `none` only for a server on this machine"
    )
    mail_user: str | None = Field(None, description="user to log in as; no login without one")
    mail_password: SecretStr | None = Field(None, description="its password")
    mail_from: str | None = Field(None, description="address our mail comes from; needed with a server")
    webhook_secret: SecretStr | None = Field(
        None, description="what webhooks' keys are derived from, 32 characters at least; without one calls wait"
    )
    webhook_http: bool = Field(False, description="whether a webhook may be called without TLS")
    webhook_private: bool = Field(False, description="whether a webhook may be at a private or local address")
    keep_days: int = Field(
        90,
        ge=1,
        description="how long letters that are done with are kept, in days; the history keeps that they were sent",
    )
    authorities: Path | None = Field(
        None, description="PEM file of authorities believed for mail servers and webhooks; the system's without one"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.mail_host and not self.mail_from:
            raise _unfit("mail_from", "cần khi có MAIL_HOST", "is needed with MAIL_HOST")
        if self.mail_host and self.mail_user and not self.mail_password:
            raise _unfit("mail_password", "cần khi có MAIL_USER", "is needed with MAIL_USER")
        if self.mail_host and self.mail_tls == "none" and self.mail_host not in LOCAL_HOSTS:
            raise _unfit(
                "mail_tls", "none chỉ cho máy chủ thư trên máy này", "none is for a mail server on this machine only"
            )
        if self.webhook_secret and len(self.webhook_secret.get_secret_value()) < SHORTEST_WEBHOOK_SECRET:
            raise _unfit(
                "webhook_secret",
                f"ít nhất {SHORTEST_WEBHOOK_SECRET} ký tự",
                f"has to have at least {SHORTEST_WEBHOOK_SECRET} characters",
            )
        return self


class ParkingSettings(Group):
    """When an agency that does not collect is parked."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_PARKING_", frozen=True, hide_input_in_errors=True)

    limit: int = Field(
        10_000,
        ge=2,
        description="documents in an agency's queue from which on its further ones wait in the ledger; they follow "
        "when half of it is free",
    )


class PayloadSettings(Group):
    """Where payloads are kept."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_PAYLOAD_", frozen=True, hide_input_in_errors=True)

    folder: Path = Field(
        Path("payload"), description="folder of the payload store, shared by the workers; one file system"
    )


class QuotaSettings(Group):
    """How much an agency may send for which the directory says nothing else; 0 is no limit."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_QUOTA_", frozen=True, hide_input_in_errors=True)

    documents_per_minute: int = Field(600, ge=0, description="documents an agency may send in a minute; 0: no limit")
    megabytes_per_hour: int = Field(2000, ge=0, description="megabytes of documents it may send in an hour")
    statuses_per_minute: int = Field(30_000, ge=0, description="statuses it may report in a minute")


class ServiceSettings(Group):
    """How one worker process runs."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_SERVICE_", frozen=True, hide_input_in_errors=True)

    health_host: str = Field("127.0.0.1", description="address of /live, /ready and /metrics")
    health_port: int = Field(0, ge=0, le=65535, description="their port; 0 takes a free one and logs it")
    batch_limit: int = Field(100, ge=1, le=1000, description="most messages in one batch; two batches are prefetched")
    drain_seconds: float = Field(20.0, gt=0, description="how long SIGTERM waits for the batch in hand")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error")

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_small_letters(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class SignatureSettings(Group):
    """How signatures and attached files are judged."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_SIGNATURE_", frozen=True, hide_input_in_errors=True)

    policy: Path | None = Field(None, description="policy file (TOML); the safe defaults without one")
    processes: int = Field(0, ge=0, description="processes that judge at once; 0 is one for each core")
    clamd: str | None = Field(
        None, description="ClamAV daemon that scans attached files: a socket's path, or host:port"
    )


class TraceSettings(Group):
    """Whether documents are traced."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_TRACES_", frozen=True, hide_input_in_errors=True)

    endpoint: str | None = Field(
        None,
        pattern=r"^https?://\S+$",
        description="OpenTelemetry collector that takes OTLP by HTTP, as `http://collector:4318`; without one nothing "
        "is traced",
    )
    ratio: float = Field(1.0, ge=0, le=1, description="share of documents that are traced, from 0 to 1")


class TrustSettings(Group):
    """Who is believed."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_TRUST_", frozen=True, hide_input_in_errors=True)

    folder: Path = Field(Path("trust"), description="trust folder: roots/ intermediates/ crls/ ocsp/")
    refresh: bool = Field(True, description="whether CRLs and OCSP answers in it are kept fresh in the background")
