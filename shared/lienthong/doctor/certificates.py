"""Certificates that end: of the broker and who connects to it, of agencies, of authorities; and stale lists."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography import x509

from lienthong.bus.link import addresses_of
from lienthong.doctor.findings import Finding, Words
from lienthong.errors import MisconfiguredError
from lienthong.settings import BrokerSettings, TrustSettings
from lienthong.trust import TrustStore
from lienthong.trust.report import states

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lienthong.doctor.patient import Patient

__all__ = ["check_agencies", "check_connections", "check_trust"]

SOON = timedelta(days=30)
CONNECT_SECONDS = 10.0
HTTPS, AMQPS = 443, 5671


async def check_connections(patient: Patient) -> list[Finding]:
    """Return the certificates of TLS that have ended or soon will: the broker's, and our own."""
    now = patient.instruments.clock()
    found: list[Finding] = []
    serve = Words(
        "cấp chứng thư mới cho RabbitMQ, thay tệp, rồi: rabbitmqctl eval 'ssl:clear_pem_cache().'",
        "issue the broker a new one, replace the file, then: rabbitmqctl eval 'ssl:clear_pem_cache().'",
    )
    for host, port, _ in _servers():
        try:
            served = await _served(host, port)
        except (OSError, TimeoutError, ValueError):
            # That it does not answer is found by who connects to it.
            continue
        found += _ending("connections", f"{host}:{port}", served, now, serve)
    renew = Words("cấp chứng thư mới và thay tệp này", "issue a new one and replace this file")
    for file in dict.fromkeys(own for _, _, own in _servers() if own):
        try:
            certificate = x509.load_pem_x509_certificate(await asyncio.to_thread(Path(file).read_bytes))
        except (OSError, ValueError) as error:
            what = Words(f"không đọc được: {error}", f"it cannot be read: {error}")
            found.append(Finding("connections", "error", file, what, renew))
        else:
            found += _ending("connections", file, certificate, now, renew)
    return found


async def check_agencies(patient: Patient) -> list[Finding]:
    """Return the connected agencies whose last certificate in the directory has ended or soon will."""
    assert patient.ledger
    now = patient.instruments.clock()
    return [
        Finding(
            "agencies",
            "error" if until < now else "warning",
            code,
            Words(
                f"{name}: chứng thư số cuối cùng hết hạn {until:%Y-%m-%d}",
                f"{name}: its last certificate ends {until:%Y-%m-%d}",
            ),
            Words(
                f"xin chứng thư mới rồi: lienthong agency certificate {code} FILE.pem",
                f"ask for a new one, then: lienthong agency certificate {code} FILE.pem",
            ),
        )
        for code, name, until in await patient.ledger.ending_certificates(now + SOON)
    ]


async def check_trust(patient: Patient) -> list[Finding]:
    """Return the authorities that end, the lists that are stale or missing, and the files that cannot be used."""
    now = patient.instruments.clock()
    try:
        store = await asyncio.to_thread(TrustStore.load, TrustSettings().folder)
    except MisconfiguredError:
        # The configuration says so.
        return []
    renew = Words(
        "nhập chứng thư mới của tổ chức này: lienthong trust import FILE",
        "import the authority's new certificate: lienthong trust import FILE",
    )
    refresh = Words(
        "lienthong trust refresh, xem địa chỉ nào lỗi; hoặc lienthong trust import CRL",
        "lienthong trust refresh, see which address fails; or lienthong trust import CRL",
    )
    found = []
    for state in states(store, now):
        if state.days_left < 0:
            # What it signed is judged by what was known then: no fresh list is needed of it.
            what = Words("chứng thư số đã hết hạn", "its certificate has expired")
            found.append(Finding("trust", "warning", state.name, what, renew))
            continue
        for warning in state.warnings:
            stale = warning in state.revocation_warnings
            remedy = refresh if stale else renew
            found.append(Finding("trust", "error" if stale else "warning", state.name, Words.of(warning), remedy))
    for problem in store.problems:
        remedy = Words(
            f"xoá hoặc thay tệp trong {TrustSettings().folder}",
            f"remove or replace the file in {TrustSettings().folder}",
        )
        found.append(Finding("trust", "warning", problem, Words("không dùng được", "it cannot be used"), remedy))
    return found


def _servers() -> Iterator[tuple[str, int, str | None]]:
    """Yield what is connected to by TLS: host, port, the file of our own certificate."""
    settings = BrokerSettings()
    for url in addresses_of(settings.url.get_secret_value()):
        if url.scheme == "amqps" and url.host:
            yield url.host, url.explicit_port or AMQPS, url.query.get("certfile")
    for text in settings.management_url.get_secret_value().split(","):
        place = urlsplit(text.strip())
        if place.scheme == "https" and place.hostname:
            yield place.hostname, place.port or HTTPS, None


async def _served(host: str, port: int) -> x509.Certificate:
    """Return the certificate that a server shows, valid or not: it is only looked at.

    It shows it before it asks for one of ours.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with asyncio.timeout(CONNECT_SECONDS):
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
    return x509.load_der_x509_certificate(shown)


def _ending(check: str, subject: str, certificate: x509.Certificate, now: datetime, remedy: Words) -> Iterator[Finding]:
    until = certificate.not_valid_after_utc
    if until > now + SOON:
        return
    name = certificate.subject.rfc4514_string()
    vi, en = ("đã hết hạn", "ended") if until <= now else ("sẽ hết hạn", "ends")
    what = Words(f"chứng thư {name} {vi} {until:%Y-%m-%d}", f"certificate {name} {en} {until:%Y-%m-%d}")
    yield Finding(check, "error" if until <= now else "warning", subject, what, remedy)
