"""A list of agencies taken into the directory: all of it, or nothing and every reason why not."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from lienthong.access.agency_list import AgencyList, Line, Trouble, read_list
from lienthong.errors import LienThongError
from lienthong.ledger.directory import EVER, Held

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lienthong.ledger.directory import Directory
    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.registry import CodeRow

__all__ = ["Imported", "ListRefusedError", "import_list"]


class ListRefusedError(LienThongError):
    """A list of agencies is wrong; nothing was changed.

    Attributes:
        troubles: everything that is wrong, in the order of the lines.
    """

    def __init__(self, troubles: Sequence[Trouble]) -> None:
        super().__init__(f"{len(troubles)} lỗi, không thay đổi gì / {len(troubles)} errors, nothing was changed")
        self.troubles = tuple(troubles)


@dataclass(frozen=True, slots=True)
class Imported:
    """What a list came to: how many agencies it names, how many of them are new, and how many changed."""

    agencies: int
    new: int
    changed: int


async def import_list(
    ledger: Ledger, data: bytes, *, by: str, skipped: Sequence[str] = (), any_code: bool = False, dry_run: bool = False
) -> Imported | None:
    """Take a list of agencies into the directory, in one transaction; the same list again changes nothing.

    New agencies are *registered*; stages are decided one by one, never by a list. Agencies that are not in the list
    stay as they are.

    Args:
        ledger: the ledger, as its owner.
        data: the file; see `lienthong.access.agency_list`.
        by: who decides; goes into the history.
        skipped: columns to leave out of account.
        any_code: whether codes of neither form are taken.
        dry_run: only look for what is wrong; None is then returned.

    Raises:
        ListRefusedError: something is wrong with it; nothing was changed.
        Unavailable: the ledger does not answer; nothing was changed.
    """
    found = read_list(data, skipped=skipped, any_code=any_code)
    async with ledger.registry() as unit:
        ordered = _checked(found, unit.directory)
        if dry_run:
            return None
        codes = [code for line in ordered for code in line.codes]
        new, changed = await unit.import_agencies([line.agency for line in ordered], codes)
        changed |= await unit.write_contacts([one for line in ordered for one in line.contacts])
        changed |= await unit.write_successors([line.successor for line in ordered if line.successor])
        done = Imported(len(ordered), len(new), len(changed - new))
        if new or changed:
            facts = {"by": by, "sha256": sha256(data).hexdigest(), "new": done.new, "changed": done.changed}
            await unit.note("DirectoryImported", None, facts)
        return done


def _checked(found: AgencyList, directory: Directory) -> list[Line]:
    """Return the lines, parents before their children; raises `ListRefusedError`."""
    lines = {line.agency.code: line for line in found.lines}
    troubles = [*found.troubles]
    if not troubles:
        # A line that could not be read would be missed in others.
        for line in found.lines:
            troubles += _line_troubles(line, lines, directory)
    if not troubles:
        troubles += _circles(lines, directory)
    if troubles:
        raise ListRefusedError(sorted(troubles, key=lambda one: one.line))
    return _parents_first(lines)


def _line_troubles(line: Line, lines: Mapping[str, Line], directory: Directory) -> Iterator[Trouble]:
    for code in line.codes:
        column = "code" if code.code == line.agency.code else "old_code"
        own, others = _split(directory.holders(code.code), line.agency.code)
        period = _period(code, own)
        if period.valid_from >= period.valid_to:
            yield Trouble(line.number, "valid_to", "phải sau valid_from", "has to come after valid_from")
        for other in others:
            if period.valid_from < other.valid_to and other.valid_from < period.valid_to:
                yield Trouble(
                    line.number,
                    column,
                    f"{code.code} là mã của {other.agency}; hãy sửa, hoặc ghi valid_from, valid_to",
                    f"{code.code} is a code of {other.agency}; correct it, or give valid_from and valid_to",
                )
    for column, wanted in (
        ("parent", line.agency.parent),
        ("successor", line.successor.successor if line.successor else None),
    ):
        if wanted and wanted not in lines and directory.agency(wanted) is None:
            yield Trouble(
                line.number,
                column,
                f"{wanted} không có trong tệp và trong danh mục; hãy thêm, hoặc ghi mã chính của nó",
                f"{wanted} is neither in the file nor in the directory; add it, or write its canonical code",
            )


def _split(holders: Sequence[Held], agency: str) -> tuple[list[Held], list[Held]]:
    return [one for one in holders if one.agency == agency], [one for one in holders if one.agency != agency]


def _period(code: CodeRow, own: Sequence[Held]) -> Held:
    since, until = (own[0].valid_from, own[0].valid_to) if own else EVER
    return Held(code.agency, code.valid_from or since, code.valid_to or until)


def _circles(lines: Mapping[str, Line], directory: Directory) -> Iterator[Trouble]:
    """Yield an agency that would stand above itself, or be merged into itself; one for each circle."""

    def parent(code: str) -> str | None:
        listed = lines[code].agency.parent if code in lines else None
        known = directory.agency(code)
        return listed or (known.parent if known else None)

    def successor(code: str) -> str | None:
        listed = lines[code].successor if code in lines else None
        known = directory.agency(code)
        return listed.successor if listed else (known.successor if known else None)

    for column, following in (("parent", parent), ("successor", successor)):
        done: set[str] = set()
        for start in lines:
            way: dict[str, None] = {}
            code: str | None = start
            while code is not None and code not in done and code not in way:
                way[code] = None
                code = following(code)
            if code is not None and code in way:
                way_back = " → ".join([*list(way)[list(way).index(code) :], code])
                there = next(one for one in way if one in lines)
                yield Trouble(
                    lines[there].number,
                    column,
                    f"vòng tròn: {way_back}; hãy sửa một mã",
                    f"a circle: {way_back}; correct one of them",
                )
            done.update(way)


def _parents_first(lines: Mapping[str, Line]) -> list[Line]:
    ordered: dict[str, Line] = {}
    for start in lines:
        above = []
        code: str | None = start
        while code is not None and code in lines and code not in ordered:
            above.append(code)
            code = lines[code].agency.parent
        for one in reversed(above):
            ordered[one] = lines[one]
    return list(ordered.values())
