"""What a document is worth by a policy."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import pytest

from lienthong.document.verdicts import Reason, SignatureFinding, Value, Verdict
from lienthong.errors import MisconfiguredError
from lienthong.signature.policy import Office, Policy, Rule, appraise

if TYPE_CHECKING:
    from pathlib import Path

AGENCY: frozenset[Office] = frozenset({"agency"})
BOTH: frozenset[Office] = frozenset({"person", "agency"})


def finding(verdict: Verdict) -> SignatureFinding:
    """Return a finding about a signature on the message."""
    return SignatureFinding("message", verdict, Reason("CODE", "vì", "because"))


def test_a_complete_valid_document_has_the_value_of_paper() -> None:
    """Valid signatures of everybody the rule requires give the value of paper (Decision 28/2018, Art. 4)."""
    appraisal = appraise([finding(Verdict.VALID)], AGENCY, Rule())
    assert (appraisal.verdict, appraisal.value, appraisal.reasons) == (Verdict.VALID, Value.PAPER, ())


def test_a_missing_office_is_for_information() -> None:
    """Where person and agency are required, one of them alone does not make paper (Decree 30/2020, Art. 5)."""
    appraisal = appraise([finding(Verdict.VALID)], AGENCY, Rule(required=BOTH))
    assert (appraisal.verdict, appraisal.value) == (Verdict.VALID, Value.INFORMATION)
    assert appraisal.reasons


@pytest.mark.parametrize(("unsigned", "value"), [("information", Value.INFORMATION), ("refused", Value.REFUSED)])
def test_an_unsigned_document_is_what_the_policy_says(unsigned: str, value: Value) -> None:
    """Without any signature the rule decides between information and refusal, never paper."""
    appraisal = appraise([], frozenset(), Rule.model_validate({"unsigned": unsigned}))
    assert (appraisal.verdict, appraisal.value) == (Verdict.UNSIGNED, value)


def test_no_policy_turns_a_no_into_a_yes() -> None:
    """Whatever else a document carries and whatever the rule says, one invalid signature refuses it."""
    rules = [Rule(), Rule(indeterminate="provisional"), Rule(unsigned="information", required=frozenset())]
    others = list(combinations_with_replacement([Verdict.VALID, Verdict.INDETERMINATE], 2))
    for rule in rules:
        for verdicts in others:
            findings = [finding(Verdict.INVALID), *map(finding, verdicts)]
            assert appraise(findings, BOTH, rule).value is Value.REFUSED


def test_the_unknown_is_held_and_then_decided() -> None:
    """What could not be found out waits as long as the rule says, and is never shown as valid."""
    unknown = [finding(Verdict.VALID), finding(Verdict.INDETERMINATE)]
    rule = Rule(hold_minutes=10, after_hold="refused")
    held = appraise(unknown, BOTH, rule, waited_minutes=9.9)
    assert (held.verdict, held.held) == (Verdict.INDETERMINATE, True)
    late = appraise(unknown, BOTH, rule, waited_minutes=10)
    assert (late.verdict, late.value, late.held) == (Verdict.INDETERMINATE, Value.REFUSED, False)
    provisional = appraise(unknown, BOTH, Rule(indeterminate="provisional"))
    assert (provisional.value, provisional.held) == (Value.INFORMATION, False)


def test_a_kind_has_its_own_rule(tmp_path: Path) -> None:
    """A kind's rule changes what it names and leaves the rest as in the default; case does not matter."""
    path = tmp_path / "policy.toml"
    path.write_text(
        '[default]\nhold_minutes = 5\n[kind."Quyết định"]\nunsigned = "refused"\nrequired = ["person", "agency"]\n',
        encoding="utf-8",
    )
    policy = Policy.read(path)
    rule = policy.rule("QUYẾT ĐỊNH")
    assert (rule.unsigned, rule.required, rule.hold_minutes) == ("refused", BOTH, 5)
    assert policy.rule("Công văn") == policy.rule(None) == Rule(hold_minutes=5)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[default]\nunsigned = "paper"', "unsigned is 'paper'"),
        ("[default]\nhold_minutes = 0", "hold_minutes is 0"),
        ("[default]\nhold = 1", "hold is 1"),
        ("[defaults]", "[defaults]"),
        ("[default", "cannot be read"),
        ('[kind."X"]\nrequired = ["minister"]', "minister"),
    ],
)
def test_a_wrong_policy_is_named(tmp_path: Path, text: str, named: str) -> None:
    """A policy with a mistake is not applied; the error names field, value and what is expected."""
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MisconfiguredError) as error:
        Policy.read(path)
    assert named in str(error.value)


def test_a_missing_policy_is_an_error(tmp_path: Path) -> None:
    """A policy that was asked for and is not there is no reason to apply another."""
    with pytest.raises(MisconfiguredError, match="cannot be read"):
        Policy.read(tmp_path / "none.toml")


def test_whether_unsigned_statuses_are_applied_is_said_in_the_default_only(tmp_path: Path) -> None:
    """They are unless ``[default]`` refuses them; that changes no rule for documents, and no kind has a word in it."""
    assert Policy().unsigned_status == "accepted"
    path = tmp_path / "policy.toml"
    path.write_text('[default]\nunsigned_status = "refused"\n[kind.X]\nhold_minutes = 5\n', encoding="utf-8")
    assert Policy.read(path) == Policy(Rule(), {"x": Rule(hold_minutes=5)}, "refused")
    path.write_text('[default]\nunsigned_status = "maybe"\n', encoding="utf-8")
    with pytest.raises(MisconfiguredError, match=r"unsigned_status is 'maybe'.*'accepted' or 'refused'"):
        Policy.read(path)
    path.write_text('[kind.X]\nunsigned_status = "refused"\n', encoding="utf-8")
    with pytest.raises(MisconfiguredError, match="unsigned_status"):
        Policy.read(path)
