"""What an orchestrator is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.worker.health import HealthServer
from lienthong.worker.runner import Pulse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def server(
    checks: dict[str, Callable[[], Awaitable[None]]] | None = None, *, stuck_seconds: float = 60, port: int = 0
) -> HealthServer:
    """Return a server on a free port."""
    return HealthServer("127.0.0.1", port, pulse=Pulse(), checks=checks or {}, stuck_seconds=stuck_seconds)


async def asked(url: str) -> tuple[int, Any]:
    """Return status and JSON of a page."""
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.json()


async def fine() -> None:
    """Answer."""


async def away() -> None:
    """Do not answer."""
    raise Unavailable("no broker answers")


async def test_a_turning_loop_is_live() -> None:
    """A loop that got on lately is alive, whatever it depends on."""
    async with server({"broker": away}) as health:
        status, answer = await asked(f"{health.url}/live")
    assert (status, answer["ok"]) == (200, True)


async def test_a_stuck_loop_is_not_live() -> None:
    """A loop that has not got on for too long is to be restarted."""
    async with server(stuck_seconds=-1) as health:
        status, answer = await asked(f"{health.url}/live")
    assert (status, answer["ok"]) == (503, False)


async def test_ready_when_everything_answers() -> None:
    """A worker whose broker and ledger answer is ready."""
    async with server({"broker": fine, "ledger": fine}) as health:
        assert await asked(f"{health.url}/ready") == (200, {"ok": True, "missing": {}})


async def test_not_ready_names_what_is_missing() -> None:
    """Only what does not answer is named, with the reason."""
    async with server({"broker": away, "ledger": fine}) as health:
        assert await asked(f"{health.url}/ready") == (503, {"ok": False, "missing": {"broker": "no broker answers"}})


async def test_a_check_that_hangs_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readiness is answered in bounded time."""
    monkeypatch.setattr("lienthong.worker.health.CHECK_SECONDS", 0.05)

    async def hang() -> None:
        await asyncio.Event().wait()

    async with server({"ledger": hang}) as health:
        assert await asked(f"{health.url}/ready") == (
            503,
            {"ok": False, "missing": {"ledger": "no answer within 0.05 s"}},
        )


async def test_metrics_are_prometheus_text() -> None:
    """Prometheus finds the worker's metrics."""
    async with (
        server() as health,
        aiohttp.ClientSession() as session,
        session.get(f"{health.url}/metrics") as response,
    ):
        assert response.content_type == "text/plain"
        assert "lienthong_batch_size" in await response.text()


async def test_a_taken_port_is_the_operators_to_mend() -> None:
    """Two workers on one port: the second says so."""
    async with server() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(MisconfiguredError, match=f"127.0.0.1:{port}"):
            async with server(port=port):
                pass
