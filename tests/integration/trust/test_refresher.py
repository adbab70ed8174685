"""Keeping revocation fresh from real HTTP servers: good, dead, slow, lying, stale."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import structlog
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from prometheus_client import REGISTRY

from lienthong.document.verdicts import Verdict
from lienthong.testing.hierarchy import Hierarchy, Revocation
from lienthong.trust import DevelopmentAuthority, TrustStore, Usage, judge
from lienthong.trust.development_server import DevelopmentServer
from lienthong.trust.publications import ADDRESSES, Publication
from lienthong.trust.refresher import Patience, Refresher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

HURRY = Patience(every=0.05, answer=5.0, hurry=0.1, first_retry=0.01, last_retry=0.05, look=0.02)
DAY = dt.timedelta(days=1)


def now() -> dt.datetime:
    """Return the present."""
    return dt.datetime.now(dt.UTC)


def verdict(certificate: x509.Certificate, store: TrustStore) -> Verdict:
    """Return the verdict on a signer now."""
    return judge(certificate, at=now(), now=now(), usage=Usage.SIGNATURE, store=store).verdict


class Mirror:
    """A web server whose answers a test decides."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked = 0
        self.body = b""
        self.status = 200
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Event()
        self.forgets = 0
        """How many of the next requests never get an answer."""
        self.answer: Callable[[bytes], bytes] | None = None
        """Makes the body of what is asked, instead of `body`."""

    async def respond(self, request: web.Request) -> web.Response:
        """Answer when the gate is open."""
        self.asked += 1
        self.waiting.set()
        if self.forgets:
            self.forgets -= 1
            await asyncio.Event().wait()
        if self.answer is not None:
            self.body = self.answer(await request.read())
        await self.gate.wait()
        return web.Response(body=self.body, status=self.status, headers={"Location": "/elsewhere"})


@pytest.fixture
async def mirror() -> AsyncIterator[Mirror]:
    """Provide a web server."""
    made = Mirror("")
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.respond)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    made.gate.set()
    await runner.cleanup()


@pytest.fixture
def hierarchy() -> Hierarchy:
    """Provide a hierarchy that is right today."""
    return Hierarchy(now().replace(microsecond=0))


@pytest.fixture
def folder(tmp_path: Path, hierarchy: Hierarchy) -> Path:
    """Provide a trust folder with the root's list, and no list of the authority under it."""
    for place, data in (
        ("roots/root.crt", hierarchy.root.certificate.public_bytes(Encoding.DER)),
        ("intermediates/sub.crt", hierarchy.sub.certificate.public_bytes(Encoding.DER)),
        ("crls/root.crl", hierarchy.crl(hierarchy.root).public_bytes(Encoding.DER)),
    ):
        (tmp_path / place).parent.mkdir()
        (tmp_path / place).write_bytes(data)
    return tmp_path


@pytest.fixture
def authority(tmp_path: Path) -> DevelopmentAuthority:
    """Provide a development authority with an address that is free."""
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return DevelopmentAuthority.create(tmp_path / "authority", url=f"http://127.0.0.1:{port}")


def der(crl: x509.CertificateRevocationList) -> bytes:
    """Return a list's bytes."""
    return crl.public_bytes(Encoding.DER)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, turn by turn of the loop."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for is in the folder, which tells nobody
            await asyncio.sleep(0.005)


async def test_a_fetched_list_settles_what_was_unknown(folder: Path, hierarchy: Hierarchy, mirror: Mirror) -> None:
    """A signer is indeterminate without a list, and judged for good when it has been fetched."""
    signer = hierarchy.signer().certificate
    store = TrustStore.load(folder)
    assert verdict(signer, store) is Verdict.INDETERMINATE
    mirror.body = der(hierarchy.crl(hierarchy.sub))
    (outcome,) = await Refresher(folder, urls=[mirror.url]).refresh()
    assert outcome.trouble is None
    assert verdict(signer, store.current()) is Verdict.VALID
    mirror.body = der(hierarchy.crl(hierarchy.sub, Revocation(signer, now() - DAY)))
    await Refresher(folder, urls=[mirror.url]).refresh()
    assert verdict(signer, store.current()) is Verdict.INVALID


