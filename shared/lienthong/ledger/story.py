"""Everything the ledger holds of one document: what was sent, found, delivered, reported, refused, told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lienthong.ledger.ledger import translated
from lienthong.ledger.search import Found, Search
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

__all__ = ["PARTS", "Stories", "Story"]

PARTS = (
    "attachments",
    "judgements",
    "deliveries",
    "statuses",
    "actions",
    "refusals",
    "notices",
    "deadlines",
    "dead_letters",
    "entries",
)
"""The lists of a story, each of which has a statement of its own; their fields are its columns."""
_JSON = frozenset({"acts", "findings", "files", "evidence", "problems", "facts"})


@dataclass(frozen=True, slots=True)
class Story:
    """The story of one document.

    Attributes:
        document: what Art. 10.2 lists.
        submission: the message that brought it: user, message id, SHA-256, lane, what it does to an earlier document.
        parts: `PARTS`, each a list in the order of time.
    """

    document: Found
    submission: Mapping[str, Any]
    parts: Mapping[str, Sequence[Mapping[str, Any]]]


class Stories(Search):
    """Finds documents, and tells everything about one; in the reader's role."""

    async def story(self, document: UUID) -> Story | None:
        """Return the story of a document; None when there is none with this id."""
        with translated():
            async with self._connection.transaction(isolation="repeatable_read", readonly=True):
                found = await self.found([document])
                if not found:
                    return None
                (submission,) = await self._rows("story_submission", document)
                parts = {part: await self._rows(f"story_{part}", document) for part in PARTS}
        return Story(found[0], submission, parts)

    async def _rows(self, name: str, document: UUID) -> list[dict[str, Any]]:
        rows = await self._connection.fetch(statement(name), document)
        return [{key: _plain(key, value) for key, value in row.items()} for row in rows]


def _plain(column: str, value: Any) -> Any:
    return json.loads(value) if column in _JSON and value is not None else value
