"""The published wire contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lienthong
from lienthong.document.messages import Delivered, Receipt, Refused
from lienthong.topology.asyncapi import asyncapi
from lienthong.topology.names import SubmissionKey, delivery_queue, status_queue

PUBLISHED = Path(__file__).parents[2] / "deploy" / "asyncapi.json"


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
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == asyncapi(lienthong.__version__)


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
    assert addresses == {*SubmissionKey, delivery_queue("{code}"), status_queue("{code}")}
    assert {Receipt.__name__, Refused.__name__, Delivered.__name__} <= set(document["components"]["schemas"])