async def test_addresses_come_from_certificates_of_configured_authorities_only(
    folder: Path, hierarchy: Hierarchy, mirror: Mirror
) -> None:
    """A stranger's certificate cannot make the exchange call any address."""
    place = x509.DistributionPoint([x509.UniformResourceIdentifier(f"{mirror.url}/x.crl")], None, None, None)
    point = (x509.CRLDistributionPoints([place]), False)
    stranger = Hierarchy(hierarchy.now)
    refresher = Refresher(folder)
    refresher.remember(stranger.signer(others=[point]).certificate)
    assert await refresher.refresh() == ()
    mirror.body = der(hierarchy.crl(hierarchy.sub))
    refresher.remember(hierarchy.signer(others=[point]).certificate)
    (outcome,) = await refresher.refresh()
    assert (outcome.url, outcome.trouble) == (f"{mirror.url}/x.crl", None)


async def test_addresses_an_operator_wrote_are_fetched(folder: Path, hierarchy: Hierarchy, mirror: Mirror) -> None:
    """The folder may name lists that no certificate at hand names; anything but a web address is passed over."""
    (folder / ADDRESSES).write_text(f"# lists\n\n{mirror.url}/a.crl\nfile:///etc/passwd\n", encoding="utf-8")
    mirror.body = der(hierarchy.crl(hierarchy.sub))
    (outcome,) = await Refresher(folder).refresh()
    assert (outcome.url, outcome.trouble) == (f"{mirror.url}/a.crl", None)


@pytest.mark.parametrize(
    ("lie", "word"),
    [
        ("junk", "not one CRL"),
        ("another key", "not signed by"),
        ("stranger", "not signed by"),
        ("stale", "stale"),
        ("older", "older"),
        ("too large", "more than"),
        ("redirect", "HTTP status 302"),
        ("error page", "HTTP status 500"),
    ],
)
async def test_what_a_lying_server_says_is_not_kept(
    folder: Path, hierarchy: Hierarchy, mirror: Mirror, lie: str, word: str
) -> None:
    """Junk, forgeries, stale and superseded lists, floods and detours leave the folder as it was, and are counted."""
    mirror.body = der(hierarchy.crl(hierarchy.sub))
    refresher = Refresher(folder, urls=[mirror.url], largest_list=2000)
    await refresher.refresh()
    kept = (folder / Publication(mirror.url).place(mirror.body)).read_bytes()
    stranger = Hierarchy(hierarchy.now)
    mirror.body = {
        "junk": b"<html>maintenance</html>",
        "another key": der(hierarchy.crl(hierarchy.sub, key=hierarchy.root.key)),
        "stranger": der(stranger.crl(stranger.sub)),
        "stale": der(hierarchy.crl(hierarchy.sub, until=now() - DAY / 2)),
        "older": der(hierarchy.crl(hierarchy.sub, since=now() - 2 * DAY)),
        "too large": kept + bytes(3000),
    }.get(lie, kept)
    mirror.status = {"redirect": 302, "error page": 500}.get(lie, 200)
    (outcome,) = await refresher.refresh()
    assert outcome.trouble is not None
    assert word in outcome.trouble
    assert {path.read_bytes() for path in (folder / "crls").glob("fetched-*")} == {kept}
    host = mirror.url.removeprefix("http://")
    assert REGISTRY.get_sample_value("lienthong_trust_refresh_failed_total", {"host": host}) == 1


async def test_a_stale_list_is_not_replaced_by_an_older_one(folder: Path, hierarchy: Hierarchy, mirror: Mirror) -> None:
    """What is no longer fresh still says who is revoked: an older list that is good for longer does not undo that."""
    signer = hierarchy.signer().certificate
    mirror.body = der(hierarchy.crl(hierarchy.sub, Revocation(signer, now() - DAY), since=now() - DAY / 2))
    await Refresher(folder, urls=[mirror.url]).refresh()
    mirror.body = der(hierarchy.crl(hierarchy.sub, since=now() - 2 * DAY, until=now() + 30 * DAY))
    later = Refresher(folder, urls=[mirror.url], clock=lambda: now() + 7 * DAY)
    (outcome,) = await later.refresh()
    assert outcome.trouble == "older than what was fetched before"
    assert verdict(signer, TrustStore.load(folder)) is Verdict.INVALID


