"""The pure model: identifiers, agency codes, the life-cycle table, the messages of the wire. No input or output."""

from __future__ import annotations
