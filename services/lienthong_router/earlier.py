"""What withdrawals, updates and replacements do to the documents delivered before, addressee by addressee.

All or nothing, as with addressees: what is impossible at one of them refuses the whole document, naming the field and
the remedy. Only the earlier document's own sender can name it, or the agency it was merged into: it is looked up among
their documents. So it is with addressees: what an agency got before it was merged is asked of its successor.
Lanes, replicas and retries do not keep order, so what overtook its document waits for it, on the retry ladder.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from lienthong.document import request_reasons as reasons
from lienthong.document.acts import Acts, Replaces
from lienthong.document.life_cycle import Event, Role, State, StepOutcome, step
from lienthong.edxml import BusinessType
from lienthong.errors import Unavailable
from lienthong.ledger.actions import ActionRow, SettledAction
from lienthong.topology.names import RETRY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from lienthong.errors import Problem
    from lienthong.ledger.actions import EarlierDocument
    from lienthong.ledger.directory import Agency, Directory
    from lienthong.ledger.rows import DeliveryRow, RecordedDocument, ReportedDelivery
    from lienthong.ledger.unit import Unit

__all__ = ["Acted", "Earlier"]

Key = tuple[str, str]
"""Sender and DocumentId (edXML)."""

UNKNOWN_RETRIES = 3
"""How often it is waited for a document that the exchange has not even received: over a minute by the ladder."""
BUSINESS = "TraceHeaderList/Bussiness"
OWN_ID = "MessageHeader/DocumentId"


@dataclass(frozen=True, slots=True)
class Acted:
    """What a document does: its deliveries, each with its role, and its actions; or why it is refused."""

    deliveries: tuple[DeliveryRow, ...] = ()
    actions: tuple[ActionRow, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Draft:
    """One document's effects, not in force before it is known that the whole of it is possible."""

    document: RecordedDocument
    acts: Acts
    deliveries: dict[str, DeliveryRow]
    paths: dict[str, str]
    actions: list[ActionRow] = field(default_factory=list)
    heads: list[ReportedDelivery] = field(default_factory=list)
    settled: list[SettledAction] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, kind: Literal["withdraw", "update", "remove", "add", "replace"], addressee: str, of: UUID) -> None:
        asked = kind in ("withdraw", "update", "remove")
        self.actions.append(ActionRow(self.document.document, addressee, of, kind, "pending" if asked else "done"))


