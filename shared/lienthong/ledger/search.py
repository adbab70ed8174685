"""Documents found again, by anything that Decision 28/2018/QĐ-TTg, Art. 10.2, says is to be kept of them.

Words are compared without accents and in lower case: ``van phong`` finds ``Văn phòng``. Every word has to be there;
``"van phong"`` in quotation marks are words right after one another, and ``lien*`` begins a word.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from lienthong.document.life_cycle import State
from lienthong.ledger.addresses import Addresses
from lienthong.ledger.ledger import translated
from lienthong.ledger.reports import READER
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import asyncpg

__all__ = ["Found", "Receiver", "Search", "Wanted", "query_of"]

MOST_WORDS = 50
BEFORE = (State.RECEIVED, State.HELD, State.VERIFIED, State.STOPPED)
"""How far a document may be without a delivery."""
BEGINNING = 8
"""So many characters of an id are enough to name a document."""
NOBODY = UUID(int=0)
_TERM = re.compile(r'"([^"]*)"|(\S+)')
_ACCENT = re.compile("[\u0300-\u036f]")
_NUMBER = re.compile(r"\$\d+")
_PLAIN = (
    "document_id",
    "priority",
    "issued_from",
    "issued_to",
    "due_to",
    "received_from",
    "received_before",
)
"""What is compared as it is."""
_SEPARATOR = re.compile("[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a document has to have; None or empty is whatever.

    Attributes:
        text: words of subject, number, id, signer or kind.
        subject: words of the subject.
        number: words of number and notation, or of the sender's id: ``102 UBND``.
        signer: words of who signed it: name, office.
        kind: words of the kind of document: ``cong van``.
        attachment: words of the name of an attached file.
        sender: code, in either form, or words of the name.
        receiver: likewise.
        document_id: the sender's id, exactly.
        state: of the document, or of one of its deliveries; see `lienthong.document.life_cycle.State`.
        priority: urgency, 0 to 4.
        issued_from: the first day of issue.
        issued_to: the last day of issue.
        due_to: the last day on which it is due.
        received_from: the exchange received it then or later.
        received_before: the exchange received it earlier.
    """

    text: str = ""
    subject: str = ""
    number: str = ""
    signer: str = ""
    kind: str = ""
    attachment: str = ""
    sender: str = ""
    receiver: str = ""
    document_id: str | None = None
    state: str | None = None
    priority: int | None = None
    issued_from: date | None = None
    issued_to: date | None = None
    due_to: date | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receiver:
    """One addressee of a document, and how far it is there."""

    agency: str
    name: str
    state: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """A document as Art. 10.2 lists it: who, what number, which day, what kind, what about, for whom, how far.

    Attributes:
        document: the exchange's id; ``lienthong document show`` tells its whole story.
        state: how far the exchange is with it.
        receivers: to whom it was delivered, and how far it is there.
    """

    document: UUID
    document_id: str
    sender: str
    sender_name: str
    code: str | None
    promulgated_on: date | None
    type_name: str | None
    subject: str | None
    signer_name: str | None
    signer_position: str | None
    priority: int
    due_on: date | None
    submitted_at: datetime
    received_at: datetime
    size: int
    test: bool
    sha256: str
    state: str
    attachments: tuple[str, ...]
    receivers: tuple[Receiver, ...]


