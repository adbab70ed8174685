"""What the robot agencies will write to whom and how each addressee will answer: planned beforehand, from a seed."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from typing import TYPE_CHECKING

from lienthong.document.verdicts import Value
from lienthong.document.zone import VIETNAM
from lienthong.edxml import (
    Attachment,
    Business,
    BusinessType,
    Document,
    DocumentCode,
    DocumentType,
    Organization,
    OtherInfo,
    Promulgation,
    Replacement,
    ResponseFor,
    Signer,
    TraceHeader,
)
from lienthong.simulation.letter import Letter
from lienthong.simulation.signing import Signing
from lienthong.simulation.subjects import (
    KINDS,
    PARAGRAPHS,
    REASONS,
    THEMES,
    Kind,
    competent_person,
    officer_mail,
)
from lienthong.simulation.units import Member, Merger, Role, Unit, old_form

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

__all__ = ["Draft", "Traffic", "plan_letter", "plan_traffic", "statuses_for"]

URGENT_SHARE = 0.08
REFUSED_SHARE = 0.02
REPLY_SHARE = 0.10
OLD_FORM_SHARE = 0.10
BROADCAST_SHARE = 1 / 60
AGENCY_ONLY_SHARE = 0.02
UNSIGNED = 2
REVOKED = 2
"""So many documents are unsigned, and so many are signed with a revoked certificate, however long a run is."""
NAMED_ADDRESSEES = 6
"""So many addressees a letter names; more are spoken of as a whole."""
ADDRESSEES = (1, 1, 1, 2, 3, 4, 5, 6, 8, 10, 12)
"""How many addressees an ordinary document has, drawn evenly; with the documents to everybody the mean is about six."""
AGREES = "15"
DECLINES = "16"
_BEFORE_ANSWER: dict[BusinessType, tuple[str, ...]] = {BusinessType.WITHDRAW: (), BusinessType.UPDATE: ("01",)}
"""What is reported of a request before it is answered."""


@dataclass(frozen=True)
class Draft:
    """One document to be written.

    Attributes:
        sender: who writes it.
        addressees: who gets it; every one of them receives documents.
        written: how the addressee's code is written in it, where not in the new form.
        kind: what kind of document it is.
        number: its number in the sender's register.
        theme: what it is about.
        issued_on: its date.
        due_on: by when its addressees have to finish with it.
        late: whether it is sent later than the law wants, by its date.
        priority: edXML's ``Priority``; 1 to 3 are urgent.
        at: when it is sent: a share (0 to 1) of the run.
        refused: which addressees will refuse it (02), and why.
        replies: the answers some addressees will send when they have finished with it.
        answers: the document it answers.
        signing: how it is signed.
        business: what it does to an earlier document.
        earlier: that document.
        asked_back: what each addressee answers (15 agreed, 16 declined) when the sender asks for it back (13).
        declined_by: which addressees decline what it asks of them.
        followed_by: the document that withdraws or updates it, sent when this one is delivered; or replaces it, sent
            when the addressees have reported everything about this one.
    """

    sender: Unit
    addressees: tuple[Unit, ...]
    written: Mapping[str, str]
    kind: Kind
    number: int
    theme: str
    issued_on: date
    priority: int
    at: float
    refused: Mapping[str, str] = field(default_factory=dict)
    replies: Mapping[str, Draft] = field(default_factory=dict)
    answers: Draft | None = None
    signing: Signing = Signing.COMPLETE
    business: BusinessType = BusinessType.NEW
    earlier: Draft | None = None
    asked_back: Mapping[str, str] = field(default_factory=dict)
    declined_by: frozenset[str] = frozenset()
    followed_by: Draft | None = None
    due_on: date | None = None
    late: bool = False

    @property
    def code(self) -> DocumentCode:
        """Number and notation."""
        tail = (
            f"{self.kind.notation}-{self.sender.abbreviation}"
            if self.kind.notation
            else f"{self.sender.abbreviation}-VP"
        )
        return DocumentCode(number=str(self.number), notation=tail)

    @property
    def document_id(self) -> str:
        """The identifier in the way the national axis' own examples form it."""
        return f"{self.sender.code},{self.issued_on:%Y/%m/%d},{self.code}"

    @property
    def subject(self) -> str:
        """What it is about, in one line."""
        if self.answers is not None:
            return f"V/v trả lời Công văn số {self.answers.code} của {self.answers.sender.name}"
        return f"{self.kind.opening} {self.theme}"

    def document(self, pdf: bytes) -> Document:
        """Return the whole document around its letter, rendered and signed."""
        issued_at = TraceHeader(organ_id=self.sender.code, timestamp=datetime.combine(self.issued_on, time(8), VIETNAM))
        return Document(
            sender=_organization(self.sender, self.sender.code),
            addressees=tuple(_organization(unit, self.written.get(unit.code, unit.code)) for unit in self.addressees),
            document_id=self.document_id,
            code=self.code,
            promulgation=Promulgation(place=self.sender.place, date=self.issued_on),
            document_type=DocumentType(type=self.kind.type, type_name=self.kind.name, type_detail=0),
            subject=self.subject,
            content=self.subject,
            signer=Signer(
                full_name=competent_person(self.sender.code),
                position=_position(self.sender),
                competence=_competence(self.sender) or None,
            ),
            due_date=self.due_on,
            to_places=(*(unit.name for unit in self.addressees[:3]), "Lưu: VT"),
            other=OtherInfo(priority=self.priority, sphere="Liên thông văn bản quốc gia", page_amount=1),
            response_for=() if self.answers is None else (_response_for(self.answers),),
            trace=(issued_at,),
            business=Business() if self.earlier is None else _business_with(self.business, self.earlier),
            attachments=(
                Attachment(
                    name=f"{self.number}-{self.code.notation}.pdf",
                    content=pdf,
                    content_type="application/pdf",
                    description=self.subject,
                ),
            ),
        )

    @property
    def letter(self) -> Letter:
        """What its page says."""
        shown = [unit.name for unit in self.addressees]
        if len(shown) > NAMED_ADDRESSEES:
            shown = [
                "Các bộ, cơ quan ngang bộ, cơ quan thuộc Chính phủ",
                "UBND các tỉnh, thành phố trực thuộc trung ương",
            ]
        return Letter(
            issuer=self.sender.name,
            number=str(self.code),
            place=self.sender.place,
            issued_on=self.issued_on,
            kind=self.kind.name,
            subject=self.subject,
            paragraphs=[text.format(issuer=self.sender.name, theme=self.theme) for text in PARAGRAPHS],
            addressees=shown,
            competence=_competence(self.sender),
            position=_position(self.sender),
            signer=competent_person(self.sender.code),
        )


