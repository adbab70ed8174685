"""Making the broker agree with the ledger and the plan, as far as nothing can be lost by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lienthong.access.broker import close_connections, grant, let_in, shut_out
from lienthong.bus.connection import Bus
from lienthong.topology.plan import Plan
from lienthong.topology.rights import OWN_USERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lienthong.access.broker import Place
    from lienthong.access.drift import Difference, Wanted
    from lienthong.bus.admin import BrokerAdmin

__all__ = ["mend"]


async def mend(
    found: Sequence[Difference], wanted: Wanted, *, admin: BrokerAdmin, urls: str, place: Place
) -> list[Difference]:
    """Mend what has no remedy of its own; returns what was mended.

    No queue or user is ever deleted; exchange ``submission`` is when it is of another kind, to be made anew at once: it
    keeps no messages, and the broker closes the channel of who publishes there in between. Connections of a user whose
    rights were wrong are closed: an open channel keeps what it had. A worker connects again by itself.

    Raises:
        MisconfiguredError: a server refuses.
        Unavailable: a server does not answer; what was mended until then stays mended.
    """
    mendable = [one for one in found if not one.remedy]
    # Users first: declaring is done by one of them.
    for user in dict.fromkeys(one.user for one in mendable if one.user):
        mend_user = _mend_own if user in OWN_USERS else _mend_agency
        await mend_user(user, [one for one in mendable if one.user == user], wanted, admin, place)
    replaced = {one.name: one.declare for one in mendable if one.replace}
    missing = sum((one.declare for one in mendable if not one.replace), start=Plan())
    if missing != Plan() or replaced:
        async with Bus(urls, name="lienthong topology apply") as bus:
            # Where what is published to the new one goes on to stands before it does.
            await bus.declare(missing)
            for exchange, anew in replaced.items():
                await admin.delete_exchange(place.vhost, exchange)
                await bus.declare(anew)
    for one in mendable:
        if one.unbind and one.unbind.source not in replaced:
            await admin.delete_binding(place.vhost, one.unbind)
    return mendable


async def _mend_own(user: str, found: Sequence[Difference], wanted: Wanted, admin: BrokerAdmin, place: Place) -> None:
    things = {one.thing for one in found}
    if things & {"user", "password"}:
        await admin.put_user(user, wanted.logins[user])
    elif "tags" in things:
        await admin.clear_tags((await admin.users())[user])
    await grant(admin, place.vhost, user, wanted.rights[user])
    if any(one.kind == "wrong" for one in found):
        await close_connections(admin, user)


async def _mend_agency(
    user: str, found: Sequence[Difference], wanted: Wanted, admin: BrokerAdmin, place: Place
) -> None:
    things = {one.thing for one in found}
    if not wanted.participants[user].connected:
        await shut_out(admin, place.vhost, user)
        return
    if things & {"user", "password"}:
        await admin.put_user(user, None)
    elif "tags" in things:
        await admin.clear_tags((await admin.users())[user])
    await let_in(admin, place.vhost, user, wanted.settings)
    if any(one.kind == "wrong" and one.thing != "limits" for one in found):
        await close_connections(admin, user)
