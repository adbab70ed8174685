"""Making the broker agree with the ledger and the plan, as far as nothing can be lost by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lienthong.access.broker import close_connections, let_in, shut_out
from lienthong.bus.admin import FULL_PERMISSIONS
from lienthong.bus.connection import Bus
from lienthong.topology.plan import Plan

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

    No queue, exchange or user is ever deleted. Connections of an agency whose rights were wrong are closed: an open
    channel keeps what it had.

    Raises:
        MisconfiguredError: a server refuses.
        Unavailable: a server does not answer; what was mended until then stays mended.
    """
    mendable = [one for one in found if not one.remedy]
    # Users first: declaring is done by one of them.
    for user in dict.fromkeys(one.user for one in mendable if one.user):
        await _mend_user(user, [one for one in mendable if one.user == user], wanted, admin, place)
    missing = sum((one.declare for one in mendable), start=Plan())
    if missing != Plan():
        async with Bus(urls, name="lienthong topology apply") as bus:
            await bus.declare(missing)
    for one in mendable:
        if one.unbind:
            await admin.delete_binding(place.vhost, one.unbind)
    return mendable


async def _mend_user(user: str, found: Sequence[Difference], wanted: Wanted, admin: BrokerAdmin, place: Place) -> None:
    things = {one.thing for one in found}
    if user == place.user:
        if "user" in things:
            await admin.put_user(user, place.password)
        await admin.set_permissions(place.vhost, user, FULL_PERMISSIONS)
        return
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
