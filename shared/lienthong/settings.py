"""The settings of every service, read once from the environment in its ``__main__``.

Each class is one group; the name of a variable is ``LIENTHONG_`` + the group + the field, in capitals. What is secret
may stand in a file instead, named by the same variable with ``_FILE`` after it, as with Docker's secrets.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from lienthong.secret_files import secret_of

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

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
    "SignatureSettings",
    "TrustSettings",
]


class _SecretSource(PydanticBaseSettingsSource):
    """Reads secret fields, from their variables or from the files these name."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return one field's value, its name, and that it is no JSON."""
        prefix = str(self.config.get("env_prefix", ""))
        is_secret = SecretStr in (field.annotation, *get_args(field.annotation))
        secret = secret_of(f"{prefix}{field_name}".upper()) if is_secret else None
        return secret, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the fields that have a value."""
        found = {name: self.get_field_value(info, name)[0] for name, info in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class Group(BaseSettings):
    """What all groups of settings have in common."""

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
    log_level: str = Field("info", description="debug, info, warning or error")


class SignatureSettings(Group):
    """How signatures and attached files are judged."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_SIGNATURE_", frozen=True, hide_input_in_errors=True)

    policy: Path | None = Field(None, description="policy file (TOML); the safe defaults without one")
    processes: int = Field(0, ge=0, description="processes that judge at once; 0 is one for each core")
    clamd: str | None = Field(
        None, description="ClamAV daemon that scans attached files: a socket's path, or host:port"
    )


class TrustSettings(Group):
    """Who is believed."""

    model_config = SettingsConfigDict(env_prefix="LIENTHONG_TRUST_", frozen=True, hide_input_in_errors=True)

    folder: Path = Field(Path("trust"), description="trust folder: roots/ intermediates/ crls/ ocsp/")
    refresh: bool = Field(True, description="whether CRLs and OCSP answers in it are kept fresh in the background")
