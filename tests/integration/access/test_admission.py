"""An operator's decisions about an agency, on a real broker and a real ledger."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiormq
import pytest

from lienthong.access.admission import NotPossibleError
from lienthong.errors import MisconfiguredError
from lienthong.ledger.rows import AgencyRow
from lienthong.topology.names import delivery_queue, status_queue
from lienthong.topology.plan import agency_permissions, agency_topic_permissions

if TYPE_CHECKING:
    from tests.integration.access.conftest import Exchange

    from lienthong.ledger.directory import Stage


async def test_adding_makes_everything_and_repeats_harmlessly(exchange: Exchange) -> None:
    """One command: directory, user, permissions, limits, queues; again, nothing changes, nor is it noted twice."""
    code, admin, place = exchange.code(), exchange.admin, exchange.place
    done = await exchange.operator().add(code, name="Sở Thử nghiệm")
    assert done.decided
    assert done.password is None
    user = (await admin.users())[code]
    assert (user.password_hash, user.tags) == ("", ())
    assert await admin.permissions(place.vhost, code) == agency_permissions(code)
    assert (await admin.all_topic_permissions(place.vhost))[code] == frozenset(agency_topic_permissions(code))
    assert (await admin.all_user_limits())[code] == {"max-connections": 20, "max-channels": 100}
    assert {delivery_queue(code), status_queue(code)} <= (await admin.queue_depths(place.vhost)).keys()
    assert await exchange.drift() == []
    again = await exchange.operator().add(code)
    assert not again.decided
    assert await exchange.history(code) == [
        (
            "AgencyAdmitted",
            {"by": "lan@test", "stage": "trial", "login": "certificate", "name": "Sở Thử nghiệm"},
        )
    ]


async def test_a_password_is_shown_once_and_stays(exchange: Exchange) -> None:
    """A new agency gets a password that works; adding it again neither changes nor shows it; it is in no history."""
    code = exchange.code()
    done = await exchange.operator().add(code, name="Sở", login="password")
    assert done.password is not None
    assert (await exchange.operator().add(code, name="Sở mới")).password is None
    connection = await aiormq.connect(exchange.agency_url(code, done.password))
    await connection.close()
    assert done.password not in str(await exchange.history(code))


async def test_passwords_need_the_setting(exchange: Exchange) -> None:
    """Without it no password is given, and the text names the setting."""
    code = exchange.code()
    with pytest.raises(MisconfiguredError, match="LIENTHONG_ACCESS_PASSWORDS"):
        await exchange.operator(passwords=False).add(code, name="Sở", login="password")
    assert code not in await exchange.admin.users()
    assert await exchange.history(code) == []


async def test_suspension_ends_open_connections_at_once(exchange: Exchange) -> None:
    """An agency that is connected is out, cannot come back, and is in again as before once it is resumed."""
    code = exchange.code()
    password = (await exchange.operator().add(code, name="Sở", login="password")).password
    assert password is not None
    url = exchange.agency_url(code, password)
    connection = await aiormq.connect(url)
    closed = asyncio.ensure_future(asyncio.shield(connection.closing))
    done = await exchange.operator().suspend(code, reason="khóa bị lộ")
    assert done.participant.stage == "suspended"
    await asyncio.wait([closed], timeout=30)
    assert closed.done()
    closed.exception()
    with pytest.raises(aiormq.exceptions.AMQPError):
        await aiormq.connect(url)
    assert await exchange.drift() == []
    with pytest.raises(NotPossibleError, match="resume"):
        await exchange.operator().add(code)
    assert not (await exchange.operator().suspend(code, reason="lần nữa")).decided
    done = await exchange.operator().resume(code)
    assert (done.participant.stage, done.password) == ("trial", None)
    await (await aiormq.connect(url)).close()
    kinds = [(kind, facts.get("reason")) for kind, facts in await exchange.history(code)]
    assert kinds == [("AgencyAdmitted", None), ("AgencySuspended", "khóa bị lộ"), ("AgencyResumed", None)]


async def test_a_rotated_password_is_worthless(exchange: Exchange) -> None:
    """The old password ends with its connections; changing to certificates leaves no password at all."""
    code = exchange.code()
    old = (await exchange.operator().add(code, name="Sở", login="password")).password
    assert old is not None
    connection = await aiormq.connect(exchange.agency_url(code, old))
    closed = asyncio.ensure_future(asyncio.shield(connection.closing))
    new = (await exchange.operator().rotate_credential(code)).password
    assert new not in (None, old)
    assert new is not None
    await asyncio.wait([closed], timeout=30)
    assert closed.done()
    closed.exception()
    with pytest.raises(aiormq.exceptions.AMQPError):
        await aiormq.connect(exchange.agency_url(code, old))
    await (await aiormq.connect(exchange.agency_url(code, new))).close()
    await exchange.operator().rotate_credential(code, login="certificate")
    assert (await exchange.admin.users())[code].password_hash == ""
    assert [kind for kind, _ in await exchange.history(code)] == ["AgencyAdmitted"] + ["CredentialRotated"] * 2


async def test_an_agency_of_the_directory_keeps_what_is_known(exchange: Exchange) -> None:
    """Letting in one that is registered needs no name, and loses nothing of what was registered."""
    code = exchange.code()
    await exchange.ledger.register(
        [AgencyRow(code, "Sở Y tế", kind="department", stage="in-progress", supervised=True)]
    )
    done = await exchange.operator().add(code)
    assert (done.participant.name, done.participant.kind, done.participant.supervised) == (
        "Sở Y tế",
        "department",
        True,
    )
    assert done.participant.stage == "trial"


async def test_letting_in_makes_nobody_official(exchange: Exchange) -> None:
    """Whatever it was before, it is on trial; who is official already stays so, and comes back so."""
    ways: tuple[tuple[Stage, Stage], ...] = (
        ("registered", "trial"),
        ("in-progress", "trial"),
        ("trial", "trial"),
        ("official", "official"),
    )
    for before, after in ways:
        code = exchange.code()
        await exchange.ledger.register([AgencyRow(code, "Sở", stage=before)])
        assert (await exchange.operator().add(code)).participant.stage == after
        await exchange.operator().suspend(code, reason="thử")
        assert (await exchange.operator().resume(code)).participant.stage == after


async def test_what_cannot_be_is_said(exchange: Exchange) -> None:
    """A new agency without a name, a code that is none, one that is another's, and one nobody has, are refused."""
    await exchange.ledger.register([AgencyRow("H23", "UBND", codes=("000.00.00.H23",))])
    for code, word in ((exchange.code(), "--name"), ("H23/..", "no agency code"), ("000.00.00.H23", "H23")):
        with pytest.raises(NotPossibleError, match=word):
            await exchange.operator().add(code)
    with pytest.raises(NotPossibleError, match="no such agency"):
        await exchange.operator().suspend("H99", reason="x")
    with pytest.raises(NotPossibleError, match="agency add"):
        await exchange.operator().rotate_credential("H23")
