"""The README's tables and commands are true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lienthong.agency import AgencyClient
from lienthong.configuration import setting_rows
from lienthong.doctor.examination import CHECKS
from lienthong.document import life_cycle_published
from lienthong.document.deadline_words import CLOCK_WORDS
from lienthong.document.deadlines import Clock
from lienthong.document.life_cycle import STATUS_CODES, Pending, Role, State, step
from lienthong.document.messages import ProblemModel, Refused, Verified, decode_notice
from lienthong.document.reasons import addressee_unknown
from lienthong.document.verdicts import Reason, SignatureFinding, Value, Verdict
from lienthong.edxml import Document, Profile, Status, decode, inspect
from lienthong.signature.policy import Appraisal, Policy, Rule
from lienthong.signature.verification import Verification
from lienthong.telemetry.events import event_rows
from lienthong.telemetry.metrics import LABELS, metric_rows
from lienthong_cli.__main__ import assembled
from lienthong_signature_verify import words

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
VALUES = {
    "me": "A01",
    "text(about.sender)": "H01",
    'text(about["document-id"])': "1",
    "code": "01",
    "at": "2026/11/20 08:09:10",
}
"""What stands in for the expressions in the example's status."""


def rows(header: str) -> list[list[str]]:
    """Return the rows of the tables with this header."""
    found: list[list[str]] = []
    for after in README.split(f"\n{header}\n")[1:]:
        for line in after.splitlines()[1:]:
            if not line.startswith("|"):
                break
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def commands() -> set[str]:
    """Return every command of `lienthong` that its help shows, with its group."""
    found = set()
    for group in assembled().registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            if command.hidden:
                continue
            name = command.name or getattr(command.callback, "__name__", "")
            # A group without a name is one of commands that stand for themselves.
            found.add(f"lienthong {group.name} {name}" if group.name else f"lienthong {name}")
    return found


def test_the_settings_table_is_the_settings() -> None:
    """Every setting stands in the README with its default and meaning, and nothing else does."""
    assert rows("| Variable | Default | Meaning |") == [list(row) for row in setting_rows()]


def test_the_command_table_is_the_command_line() -> None:
    """Every command of `lienthong` stands in the README, and every one that stands there exists."""
    named = {cells[0].strip("`") for cells in rows("| Command | What it does |")}
    assert {name for name in named if name.startswith("lienthong")} == commands()


def test_the_checks_are_the_doctors() -> None:
    """The table of checks names all of them, in order; connecting comes first."""
    named = [cells[0].strip("`") for cells in rows("| Check | What is looked at |")]
    assert named == ["connection", *(check.name for check in CHECKS)]


def test_the_metrics_are_the_metrics() -> None:
    """Operators find every metric with its labels, and what each label can be; nothing else."""
    assert rows("| Metric | Type | Labels | Meaning |") == [list(row) for row in metric_rows()]
    assert rows("| Label | Values |") == [[f"`{label}`", values] for label, values in LABELS.items()]


def test_the_events_are_the_catalogue() -> None:
    """Operators find every event that a log line can name, with what it says."""
    assert rows("| Event | What it says, and its fields |") == [list(row) for row in event_rows()]


def test_the_make_targets_exist() -> None:
    """Every make target the README names is one of the Makefile, explained there."""
    explained = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)(?:`|$)", README, re.MULTILINE)) <= explained


def test_the_layout_is_the_tree() -> None:
    """Every folder of the layout exists, and every package of the two source roots stands in it."""
    named = {cells[0].strip("`") for cells in rows("| Folder | What is in it |")}
    assert all((ROOT / name).exists() for name in named)
    packages = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("services/*/__init__.py")}
    packages |= {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("shared/lienthong/*/__init__.py")}
    assert packages <= named


def test_the_status_codes_are_the_codes() -> None:
    """The table of status codes is the one in the code."""
    expected = [[one.code, one.vi, one.en, one.office.value if one.office else ""] for one in STATUS_CODES.values()]
    assert rows("| Code | Tiếng Việt | English | Office |") == expected


def test_the_clocks_are_the_clocks() -> None:
    """The table of what is due when names every clock there is, as agencies are told of it."""
    named = [
        [cells[0].strip("`"), cells[1]]
        for cells in rows("| Clock | Tiếng Việt | What the law demands | In time before |")
    ]
    assert named == [[clock.value, CLOCK_WORDS[clock][0]] for clock in Clock]


