"""Our own schema of the format (`edxml.xsd`), for those who write edXML with other tools than ours.

It describes what `lienthong.edxml.encode` writes and what the national SDK writes: the SDK's order of elements. XML
Schema cannot say, and so it does not: that receivers take any order; which fields a profile or a business type
demands; that a receiver stands in the list once; that days exist (30 February passes its pattern); that manifest and
attachments match; that base64 is strict (libxml2 takes garbage for it), and the file behind it sound.
`lienthong.edxml.inspect` says all that. A message that is read may therefore fail the schema, and one that fails to
be read may pass it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from lxml import etree

__all__ = ["schema_errors", "schema_text"]


def schema_text() -> bytes:
    """Return the schema itself, an XML Schema 1.0 document."""
    return files(__package__).joinpath("edxml.xsd").read_bytes()


def schema_errors(data: bytes) -> tuple[str, ...]:
    """Return what the schema finds wrong with a message, each with its line; nothing means it is valid.

    Only for messages that `lienthong.edxml.inspect` could parse: this reads without its limits.
    """
    schema = _schema()
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        tree = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        return (str(error),)
    schema.validate(tree)
    return tuple(f"{entry.line}: {entry.message}" for entry in schema.error_log)


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(schema_text()))
