"""Settings that explain themselves."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lienthong.configuration import EVERY_GROUP, WORKERS, env_example, strange_settings, wrong_settings
from lienthong.doctor.configuration import faults
from lienthong.settings import NotifierSettings, ServiceSettings, WrongSettingError
from lienthong.topology.names import Step

ROOT = Path(__file__).parents[2]
ALL_WORKERS = {"BrokerSettings", "LedgerSettings", "ServiceSettings", "TraceSettings"}
"""What `lienthong.worker.service` reads for each of them."""


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take everything that is set from the environment."""
    for name in os.environ:
        if name.startswith("LIENTHONG_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("LIENTHONG_BROKER_HEARTBEAT_SECONDS", "soon", "='soon': phải là số nguyên / has to be a whole number"),
        ("LIENTHONG_BROKER_HEARTBEAT_SECONDS", "0", "='0': ít nhất là 1 / has to be at least 1"),
        ("LIENTHONG_SERVICE_HEALTH_PORT", "70000", "='70000': nhiều nhất là 65535 / has to be at most 65535"),
        ("LIENTHONG_SERVICE_DRAIN_SECONDS", "0", "='0': phải lớn hơn 0.0 / has to be more than 0.0"),
        ("LIENTHONG_ACCESS_PASSWORDS", "perhaps", "='perhaps': phải là true hoặc false / has to be true or false"),
        ("LIENTHONG_LIFE_CYCLE_PROFILE", "lax", "='lax': phải là một trong: real-traffic, strict / "),
        ("LIENTHONG_NOTIFIER_MAIL_HOST", "mail.vn", "LIENTHONG_NOTIFIER_MAIL_FROM: cần khi có MAIL_HOST / is needed"),
        ("LIENTHONG_NOTIFIER_WEBHOOK_SECRET", "s3cret", ": ít nhất 32 ký tự / has to have at least 32 characters"),
        ("LIENTHONG_LEDGER_URL_FILE", "/nowhere/s3cret", "LIENTHONG_LEDGER_URL: /nowhere/s3cret: không đọc được"),
        ("LIENTHONG_BROKER_URL", "http://u:s3cret@host", "địa chỉ RabbitMQ phải có dạng / the broker's address must"),
        ("LIENTHONG_LEDGER_URL", "mysql://u:s3cret@host/l", "địa chỉ sổ cái phải có dạng / the ledger's address must"),
        ("LIENTHONG_SIGNATURE_POLICY", "/nowhere.toml", "LIENTHONG_SIGNATURE_POLICY='/nowhere.toml': "),
        ("LIENTHONG_TRUST_FOLDER", "/nowhere", "LIENTHONG_TRUST_FOLDER='/nowhere': "),
        ("LIENTHONG_PAYLOAD_FOLDER", "/etc/hosts", "='/etc/hosts': phải là thư mục / has to be a folder"),
        ("LIENTHONG_BROKR_URL", "s3cret", "có phải là LIENTHONG_BROKER_URL? / there is no such setting; did you mean"),
    ],
)
def test_a_wrong_setting_is_one_line(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str) -> None:
    """It names the variable, what stands there unless it is a secret, and what is expected, in both languages."""
    monkeypatch.setenv(variable, value)
    (line,) = [str(fault) for fault in faults() if variable == "LIENTHONG_TRUST_FOLDER" or "TRUST" not in str(fault)]
    assert line.startswith("LIENTHONG_")
    assert says in line
    assert "\n" not in line
    assert "s3cret" not in line.replace("/nowhere/s3cret", "")


def test_each_wrong_setting_of_a_group_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts a program with wrong settings learns of all of a group at once, as an error to mend."""
    monkeypatch.setenv("LIENTHONG_SERVICE_LOG_LEVEL", "loud")
    monkeypatch.setenv("LIENTHONG_SERVICE_BATCH_LIMIT", "none")
    with pytest.raises(WrongSettingError) as raised:
        ServiceSettings()
    assert [fault.variable for fault in raised.value.faults] == [
        "LIENTHONG_SERVICE_BATCH_LIMIT",
        "LIENTHONG_SERVICE_LOG_LEVEL",
    ]


def test_what_tests_compose_and_commands_read_is_not_strange(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what nobody reads is called unknown, in whatever letters it is written."""
    for name in ("LIENTHONG_TEST_SERVERS", "LIENTHONG_LEDGER_URL_FILE", "LIENTHONG_BROKER1", "lienthong_quota_x"):
        monkeypatch.setenv(name, "x")
    assert [fault.variable for fault in strange_settings()] == ["lienthong_quota_x"]


@pytest.mark.parametrize("step", Step)
def test_a_worker_is_checked_for_what_it_reads(step: Step) -> None:
    """The settings that `--worker` checks are those that the worker's program reads, no more and no fewer."""
    source = (ROOT / "services" / f"lienthong_{step.replace('-', '_')}" / "__main__.py").read_text(encoding="utf-8")
    imported = {
        alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module == "lienthong.settings"
        for alias in node.names
    }
    assert {group.__name__ for group in WORKERS[step]} == imported | ALL_WORKERS
    assert set(WORKERS) == set(Step)


def test_the_example_names_every_setting_and_sets_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """`deploy/env.example` is what the classes are; whoever takes every # away changes nothing."""
    assert (ROOT / "deploy" / "env.example").read_text(encoding="utf-8") == env_example()
    before = [group() for group in EVERY_GROUP]
    lines = re.findall(r"^#(LIENTHONG_\w+)=(.*)$", env_example(), re.MULTILINE)
    assert len(lines) == sum(len(group.model_fields) for group in EVERY_GROUP)
    for name, value in lines:
        if value:
            monkeypatch.setenv(name, value)
    assert wrong_settings() == strange_settings() == []
    assert [group() for group in EVERY_GROUP] == before


def test_every_group_is_listed() -> None:
    """A new group of settings is in the table, the example and the check."""
    groups = {name for name in sys.modules[NotifierSettings.__module__].__all__ if name.endswith("Settings")}
    assert {group.__name__ for group in EVERY_GROUP} == groups


def test_the_command_ends_with_2_and_a_worker_with_78() -> None:
    """Scripts tell a wrong setting from others, and an orchestrator that restarting does not help."""
    environment = os.environ | {"LIENTHONG_QUOTA_DOCUMENTS_PER_MINUTE": "-1"}

    def ended(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - ourselves
            [sys.executable, "-m", *command], env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    wrong = ended("lienthong_cli", "config", "check", "--worker", "ingest")
    assert (wrong.returncode, wrong.stdout.count("\n")) == (2, 1)
    assert wrong.stdout.startswith("LIENTHONG_QUOTA_DOCUMENTS_PER_MINUTE='-1': ít nhất là 0 / ")
    right = ended("lienthong_cli", "config", "check", "--worker", "router")
    assert (right.returncode, right.stdout.count("\n")) == (0, 1)
    environment["LIENTHONG_SERVICE_BATCH_LIMIT"] = "0"
    worker = ended("lienthong_router")
    assert worker.returncode == 78
    assert "LIENTHONG_SERVICE_BATCH_LIMIT='0'" in worker.stderr
    assert "Traceback" not in worker.stderr
