"""The development authority and its HTTP services."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from lienthong.document.verdicts import Verdict
from lienthong.errors import MisconfiguredError
from lienthong.signature.pdf import Holder, holder_of
from lienthong.testing.hierarchy import Hierarchy
from lienthong.trust import DevelopmentAuthority, TrustStore, Usage, judge, judge_timestamp
from lienthong.trust.development_certificates import MARK
from lienthong.trust.development_server import DevelopmentServer
from lienthong.trust.development_stamps import request_stamp

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 15, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def authority(tmp_path: Path) -> DevelopmentAuthority:
    """Provide a development authority whose present is 15 November 2026."""
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return DevelopmentAuthority.create(tmp_path / "authority", url=f"http://127.0.0.1:{port}", clock=lambda: NOW)


def judged(authority: DevelopmentAuthority, certificate: x509.Certificate, at: dt.datetime = NOW) -> Verdict:
    """Return the verdict on a signer."""
    store = TrustStore.load(authority.trust_folder)
    assert store.problems == ()
    return judge(certificate, at=at, now=NOW, usage=Usage.SIGNATURE, store=store).verdict


def test_what_it_issues_is_believed_by_its_folder(authority: DevelopmentAuthority) -> None:
    """An agency's and a person's certificates are valid, name the agency, say whose and what they are not for."""
    for person in (False, True):
        credential = authority.issue("000.00.00.H23", "Nguyễn Văn A", person=person)
        assert judged(authority, credential.certificate) is Verdict.VALID
        name = credential.certificate.subject.rfc4514_string()
        assert "2.5.4.5=000.00.00.H23" in name
        assert MARK in name
        assert (holder_of(credential.certificate) is Holder.PERSON) is person
        assert authority.credential("000.00.00.H23", person=person).certificate == credential.certificate


def test_it_can_have_existed_for_long(tmp_path: Path) -> None:
    """Documents signed before today need certificates that were valid then."""
    since = NOW - 500 * DAY
    authority = DevelopmentAuthority.create(tmp_path / "a", since=since, clock=lambda: NOW)
    certificate = authority.issue("H23", "Tỉnh").certificate
    assert judged(authority, certificate, since + DAY) is Verdict.VALID


def test_revoking_holding_and_releasing_are_published(authority: DevelopmentAuthority) -> None:
    """What is revoked or held is refused from then on, a lifted hold counts as never held, also after opening again."""
    certificate = authority.issue("H23", "Tỉnh").certificate
    authority.revoke(certificate, reason=x509.ReasonFlags.certificate_hold)
    assert judged(authority, certificate) is Verdict.INVALID
    authority = DevelopmentAuthority.load(authority.folder, clock=lambda: NOW)
    authority.revoke(certificate, reason=x509.ReasonFlags.remove_from_crl)
    assert judged(authority, certificate) is Verdict.VALID
    authority.revoke(certificate, at=NOW - dt.timedelta(minutes=10))
    assert judged(authority, certificate) is Verdict.INVALID
    assert judged(authority, certificate, NOW - dt.timedelta(minutes=11)) is Verdict.VALID
    other = authority.issue("G22", "Bộ").certificate
    authority.revoke(authority.issuing)
    assert judged(authority, other) is Verdict.INVALID


def test_one_folder_holds_one_authority(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    """An authority is not overwritten, one that is not there is not opened, and codes stay within the folder."""
    with pytest.raises(MisconfiguredError, match="already"):
        DevelopmentAuthority.create(authority.folder)
    with pytest.raises(MisconfiguredError, match="no development authority"):
        DevelopmentAuthority.load(tmp_path / "nowhere")
    for code in ("../H23", "", "a/b"):
        with pytest.raises(MisconfiguredError, match="not an agency code"):
            authority.issue(code, "?")
    with pytest.raises(MisconfiguredError, match="no development certificate"):
        authority.credential("H99")


async def test_its_services_answer_over_http(authority: DevelopmentAuthority) -> None:
    """Lists, OCSP by POST and GET, and time stamps are served at the address in the certificates."""
    certificate = authority.issue("H23", "Tỉnh").certificate
    question = ocsp.OCSPRequestBuilder().add_certificate(certificate, authority.issuing, hashes.SHA256()).build()
    asked = question.public_bytes(Encoding.DER)
    async with DevelopmentServer(authority), aiohttp.ClientSession(authority.url) as session:
        async with session.get("/crl/issuing.crl") as response:
            assert x509.load_der_x509_crl(await response.read()).issuer == authority.issuing.subject
        async with session.post("/ocsp", data=asked) as response:
            posted = ocsp.load_der_ocsp_response(await response.read())
        async with session.get(f"/ocsp/{quote(base64.b64encode(asked).decode(), safe='')}") as response:
            got = ocsp.load_der_ocsp_response(await response.read())
        assert posted.certificate_status == got.certificate_status == ocsp.OCSPCertStatus.GOOD
        async with session.get("/ocsp/!!!") as response:
            assert response.status == 400
        async with session.post("/tsa", data=request_stamp(b"data")) as response:
            token = await response.read()
        with pytest.raises(MisconfiguredError, match="cannot listen"):
            async with DevelopmentServer(authority):
                pass
    found = judge_timestamp(token, imprint_of=b"data", now=NOW, store=TrustStore.load(authority.trust_folder))
    assert (found.time, found.judgement.verdict) == (NOW, Verdict.VALID)


def test_it_answers_about_its_own_only(authority: DevelopmentAuthority) -> None:
    """A question about another authority's certificate, or junk, gets OCSP's own refusals."""
    stranger = Hierarchy(NOW)
    builder = ocsp.OCSPRequestBuilder()
    question = builder.add_certificate(stranger.signer().certificate, stranger.sub.certificate, hashes.SHA1()).build()  # noqa: S303
    answer = ocsp.load_der_ocsp_response(authority.answer(question.public_bytes(Encoding.DER)))
    assert answer.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED
    junk = ocsp.load_der_ocsp_response(authority.answer(b"junk"))
    assert junk.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


async def test_without_an_address_nothing_is_served(tmp_path: Path) -> None:
    """An authority made without an address says so when asked to serve."""
    authority = DevelopmentAuthority.create(tmp_path / "a")
    with pytest.raises(MisconfiguredError, match="address"):
        async with DevelopmentServer(authority):
            pass
