"""How far an agency's connection is: its stage, and what it has to show before it is official; mergers.

All of this is the ledger's alone. The broker is touched only where somebody is let in or shut out, which are decisions
of their own (`lienthong.access.admission`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from lienthong.access.admission import NotPossibleError
from lienthong.document.verdicts import Verdict
from lienthong.document.zone import VIETNAM
from lienthong.ledger.registry import CertificateRow, ContactRow, SuccessorRow
from lienthong.trust import TrustStore, Usage, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lienthong.ledger.access import Participant
    from lienthong.ledger.directory import Agency, Directory, Stage
    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.registry import RegistryUnit, Standing

__all__ = ["Missing", "NotReadyError", "Registry"]

CONTACTS = {"clerk": ("văn thư", "the clerk's"), "technical": ("kỹ thuật", "a technician's")}


@dataclass(frozen=True, slots=True)
class Missing:
    """Something an agency has not shown yet, and what to do about it, in Vietnamese and in English."""

    vi: str
    en: str


class NotReadyError(NotPossibleError):
    """The agency is not ready to be official.

    Attributes:
        missing: everything that is missing.
    """

    def __init__(self, code: str, missing: Sequence[Missing]) -> None:
        lines = "".join(f"\n  - {one.vi} / {one.en}" for one in missing)
        super().__init__(f"{code}: chưa đủ điều kiện kết nối chính thức / is not ready to be official:{lines}")
        self.missing = tuple(missing)


class Registry:
    """Carries out an operator's decisions about what the directory holds.

    Every one may be repeated: what is so already is neither changed nor noted again, and False is returned.

    Args:
        ledger: the ledger, as its owner.
        trusted: returns what is trusted now; asked for only when a certificate is judged.
        by: who decides; goes into the history.
        clock: the present, aware.
    """

    def __init__(
        self,
        ledger: Ledger,
        trusted: Callable[[], TrustStore],
        *,
        by: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger, self._trusted, self._by, self._clock = ledger, trusted, by, clock

    async def stage(self, code: str, stage: Stage) -> bool:
        """Move an agency to another stage.

        On trial it comes by `lienthong agency add`, which makes its user and its queues; out of its
        suspension by `lienthong agency resume`.

        Args:
            code: the agency.
            stage: where to.

        Raises:
            NotReadyError: it is to be official, and something is missing.
            NotPossibleError: there is no such agency, or another command leads there; the text says which.
            Unavailable: the ledger does not answer.
        """
        async with self._ledger.registry() as unit:
            agency = await _known(unit, code)
            if agency.stage == stage:
                return False
            _require_way(agency, stage)
            facts: dict[str, str] = {}
            if stage == "official":
                if missing := list(self._missing(agency, await unit.standing(agency.code))):
                    raise NotReadyError(agency.code, missing)
                facts = {"checked": "conformance, certificate, contacts"}
            await unit.write(replace(agency, stage=stage))
            await unit.note("AgencyStaged", agency.code, {"by": self._by, "from": agency.stage, "to": stage, **facts})
            return True

    async def merge(self, old: Sequence[str], new: str, on: date | None = None, *, instead: bool = False) -> list[str]:
        """Merge agencies into another one: from that day on their mail is its own.

        Their history stays theirs. They may go on reporting what became of documents they got before, and so may the
        other one for them; what is reported about documents they sent is told to the other one.

        Args:
            old: the agencies that are no more.
            new: the agency that takes over.
            on: the first day, by Vietnam's calendar; today when left out.
            instead: whether a merger that was recorded otherwise is replaced.

        Returns:
            The canonical codes of those for which this is new.

        Raises:
            NotPossibleError: one of them is not in the directory, or the merger cannot be; nothing was changed.
            Unavailable: the ledger does not answer.
        """
        day = on or self._clock().astimezone(VIETNAM).date()
        async with self._ledger.registry() as unit:
            directory = unit.directory
            heir = _agency(directory, new)
            rows = []
            for code in old:
                merged = _agency(directory, code)
                if merged.successor == heir.code and on in (None, merged.succeeded_on):
                    continue
                _require_merger(directory, merged, heir, instead=instead)
                rows.append(SuccessorRow(merged.code, heir.code, day))
            changed = await unit.write_successors(rows)
            for row in rows:
                if row.code in changed:
                    about = {"by": self._by, "successor": heir.code, "on": day.isoformat()}
                    await unit.note("AgencyMerged", row.code, about)
            return [row.code for row in rows if row.code in changed]

    async def record_conformance(
        self,
        code: str,
        *,
        passed: bool,
        on: date | None = None,
        software: str | None = None,
        version: str | None = None,
    ) -> None:
        """Record how an agency's conformance run ended.

        Args:
            code: the agency.
            passed: whether it passed.
            on: the day of the run, by Vietnam's calendar; today when left out.
            software: the document-management system that ran; as known before when left out.
            version: the version of that; likewise.

        Raises:
            NotPossibleError: there is no such agency, or the day is yet to come.
            Unavailable: the ledger does not answer.
        """
        today = self._clock().astimezone(VIETNAM).date()
        day = on or today
        if day > today:
            raise NotPossibleError(f"{day}: ngày này chưa đến / is yet to come")
        async with self._ledger.registry() as unit:
            agency = await _known(unit, code)
            await unit.write_conformance(agency.code, day, passed=passed, software=software, version=version)
            about = {"on": day.isoformat(), "passed": passed, "software": software, "version": version}
            await unit.note("ConformanceRecorded", agency.code, {"by": self._by, **about})

    async def record_contact(
        self,
        code: str,
        role: Literal["clerk", "technical"],
        *,
        name: str | None = None,
        email: str | None = None,
        phone: str | None = None,
    ) -> bool:
        """Record whom to ask at an agency; what is left out stays as it is.

        Raises:
            NotPossibleError: there is no such agency, or neither mail nor telephone is given.
            Unavailable: the ledger does not answer.
        """
        if not (email or phone):
            raise NotPossibleError("cần --email hoặc --phone / needs --email or --phone")
        async with self._ledger.registry() as unit:
            agency = await _known(unit, code)
            changed = await unit.write_contacts([ContactRow(agency.code, role, name, email, phone)])
            if changed:
                await unit.note("ContactRecorded", agency.code, {"by": self._by, "role": role})
            return bool(changed)

    async def record_certificate(self, code: str, certificate: x509.Certificate) -> bool:
        """Record a certificate as an agency's own.

        Raises:
            NotPossibleError: there is no such agency, or the certificate names another one.
            Unavailable: the ledger does not answer.
        """
        async with self._ledger.registry() as unit:
            agency = await _known(unit, code)
            named = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
            written = str(named[0].value) if len(named) == 1 else ""
            holder = unit.directory.named(written)
            if holder is None or holder.code != agency.code:
                raise NotPossibleError(
                    f"serialNumber trong chứng thư là {written!r}, không phải mã của {agency.code} / "
                    f"the certificate's serialNumber is {written!r}, no code of {agency.code}"
                )
            row = CertificateRow(
                agency.code,
                certificate.fingerprint(hashes.SHA256()).hex(),
                certificate.subject.rfc4514_string(),
                f"{certificate.serial_number:x}",
                certificate.not_valid_before_utc,
                certificate.not_valid_after_utc,
                certificate.public_bytes(Encoding.DER),
            )
            new = await unit.write_certificate(row)
            if new:
                about = {"fingerprint": row.fingerprint, "subject": row.subject}
                await unit.note("CertificateRecorded", agency.code, {"by": self._by, **about})
            return new

    def _missing(self, agency: Participant, standing: Standing) -> Iterator[Missing]:
        code = agency.code
        if not agency.connected:
            yield Missing(
                f"chưa kết nối thử; dùng lienthong agency add {code}",
                f"it has not been on trial; use lienthong agency add {code}",
            )
        if not standing.conformance_passed:
            vi, en = ("chưa kiểm tra hợp quy", "no conformance run")
            if standing.conformance_on is not None:
                day = standing.conformance_on.isoformat()
                vi, en = f"kiểm tra hợp quy ngày {day} không đạt", f"the conformance run of {day} failed"
            remedy = f"lienthong agency conformance {code} --passed"
            yield Missing(f"{vi}; khi đạt, dùng {remedy}", f"{en}; once it has passed, use {remedy}")
        yield from self._missing_certificate(code, standing.certificates)
        for role, (vi, en) in CONTACTS.items():
            if role not in standing.contacts:
                remedy = f"lienthong agency contact {code} {role} --email …"
                yield Missing(
                    f"chưa có thư điện tử đầu mối {vi}; dùng {remedy}", f"no mail address of {en}; use {remedy}"
                )

    def _missing_certificate(self, code: str, certificates: Sequence[bytes]) -> Iterator[Missing]:
        now = self._clock()
        remedy = f"lienthong agency certificate {code} FILE.pem"
        if not certificates:
            yield Missing(f"chưa có chứng thư số; dùng {remedy}", f"no certificate; use {remedy}")
            return
        store = self._trusted()
        found = [
            judge(x509.load_der_x509_certificate(one), at=now, now=now, usage=Usage.SIGNATURE, store=store)
            for one in certificates
        ]
        if all(one.verdict is not Verdict.VALID for one in found):
            # One that may yet turn out valid is nearer to it than one that never will.
            why = next((one for one in found if one.verdict is Verdict.INDETERMINATE), found[0]).reason
            yield Missing(f"chứng thư số chưa hợp lệ: {why.vi}; {remedy}", f"no valid certificate: {why.en}; {remedy}")


async def _known(unit: RegistryUnit, code: str) -> Participant:
    agency = await unit.participant(code)
    if agency is None:
        raise NotPossibleError(f"{code}: không có cơ quan này trong danh mục / no such agency in the directory")
    return agency


def _agency(directory: Directory, code: str) -> Agency:
    agency = directory.named(code) or directory.agency(code)
    if agency is None:
        raise NotPossibleError(f"{code}: không có cơ quan này trong danh mục / no such agency in the directory")
    return agency


def _require_way(agency: Participant, stage: Stage) -> None:
    """Raise `NotPossibleError` with the command that leads to a stage, when it is not this one."""
    code = agency.code
    remedy = ""
    if agency.stage == "suspended":
        remedy = f"lienthong agency resume {code}"
    elif stage == "suspended" or (agency.connected and stage in ("registered", "in-progress")):
        remedy = f"lienthong agency suspend {code} --reason …"
    elif stage == "trial" and not agency.connected:
        remedy = f"lienthong agency add {code}"
    if remedy:
        raise NotPossibleError(f"{code}: đang là {agency.stage}, dùng / is {agency.stage}, use: {remedy}")


def _require_merger(directory: Directory, merged: Agency, heir: Agency, *, instead: bool) -> None:
    if merged.code == heir.code:
        raise NotPossibleError(f"{merged.code}: không thể sáp nhập vào chính nó / cannot be merged into itself")
    if heir.successor is not None:
        raise NotPossibleError(
            f"{heir.code}: đã sáp nhập vào {heir.successor}, hãy dùng mã đó / was merged into {heir.successor}, use it"
        )
    if merged.successor is not None and not instead:
        raise NotPossibleError(
            f"{merged.code}: đã sáp nhập vào {merged.successor} từ {merged.succeeded_on}; để thay, dùng --instead / "
            f"was merged into {merged.successor} on {merged.succeeded_on}; to replace that, use --instead"
        )
    carrier = directory.carrier(heir)
    if carrier is None:
        raise NotPossibleError(
            f"{heir.code}: chưa kết nối, văn bản sẽ không đến ai; hãy kết nối trước / "
            f"is not connected, nobody would get the mail; let it in first: lienthong agency add {heir.code}"
        )
    if carrier.stage == "trial" and merged.stage == "official":
        raise NotPossibleError(
            f"{heir.code}: đang kết nối thử, {merged.code} đã chính thức; hãy chuyển chính thức trước / is on trial, "
            f"{merged.code} is official; first: lienthong agency stage {carrier.code} official"
        )
