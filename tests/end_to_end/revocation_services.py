"""Authorities whose revocation services fail when told to, each in a way of its own."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, Self, get_args

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from lienthong.signature import FileSigner
from lienthong.testing.hierarchy import Hierarchy, Revocation
from lienthong.testing.processes import free_ports
from lienthong.trust import Credential, DevelopmentAuthority, TrustStore, Usage, judge

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from cryptography import x509

    from lienthong.document.verdicts import Verdict

Failure = Literal[
    "down", "silent", "junk", "other list", "forged list", "older list", "stale list", "other answer", "stale answer"
]
FAILURES: tuple[Failure, ...] = get_args(Failure)
BY_ANSWER = {"other answer", "stale answer"}
"""Where nothing but OCSP says whether a certificate is revoked."""

Key = Literal["right", "lost", "revoked"]
"""What becomes of it: nothing; found revoked after the outage, since the day before; known so before it."""
KEYS: tuple[Key, ...] = get_args(Key)

GOOD_FOR = timedelta(seconds=12)
"""How long a list or an answer is good: the outage bites soon."""
DAY = timedelta(days=1)


def now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)


class Authority:
    """An authority of one agency, with keys for it and a server of its own; an async context manager that serves.

    Args:
        folder: where it is kept.
        agency: the agency's code.
        failure: how its services fail.
        stranger: another authority that is trusted as well.
    """

    def __init__(self, folder: Path, agency: str, failure: Failure, stranger: Hierarchy) -> None:
        (self._port,) = free_ports(1)
        self._made = DevelopmentAuthority.create(folder, url=f"http://127.0.0.1:{self._port}")
        self._issuing = Credential.load(folder / "private" / "issuing")
        self._lists = Hierarchy(now())
        self._stranger = stranger
        self._credentials = {key: self._made.issue(agency, f"Văn thư {agency} ({key})") for key in KEYS}
        self._revoked: set[Key] = {"revoked"}
        self._runner: web.AppRunner | None = None
        self._back = asyncio.Event()
        self._back.set()
        self.agency = agency
        self.failure = failure
        self.tried = 0
        """How often something was asked for while the services failed."""

    def signer(self, key: Key) -> FileSigner:
        """Return what signs with a key of the agency."""
        credential = self._credentials[key]
        return FileSigner(credential.key, (credential.certificate,))

    def trusted_in(self, folder: Path) -> None:
        """Have it trusted: by its certificates, and with the list of its root, which is good for long."""
        for place in ("roots/root.crt", "intermediates/issuing.crt", "crls/root.crl"):
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self._made.trust_folder / place, target.with_name(f"{self.agency}-{target.name}"))

    def verdict(self, key: Key, store: TrustStore) -> Verdict:
        """Return what is believed of a key now."""
        certificate = self._credentials[key].certificate
        return judge(certificate, at=now(), now=now(), usage=Usage.SIGNATURE, store=store).verdict

    async def __aenter__(self) -> Self:
        """Serve."""
        application = web.Application()
        application.router.add_get("/crl/root.crl", self._root)
        application.router.add_get("/crl/issuing.crl", self._list)
        application.router.add_post("/ocsp", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._back.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def fail(self) -> None:
        """Fail from now on."""
        self._back.clear()
        if self.failure == "down":
            assert self._runner is not None
            await self._runner.cleanup()
            self._runner = None

    async def come_back(self) -> None:
        """Serve rightly again, and say that the lost key is revoked since yesterday."""
        self._revoked |= {"lost"}
        self._back.set()
        if self._runner is None:
            await self.__aenter__()

    async def _root(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._made.crl("root"))

    async def _list(self, _request: web.Request) -> web.Response:
        if self.failure in BY_ANSWER:
            raise web.HTTPNotFound
        if not self._back.is_set():
            self.tried += 1
            if self.failure != "silent":
                return web.Response(body=self._wrong_list())
            # As the national services have done, which took 131 s.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._back.wait(), 131)
        return web.Response(body=self._crl())

    def _wrong_list(self) -> bytes:
        match self.failure:
            case "other list":
                return _der(self._stranger.crl(self._stranger.sub, since=now()))
            case "forged list":
                return self._crl(key=ec.generate_private_key(ec.SECP256R1()))
            case "older list":
                return self._crl(since=now() - 3 * DAY, until=now() + 30 * DAY, empty=True)
            case "stale list":
                return self._crl(until=now() - DAY / 2)
            case _:
                return "<html>Hệ thống đang bảo trì</html>".encode()

    def _crl(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        key: ec.EllipticCurvePrivateKey | None = None,
        empty: bool = False,
    ) -> bytes:
        revoked = (
            [] if empty else [Revocation(self._credentials[one].certificate, now() - DAY) for one in self._revoked]
        )
        return _der(
            self._lists.crl(
                self._issuing, *revoked, since=since or now() - DAY, until=until or now() + GOOD_FOR, key=key
            )
        )

    async def _answer(self, request: web.Request) -> web.Response:
        if self.failure not in BY_ANSWER:
            raise web.HTTPNotFound
        serial = ocsp.load_der_ocsp_request(await request.read()).serial_number
        (key,) = (key for key in KEYS if self._credentials[key].certificate.serial_number == serial)
        if self._back.is_set():
            return web.Response(body=self._said(key, until=now() + GOOD_FOR))
        self.tried += 1
        if self.failure == "stale answer":
            return web.Response(body=self._said(key, until=now() - timedelta(minutes=1)))
        return web.Response(body=self._said("right" if key != "right" else "lost", until=now() + DAY))

    def _said(self, key: Key, *, until: datetime) -> bytes:
        revoked = key in self._revoked
        answer = self._lists.answer(
            self._credentials[key].certificate,
            ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
            issuer=self._issuing,
            since=until - timedelta(hours=1),
            until=until,
            revoked_at=now() - DAY if revoked else None,
        )
        return answer.public_bytes(Encoding.DER)


def _der(crl: x509.CertificateRevocationList) -> bytes:
    return crl.public_bytes(Encoding.DER)