class Earlier:
    """The deliveries that the documents of a batch act on, locked; it walks them in the order of the batch."""

    def __init__(
        self,
        directory: Directory,
        known: Iterable[EarlierDocument],
        chains: dict[Key, set[UUID]],
        locked: Sequence[ReportedDelivery],
    ) -> None:
        self._directory = directory
        self._known: dict[Key, list[EarlierDocument]] = {}
        for one in known:
            self._known.setdefault((one.sender, one.document_id), []).append(one)
        self._chains = chains
        self._now = {(one.document, one.addressee): one for one in locked}
        self._before = dict(self._now)
        self.settled: list[SettledAction] = []

    @classmethod
    async def look_up(cls, unit: Unit, documents: Iterable[RecordedDocument]) -> Earlier:
        """Lock what documents act on; those that are new act on nothing."""
        directory = unit.directory
        keys = {
            (sender, name)
            for document in documents
            for name, _ in _named(document)
            for sender in _one_by_now(directory, document.sender)
        }
        if not keys:
            return cls(directory, (), {}, ())
        # In this order: what is delivered in between is then found there.
        known = await unit.earlier_documents(keys)
        chains = await unit.chains_named(keys)
        return cls(directory, known, chains, await unit.lock_chains(set().union(*chains.values()), reports=False))

    @property
    def changed(self) -> list[ReportedDelivery]:
        """The deliveries that are not as they were."""
        return [one for key, one in self._now.items() if one != self._before[key]]

    def waits_for(self, document: RecordedDocument, attempts: int) -> Unavailable | None:
        """Return what a document has to wait for, if it may wait any longer."""
        for key, _ in self._keys(document):
            known = self._others(key, document)
            if any(one.forwarded for one in known) or (known and all(one.refused for one in known)):
                continue
            if attempts < (len(RETRY_SECONDS) if known else UNKNOWN_RETRIES):
                return Unavailable(f"document {key[1]} of {key[0]} is not delivered yet")
        return None

    def act(self, document: RecordedDocument, deliveries: Sequence[DeliveryRow]) -> Acted:
        """Return what a document does to those before it, and apply it to what this holds when it is possible."""
        business = BusinessType(document.business)
        if business is BusinessType.NEW:
            return Acted(tuple(deliveries))
        paths = {one.addressee: f"MessageHeader/To[{place}]/OrganId" for place, one in enumerate(deliveries, 1)}
        draft = _Draft(document, _acts(document), {one.addressee: one for one in deliveries}, paths)
        draft.problems += self._missing(document)
        if business is BusinessType.REPLACE and not draft.acts.replaces:
            draft.problems.append(reasons.nothing_replaced(f"{BUSINESS}/ReplacementInfoList"))
        if not draft.problems:
            match business:
                case BusinessType.WITHDRAW:
                    self._withdraw(draft)
                case BusinessType.UPDATE:
                    self._update(draft)
                case BusinessType.REPLACE:
                    self._replace(draft)
        if draft.problems:
            return Acted(problems=tuple(draft.problems))
        for head in draft.heads:
            self._now[head.document, head.addressee] = head
        for one in draft.settled:
            self._lapse(one)
        return Acted(tuple(draft.deliveries.values()), tuple(draft.actions))

    def _lapse(self, settled: SettledAction) -> None:
        self.settled.append(settled)
        key = settled.document, settled.addressee
        if (request := self._now.get(key)) is not None:
            done = step(State(request.state), Event.LAPSE, role=Role(request.role))
            self._now[key] = replace(request, state=done.state.value)

    def _keys(self, document: RecordedDocument) -> list[tuple[Key, str]]:
        """Return which earlier documents a document names, each by whoever sent it, and where they are named."""
        found = []
        for name, path in _named(document):
            keys = [(sender, name) for sender in _one_by_now(self._directory, document.sender)]
            # Agencies that are one by now may have used the same DocumentId: its own document is meant before others,
            # but not an update that only goes by the other's DocumentId, nor what nobody got.
            documents = (key for key in keys if any(one.stands for one in self._others(key, document)))
            named = (key for key in keys if self._others(key, document))
            found.append((next(documents, None) or next(named, keys[0]), path))
        return found

    def _others(self, key: Key, document: RecordedDocument) -> list[EarlierDocument]:
        # An update may carry the DocumentId of the document it updates: it does not act on itself.
        return [one for one in self._known.get(key, ()) if one.document != document.document]

    def _missing(self, document: RecordedDocument) -> list[Problem]:
        problems = []
        for key, path in self._keys(document):
            known = self._others(key, document)
            there = [one for one in known if one.forwarded]
            if any(one.test != document.test for one in there):
                unlike = reasons.earlier_is_official if document.test else reasons.earlier_is_test
                problems.append(unlike(key[1], path))
            if there:
                continue
            if not known:
                problems.append(reasons.earlier_unknown(key[1], path))
            elif all(one.refused for one in known):
                problems.append(reasons.earlier_stopped(key[1], path))
            else:
                problems.append(reasons.earlier_under_way(key[1], path))
        return problems

    def _head(self, key: Key, addressee: str, draft: _Draft) -> ReportedDelivery | None:
        """Return the document that stands at an addressee under this id, rather than one that has ended there."""
        pending = {(one.document, one.addressee): one for one in draft.heads}
        chains = self._chains.get(key, ())
        written = self._directory.named(draft.deliveries[addressee].written)
        # It may have gone to an agency that was merged since; the one that is written is meant before another.
        for code in _one_by_now(self._directory, addressee, first=written):
            found = [
                pending.get(place, one)
                for place, one in self._now.items()
                if one.addressee == code and one.role == Role.DOCUMENT and one.chain in chains
            ]
            if found:
                return min(found, key=lambda one: one.state in (State.WITHDRAWN, State.REPLACED))
        return None

    def _withdraw(self, draft: _Draft) -> None:
        ((key, _),) = self._keys(draft.document)
        for addressee, path in draft.paths.items():
            head = self._head(key, addressee, draft)
            if head is None:
                draft.problems.append(reasons.never_delivered(key[1], addressee, path))
            else:
                self._ask(draft, head, Event.WITHDRAW, path)

    def _update(self, draft: _Draft) -> None:
        ((key, _),) = self._keys(draft.document)
        removed = _resolved(draft, draft.acts.removed, self._directory, "0")
        added = _resolved(draft, draft.acts.added, self._directory, "1")
        draft.problems += [
            reasons.removed_and_added(code, f"{BUSINESS}/BussinessDocumentInfo/ReceiverList")
            for code in sorted(removed & added)
        ]
        for addressee, path in draft.paths.items():
            head = self._head(key, addressee, draft)
            if head is not None:
                self._ask(draft, head, Event.REMOVE if addressee in removed else Event.UPDATE, path)
            elif addressee in added:
                # It was delivered, so it has its receivers.
                root = next(one.chain for one in self._now.values() if one.chain in self._chains[key])
                draft.deliveries[addressee] = replace(draft.deliveries[addressee], root=root)
                draft.add("add", addressee, root)
            else:
                draft.problems.append(reasons.never_delivered(key[1], addressee, path, update=addressee not in removed))

    def _replace(self, draft: _Draft) -> None:
        replaced: set[tuple[UUID, str]] = set()
        keys = self._keys(draft.document)
        for place, replaces in enumerate(draft.acts.replaces, 1):
            key, _ = keys[place - 1]
            for addressee, path in _replaced_at(draft, replaces, place, self._directory):
                head = self._head(key, addressee, draft)
                if head is None:
                    draft.problems.append(reasons.never_delivered(key[1], addressee, path))
                # Real traffic names the same pair twice.
                elif (head.document, head.addressee) not in replaced:
                    replaced.add((head.document, head.addressee))
                    self._ask(draft, head, Event.REPLACE, path)

    def _ask(self, draft: _Draft, head: ReportedDelivery, event: Event, path: str) -> None:
        """Walk one delivery through the table; what code 13 has asked for a withdrawal may say once more."""
        done = step(State(head.state), event, pending=head.pending)
        if done.outcome is StepOutcome.REPEATED and head.request is not None:
            draft.problems.append(reasons.already_asked(head.document_id, head.addressee, path))
            return
        if done.outcome is StepOutcome.ILLEGAL:
            draft.problems.append(reasons.not_possible(head.document_id, head.addressee, State(head.state), path))
            return
        if head.request is not None:
            draft.settled.append(SettledAction(head.request, head.addressee, "lapsed"))
        asks = draft.document.document if event is not Event.REPLACE else None
        draft.heads.append(replace(head, state=done.state.value, take_back=done.pending == "take-back", request=asks))
        if event is not Event.REPLACE:
            role = Role.UPDATE if event is Event.UPDATE else Role.WITHDRAW
            addressee = _heir(self._directory, head.addressee)
            # Beside what it is about: the answer finds it there, whoever gives it.
            draft.deliveries[addressee] = replace(
                draft.deliveries[addressee], addressee=head.addressee, role=role.value, root=head.chain
            )
        kinds: dict[Event, Literal["withdraw", "update", "remove", "replace"]] = {
            Event.WITHDRAW: "withdraw",
            Event.UPDATE: "update",
            Event.REMOVE: "remove",
            Event.REPLACE: "replace",
        }
        draft.add(kinds[event], head.addressee, head.document)


