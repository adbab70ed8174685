"""An operator's decisions about one agency: let in, suspended, let in again, another credential.

The ledger is changed first, with an entry of who decided what; then the broker. A decision that was cut short in
between is completed by the same command again, which adds no second entry.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lienthong.access.broker import close_connections, let_in, shut_out
from lienthong.bus.connection import Bus
from lienthong.document.codes import is_agency_code
from lienthong.errors import LienThongError, MisconfiguredError
from lienthong.ledger.access import Participant
from lienthong.topology.plan import agency_plan, exchange_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from lienthong.access.broker import Place
    from lienthong.bus.admin import BrokerAdmin
    from lienthong.ledger.access import Decision, Login
    from lienthong.ledger.ledger import Ledger
    from lienthong.settings import AccessSettings

__all__ = ["Admission", "Admitted", "NotPossibleError"]

PASSWORD_BYTES = 24


class NotPossibleError(LienThongError):
    """The agency is not in a state in which this can be done to it; the text says what to do instead."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a decision came to.

    Attributes:
        participant: the agency, as it is now.
        decided: whether the ledger was changed; else it was so before, and the broker was made to agree.
        password: a new password, to be handed to the agency and kept nowhere; None when there is no new one.
    """

    participant: Participant
    decided: bool
    password: str | None = None


class Admission:
    """Carries out an operator's decisions.

    Args:
        admin: an administrator of the broker.
        ledger: the ledger, as its owner.
        urls: AMQP addresses of the exchange itself, which declares the queues.
        place: what they have in common.
        settings: how agencies get in.
        by: who decides; goes into the history.
    """

    def __init__(
        self, admin: BrokerAdmin, ledger: Ledger, urls: str, place: Place, settings: AccessSettings, *, by: str
    ) -> None:
        self._admin, self._ledger, self._urls, self._place = admin, ledger, urls, place
        self._settings, self._by = settings, by

    async def add(
        self,
        code: str,
        *,
        name: str | None = None,
        kind: str | None = None,
        parent: str | None = None,
        login: Login | None = None,
    ) -> Admitted:
        """Let an agency in: directory, user, permissions, limits, queues.

        One that is not connected yet is on trial then. Official it becomes by `Registry.stage` alone, which asks for
        everything that has to be there (`lienthong.access.standing`).

        Args:
            code: its canonical code, which becomes its user's name.
            name: its name; may be left out when it is in the directory.
            kind: what kind of body it is.
            parent: the agency above it, where its code does not tell.
            login: how it logs in; as before, or by certificate, when left out.

        Raises:
            NotPossibleError: it is suspended, or the code is another agency's, or it has no name.
            MisconfiguredError: passwords are not allowed, or a server refuses.
            Unavailable: a server does not answer; nothing is lost by doing it again.
        """
        if not is_agency_code(code):
            raise NotPossibleError(f"{code}: không phải mã cơ quan / no agency code")

        def admitted(before: Participant | None) -> Participant:
            if before is None and not name:
                raise NotPossibleError(
                    f"{code}: chưa có trong danh mục, cần --name / not in the directory, give --name"
                )
            if before is not None and before.stage == "suspended":
                raise NotPossibleError(
                    f"{code}: đang bị đình chỉ, dùng / is suspended, use: lienthong agency resume {code}"
                )
            known = before or Participant(code, name or "")
            return replace(
                known,
                name=name or known.name,
                kind=known.kind if kind is None else kind,
                parent=known.parent if parent is None else parent,
                stage=known.stage if known.connected else "trial",
                login=self._allowed(login or known.login or "certificate"),
            )

        before, after = await self._decide("AgencyAdmitted", code, admitted, {})
        async with Bus(self._urls, name="lienthong agency add") as bus:
            await bus.declare(exchange_plan() + agency_plan(code))
        was = before.login if before else None
        password = await self._give_login(after, renew=was != after.login)
        await let_in(self._admin, self._place.vhost, code, self._settings)
        return Admitted(after, before != after, password)

    async def suspend(self, code: str, *, reason: str) -> Admitted:
        """Shut an agency out at once: nothing is taken from it or delivered to it, its connections are closed.

        What is in its queues, and its credential, stay for when it is resumed.

        Raises:
            NotPossibleError: there is no such agency.
        """

        def suspended(before: Participant | None) -> Participant:
            known = _known(code, before)
            if known.stage == "suspended":
                return known
            return replace(known, stage="suspended", suspended_from=known.stage)

        before, after = await self._decide("AgencySuspended", code, suspended, {"reason": reason})
        await shut_out(self._admin, self._place.vhost, after.code)
        return Admitted(after, before != after)

    async def resume(self, code: str) -> Admitted:
        """Let a suspended agency in again, as it was before.

        Raises:
            NotPossibleError: there is no such agency, or its user is gone from the broker.
        """

        def resumed(before: Participant | None) -> Participant:
            known = _known(code, before)
            if known.stage != "suspended":
                return known
            return replace(known, stage=known.suspended_from or "registered", suspended_from=None)

        before, after = await self._decide("AgencyResumed", code, resumed, {})
        if after.connected:
            password = await self._give_login(after, renew=False)
            await let_in(self._admin, self._place.vhost, after.code, self._settings)
            return Admitted(after, before != after, password)
        return Admitted(after, before != after)

    async def rotate_credential(self, code: str, *, login: Login | None = None) -> Admitted:
        """Make the credential an agency has been using worthless, as far as the broker can, and close its connections.

        A password is replaced, or ends for good when the agency changes to certificates. An old *certificate* ends by
        its authority's revocation, once the broker has the CRL, or on its last day: the broker knows the name in it,
        not the certificate.

        Args:
            code: the agency.
            login: how it shall log in from now on; as before when left out.

        Raises:
            NotPossibleError: there is no such agency, or it was never let in.
        """

        def rotated(before: Participant | None) -> Participant:
            known = _known(code, before)
            if known.login is None and login is None:
                raise NotPossibleError(
                    f"{code}: chưa từng được cấp quyền, dùng / was never let in, use: lienthong agency add {code}"
                )
            return replace(known, login=self._allowed(login or known.login or "certificate"))

        _, after = await self._decide("CredentialRotated", code, rotated, {}, always=True)
        password = await self._give_login(after, renew=True)
        await close_connections(self._admin, after.code)
        return Admitted(after, decided=True, password=password)

    async def _decide(
        self,
        decision: Decision,
        code: str,
        change: Callable[[Participant | None], Participant],
        facts: dict[str, str],
        *,
        always: bool = False,
    ) -> tuple[Participant | None, Participant]:
        """Change the ledger; returns the agency before and after."""
        async with self._ledger.access() as unit:
            before = await unit.participant(code)
            if before is not None and before.code != code and decision == "AgencyAdmitted":
                raise NotPossibleError(f"{code}: là mã của / is a code of {before.code}")
            after = change(before)
            if always or after != before:
                await unit.write(after)
                about = {"stage": after.stage, "login": after.login, "name": after.name}
                await unit.note(decision, after.code, {"by": self._by, **about, **facts})
            return before, after

    async def _give_login(self, agency: Participant, *, renew: bool) -> str | None:
        """Make its user one that can log in as the ledger says; returns its new password when it got one."""
        user = (await self._admin.users()).get(agency.code)
        if agency.login == "password":
            if user is not None and user.password_hash and not renew:
                return None
            password = secrets.token_urlsafe(PASSWORD_BYTES)
            await self._admin.put_user(agency.code, password)
            return password
        # One that nobody has let in by this command may have a password; that is left as it is.
        if user is None or user.tags or (agency.login == "certificate" and user.password_hash):
            await self._admin.put_user(agency.code, None)
        return None

    def _allowed(self, login: Login) -> Login:
        if login == "password" and not self._settings.passwords:
            raise MisconfiguredError(
                "không cho phép dùng mật khẩu; dùng --certificate-only, hoặc đặt / passwords are not allowed; use "
                "--certificate-only, or set LIENTHONG_ACCESS_PASSWORDS=true"
            )
        return login


def _known(code: str, agency: Participant | None) -> Participant:
    if agency is None:
        raise NotPossibleError(f"{code}: không có cơ quan này trong danh mục / no such agency in the directory")
    return agency
