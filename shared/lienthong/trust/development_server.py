"""The HTTP services of a development authority: CRLs, OCSP (RFC 6960, appendix A) and time stamps (RFC 3161, 3.4)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

from aiohttp import web

from lienthong.errors import MisconfiguredError

if TYPE_CHECKING:
    from types import TracebackType

    from lienthong.trust.development import DevelopmentAuthority

__all__ = ["DevelopmentServer"]

LARGEST_REQUEST = 64 * 1024


class DevelopmentServer:
    """Serves at the address that the authority's certificates name, until its block ends.

    ``GET /crl/root.crl``, ``GET /crl/issuing.crl``, ``POST /ocsp``, ``GET /ocsp/<base64>``, ``POST /tsa``.
    """

    def __init__(self, authority: DevelopmentAuthority) -> None:
        self._authority = authority
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            MisconfiguredError: the authority has no address, or it cannot be had.
        """
        place = urlsplit(self._authority.url or "")
        if not place.hostname or not place.port:
            raise MisconfiguredError("the development authority was made without an address with a port")
        application = web.Application(client_max_size=LARGEST_REQUEST)
        application.router.add_get("/crl/{name:root|issuing}.crl", self._crl)
        application.router.add_post("/ocsp", self._ocsp)
        application.router.add_get("/ocsp/{request:.+}", self._ocsp_by_get)
        application.router.add_post("/tsa", self._stamp)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, place.hostname, place.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise MisconfiguredError(f"cannot listen on {place.hostname}:{place.port}: {error}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _crl(self, request: web.Request) -> web.Response:
        body = self._authority.crl(request.match_info["name"])
        return web.Response(body=body, content_type="application/pkix-crl")

    async def _ocsp(self, request: web.Request) -> web.Response:
        return self._answer(await request.read())

    async def _ocsp_by_get(self, request: web.Request) -> web.Response:
        try:
            return self._answer(base64.b64decode(unquote(request.match_info["request"]), validate=True))
        except binascii.Error:
            raise web.HTTPBadRequest from None

    def _answer(self, request: bytes) -> web.Response:
        return web.Response(body=self._authority.answer(request), content_type="application/ocsp-response")

    async def _stamp(self, request: web.Request) -> web.Response:
        body = self._authority.stamp(await request.read())
        return web.Response(body=body, content_type="application/timestamp-reply")
