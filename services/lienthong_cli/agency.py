"""`lienthong agency`: what an agency does, from the shell."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from lienthong.agency import AgencyClient, Delivery, DocumentReference, Refused
from lienthong.agency.reading import read_edxml
from lienthong.agency.signing import is_signed
from lienthong.document.life_cycle import STATUS_CODES
from lienthong.errors import Refusal
from lienthong.secret_files import secret_of
from lienthong.signature import FileSigner
from lienthong.signature.pkcs11 import Pkcs11Signer
from lienthong.signature.signer import load_certificates
from lienthong_cli.agency_told import Answers, describe
from lienthong_cli.endings import REFUSED, UNAVAILABLE, USAGE, explained, fail
from lienthong_cli.signature import VALUES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from lienthong.signature import Signer

__all__ = ["app"]

ItemT = TypeVar("ItemT")

BROKER_VARIABLE = "LIENTHONG_AGENCY_BROKER_URL"


def _address(given: str) -> str:
    """Return the broker's address: given on the command line, in the environment, or in a file."""
    if given and given != os.environ.get(BROKER_VARIABLE):
        return given
    with explained():
        found = secret_of(BROKER_VARIABLE)
    if not found:
        raise typer.BadParameter(f"cần / give --broker, {BROKER_VARIABLE}, {BROKER_VARIABLE}_FILE")
    return found


app = typer.Typer(help="Gửi, nhận văn bản như một cơ quan / send and receive as an agency.", no_args_is_help=True)

Count = Annotated[
    int,
    typer.Option(min=0, help="Dừng sau từng này tin, 0 là không giới hạn / stop after so many, 0 for no limit."),
]
Wait = Annotated[
    float,
    typer.Option(
        min=0,
        help="Dừng khi không có gì mới sau từng này giây, 0 là chờ mãi / stop after so many idle seconds, 0 for never.",
    ),
]
Broker = Annotated[
    str,
    typer.Option(
        envvar=BROKER_VARIABLE,
        callback=_address,
        show_default=False,
        help="Địa chỉ AMQP, tên người dùng là mã cơ quan; nên đặt bằng LIENTHONG_AGENCY_BROKER_URL hoặc …_FILE / AMQP "
        "address, its user name is the agency's code; better LIENTHONG_AGENCY_BROKER_URL or …_FILE, which no process "
        "list shows.",
    ),
]
State = Annotated[
    Path | None,
    typer.Option(help="Tệp nhớ những gì đã xử lý, đã ký / file that remembers what was handled and signed."),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="PEM|URI",
        envvar="LIENTHONG_AGENCY_SIGNING_KEY",
        help="Khóa để ký: tệp, hoặc thiết bị PKCS#11 / the key to sign with: a file, or on a token "
        "pkcs11:token=…;object=…?module-path=…&pin-source=…",
    ),
]
Certificates = Annotated[
    Path | None,
    typer.Option(
        "--certificates",
        metavar="PEM",
        envvar="LIENTHONG_AGENCY_SIGNING_CERTIFICATES",
        help="Chứng thư số, nếu không ở trong --key / its certificate, when it is not in --key.",
    ),
]
Unsigned = Annotated[
    bool, typer.Option("--unsigned", help="Cố ý gửi không ký, dù có khóa / send unsigned on purpose, key or not.")
]

REMEDY = (
    "hãy đặt --key (LIENTHONG_AGENCY_SIGNING_KEY), hoặc --unsigned nếu cố ý không ký / "
    "give --key (LIENTHONG_AGENCY_SIGNING_KEY), or --unsigned to send it unsigned on purpose"
)
UNSIGNABLE = (
    "hãy ghi lại theo hồ sơ 1, hoặc --unsigned nếu cố ý không ký / "
    "write it anew as profile 1 has it, or give --unsigned to send it unsigned on purpose"
)
SIGNED_ANEW = (
    "Ký lại thì thành văn bản khác; để gửi lại đúng bản đã gửi, hãy dùng --state / "
    "signed again it is another document; use --state to send again just what was sent"
)


@app.command()
def send(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Tệp edXML / edXML files.")],
    broker: Broker = "",
    wait: Annotated[
        float,
        typer.Option(min=0, help="Số giây chờ trả lời, 0 là không chờ / seconds to wait for the answer, 0 for none."),
    ] = 30.0,
    state: State = None,
    key: Key = None,
    certificates: Certificates = None,
    unsigned: Unsigned = False,
    test: Annotated[bool, typer.Option("--test", help="Văn bản thử nghiệm / these are tests, not official.")] = False,
) -> None:
    """Ký, gửi văn bản và chờ trả lời / sign and send documents, wait until they are delivered or refused.

    A file that is signed already is sent as it is. Other messages that come meanwhile are shown and acknowledged as
    `watch` does. Exit status: 0 when every document was delivered, 1 when one was refused, 2 when there is no key to
    sign one with, 3 when there was no answer or one is held until its signatures can be judged.
    """
    for file in files:
        if not (file.is_file() and os.access(file, os.R_OK)):
            fail(f"{file}: không có tệp này hoặc không đọc được / no such file, or not readable", USAGE)
    signer = _signer(key, certificates, unsigned=unsigned)
    _run(_send(files, broker, wait, state, signer, unsigned=unsigned, test=test))


