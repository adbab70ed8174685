"""A letter as the call of a webhook: JSON by HTTPS, signed; see `lienthong.document.webhooks` for what is in it.

An agency names the URL, and this runs within the exchange's network: so no redirect is followed, no proxy and no cookie
is used, no answer is read, and an address is looked at after its name was resolved, for the very connection that is
made: a name that leads to a private address, now or at the second look, is refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from typing import TYPE_CHECKING, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from lienthong.document.webhooks import WebhookCall, WebhookNotice, headers_of, key_of
from lienthong.errors import Unavailable
from lienthong_notifier.words import said

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType

    from lienthong.ledger.letters import Letter
    from lienthong.settings import NotifierSettings

__all__ = ["WebhookSender", "is_public"]

ANSWER_SECONDS = 10.0
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class WebhookSender:
    """Calls webhooks; a block holds its connections."""

    def __init__(self, settings: NotifierSettings) -> None:
        self._settings = settings
        self._secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
        self._tls = ssl.create_default_context(cafile=settings.authorities)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        resolver = None if self._settings.webhook_private else _PublicOnly()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, resolver=resolver, use_dns_cache=False, force_close=True),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, letter: Letter, at: datetime) -> None:
        """Call a webhook once.

        Raises:
            Unavailable: it cannot be reached or believed, may not be called, or does not answer with success.
        """
        assert self._session is not None
        url = URL(letter.target)
        self._allow(url)
        body = call_of(letter).encode()
        headers = headers_of(key_of(self._secret, letter.agency, letter.target), letter.letter, at, body)
        headers |= {"content-type": "application/json; charset=utf-8", "user-agent": "lienthong-notifier"}
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
        except TimeoutError as error:
            raise Unavailable(f"no answer within {ANSWER_SECONDS:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error
        if not 200 <= status < 300:  # noqa: PLR2004 - RFC 9110, 15.3: 2xx is success
            raise Unavailable(f"HTTP {status}")

    def _allow(self, url: URL) -> None:
        if url.scheme != "https" and not (url.scheme == "http" and self._settings.webhook_http):
            raise Unavailable("chỉ gọi https / only https is called (LIENTHONG_NOTIFIER_WEBHOOK_HTTP)")
        # A literal address is not resolved, so nobody else looks at it.
        literal = (url.host or "").partition("%")[0]
        try:
            public = is_public(literal)
        except ValueError:
            return
        if not public and not self._settings.webhook_private:
            raise Unavailable(PRIVATE.format(host=literal))


PRIVATE = "{host}: không gọi địa chỉ nội bộ / no private address is called (LIENTHONG_NOTIFIER_WEBHOOK_PRIVATE)"


def call_of(letter: Letter) -> WebhookCall:
    """Return what a webhook is told."""
    notices = []
    for one in letter.announcements:
        words = said(one)
        notices.append(
            WebhookNotice(
                cause=one.cause,
                topic=one.topic,
                kind=one.kind,
                document=one.document,
                document_id=one.document_id or one.facts.get("document_id"),
                code=one.code,
                sender=one.sender,
                vi=words.vi,
                en=words.en,
                caused_at=one.caused_at,
            )
        )
    return WebhookCall(id=letter.letter, agency=letter.agency, notices=tuple(notices))


def is_public(address: str) -> bool:
    """Tell whether an address is one of the public Internet, in whatever form; ValueError when it is none."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        embedded = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if embedded is None and found in NAT64:
            embedded = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if embedded is not None:
            return is_public(str(embedded))
    return found.is_global and not found.is_multicast


class _PublicOnly(AbstractResolver):
    """Resolves names to public addresses; of one that has others none is used."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results: list[ResolveResult] = []
        for kind, _, protocol, _, address in found:
            if not is_public(str(address[0])):
                raise OSError(None, PRIVATE.format(host=f"{host} ({address[0]})"))
            results.append(
                ResolveResult(
                    hostname=host,
                    host=str(address[0]),
                    port=port,
                    family=kind,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST,
                )
            )
        return results

    async def close(self) -> None:
        """Do nothing: it holds nothing."""
