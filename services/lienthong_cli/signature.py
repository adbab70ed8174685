"""`lienthong signature`: judge the signatures of messages, PDFs and time stamps; sign messages and PDFs."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lienthong.document.verdicts import Reason, Value, Verdict
from lienthong.signature.attachments import ClamdScanner, clamd_address
from lienthong.signature.pdf import PdfJudge
from lienthong.signature.pdf_signing import sign_pdf
from lienthong.signature.policy import Appraisal, Policy
from lienthong.signature.signer import FileSigner
from lienthong.signature.signing import sign_message
from lienthong.signature.verification import PDF, Moment, Verification, verify_message, verify_pdf, verify_token
from lienthong.trust import TrustStore
from lienthong_cli.endings import REFUSED, USAGE, explained, fail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lienthong.signature.attachments import Scanner

__all__ = ["MARKS", "VALUES", "app"]

app = typer.Typer(help="Chữ ký số / digital signatures.", no_args_is_help=True)

DER_SEQUENCE = b"\x30"
STAMP_SUFFIXES = frozenset({".tsr", ".tst"})
VERDICTS = {
    Verdict.VALID: "hợp lệ / valid",
    Verdict.INVALID: "không hợp lệ / invalid",
    Verdict.INDETERMINATE: "chưa xác định được / indeterminate",
    Verdict.UNSIGNED: "chưa ký / unsigned",
}
MARKS = {Verdict.VALID: "✓", Verdict.INVALID: "✗"}
VALUES = {
    Value.PAPER: "có giá trị như văn bản giấy / has the value of paper",
    Value.INFORMATION: "chỉ để thông tin / for information",
    Value.REFUSED: "bị từ chối / refused",
}
UNSTAMPED = Reason(
    "FORMAT_FAILURE",
    "Không thấy tệp mà dấu thời gian này xác nhận: hãy đặt nó bên cạnh, cùng tên không có .tsr",
    "The file this time stamp is about is not there: put it beside, under the name without .tsr",
)


@dataclass(frozen=True, slots=True)
class Question:
    """What the command line asks about every file."""

    at: datetime
    store: TrustStore
    policy: Policy
    receiver: str | None
    scanner: Scanner | None


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="gói tin, PDF, .tsr / what to judge")],
    trust: Annotated[
        Path,
        typer.Option(
            "--trust",
            metavar="DIR",
            envvar="LIENTHONG_TRUST_FOLDER",
            help="thư mục tin cậy: roots/ intermediates/ crls/ ocsp/ / the trust folder",
        ),
    ],
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="thời điểm xét, ISO 8601 / judge for this time")
    ] = None,
    receiver: Annotated[
        str | None, typer.Option("--receiver", metavar="CODE", help="nơi nhận phải có / must be addressed to")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="chính sách (TOML) / what is demanded")
    ] = None,
    clamd: Annotated[
        str | None,
        typer.Option("--clamd", metavar="ADDRESS", help="quét mã độc: socket hoặc máy:cổng / scan files with ClamAV"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="mỗi tệp một đối tượng JSON / JSON, one per file")] = False,
) -> None:
    """Xét chữ ký số; kết thúc 0 khi mọi tệp hợp lệ / judge signatures; status 0 when every file is valid."""
    with explained():
        question = Question(
            _time(at),
            TrustStore.load(trust),
            Policy.read(policy) if policy else Policy(),
            receiver,
            ClamdScanner(clamd_address(clamd)) if clamd is not None else None,
        )
        contents = [(file, file.read_bytes()) for file in files]
        verifications = asyncio.run(_judge(contents, question))
    for file, verification in zip(files, verifications, strict=True):
        if as_json:
            typer.echo(json.dumps(_as_dict(file, verification), ensure_ascii=False))
        else:
            _tell(file, verification)
    if any(one.appraisal.verdict is not Verdict.VALID for one in verifications):
        raise typer.Exit(REFUSED)


@app.command()
def sign(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="gói tin edXML hoặc PDF / an edXML message or a PDF")],
    key: Annotated[Path, typer.Option("--key", metavar="PEM", help="khóa bí mật / the private key")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="ghi kết quả vào đây / where to write it")],
    certificates: Annotated[
        Path | None,
        typer.Option("--certificates", metavar="PEM", help="chứng thư số, nếu không ở trong --key / the certificate"),
    ] = None,
) -> None:
    """Ký một gói tin (hồ sơ 1) hoặc một PDF (PAdES B-B) / sign a message by profile 1, or a PDF as PAdES B-B."""
    with explained():
        signer = FileSigner.load(key, certificates or key)
        data, now = file.read_bytes(), datetime.now(UTC)
        if data.startswith(PDF):
            signed = asyncio.run(sign_pdf(data, signer, signing_time=now))
        else:
            signed = sign_message(data, signer, signing_time=now)
        out.write_bytes(signed)
    typer.echo(f"đã ký / signed: {out}")


async def _judge(contents: Sequence[tuple[Path, bytes]], question: Question) -> list[Verification]:
    moment = Moment(question.at, question.at, question.store)
    async with PdfJudge() as pdfs:
        found = []
        for file, data in contents:
            if data.startswith(PDF):
                found.append(
                    await verify_pdf(data, moment, pdfs, question.policy, name=file.name, scanner=question.scanner)
                )
            elif data.startswith(DER_SEQUENCE) and file.suffix in STAMP_SUFFIXES:
                found.append(_stamp(file, data, moment))
            else:
                found.append(
                    await verify_message(
                        data, moment, pdfs, question.policy, receiver=question.receiver, scanner=question.scanner
                    )
                )
        return found


def _stamp(file: Path, token: bytes, moment: Moment) -> Verification:
    about = file.with_suffix("")
    if not about.is_file():
        return Verification((), Appraisal(Verdict.INDETERMINATE, Value.INFORMATION, (UNSTAMPED,)))
    return verify_token(token, about.read_bytes(), moment)


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        fail(
            f"--at {text}: cần thời điểm ISO 8601 có múi giờ / must be ISO 8601 with a zone: 2026-11-15T00:00:00Z",
            USAGE,
        )
    return time.astimezone(UTC)


def _as_dict(file: Path, verification: Verification) -> dict[str, Any]:
    appraisal = verification.appraisal
    return {
        "file": str(file),
        "verdict": appraisal.verdict,
        "value": appraisal.value,
        "signatures": [
            {
                "kind": one.kind,
                "signer": one.signer,
                "agency": one.agency,
                "signed_at": one.signed_at.isoformat() if one.signed_at else None,
                "claimed_at": one.claimed_at.isoformat() if one.claimed_at else None,
                "subject": one.subject,
                "verdict": one.verdict,
                "reason": one.reason.code,
                "explanation": f"{one.reason.vi} / {one.reason.en}",
            }
            for one in verification.findings
        ],
        "files": [
            {
                "flaw": one.flaw,
                "refuses": one.refuses,
                "code": one.problem.code,
                "vi": one.problem.vi,
                "en": one.problem.en,
            }
            for one in verification.files
        ],
        "reasons": [{"code": one.code, "vi": one.vi, "en": one.en} for one in appraisal.reasons],
    }


def _tell(file: Path, verification: Verification) -> None:
    appraisal = verification.appraisal
    typer.echo(f"{file}: {VERDICTS[appraisal.verdict]}; {VALUES[appraisal.value]}")
    for one in verification.findings:
        mark = MARKS.get(one.verdict, "?")
        who = ", ".join(part for part in (one.signer, one.agency) if part) or "không rõ / unknown"
        where = f" [{one.subject}]" if one.subject else ""
        code = f" {one.reason.code}" if one.reason.code else ""
        typer.echo(f"  {mark} {one.kind}{where}: {who}{code}: {one.reason.vi} / {one.reason.en}")
    for attached in verification.files:
        flag = "✗" if attached.refuses else "?" if attached.unknown else "·"
        typer.echo(f"  {flag} {attached.problem.vi} / {attached.problem.en}")
    told = {one.reason.en for one in verification.findings} | {one.problem.en for one in verification.files}
    for reason in appraisal.reasons:
        if reason.en not in told:
            typer.echo(f"  ! {reason.code}: {reason.vi} / {reason.en}")