@app.command()
def receive(
    broker: Broker = "",
    folder: Annotated[Path | None, typer.Option(help="Thư mục lưu văn bản / folder to keep documents in.")] = None,
    count: Count = 0,
    wait: Wait = 10.0,
    state: State = None,
    key: Key = None,
    certificates: Certificates = None,
    unsigned: Unsigned = False,
) -> None:
    """Nhận văn bản, báo đã đến (01) / receive documents; 01 is reported for each once it is kept.

    Each document gets a folder in the folder given: document.edxml, its attachments, and found.json, which says what
    the exchange found about its signatures. Without a key 01 is reported unsigned.
    """
    signer = _signer(key, certificates, unsigned=unsigned)
    if signer is None and not unsigned:
        # 01 only says where the document is: no reason to keep anybody from receiving.
        typer.echo(f"01 được báo không có chữ ký; {REMEDY} (01 is reported unsigned)", err=True)
    _run(_receive(broker, folder, count, wait, state, signer))


@app.command()
def report(
    document_id: Annotated[
        str, typer.Argument(metavar="DOCUMENT_ID", help="DocumentId của văn bản / the document's DocumentId.")
    ],
    to: Annotated[str, typer.Option(help="Mã cơ quan gửi văn bản / code of the agency that issued it.")],
    code: Annotated[str, typer.Option(help=f"Mã trạng thái / status code: {', '.join(STATUS_CODES)}.")],
    broker: Broker = "",
    reason: Annotated[str | None, typer.Option(help="Lý do, diễn giải / reason.")] = None,
    notation: Annotated[str | None, typer.Option(help="Số, ký hiệu văn bản / number and notation.")] = None,
    wait: Annotated[
        float,
        typer.Option(min=0, help="Số giây chờ xem có bị từ chối / seconds to wait for a refusal, 0 for none."),
    ] = 2.0,
    state: State = None,
    key: Key = None,
    certificates: Certificates = None,
    unsigned: Unsigned = False,
) -> None:
    """Ký và báo trạng thái xử lý / sign and report what became of a document.

    Only a refusal is answered; other messages that come meanwhile are shown and acknowledged as `watch` does. Exit
    status: 1 when it was refused.
    """
    if code not in STATUS_CODES:
        fail(f"{code}: không có mã này, hãy dùng / no such code, use one of: {', '.join(STATUS_CODES)}", USAGE)
    signer = _signer(key, certificates, unsigned=unsigned)
    if signer is None and not unsigned:
        fail(f"trạng thái chưa có chữ ký; {REMEDY} (the status is not signed)", USAGE)
    _run(_report(broker, DocumentReference(to, document_id, notation), code, reason, wait, state, signer))


@app.command()
def watch(
    broker: Broker = "",
    count: Count = 0,
    wait: Wait = 0.0,
    state: State = None,
) -> None:
    """Theo dõi biên nhận, chữ ký, trạng thái / show receipts, verdicts, refusals and statuses as they come."""
    _run(_watch(broker, count, wait, state))


def _run(work: Coroutine[None, None, int]) -> None:
    # The kit says itself what is wrong; the client library below it says the same for each attempt.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    with explained():
        raise typer.Exit(asyncio.run(work))


def _signer(key: str | None, certificates: Path | None, *, unsigned: bool) -> Signer | None:
    if key is None or unsigned:
        return None
    with explained():
        if not key.startswith("pkcs11:"):
            return FileSigner.load(Path(key), certificates or Path(key))
        if certificates is None:
            fail("khóa trên thiết bị cần --certificates / a key on a token needs --certificates", USAGE)
        return Pkcs11Signer.from_uri(key, load_certificates(certificates))


async def _send(
    files: list[Path],
    broker: str,
    wait: float,
    state: Path | None,
    signer: Signer | None,
    *,
    unsigned: bool,
    test: bool,
) -> int:
    if signer is None and not unsigned:
        await _require_signed(files)
    answers = Answers()
    async with AgencyClient(broker, signer=signer, state=state) as agency:
        await _submit(agency, files, answers, test=test)
        if wait <= 0 or not answers.submitted:
            return REFUSED if answers.refused else 0
        async for told in _within(agency.statuses(), wait):
            about = answers.note(told)
            typer.echo(f"{about}: {describe(told)}" if about is not None else describe(told))
            if not answers.missing:
                break
        await agency.settle()
    for missing in answers.missing:
        typer.echo(f"{missing}: chưa có trả lời sau {wait:g} giây / no answer after {wait:g} s", err=True)
    for held in answers.waiting:
        typer.echo(f"{held}: đang giữ lại, xem tiếp bằng `watch` / held; follow it with `watch`", err=True)
    if answers.exists and signer is not None and state is None:
        typer.echo(SIGNED_ANEW, err=True)
    if answers.refused:
        return REFUSED
    return UNAVAILABLE if answers.missing or answers.waiting else 0