class Search:
    """Finds documents, on a connection of its own in the reader's role."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, url: str) -> Self:
        """Open the connection; raises `Unavailable` or `MisconfiguredError`."""
        # What is rare is found another way than what is frequent: a plan that is made for all of it suits neither.
        settings = {"role": READER, "application_name": READER, "default_transaction_read_only": "on"}
        with translated():
            found = await Addresses(url, writing=False).connect(
                server_settings=settings | {"plan_cache_mode": "force_custom_plan"}
            )
        return cls(found)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def find(self, wanted: Wanted, *, limit: int, after: UUID | None = None) -> list[Found]:
        """Return documents, the latest received first.

        Args:
            wanted: what they have to have.
            limit: at most so many.
            after: those that follow this one: the last of the page before.
        """
        with translated():
            asked = {name: value async for name, value in self._asked(wanted)}
            if after is not None:
                asked["after"] = after
            rows = await self._connection.fetch(_statement(list(asked)), limit, *asked.values())
            return await self.found([row["document"] for row in rows])

    async def found(self, documents: Sequence[UUID]) -> list[Found]:
        """Return those of these documents that there are, in this order."""
        with translated():
            return [_found(dict(row)) for row in await self._connection.fetch(statement("found_documents"), documents)]

    async def called(self, name: str) -> list[UUID]:
        """Return the documents somebody may mean: by the exchange's id or its first 8 characters, or the sender's."""
        with translated():
            arguments = *_between(name), name, query_of(f'"{name}"', "B")
            rows = await self._connection.fetch(statement("documents_called"), *arguments)
        return [row["document"] for row in rows]

    async def _asked(self, wanted: Wanted) -> AsyncIterator[tuple[str, object]]:
        """Return what the lines of the statement `find_documents` that are needed compare with, by their names."""
        texts = ((wanted.text, ""), (wanted.subject, "A"), (wanted.number, "B"), (wanted.signer, "C"))
        parts = [query_of(text, weight) for text, weight in (*texts, (wanted.kind, "D")) if text]
        # Its words are in the index; it itself is there only beside its sender.
        parts += [query_of(f'"{wanted.document_id}"', "B")] if wanted.document_id else []
        if parts:
            yield "words", " & ".join(filter(None, parts))
        if wanted.attachment:
            yield "attachment", query_of(wanted.attachment)
        for name, who in (("sender", wanted.sender), ("receiver", wanted.receiver)):
            if who:
                rows = await self._connection.fetch(statement("agencies_named"), who, query_of(who))
                yield name, [row["code"] for row in rows]
        if wanted.state:
            yield "document_state" if wanted.state in BEFORE else "delivery_state", wanted.state
        for name in _PLAIN:
            if (value := getattr(wanted, name)) is not None:
                yield name, value


def query_of(text: str, weight: str = "") -> str:
    """Return what somebody typed as PostgreSQL's tsquery: nothing but letters, digits and its own signs.

    Args:
        text: words, phrases in quotation marks, beginnings of words with an asterisk.
        weight: the weight the words have to have in the index; empty for whichever.
    """
    terms = []
    for found in _TERM.finditer(text):
        phrase, word = found.groups()
        begins = word is not None and word.endswith("*")
        words = _folded(phrase if word is None else word)
        if words:
            marks = [*[f":{weight}" if weight else ""] * (len(words) - 1), _marks(weight, begins=begins)]
            terms.append("(" + " <-> ".join(f"'{one}'{mark}" for one, mark in zip(words, marks, strict=True)) + ")")
    return " & ".join(terms[:MOST_WORDS])


def _between(name: str) -> tuple[UUID, UUID]:
    """Return the first and the last id that begins so; none lies between when it is not the beginning of one."""
    digits = name.replace("-", "") if re.fullmatch(r"[0-9a-fA-F-]{8,36}", name) else ""
    if not BEGINNING <= len(digits) <= len(NOBODY.hex):
        return NOBODY, NOBODY
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def _marks(weight: str, *, begins: bool) -> str:
    return f":{'*' if begins else ''}{weight}" if begins or weight else ""


def _folded(text: str) -> list[str]:
    """Return the words of a text as the index has them: what the function `searched` of the schema does."""
    bare = _ACCENT.sub("", unicodedata.normalize("NFKD", text)).translate({0x110: "d", 0x111: "d"}).lower()
    return _SEPARATOR.sub(" ", bare).split()


def _statement(asked: Sequence[str]) -> str:
    """Return the statement with those of its conditions that are asked for, their values numbered from $2 on."""
    lines = []
    for line in statement("find_documents").splitlines():
        condition, _, name = line.partition(" -- ")
        if not name or line.startswith("--"):
            lines.append(line)
        elif name in asked:
            lines.append(_NUMBER.sub(f"${asked.index(name) + 2}", condition))
    return "\n".join(lines)


def _found(row: dict[str, Any]) -> Found:
    receivers = tuple(
        Receiver(one["agency"], one["name"], one["state"], datetime.fromisoformat(one["changed_at"]))
        for one in json.loads(row.pop("receivers"))
    )
    return Found(**(row | {"attachments": tuple(row.pop("attachments"))}), receivers=receivers)