async def test_a_list_of_another_authority_is_not_what_was_asked_for(
    folder: Path, hierarchy: Hierarchy, mirror: Mirror
) -> None:
    """At the address that a certificate names only its issuer's list counts, and no other takes that one's place."""
    place = x509.DistributionPoint([x509.UniformResourceIdentifier(f"{mirror.url}/x.crl")], None, None, None)
    signer = hierarchy.signer(others=[(x509.CRLDistributionPoints([place]), False)]).certificate
    revoked = der(hierarchy.crl(hierarchy.sub, Revocation(signer, now() - DAY)))
    refresher = Refresher(folder)
    refresher.remember(signer)
    mirror.body = revoked
    await refresher.refresh()
    mirror.body = der(hierarchy.crl(hierarchy.root, since=now()))
    (outcome,) = await refresher.refresh()
    assert outcome.trouble is not None
    assert "not signed by" in outcome.trouble
    (from_operator,) = await Refresher(folder, urls=[f"{mirror.url}/x.crl"]).refresh()
    assert from_operator.trouble is None
    mirror.body = revoked
    (outcome,) = await refresher.refresh()
    assert outcome.trouble is None
    assert verdict(signer, TrustStore.load(folder)) is Verdict.INVALID


async def test_a_server_that_forgot_what_it_was_asked_is_asked_again(
    folder: Path, hierarchy: Hierarchy, mirror: Mirror
) -> None:
    """One that was switched off in the middle never says so: its return is noticed before patience ends."""
    mirror.forgets = 1
    mirror.body = der(hierarchy.crl(hierarchy.sub))
    (outcome,) = await Refresher(folder, urls=[mirror.url], patience=Patience(answer=60, hurry=0.1)).refresh()
    assert outcome.trouble is None
    assert mirror.asked == 2


async def test_a_new_signer_is_looked_up_at_once(authority: DevelopmentAuthority) -> None:
    """What documents wait for is fetched when its signer is seen for the first time, not at the next look around."""
    signer = authority.issue("H23", "Tỉnh").certificate
    for path in (authority.trust_folder / "crls").iterdir():
        path.unlink()
    (authority.trust_folder / ADDRESSES).unlink()
    store = TrustStore.load(authority.trust_folder)
    async with (
        DevelopmentServer(authority),
        Refresher(authority.trust_folder, patience=Patience(look=600)) as refresher,
    ):
        await until(lambda: any((authority.trust_folder / "crls").iterdir()))
        refresher.remember(signer)
        await until(lambda: verdict(signer, store.current()) is Verdict.VALID)


async def test_one_answer_brings_back_all(folder: Path, hierarchy: Hierarchy, mirror: Mirror) -> None:
    """Of thousands of OCSP answers one at a time finds out whether the responder is back; then all are asked for."""
    place = x509.AccessDescription(
        x509.oid.AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(mirror.url)
    )
    point = (x509.AuthorityInformationAccess([place]), False)
    signers = {one.serial_number: one for one in (hierarchy.signer(others=[point]).certificate for _ in range(20))}
    mirror.status = 503
    patience = Patience(first_retry=0.2, last_retry=0.2, look=0.02)

    def answer(request: bytes) -> bytes:
        serial = ocsp.load_der_ocsp_request(request).serial_number
        return hierarchy.answer(signers[serial]).public_bytes(Encoding.DER)

    async with Refresher(folder, patience=patience) as refresher:
        for signer in signers.values():
            refresher.remember(signer)
        await until(lambda: mirror.asked >= 22)
        mirror.answer, mirror.status, asked = answer, 200, mirror.asked
        await until(lambda: len(list((folder / "ocsp").glob("fetched-*"))) == 20)
        assert mirror.asked - asked <= 21
    store = TrustStore.load(folder)
    assert {verdict(signer, store) for signer in signers.values()} == {Verdict.VALID}


async def test_a_slow_server_delays_no_judgement(folder: Path, hierarchy: Hierarchy, mirror: Mirror) -> None:
    """While a server takes its time, judgements are made from what is at hand, at once; when it answers, anew."""
    signer = hierarchy.signer().certificate
    store = TrustStore.load(folder)
    mirror.gate.clear()
    mirror.body = der(hierarchy.crl(hierarchy.sub))
    async with Refresher(folder, urls=[mirror.url], patience=HURRY):
        await mirror.waiting.wait()
        begun = time.monotonic()
        assert verdict(signer, store.current()) is Verdict.INDETERMINATE
        assert time.monotonic() - begun < 1
        mirror.gate.set()
        await until(lambda: verdict(signer, store.current()) is Verdict.VALID)


async def test_a_server_that_never_answers_is_given_up(folder: Path, mirror: Mirror) -> None:
    """Patience has an end, in connecting and in every byte."""
    mirror.gate.clear()
    (outcome,) = await Refresher(folder, urls=[mirror.url], patience=Patience(answer=0.2)).refresh()
    assert outcome.trouble is not None