async def _submit(agency: AgencyClient, files: list[Path], answers: Answers, *, test: bool) -> None:
    for file in files:
        body = await asyncio.to_thread(file.read_bytes)
        try:
            # A fresh id each time: a document sent before is answered again.
            submission = await agency.send(body, message_id=str(uuid.uuid4()), test=test)
        except Refusal as error:
            typer.echo(f"{file}: {error}; {UNSIGNABLE}", err=True)
            answers.refused = True
            continue
        answers.submitted[submission.message_id] = file
        typer.echo(f"{file}: đã gửi / sent {submission.document_id or ''} sha256={submission.sha256}")


async def _require_signed(files: list[Path]) -> None:
    """End the command when one of the files is not signed; one that cannot be read is the exchange's to judge."""
    for file in files:
        body = await asyncio.to_thread(file.read_bytes)
        with suppress(Refusal):
            await read_edxml(body)
            if not await is_signed(body):
                fail(f"{file}: chưa có chữ ký; {REMEDY} (it is not signed)", USAGE)


async def _receive(
    broker: str, folder: Path | None, count: int, wait: float, state: Path | None, signer: Signer | None
) -> int:
    received = 0
    async with AgencyClient(broker, signer=signer, state=state) as agency:
        async for delivery in _within(agency.deliveries(), wait):
            if folder is not None:
                await asyncio.to_thread(_keep, folder, delivery)
            await delivery.done()
            document = delivery.document
            marks = " [KHẨN / URGENT]" * delivery.urgent + " [THỬ NGHIỆM / TEST]" * delivery.test
            typer.echo(f"{delivery.sender}: {document.code or ''} {document.subject or ''}{marks}")
            if delivery.value is not None:
                typer.echo(f"  {VALUES[delivery.value]}: {delivery.found_vi} / {delivery.found_en}")
            typer.echo(f"  DocumentId={document.document_id} sha256={delivery.sha256}")
            received += 1
            if received == count:
                break
    typer.echo(f"Đã nhận {received} văn bản / received {received} documents")
    return 0


async def _report(
    broker: str,
    about: DocumentReference,
    code: str,
    reason: str | None,
    wait: float,
    state: Path | None,
    signer: Signer | None,
) -> int:
    async with AgencyClient(broker, signer=signer, state=state) as agency:
        submission = await agency.report_status(about, code, description=reason)
        meaning = STATUS_CODES[code]
        typer.echo(f"{about.document_id}: đã báo {code} {meaning.vi} / reported {code} {meaning.en}")
        if wait <= 0:
            return 0
        refused = False
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                async for told in agency.statuses():
                    typer.echo(describe(told))
                    refused = isinstance(told, Refused) and told.submission_message_id == submission.message_id
                    if refused:
                        break
        await agency.settle()
    return REFUSED if refused else 0


async def _watch(broker: str, count: int, wait: float, state: Path | None) -> int:
    shown = 0
    async with AgencyClient(broker, signer=None, state=state) as agency:  # it reports nothing
        async for told in _within(agency.statuses(), wait):
            typer.echo(describe(told))
            shown += 1
            if shown == count:
                break
        await agency.settle()
    return 0


async def _within(stream: AsyncIterator[ItemT], seconds: float) -> AsyncIterator[ItemT]:
    """Yield what a stream brings until it brings nothing for so long; 0 waits for ever."""
    while True:
        try:
            async with asyncio.timeout(seconds or None):
                item = await anext(stream)
        except (TimeoutError, StopAsyncIteration):
            return
        yield item


def _keep(folder: Path, delivery: Delivery) -> None:
    """Write a delivery so that it survives a power cut: file, folder, then 01."""
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / str(delivery.document_uuid)
    home.mkdir(exist_ok=True)
    _write(home / "document.edxml", delivery.body)
    for ordinal, attachment in enumerate(delivery.document.attachments, 1):
        _write(home / f"{ordinal:02}-{attachment.file_name}", attachment.content)
    if delivery.value is not None:
        found = {
            "verdict": delivery.verdict,
            "value": delivery.value,
            "vi": delivery.found_vi,
            "en": delivery.found_en,
        }
        _write(home / "found.json", json.dumps(found, ensure_ascii=False, indent=2).encode())
    for place in (home, folder):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
