"""`lienthong notify`: who is told what by mail and webhook."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from lienthong.access.subscribing import Subscribing
from lienthong.document.webhooks import key_of
from lienthong.ledger.letters import AGENCY_TOPICS, OPERATOR_TOPICS, Subscribed, Subscription
from lienthong.settings import NotifierSettings
from lienthong_cli.access import Operator, opened_ledger, operator_name
from lienthong_cli.endings import REFUSED, UNAVAILABLE, USAGE, explained, fail

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lienthong.ledger.letters import Channel

app = typer.Typer(
    no_args_is_help=True, help="Thông báo qua thư điện tử và webhook / who is told what by mail and webhook."
)

OPERATORS = "operators"
ResultT = TypeVar("ResultT")
Reader = Annotated[
    str,
    typer.Argument(
        metavar="CODE", help=f"Mã cơ quan, hoặc `{OPERATORS}`: ban vận hành / an agency's code, or the operators."
    ),
]
Mail = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Địa chỉ thư / address of mail.")]
Webhook = Annotated[str | None, typer.Option(metavar="URL", help="Địa chỉ webhook / URL of a webhook.")]
_ALL = TypeAdapter(list[Subscribed])


@app.command("set")
def set_(
    reader: Reader,
    mail: Mail = None,
    webhook: Webhook = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            help="Chủ đề, mặc định tất cả / what of; all when left out. "
            f"CODE: {', '.join(AGENCY_TOPICS)}; {OPERATORS}: {', '.join(OPERATOR_TOPICS)}."
        ),
    ] = None,
    language: Annotated[Literal["vi", "en", "both"], typer.Option(help="Ngôn ngữ / language.")] = "vi",
    digest: Annotated[
        int | None,
        typer.Option(min=0, max=23, metavar="HOUR", help="Gộp một lần mỗi ngày, vào giờ này / all of a day at once."),
    ] = None,
    by: Operator = "",
) -> None:
    """Đăng ký nhận thông báo, hoặc thay đăng ký / have an agency, or the operators, told; or change how.

    Webhooks: `lienthong notify key` prints the key by which the receiver checks who calls it.
    """
    channel, target = _target(mail, webhook)
    agency = _agency(reader)
    topics = tuple(topic or (OPERATOR_TOPICS if agency is None else AGENCY_TOPICS))
    wanted = Subscription(agency, channel, target, topics, language, digest)
    changed = _run(lambda subscribing: subscribing.set(wanted), by)
    said = "" if changed else " (không có gì thay đổi / it was so already)"
    typer.echo(f"{reader}: {channel} {target}: {', '.join(topics)}{said}")


@app.command("end")
def end(reader: Reader, mail: Mail = None, webhook: Webhook = None, by: Operator = "") -> None:
    """Thôi nhận thông báo / tell them no more; what waits already is still sent. Exit status: 1 when there was none."""
    channel, target = _target(mail, webhook)
    if not _run(lambda subscribing: subscribing.end(_agency(reader), channel, target), by):
        fail(f"{reader}: không có đăng ký này / there is no such subscription: {target}", REFUSED)
    typer.echo(f"{reader}: {target}: đã thôi / ended")


@app.command("list")
def list_(
    reader: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help=f"Mã cơ quan hoặc `{OPERATORS}`; mặc định tất cả / all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="In ra JSON / JSON for programs.")] = False,
) -> None:
    """Liệt kê đăng ký và thông báo còn chờ / list who is told what, and what could not be sent."""
    agency = None if reader is None else _agency(reader)
    found = _run(lambda subscribing: subscribing.all(agency, everybody=reader is None), "")
    if as_json:
        print(json.dumps(_ALL.dump_python(found, mode="json"), ensure_ascii=False, indent=2))
        return
    table = Table(
        "Ai / who",
        "Nơi nhận / target",
        "Chủ đề / topics",
        "Gộp / digest",
        "Chờ / waiting",
        "Đã gửi / sent",
        "Bỏ / given up",
        "Lỗi / trouble",
    )
    for one in found:
        asked = one.subscription
        table.add_row(
            asked.agency or OPERATORS,
            f"{asked.target} ({asked.language})",
            ", ".join(asked.topics),
            "-" if asked.digest_hour is None else f"{asked.digest_hour}:00",
            str(one.waiting),
            str(one.sent),
            str(one.given_up),
            one.trouble or "",
        )
    Console(highlight=False, markup=False).print(table)


@app.command("key")
def key(
    reader: Reader,
    webhook: Annotated[str, typer.Option(metavar="URL", help="Địa chỉ webhook / URL of the webhook.")],
) -> None:
    """In khóa của webhook / print the key by which a webhook's receiver checks that the exchange calls it.

    It follows from LIENTHONG_NOTIFIER_WEBHOOK_SECRET, agency and URL. Give it to nobody else.
    """
    with explained():
        secret = NotifierSettings().webhook_secret
    if not secret:
        fail("LIENTHONG_NOTIFIER_WEBHOOK_SECRET: chưa đặt / is not set", UNAVAILABLE)
    agency = _run(lambda subscribing: subscribing.canonical(_agency(reader)), "")
    typer.echo(key_of(secret.get_secret_value(), agency, webhook))


def _agency(reader: str) -> str | None:
    return None if reader == OPERATORS else reader


def _target(mail: str | None, webhook: str | None) -> tuple[Channel, str]:
    if mail is not None and webhook is None:
        return "mail", mail
    if webhook is not None and mail is None:
        return "webhook", webhook
    return fail("cần --mail hoặc --webhook, một trong hai / give one of --mail and --webhook", USAGE)


def _run(work: Callable[[Subscribing], Awaitable[ResultT]], by: str) -> ResultT:
    async def connected() -> ResultT:
        async with opened_ledger() as ledger:
            http = NotifierSettings().webhook_http
            return await work(Subscribing(ledger, by=by or operator_name(), http=http))

    with explained():
        return asyncio.run(connected())