async def test_a_slow_server_holds_up_no_other(folder: Path, hierarchy: Hierarchy, mirror: Mirror) -> None:
    """Every address has a task of its own: a good server is not behind a slow one."""
    other = Mirror("")
    application = web.Application()
    application.router.add_get("/{path:.*}", other.respond)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    other.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    other.body = der(hierarchy.crl(hierarchy.sub))
    mirror.gate.clear()
    slow = [f"{mirror.url}/{number}" for number in range(5)]
    try:
        # On a busy machine the slow ones must not be given up, or asked a second time, before all is seen.
        async with Refresher(folder, urls=[*slow, other.url], patience=replace(HURRY, answer=60.0, hurry=60.0)):
            await until(lambda: other.asked >= 2)
            assert verdict(hierarchy.signer().certificate, TrustStore.load(folder)) is Verdict.VALID
            assert mirror.asked <= 2
    finally:
        await runner.cleanup()


async def test_a_dead_server_is_tried_again(authority: DevelopmentAuthority) -> None:
    """What a dead server left unknown is settled by itself when the server is back."""
    signer = authority.issue("H23", "Tỉnh").certificate
    for path in (authority.trust_folder / "crls").iterdir():
        path.unlink()
    store = TrustStore.load(authority.trust_folder)
    assert authority.url is not None
    labels = {"host": authority.url.removeprefix("http://")}

    def failures() -> float:
        return REGISTRY.get_sample_value("lienthong_trust_refresh_failed_total", labels) or 0

    async with Refresher(authority.trust_folder, patience=HURRY):
        await until(lambda: failures() >= 4)
        assert verdict(signer, store.current()) is Verdict.INDETERMINATE
        async with DevelopmentServer(authority):
            await until(lambda: verdict(signer, store.current()) is Verdict.VALID)


async def test_known_signers_are_asked_about(authority: DevelopmentAuthority) -> None:
    """An OCSP answer about a signer seen before is fetched, kept, and decides without any list."""
    signer = authority.issue("H23", "Tỉnh").certificate
    (authority.trust_folder / ADDRESSES).unlink()
    refresher = Refresher(authority.trust_folder)
    refresher.remember(signer)
    async with DevelopmentServer(authority):
        outcomes = await refresher.refresh()
        assert {outcome.trouble for outcome in outcomes} == {None}
        for path in (authority.trust_folder / "crls").glob("*issuing*"):
            path.unlink()
        for path in (authority.trust_folder / "crls").glob("fetched-*"):
            if b"Issuing" in path.read_bytes():
                path.unlink()
        assert verdict(signer, TrustStore.load(authority.trust_folder)) is Verdict.VALID
        authority.revoke(signer)
        (authority.trust_folder / "crls/issuing.crl").unlink()
        await refresher.refresh()
        assert verdict(signer, TrustStore.load(authority.trust_folder)) is Verdict.INVALID


async def test_each_warning_is_logged_once(folder: Path, hierarchy: Hierarchy, mirror: Mirror) -> None:
    """What an operator has to see to is said when it begins, and again only when it comes back."""
    mirror.body = der(hierarchy.crl(hierarchy.sub))
    mirror.gate.clear()
    with structlog.testing.capture_logs() as logs:
        async with Refresher(folder, urls=[mirror.url], patience=HURRY):
            await mirror.waiting.wait()
            mirror.gate.set()
            await until(lambda: mirror.asked >= 3)
    said = [entry for entry in logs if entry["event"] == "trust_attention"]
    assert [entry["subject"] for entry in said] == [hierarchy.sub.certificate.subject.rfc4514_string()]
    assert "no authentic CRL" in said[0]["reason"]


async def test_operators_see_what_expires(folder: Path, hierarchy: Hierarchy, mirror: Mirror) -> None:
    """Days left of certificates, and the age and remaining time of lists, are metrics."""
    mirror.body = der(hierarchy.crl(hierarchy.sub))
    labels = {"authority": hierarchy.sub.certificate.subject.rfc4514_string()}

    def value(name: str) -> float:
        return REGISTRY.get_sample_value(f"lienthong_trust_{name}", labels) or 0

    async with Refresher(folder, urls=[mirror.url], patience=HURRY):
        await until(lambda: value("crl_age_seconds") > 0)
    assert 364 <= value("days_left") <= 365
    assert 86400 <= value("crl_age_seconds") <= 86500
    assert 5 * 86400 < value("crl_left_seconds") <= 6 * 86400