@dataclass(frozen=True, slots=True)
class Traffic:
    """Everything that will be written; `drafts` in the order of their times, replies inside the drafts they answer.

    `merger` is the one that is carried out before.
    """

    members: tuple[Member, ...]
    drafts: tuple[Draft, ...]
    merger: Merger | None = None

    def __iter__(self) -> Iterator[Draft]:
        """Yield every document, replies and later thoughts included."""
        for draft in self.drafts:
            yield draft
            yield from draft.replies.values()
            if draft.followed_by is not None:
                yield draft.followed_by

    @property
    def worths(self) -> Counter[Value]:
        """How many documents are worth what."""
        return Counter(draft.signing.worth for draft in self)

    @property
    def delivered(self) -> tuple[Draft, ...]:
        """Every document that reaches its addressees."""
        return tuple(draft for draft in self if draft.signing.worth is not Value.REFUSED)

    @property
    def deliveries(self) -> int:
        """How many deliveries it makes."""
        return sum(len(draft.addressees) for draft in self.delivered)

    @property
    def statuses(self) -> int:
        """How many statuses addressees will report, and senders who ask for documents back."""
        return sum(len(draft.asked_back) for draft in self.delivered) + self.told.total()

    @property
    def told(self) -> Counter[str]:
        """How often addressees will report which status."""
        roles = {member.unit.code: member.role for member in self.members}
        return Counter(
            code
            for draft in self.delivered
            for unit in draft.addressees
            for code in statuses_for(draft, unit.code, roles[unit.code])
        )


def statuses_for(draft: Draft | None, code: str, role: Role) -> tuple[str, ...]:
    """Return the statuses this addressee reports for a document, in order; an unplanned document is accepted."""
    if draft is None:
        return role.statuses
    if code in draft.refused:
        return ("01", "02")
    if code in draft.asked_back:
        return ("01", draft.asked_back[code])
    if draft.business not in _BEFORE_ANSWER:
        return role.statuses
    return (*_BEFORE_ANSWER[draft.business], DECLINES if code in draft.declined_by else AGREES)


def plan_traffic(
    members: Sequence[Member], *, documents: int, seed: int, issued_on: date, number: int | None = None
) -> Traffic:
    """Plan the documents of a run.

    Two or more of different senders go to everybody who receives documents, so that every unit shows what it does;
    the others are drawn. Replies come on top of `documents`. A few of the drawn ones are not signed as they should be
    and not worth paper.

    Args:
        members: the cast; only connected members write, only those who receive are written to.
        documents: how many documents to write, at least two.
        seed: the same seed, cast and date give the same documents.
        issued_on: the date they carry.
        number: the last one that every register has given on that day; drawn when left out.
    """
    return _Planner(members, seed, issued_on, number).plan(documents)


def plan_letter(
    members: Sequence[Member], sender: str, addressees: Sequence[str], *, seed: int, issued_on: date
) -> Draft:
    """Plan one ordinary document of a member for others, all named by their codes; the seed draws its words."""
    units = {member.unit.code: member.unit for member in members}
    planner = _Planner(members, seed, issued_on)
    return planner.draft(units[sender], [units[code] for code in addressees], 0.0, kind=KINDS[0])


