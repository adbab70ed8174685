"""`lienthong agency`: what an agency does, from the shell."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
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
)
from lienthong.document.life_cycle import STATUS_CODES
from lienthong.errors import LienThongError, MisconfiguredError, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from uuid import UUID

    from lienthong.agency.reading import Told

__all__ = ["app"]

REFUSED_EXIT = 1
UNAVAILABLE_EXIT = 3

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
    files: Annotated[list[Path], typer.Argument(help="Tệp edXML / edXML files.", exists=True, dir_okay=False)],
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
    document_id: Annotated[str, typer.Argument(help="DocumentId của văn bản / the document's DocumentId.")],
    broker: Broker,
    to: Annotated[str, typer.Option(help="Mã cơ quan gửi văn bản / code of the agency that issued it.")],
    code: Annotated[str, typer.Option(help="Mã trạng thái: 02, 03, 04, 05, 06, 13, 15, 16 / status code.")],
    reason: Annotated[str | None, typer.Option(help="Lý do, diễn giải / reason.")] = None,
    notation: Annotated[str | None, typer.Option(help="Số, ký hiệu văn bản / number and notation.")] = None,
) -> None:
    """Báo trạng thái xử lý / report what became of a document."""
    if code not in STATUS_CODES:
        raise typer.BadParameter(f"{code}: {', '.join(STATUS_CODES)}", param_hint="--code")
    _run(_report(broker, DocumentReference(to, document_id, notation), code, reason))


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
    try:
        raise typer.Exit(asyncio.run(work))
    except Unavailable as error:
        typer.echo(f"Không kết nối được, hãy thử lại / not reachable now, try again: {error}", err=True)
        raise typer.Exit(UNAVAILABLE_EXIT) from error
    except MisconfiguredError as error:
        typer.echo(f"Cấu hình sai / misconfigured: {error}", err=True)
        raise typer.Exit(UNAVAILABLE_EXIT) from error
    except LienThongError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(REFUSED_EXIT) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


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
        return REFUSED_EXIT
    return UNAVAILABLE_EXIT if answers.missing else 0


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


async def _report(broker: str, about: DocumentReference, code: str, reason: str | None) -> int:
    async with AgencyClient(broker) as agency:
        await agency.report_status(about, code, description=reason)
    meaning = STATUS_CODES[code]
    typer.echo(f"{about.document_id}: đã báo {code} {meaning.vi} / reported {code} {meaning.en}")
    return 0


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
            since = f"{told.received_at:%Y-%m-%dT%H:%M:%SZ}{again}"
            return f"{told.document_id}: trục đã nhận / the exchange has it since {since}"
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
        case StatusReport():
            meaning = STATUS_CODES.get(told.code)
            text = f"{meaning.vi} / {meaning.en}" if meaning else ""
            return f"{told.document_id}: {told.reporter} {told.code} {text}: {told.status.description or ''}".rstrip(
                ": "
            )


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
