"""The published wire contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

import lienthong
from lienthong.document.messages import Delivered, Receipt, Refused
from lienthong.topology.asyncapi import as_yaml, asyncapi
from lienthong.topology.names import SubmissionKey, delivery_queue, status_queue, submission_key

PUBLISHED = Path(__file__).parents[2] / "deploy" / "asyncapi.yaml"


def references(node: object) -> list[str]:
    """Return every $ref in a document."""
    if isinstance(node, dict):
        here = [node["$ref"]] if "$ref" in node else []
        return here + [found for value in node.values() for found in references(value)]
    if isinstance(node, list):
        return [found for value in node for found in references(value)]
    return []


def test_the_published_contract_is_the_code() -> None:
    """The file in the repository is what the code generates; `lienthong topology asyncapi` writes it."""
    text = PUBLISHED.read_text(encoding="utf-8")
    assert text == as_yaml(lienthong.__version__)
    assert yaml.safe_load(text) == asyncapi(lienthong.__version__)


def test_the_published_contract_is_valid(node_modules: Path) -> None:
    """It is an AsyncAPI document by the schema that AsyncAPI publishes for the version it names."""
    document = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    file = node_modules / "@asyncapi" / "specs" / "schemas" / f"{document['asyncapi']}-without-$id.json"
    schema = json.loads(file.read_text(encoding="utf-8"))
    assert "asyncapi" in schema["required"]
    found = [f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(document)]
    assert found == []


def test_every_reference_leads_somewhere() -> None:
    """No channel, message or schema is referred to that is not in the document."""
    document = asyncapi(lienthong.__version__)
    for reference in references(document):
        node: Any = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
        assert isinstance(node, dict), reference


def test_everything_an_agency_touches_is_described() -> None:
    """Every routing key, both queues and every notice have their place."""
    document = asyncapi(lienthong.__version__)
    addresses = {channel["address"] for channel in document["channels"].values()}
    keys = {submission_key("{code}", key) for key in SubmissionKey}
    assert addresses == {*keys, delivery_queue("{code}"), status_queue("{code}")}
    assert {Receipt.__name__, Refused.__name__, Delivered.__name__} <= set(document["components"]["schemas"])
