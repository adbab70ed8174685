"""`lienthong agency`: what an agency does, from the shell."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from lienthong.agency import (
    AgencyClient,
    Delivered,
    Delivery,
    DocumentReference,
    Receipt,
    Refused,
    StatusReport,
    Verified,
)
from lienthong.document.life_cycle import STATUS_CODES
from lienthong.edxml.wire_time import VIETNAM
from lienthong_cli.endings import REFUSED, UNAVAILABLE, USAGE, explained, fail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from uuid import UUID

    from lienthong.agency.reading import Told

__all__ = ["app"]

ItemT = TypeVar("ItemT")

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
        envvar="LIENTHONG_AGENCY_BROKER_URL",
        help="Địa chỉ AMQP, tên người dùng là mã cơ quan / AMQP address; its user name is the agency's code.",
    ),
]
State = Annotated[
    Path | None,
    typer.Option(help="Tệp nhớ những gì đã xử lý / file that remembers what was handled."),
]


@app.command()
def send(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Tệp edXML / edXML files.")],
    broker: Broker,
    wait: Annotated[
        float,
        typer.Option(min=0, help="Số giây chờ trả lời, 0 là không chờ / seconds to wait for the answer, 0 for none."),
    ] = 30.0,
    state: State = None,
) -> None:
    """Gửi văn bản và chờ trả lời / send documents and wait until they are delivered or refused.

    Other messages that come meanwhile are shown and acknowledged as `watch` does. Exit status: 0 when every document
    was delivered, 1 when one was refused, 3 when there was no answer.
    """
    for file in files:
        if not (file.is_file() and os.access(file, os.R_OK)):
            fail(f"{file}: không có tệp này hoặc không đọc được / no such file, or not readable", USAGE)
    _run(_send(files, broker, wait, state))


@app.command()
def receive(
    broker: Broker,
    folder: Annotated[Path | None, typer.Option(help="Thư mục lưu văn bản / folder to keep documents in.")] = None,
    count: Count = 0,
    wait: Wait = 10.0,
    state: State = None,
) -> None:
    """Nhận văn bản, báo đã đến (01) / receive documents; 01 is reported for each once it is kept.

    With a folder each document is written to it as edXML, and its attachments to a folder beside.
    """
    _run(_receive(broker, folder, count, wait, state))


@app.command()
def report(
    document_id: Annotated[
        str, typer.Argument(metavar="DOCUMENT_ID", help="DocumentId của văn bản / the document's DocumentId.")
    ],
    broker: Broker,
    to: Annotated[str, typer.Option(help="Mã cơ quan gửi văn bản / code of the agency that issued it.")],
    code: Annotated[str, typer.Option(help=f"Mã trạng thái / status code: {', '.join(STATUS_CODES)}.")],
    reason: Annotated[str | None, typer.Option(help="Lý do, diễn giải / reason.")] = None,
    notation: Annotated[str | None, typer.Option(help="Số, ký hiệu văn bản / number and notation.")] = None,
    wait: Annotated[
        float,
        typer.Option(min=0, help="Số giây chờ xem có bị từ chối / seconds to wait for a refusal, 0 for none."),
    ] = 2.0,
    state: State = None,
) -> None:
    """Báo trạng thái xử lý / report what became of a document.

    Only a refusal is answered; other messages that come meanwhile are shown and acknowledged as `watch` does. Exit
    status: 1 when it was refused.
    """
    if code not in STATUS_CODES:
        fail(f"{code}: không có mã này, hãy dùng / no such code, use one of: {', '.join(STATUS_CODES)}", USAGE)
    _run(_report(broker, DocumentReference(to, document_id, notation), code, reason, wait, state))


@app.command()
def watch(
    broker: Broker,
    count: Count = 0,
    wait: Wait = 0.0,
    state: State = None,
) -> None:
    """Theo dõi biên nhận, trạng thái / show receipts, refusals and statuses as they come."""
    _run(_watch(broker, count, wait, state))


def _run(work: Coroutine[None, None, int]) -> None:
    # The kit says itself what is wrong; the client library below it says the same for each attempt.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    with explained():
        raise typer.Exit(asyncio.run(work))


async def _send(files: list[Path], broker: str, wait: float, state: Path | None) -> int:
    async with AgencyClient(broker, state=state) as agency:
        answers = _Answers()
        for file in files:
            # A fresh id each time: a document sent before is answered again.
            body = await asyncio.to_thread(file.read_bytes)
            submission = await agency.send(body, message_id=str(uuid.uuid4()))
            answers.submitted[submission.message_id] = file
            typer.echo(f"{file}: đã gửi / sent {submission.document_id or ''} sha256={submission.sha256}")
        if wait <= 0:
            return 0
        async for told in _within(agency.statuses(), wait):
            about = answers.note(told)
            typer.echo(f"{about}: {describe(told)}" if about is not None else describe(told))
            if not answers.missing:
                break
        await agency.settle()
    for missing in answers.missing:
        typer.echo(f"{missing}: chưa có trả lời sau {wait:g} giây / no answer after {wait:g} s", err=True)
    if answers.refused:
        return REFUSED
    return UNAVAILABLE if answers.missing else 0


@dataclass
class _Answers:
    """What the exchange has said about the files sent: a receipt first, then delivered or, even then, refused."""

    submitted: dict[str, Path] = field(default_factory=dict)
    received: dict[UUID, str] = field(default_factory=dict)
    delivered: set[UUID] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    refused: bool = False

    @property
    def missing(self) -> list[Path]:
        """The files whose fate is not known yet."""
        return [file for message_id, file in self.submitted.items() if message_id not in self.settled]

    def note(self, told: Told) -> Path | None:
        """Note what was told, and return the file it is about; None when it is about something else."""
        message_id: str | None = None
        match told:
            case Receipt() if told.submission_message_id in self.submitted:
                message_id = told.submission_message_id
                self.received[told.document] = message_id
                # Sent before: it was delivered then, and nobody says so again.
                if told.repeated or told.document in self.delivered:
                    self.settled.add(message_id)
            case Refused() if told.submission_message_id in self.submitted:
                message_id = told.submission_message_id
                self.settled.add(message_id)
                self.refused = True
            case Delivered():
                self.delivered.add(told.document)
                message_id = self.received.get(told.document)
                if message_id is not None:
                    self.settled.add(message_id)
        return self.submitted[message_id] if message_id is not None else None


async def _receive(broker: str, folder: Path | None, count: int, wait: float, state: Path | None) -> int:
    received = 0
    async with AgencyClient(broker, state=state) as agency:
        async for delivery in _within(agency.deliveries(), wait):
            if folder is not None:
                await asyncio.to_thread(_keep, folder, delivery)
            await delivery.done()
            document = delivery.document
            urgent = " [KHẨN / URGENT]" if delivery.urgent else ""
            typer.echo(f"{delivery.sender}: {document.code or ''} {document.subject or ''}{urgent}")
            typer.echo(f"  DocumentId={document.document_id} sha256={delivery.sha256}")
            received += 1
            if received == count:
                break
    typer.echo(f"Đã nhận {received} văn bản / received {received} documents")
    return 0


async def _report(
    broker: str, about: DocumentReference, code: str, reason: str | None, wait: float, state: Path | None
) -> int:
    async with AgencyClient(broker, state=state) as agency:
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
    async with AgencyClient(broker, state=state) as agency:
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


def describe(told: Told) -> str:
    """Say in one or more lines what the exchange or a receiver told."""
    match told:
        case Receipt():
            again = " (đã nhận trước đây / received before)" if told.repeated else ""
            since = told.received_at.astimezone(VIETNAM).isoformat(timespec="seconds")
            return f"{told.document_id}: trục đã nhận / the exchange has it since {since}{again}"
        case Refused():
            lines = [f"{told.document_id or told.submission_message_id}: bị từ chối / refused"]
            lines += [
                f"  {problem.code}{f' [{problem.path}]' if problem.path else ''}: {problem.vi} / {problem.en}"
                for problem in told.problems
            ]
            return "\n".join(lines)
        case Delivered():
            to = ", ".join(addressee.agency for addressee in told.addressees)
            return f"{told.document_id}: đã đến nơi nhận / delivered to {to}"
        case Verified():
            return f"{told.document_id}: {told.found.vi} / {told.found.en}"
        case StatusReport():
            meaning = STATUS_CODES.get(told.code)
            text = f"{meaning.vi} / {meaning.en}" if meaning else ""
            # Many systems only repeat there what the code means.
            more = told.status.description
            added = f": {more}" if more and (meaning is None or more != meaning.vi) else ""
            return f"{told.document_id}: {told.reporter} {told.code} {text}{added}"


def _keep(folder: Path, delivery: Delivery) -> None:
    """Write a delivery so that it survives a power cut: file, folder, then 01."""
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / str(delivery.document_uuid)
    home.mkdir(exist_ok=True)
    _write(home / "document.edxml", delivery.body)
    for ordinal, attachment in enumerate(delivery.document.attachments, 1):
        _write(home / f"{ordinal:02}-{attachment.file_name}", attachment.content)
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