def _acts(document: RecordedDocument) -> Acts:
    return Acts.model_validate(document.acts or {})


def _one_by_now(directory: Directory, code: str, *, first: Agency | None = None) -> list[str]:
    """Return the codes of all agencies that are this one by now: `first`, itself, then those merged into it."""
    agency = directory.agency(code)
    merged = sorted(directory.stands_for(agency)) if agency is not None else []
    return list(dict.fromkeys([*([first.code] if first is not None else []), code, *merged]))


def _heir(directory: Directory, code: str) -> str:
    agency = directory.agency(code)
    return code if agency is None else directory.heir(agency).code


def _named(document: RecordedDocument) -> list[tuple[str, str]]:
    """Return which earlier documents a document names, by their DocumentIds, and where."""
    acts = _acts(document)
    match BusinessType(document.business):
        case BusinessType.NEW:
            return []
        case BusinessType.REPLACE:
            return [(one.document_id, _replacement(place, "DocumentId")) for place, one in enumerate(acts.replaces, 1)]
        case _:
            path = OWN_ID if acts.earlier is None else f"{BUSINESS}/DocumentId"
            return [(acts.earlier or document.document_id, path)]


def _resolved(draft: _Draft, codes: Sequence[str], directory: Directory, receiver_type: str) -> set[str]:
    """Return the agencies of a list of receivers; each has to be in To, or it would not learn of it."""
    found = set()
    for code in codes:
        path = f"{BUSINESS}/BussinessDocumentInfo/ReceiverList/Receiver[ReceiverType={receiver_type}]/OrganId"
        agency = directory.resolve(code)
        if agency is None:
            draft.problems.append(reasons.list_unknown(code, path))
        elif agency.code not in draft.deliveries:
            draft.problems.append(reasons.not_addressed(code, path))
        else:
            found.add(agency.code)
    return found


def _replaced_at(draft: _Draft, replaces: Replaces, place: int, directory: Directory) -> list[tuple[str, str]]:
    """Return for which addressees something is replaced, and where that is written; without a list, for all."""
    if not replaces.codes:
        return list(draft.paths.items())
    found = []
    for number, code in enumerate(replaces.codes, 1):
        path = _replacement(place, f"OrganIdList/OrganId[{number}]")
        agency = directory.resolve(code)
        if agency is None:
            draft.problems.append(reasons.list_unknown(code, path))
        elif agency.code not in draft.deliveries:
            draft.problems.append(reasons.not_addressed(code, path))
        else:
            found.append((agency.code, path))
    return found


def _replacement(place: int, what: str) -> str:
    return f"{BUSINESS}/ReplacementInfoList/ReplacementInfo[{place}]/{what}"