class _Planner:
    def __init__(self, members: Sequence[Member], seed: int, issued_on: date, number: int | None = None) -> None:
        self.lot = random.Random(f"traffic {seed}")  # noqa: S311 - a repeatable lot, nothing secret
        self.members = tuple(members)
        self.issued_on = issued_on
        self.roles = {member.unit.code: member.role for member in members}
        self.writers = [member.unit for member in members if member.role.connected]
        self.readers = [member.unit for member in members if member.role.receives]
        drawn = {unit.code: self.lot.randint(100, 900) for unit in self.writers}
        self.numbers = drawn if number is None else dict.fromkeys(drawn, number)

    def plan(self, documents: int) -> Traffic:
        broadcasts = max(2, round(documents * BROADCAST_SHARE))
        ministries = [unit for unit in self.writers if unit.kind != "province"]
        senders = self.lot.sample(ministries if len(ministries) >= broadcasts else self.writers, broadcasts)
        drafts = [self._broadcast(sender, index / broadcasts) for index, sender in enumerate(senders)]
        drafts += self._badly_signed([self._drawn(self.lot.random()) for _ in range(documents - broadcasts)])
        return Traffic(self.members, tuple(sorted(drafts, key=lambda draft: draft.at)))

    def _broadcast(self, sender: Unit, at: float) -> Draft:
        return self.draft(sender, [unit for unit in self.readers if unit is not sender], at)

    def _badly_signed(self, drafts: list[Draft]) -> list[Draft]:
        """Return the drafts, a few of those that nobody refuses or answers signed as they should not be."""
        ordinary = [index for index, draft in enumerate(drafts) if not (draft.refused or draft.replies)]
        agency_only = max(1, round(len(drafts) * AGENCY_ONLY_SHARE))
        bad = [Signing.REVOKED] * REVOKED + [Signing.UNSIGNED] * UNSIGNED + [Signing.AGENCY_ONLY] * agency_only
        chosen = self.lot.sample(ordinary, min(len(bad), len(ordinary)))
        signings = dict(zip(chosen, bad, strict=False))
        return [replace(draft, signing=signings.get(index, draft.signing)) for index, draft in enumerate(drafts)]

    def _drawn(self, at: float) -> Draft:
        sender = self.lot.choice(self.writers)
        others = [unit for unit in self.readers if unit is not sender]
        addressees = self.lot.sample(others, min(self.lot.choice(ADDRESSEES), len(others)))
        refusers = {
            unit.code: self.lot.choice(REASONS)
            for unit in addressees
            if self.roles[unit.code] in (Role.FULLY, Role.PARTLY) and self.lot.random() < REFUSED_SHARE
        }
        draft = self.draft(sender, addressees, at, refused=refusers)
        repliers = [unit for unit in addressees if self.roles[unit.code] is Role.FULLY and unit.code not in refusers]
        # Whoever does not receive documents yet cannot be answered.
        if repliers and self.roles[sender.code].receives and self.lot.random() < REPLY_SHARE:
            replier = self.lot.choice(repliers)
            reply = self.draft(replier, [sender], at, kind=KINDS[0], answers=draft)
            return replace(draft, replies={replier.code: reply})
        return draft

    def draft(
        self,
        sender: Unit,
        addressees: Sequence[Unit],
        at: float,
        *,
        kind: Kind | None = None,
        refused: Mapping[str, str] | None = None,
        answers: Draft | None = None,
    ) -> Draft:
        lot = self.lot
        self.numbers[sender.code] += 1
        return Draft(
            sender=sender,
            addressees=tuple(addressees),
            written={unit.code: old_form(unit.code) for unit in addressees if lot.random() < OLD_FORM_SHARE},
            kind=kind or lot.choices(KINDS, [each.weight for each in KINDS])[0],
            number=self.numbers[sender.code],
            theme=lot.choice(THEMES),
            issued_on=self.issued_on,
            priority=lot.randint(1, 3) if lot.random() < URGENT_SHARE else 0,
            at=at,
            refused=refused or {},
            answers=answers,
        )


def _organization(unit: Unit, code: str) -> Organization:
    return Organization(
        organ_id=code,
        organ_name=unit.name,
        organization_in_charge=unit.name,
        organ_add=unit.place,
        email=officer_mail("vanthu", unit.code),
    )


def _business_with(kind: BusinessType, earlier: Draft) -> Business:
    reason = "Có sai sót trong văn bản đã gửi"
    if kind is BusinessType.REPLACE:
        return Business(type=kind, reason=reason, replacements=(Replacement(earlier.document_id),))
    return Business(
        type=kind,
        reason=reason,
        document_id=earlier.document_id,
        content_changed=True if kind is BusinessType.UPDATE else None,
    )


def _response_for(draft: Draft) -> ResponseFor:
    return ResponseFor(
        organ_id=draft.sender.code,
        code=str(draft.code),
        document_id=draft.document_id,
        promulgation_date=draft.issued_on,
    )


def _position(unit: Unit) -> str:
    return "Chủ tịch" if unit.kind == "province" else "Thủ trưởng"


def _competence(unit: Unit) -> str:
    return "TM." if unit.kind == "province" else ""
