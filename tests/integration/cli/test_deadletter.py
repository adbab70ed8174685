"""`lienthong deadletter` against a real broker and a real ledger."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from lienthong.bus.connection import Bus
from lienthong.bus.messages import Incoming
from lienthong.document.messages import NoticeToSend, Refused
from lienthong.topology.names import Step, work_queue
from lienthong.topology.plan import exchange_plan
from lienthong.topology.rights import OPERATOR_USER, worker_user
from lienthong.worker.ladder import Input, Ladder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path


async def lienthong(environment: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """Run the command line; return its status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lienthong_cli",
        "deadletter",
        *arguments,
        env=os.environ | environment | {"COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest_asyncio.fixture
async def environment(own_url: Callable[[str], Awaitable[str]], database: str, tmp_path: Path) -> dict[str, str]:
    """Provide the settings of an operator."""
    return {
        "LIENTHONG_BROKER_URL": await own_url(OPERATOR_USER),
        "LIENTHONG_LEDGER_URL": database,
        "LIENTHONG_PAYLOAD_FOLDER": str(tmp_path),
    }


def submitted(message_id: str) -> Incoming:
    """Return a message of G22."""
    return Incoming(
        queue="work.ingest",
        tag=1,
        body=message_id.encode(),
        message_id=message_id,
        user_id="G22",
        routing_key="document",
        headers={},
        content_type=None,
        type=None,
        delivery_count=0,
        received_at=datetime.now(UTC),
    )


async def test_an_operator_looks_replays_and_discards(
    vhost: str, own_url: Callable[[str], Awaitable[str]], environment: dict[str, str], tmp_path: Path
) -> None:
    """What died is listed with its reason, goes back to its lane or is answered, and its history says by whom."""
    ingest = worker_user(Step.INGEST)
    async with Bus(vhost, name="test") as bus, Bus(await own_url(ingest), name="ingest") as worker:
        await bus.declare(exchange_plan())
        ladder = Ladder(Step.INGEST, ingest)
        climbs = [ladder.climb(Input(submitted(f"m{number}"), 9), KeyError("surprise")) for number in range(3)]
        assert await worker.publish_many([climb.output for climb in climbs]) == [None] * 3

        status, out, err = await lienthong(environment, "list", "--json")
        assert (status, err) == (0, "")
        letters = {letter["message_id"]: letter for letter in json.loads(out)}
        assert {name: letter["reason"] for name, letter in letters.items()} == dict.fromkeys(
            ("m0", "m1", "m2"), "KeyError: 'surprise'"
        )
        first, second, _ = (letters[f"m{number}"]["dead_letter"] for number in range(3))

        assert (await lienthong(environment, "replay", first[:8], "--by", "an"))[0] == 0
        assert (await lienthong(environment, "replay", first, "--by", "an"))[0] == 1
        status, out, _ = await lienthong(
            environment, "discard", second, "--by", "bình", "--reason", "tệp hỏng", "--json"
        )
        assert (status, json.loads(out)["state"]) == (0, "discarded")
        assert (await lienthong(environment, "discard", second, "--reason", "x"))[0] == 1
        assert (await lienthong(environment, "replay", "--all", "--step", "router"))[0] == 0
        assert (await lienthong(environment, "replay", "--all", "--step", "ingest", "--by", "chi"))[0] == 0

        assert json.loads((await lienthong(environment, "list", "--json"))[1]) == []
        table = (await lienthong(environment, "list", "--all"))[1]
        assert "đã gửi lại / replayed" in table
        assert "đã loại bỏ / discarded" in table
        shown: dict[str, Any] = json.loads((await lienthong(environment, "show", second[:10], "--json"))[1])
        assert [one["what"] for one in shown["history"]] == ["DeadLetterFound", "DeadLetterDiscardOrdered"]
        assert (shown["history"][1]["by"], shown["history"][1]["reason"]) == ("bình", "tệp hỏng")
        assert (tmp_path / shown["body"]).read_bytes() == b"m1"
        assert "lệnh loại bỏ / discard ordered" in (await lienthong(environment, "show", second))[1]

        await bus.consume([work_queue(Step.INGEST), work_queue(Step.NOTIFIER)], prefetch=10)
        got: dict[str, list[bytes]] = {}
        while batch := await bus.take(10, timeout=1.0):
            for message in batch:
                got.setdefault(message.queue, []).append(message.body)
        assert sorted(got[work_queue(Step.INGEST)]) == [b"m0", b"m2"]
        (told,) = map(NoticeToSend.model_validate_json, got[work_queue(Step.NOTIFIER)])
        assert isinstance(told.notice, Refused)
        assert (told.agency, told.notice.submission_message_id) == ("G22", "m1")


async def test_wrong_calls_and_absent_servers_are_one_line(vhost: str, environment: dict[str, str]) -> None:
    """Neither or both of ids and --all is a wrong call, an unknown id too; without servers, or as another, it is 3."""
    for wrong in (("replay",), ("replay", "x", "--all"), ("replay", "x", "--step", "ingest"), ("show", "x")):
        status, _, err = await lienthong(environment, *wrong)
        assert (status, len(err.splitlines())) == (2, 1), err
    status, _, err = await lienthong(environment | {"LIENTHONG_BROKER_URL": vhost}, "list")
    assert (status, len(err.splitlines())) == (3, 1), err
    assert OPERATOR_USER in err
    away = environment | {"LIENTHONG_LEDGER_URL": "postgresql://nobody@127.0.0.1:1/ledger"}
    status, _, err = await lienthong(away, "list")
    assert (status, len(err.splitlines())) == (3, 1), err