def test_the_life_cycle_is_the_table() -> None:
    """The diagram, the tables of states and events, and the published file are what the code generates."""
    assert example("mermaid", "stateDiagram") == life_cycle_published.mermaid()
    assert (
        rows("| State | Tiếng Việt | Với bên gửi | What it means to the sender | Acts next |")
        == life_cycle_published.state_rows()
    )
    assert rows("| Event | Caused by | Tiếng Việt | English |") == life_cycle_published.event_rows()
    file = ROOT / "deploy" / "life-cycle.json"
    assert file.read_text(encoding="utf-8") == life_cycle_published.as_json()


def test_the_published_vectors_are_the_steps() -> None:
    """Whoever follows the vectors in another language answers as the exchange does."""
    vectors = json.loads((ROOT / "deploy" / "life-cycle.json").read_text(encoding="utf-8"))["vectors"]
    for vector in vectors:
        done = step(
            State(vector["state"]),
            vector["event"],
            pending=Pending(vector["pending"]),
            role=Role(vector["role"]),
            overtaken=vector["late"],
        )
        assert done.outcome == vector["outcome"], vector
        if "to_state" in vector:
            assert (done.state, done.pending) == (vector["to_state"], vector["to_pending"]), vector


def example(language: str, containing: str) -> str:
    """Return the one code block in this language that contains a text."""
    (found,) = (block for block in re.findall(rf"```{language}\n(.*?)\n```", README, re.DOTALL) if containing in block)
    return str(found)


def test_the_example_document_passes_the_strict_profile() -> None:
    """Whoever copies the README's document sends one that nobody can object to, with a file that can be read."""
    inspection = inspect(example("xml", "<edXML").encode(), profile=Profile.STRICT)
    assert inspection.problems == inspection.warnings == ()
    assert isinstance(inspection.message, Document)
    assert inspection.message.attachments[0].content.decode() == "Kính gửi"


def test_the_example_status_is_one() -> None:
    """The status in the example of another language is edXML the exchange reads."""
    template = re.findall(r"=> `(<\?xml.*?</edXML>)`;", example("js", "amqplib"), re.DOTALL)[0]
    filled = re.sub(r"\$\{(.*?)\}(?=<)", lambda found: VALUES[found[1]], template)
    status = decode(filled.encode())
    assert isinstance(status, Status)
    assert (status.sender.organ_id, status.response_for.organ_id, status.response_for.document_id) == (
        "A01",
        "H01",
        "1",
    )


def test_the_example_refusal_is_one() -> None:
    """The refusal in the README is what a refused document is answered with, field for field."""
    shown = example("json", '"refusal"')
    notice = decode_notice(shown.encode())
    assert json.loads(shown) == notice.model_dump(mode="json")
    assert isinstance(notice, Refused)
    (problem,) = notice.problems
    assert problem == ProblemModel.of(addressee_unknown("H99.99", 1))


def test_the_example_verified_is_one() -> None:
    """The shown notice is what is sent, field by field, with the words the worker would find."""
    text = example("json", '"kind": "verified"')
    notice = decode_notice(text.encode())
    assert isinstance(notice, Verified)
    assert json.loads(notice.model_dump_json()) == json.loads(text)
    (signature,) = notice.signatures
    finding = SignatureFinding(
        "message",
        Verdict.VALID,
        Reason("", signature.vi, signature.en),
        signature.signer,
        signature.agency,
        signature.signed_at,
    )
    verification = Verification((finding,), Appraisal(Verdict.VALID, Value.PAPER))
    assert notice.found == words.found(verification, agency_name=lambda _: "UBND tỉnh An Giang")


def test_the_example_policy_shows_the_defaults(tmp_path: Path) -> None:
    """The shown policy file can be read, and its default is the one that holds without a file."""
    file = tmp_path / "policy.toml"
    file.write_text(example("toml", "[default]"), encoding="utf-8")
    policy = Policy.read(file)
    assert (policy.default, policy.unsigned_status) == (Rule(), Policy().unsigned_status)
    assert policy.rule("Quyết định").unsigned == "refused"


def test_the_example_in_python_knows_the_kit() -> None:
    """Everything the README's program imports and calls is there."""
    program = compile(example("python", "import asyncio"), "README.md", "exec")
    compile(example("python", "agency.withdraw"), "README.md", "exec")
    called = set(re.findall(r"agency\.(\w+)\(", README))
    assert "AgencyClient" in program.co_names
    assert {"withdraw", "update", "replace", "agree", "decline"} <= called
    assert called <= set(dir(AgencyClient))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    """A relative link in the documents names a file that is there."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target
