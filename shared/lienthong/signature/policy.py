"""What the exchange demands of signatures, as a file an operator writes, and what a document is worth by it.

A policy is a frozen value: read once, applied to findings, never mixed with finding them. It can make an *unknown*
acceptable for a while; it can never make a *no* into a *yes*::

    [default]
    unsigned = "information"        # or "refused"
    indeterminate = "hold"          # or "provisional": deliver for information, judge again
    hold_minutes = 240              # how long to hold before it is delivered provisionally or refused
    after_hold = "information"      # or "refused"
    required = ["agency"]           # whose valid signatures give the value of paper: "person", "agency"
    unsigned_status = "accepted"    # or "refused": statuses are of no kind, so it stands here only

    [kind."Quyết định"]             # by edXML's TypeName; what is left out is as in [default]
    unsigned = "refused"
    required = ["person", "agency"]
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lienthong.document.verdicts import Reason, Value, Verdict
from lienthong.errors import MisconfiguredError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lienthong.document.verdicts import SignatureFinding
    from lienthong.signature.attachments_findings import AttachmentFinding

__all__ = ["Appraisal", "Office", "Policy", "Rule", "appraise"]

Office = Literal["person", "agency"]

UNSIGNED = Reason("NO_SIGNATURE", "Văn bản không có chữ ký số", "The document carries no digital signature")
INCOMPLETE = Reason(
    "SIG_CONSTRAINTS_FAILURE",
    "Chưa đủ chữ ký số của người có thẩm quyền và cơ quan (Nghị định 30/2020/NĐ-CP, Điều 5)",
    "The signatures of both the competent person and the agency are not complete (Decree 30/2020/NĐ-CP, Art. 5)",
)


LEGACY = Reason(
    "LEGACY_SIGNATURE",
    "Chữ ký kiểu cũ trên gói tin (SHA-1, không có không gian tên) không kiểm chứng được nên không được tính",
    "The old kind of signature on the message (SHA-1, no namespace) cannot be verified and does not count",
)


class Rule(BaseModel):
    """What is demanded of one kind of document; the defaults are the safe ones.

    Attributes:
        unsigned: what an unsigned document is worth.
        indeterminate: whether to hold what could not be found out, or to deliver it for information meanwhile.
        hold_minutes: how long to hold it at most.
        after_hold: what it is worth when that time has passed and it is still not known.
        required: whose valid signatures a document needs to have the value of paper.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unsigned: Literal["information", "refused"] = "information"
    indeterminate: Literal["hold", "provisional"] = "hold"
    hold_minutes: int = Field(240, ge=1, le=7 * 24 * 60)
    after_hold: Literal["information", "refused"] = "information"
    required: frozenset[Office] = frozenset({"agency"})


UnsignedStatus = Literal["accepted", "refused"]


class _Default(Rule):
    """What may stand in ``[default]``: a rule, and what is demanded of statuses."""

    unsigned_status: UnsignedStatus = "accepted"


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule for everything, and rules of their own for kinds of document.

    Attributes:
        default: what holds where nothing else is said.
        kinds: rules by edXML's ``TypeName``, compared without regard to case.
        unsigned_status: whether a status that nobody signed is applied.
    """

    default: Rule = field(default_factory=Rule)
    kinds: Mapping[str, Rule] = field(default_factory=dict)
    unsigned_status: UnsignedStatus = "accepted"

    @classmethod
    def read(cls, path: Path) -> Policy:
        """Read a policy file.

        Raises:
            MisconfiguredError: it cannot be read; the text names the field, its value and what is expected.
        """
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
            if unknown := sorted(found.keys() - {"default", "kind"}):
                raise MisconfiguredError(f'{path}: [{unknown[0]}] is unknown; there are [default] and [kind."…"]')
            said = _Default.model_validate(found.get("default", {}))
            default = Rule(**said.model_dump(exclude={"unsigned_status"}))
            kinds = {
                name.casefold(): Rule.model_validate({**default.model_dump(), **rule})
                for name, rule in found.get("kind", {}).items()
            }
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise MisconfiguredError(f"the policy {path} cannot be read: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise MisconfiguredError(f"{path}: {where} is {first['input']!r}: {first['msg']}") from error
        return cls(default, kinds, said.unsigned_status)

    def rule(self, type_name: str | None) -> Rule:
        """Return the rule for a kind of document (edXML's ``TypeName``)."""
        return self.kinds.get((type_name or "").casefold(), self.default)


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What a document is worth.

    Attributes:
        verdict: of all its signatures and attached files together.
        value: paper, for information, or refused.
        reasons: why; empty when it has the value of paper.
        held: whether it waits, because it may still be found out what it is worth.
    """

    verdict: Verdict
    value: Value
    reasons: tuple[Reason, ...] = ()
    held: bool = False


def appraise(
    findings: Sequence[SignatureFinding],
    offices: frozenset[Office],
    rule: Rule,
    *,
    files: Sequence[AttachmentFinding] = (),
    legacy: bool = False,
    waited_minutes: float = 0.0,
) -> Appraisal:
    """Return what a document is worth by a rule; pure.

    A broken or untrusted signature refuses the document whatever else it carries (design: a valid signature decides
    legal value, an invalid one delivery), and so does an attached file that must not be passed on.

    Args:
        findings: everything found about its signatures, none left out.
        offices: whose signatures among the valid ones these are.
        rule: what is demanded.
        files: what is wrong with the files attached to it; what is only worth mending counts for nothing here.
        legacy: whether it carries the old envelope's signature, which is said but never counted.
        waited_minutes: how long it has been held already.
    """
    signatures = [finding for finding in findings if finding.kind != "timestamp"]
    bad = [finding.reason for finding in findings if finding.verdict is Verdict.INVALID]
    bad += [_reason(file) for file in files if file.refuses]
    if bad:
        return Appraisal(Verdict.INVALID, Value.REFUSED, tuple(bad))
    old = (LEGACY,) if legacy else ()
    unknown = [finding.reason for finding in findings if finding.verdict is Verdict.INDETERMINATE]
    unknown += [_reason(file) for file in files if file.unknown]
    if unknown:
        return _unknown(rule, (*unknown, *old), waited_minutes)
    if not signatures:
        return Appraisal(Verdict.UNSIGNED, Value(rule.unsigned), (UNSIGNED, *old))
    if not rule.required <= offices:
        return Appraisal(Verdict.VALID, Value.INFORMATION, (INCOMPLETE, *old))
    return Appraisal(Verdict.VALID, Value.PAPER)


def _reason(file: AttachmentFinding) -> Reason:
    return Reason(file.problem.code, file.problem.vi, file.problem.en)


def _unknown(rule: Rule, reasons: tuple[Reason, ...], waited_minutes: float) -> Appraisal:
    if rule.indeterminate == "provisional":
        return Appraisal(Verdict.INDETERMINATE, Value.INFORMATION, reasons)
    if waited_minutes < rule.hold_minutes:
        return Appraisal(Verdict.INDETERMINATE, Value.INFORMATION, reasons, held=True)
    return Appraisal(Verdict.INDETERMINATE, Value(rule.after_hold), reasons)
