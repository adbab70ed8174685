"""The wire contract as an AsyncAPI 3 document, for integrators and their tools; generated, never written by hand.

Operations are seen from an agency: it *sends* to exchange ``submission`` and *receives* from its two queues.
"""

from __future__ import annotations

from typing import Any

import yaml

from lienthong.document.codes import MAX_LENGTH
from lienthong.document.life_cycle import STATUS_CODES
from lienthong.document.messages import Deadline, Delivered, Receipt, Refused, Verified, Waiting, WireModel
from lienthong.document.verdicts import Value, Verdict
from lienthong.topology.names import SUBMISSION, Header, SubmissionKey, delivery_queue, status_queue, submission_key

__all__ = ["EDXML", "as_yaml", "asyncapi"]

EDXML = "application/edxml+xml"
JSON = "application/json"
SCHEMAS = "#/components/schemas"
NOTICES: dict[str, type[WireModel]] = {
    "receipt": Receipt,
    "verified": Verified,
    "refusal": Refused,
    "waiting": Waiting,
    "delivered": Delivered,
    "deadline": Deadline,
}
CODE = "{code}"


class _WrittenOut(yaml.SafeDumper):
    """Writes what stands in several places several times: readers' tools do not all follow YAML's aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - of all data
        return True


def as_yaml(version: str) -> str:
    """Return the document as YAML, in the order it is built in.

    Args:
        version: of the product.
    """
    return yaml.dump(asyncapi(version), Dumper=_WrittenOut, allow_unicode=True, sort_keys=False, width=120)


def asyncapi(version: str) -> dict[str, Any]:
    """Return the document as plain data.

    Args:
        version: of the product, which the document's version is.
    """
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Liên Thông",
            "version": version,
            "description": "An open exchange for signed official documents between government agencies. "
            "Delivery is at least once with stable message ids: drop what you have seen.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": EDXML,
        "servers": {
            "exchange": {
                "host": "broker.example:5671",
                "pathname": "/lienthong",
                "protocol": "amqps",
                "protocolVersion": "0.9.1",
                "description": "Your user name is your agency code.",
            }
        },
        "channels": {
            **{f"submission.{key}": _submission(key) for key in SubmissionKey},
            "delivery": _queue(
                delivery_queue(CODE), "Documents addressed to you, or to one you carry for.", {"document": "delivery"}
            ),
            "status": _queue(
                status_queue(CODE),
                "What became of your documents, and what was wrong with what you sent.",
                {name: name for name in (*NOTICES, "status")},
            ),
        },
        "operations": {
            **{f"submit.{key}": _send(key) for key in SubmissionKey},
            "takeDelivery": _receive("delivery", "Take a document; acknowledge it when you have kept it."),
            "takeStatus": _receive("status", "Take a receipt, refusal, delivery notice or a receiver's status."),
        },
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _submission(key: SubmissionKey) -> dict[str, Any]:
    message = "reportedStatus" if key is SubmissionKey.STATUS else "document"
    return {
        "address": submission_key(CODE, key),
        "parameters": _CODE,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": SUBMISSION, "type": "topic", "durable": True, "autoDelete": False},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _queue(name: str, description: str, messages: dict[str, str]) -> dict[str, Any]:
    return {
        "address": name,
        "description": description,
        "parameters": _CODE,
        "messages": {key: {"$ref": f"#/components/messages/{message}"} for key, message in messages.items()},
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {"name": name, "durable": True, "exclusive": False, "autoDelete": False},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _send(key: SubmissionKey) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/submission.{key}"},
        "summary": {
            SubmissionKey.DOCUMENT: "Submit a document.",
            SubmissionKey.DOCUMENT_URGENT: "Submit an urgent document (Priority 1 to 4).",
            SubmissionKey.STATUS: "Report the status of a document you got, or ask to take yours back (13).",
        }[key],
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": "0.3.0"}},
    }


def _receive(channel: str, summary: str) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "bindings": {"amqp": {"ack": True, "bindingVersion": "0.3.0"}},
    }


def _messages() -> dict[str, Any]:
    submitted = (Header.SHA256, Header.SUBMITTED_AT)
    submitted_document = (*submitted, Header.TEST)
    delivered = (
        Header.DOCUMENT,
        Header.DOCUMENT_ID,
        Header.SENDER,
        Header.BUSINESS,
        Header.TEST,
        Header.SHA256,
        Header.VERDICT,
        Header.VALUE,
        Header.FOUND_VI,
        Header.FOUND_EN,
    )
    told = (
        Header.DOCUMENT,
        Header.DOCUMENT_ID,
        Header.SENDER,
        Header.RECEIVER,
        Header.STATUS_CODE,
        Header.SHA256,
        Header.VERDICT,
        Header.FOUND_VI,
        Header.FOUND_EN,
    )
    properties = (
        "AMQP properties: message_id, your own and new for each message; user_id, your agency code; delivery_mode 2."
    )
    return {
        "document": _edxml("A document as edXML.", properties, submitted_document),
        "reportedStatus": _edxml("A status message as edXML.", properties, submitted),
        "delivery": _edxml("A document, in the sender's bytes.", "AMQP type: document.", delivered),
        "status": _edxml("A status, in the reporter's bytes.", "AMQP type: status.", told),
        **{
            name: {
                "summary": (model.__doc__ or "").splitlines()[0],
                "contentType": JSON,
                "payload": {"$ref": f"{SCHEMAS}/{model.__name__}"},
                "bindings": {"amqp": {"messageType": name, "bindingVersion": "0.3.0"}},
            }
            for name, model in NOTICES.items()
        },
    }


def _edxml(summary: str, description: str, headers: tuple[Header, ...]) -> dict[str, Any]:
    return {
        "summary": summary,
        "description": description,
        "contentType": EDXML,
        "headers": {"type": "object", "properties": {header.value: _HEADERS[header] for header in headers}},
        "payload": {"type": "string", "description": "edXML (QCVN 102:2016); `lienthong edxml check` judges it."},
    }


_CODE = {"code": {"description": f"Your agency code, at most {MAX_LENGTH} characters."}}
_HEADERS: dict[Header, dict[str, Any]] = {
    Header.SHA256: {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256 of the body."},
    Header.SUBMITTED_AT: {"type": "string", "format": "date-time", "description": "When you sent it; optional."},
    Header.DOCUMENT: {"type": "string", "format": "uuid", "description": "The exchange's id of the document."},
    Header.DOCUMENT_ID: {"type": "string", "description": "edXML's DocumentId."},
    Header.SENDER: {"type": "string", "description": "Canonical code of the agency that sent it."},
    Header.RECEIVER: {"type": "string", "description": "Canonical code of the addressee it speaks of."},
    Header.BUSINESS: {"type": "integer", "enum": [0, 1, 2, 3], "description": "New, withdraw, update, replace."},
    Header.TEST: {
        "type": "integer",
        "enum": [1],
        "description": "There when the document is a test: never an official one, and never counted as such.",
    },
    Header.VERDICT: {
        "type": "string",
        "enum": [one.value for one in Verdict],
        "description": "What was found about its signatures; indeterminate: it could not be found out.",
    },
    Header.VALUE: {
        "type": "string",
        "enum": [Value.PAPER.value, Value.INFORMATION.value],
        "description": "What the document is worth: the value of paper, or for information.",
    },
    Header.FOUND_VI: {"type": "string", "description": "What was found, in Vietnamese."},
    Header.FOUND_EN: {"type": "string", "description": "The same in English."},
    Header.STATUS_CODE: {
        "type": "string",
        "enum": list(STATUS_CODES),
        "description": "; ".join(f"{one.code} {one.en}" for one in STATUS_CODES.values()),
    },
}


def _schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    for model in NOTICES.values():
        schema = model.model_json_schema(ref_template=f"{SCHEMAS}/{{model}}", mode="serialization")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    return dict(sorted(schemas.items()))
