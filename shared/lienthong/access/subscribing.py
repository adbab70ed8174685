"""Who is told what by mail and webhook: an operator's decisions, checked before they are written."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING

from yarl import URL

from lienthong.access.admission import NotPossibleError
from lienthong.ledger.letters import AGENCY_TOPICS, OPERATOR_TOPICS, Subscription

if TYPE_CHECKING:
    from lienthong.ledger.access import AccessUnit
    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.letters import Channel, Subscribed

__all__ = ["Subscribing"]

_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
LONGEST = 254
"""Of an address of mail (RFC 5321, 4.5.3.1); a URL may have eight times that."""


class Subscribing:
    """Carries out what operators decide about subscriptions, each decision with its entry in the history.

    Args:
        ledger: the ledger, as its owner.
        by: who decides.
        http: whether a webhook may be called without TLS.
    """

    def __init__(self, ledger: Ledger, *, by: str, http: bool = False) -> None:
        self._ledger, self._by, self._http = ledger, by, http

    async def set(self, wanted: Subscription) -> bool:
        """Write a subscription; returns whether that changed anything.

        Raises:
            NotPossibleError: no such agency, topic or target; or the agency was merged, and nothing is told to it.
            Unavailable: the ledger does not answer.
        """
        target = wanted.target
        if wanted.channel == "mail" and (not _MAIL.fullmatch(target) or len(target) > LONGEST):
            raise NotPossibleError(f"{target}: không phải địa chỉ thư điện tử / is no address of mail")
        if wanted.channel == "webhook":
            self._require_url(target)
        allowed = OPERATOR_TOPICS if wanted.agency is None else AGENCY_TOPICS
        if unknown := [topic for topic in wanted.topics if topic not in allowed]:
            raise NotPossibleError(
                f"{', '.join(unknown)}: không có chủ đề này, hãy chọn / is no topic, choose from: {', '.join(allowed)}"
            )
        async with self._ledger.access() as unit:
            agency = await _known(unit, wanted.agency)
            merged = unit.directory.agency(agency) if agency is not None else None
            if merged is not None and (heir := unit.directory.heir(merged)) is not merged:
                raise NotPossibleError(
                    f"{agency}: đã sáp nhập, hãy đăng ký cho / was merged, have its successor told: {heir.code}"
                )
            topics = tuple(sorted(set(wanted.topics)))
            one = Subscription(agency, wanted.channel, target, topics, wanted.language, wanted.digest_hour)
            changed = await unit.subscriptions.set(one)
            if changed:
                facts = asdict(one) | {"by": self._by}
                del facts["agency"]
                await unit.note("SubscriptionSet", agency, facts)
            return changed

    async def end(self, agency: str | None, channel: Channel, target: str) -> bool:
        """End a subscription; returns whether there was one. What waits for it already is still sent.

        Raises:
            NotPossibleError: no such agency.
            Unavailable: the ledger does not answer.
        """
        async with self._ledger.access() as unit:
            code = await _known(unit, agency)
            ended = await unit.subscriptions.end(code, channel, target)
            if ended:
                facts = {"by": self._by, "channel": channel, "target": target}
                await unit.note("SubscriptionEnded", code, facts)
            return ended

    async def canonical(self, agency: str | None) -> str | None:
        """Return an agency's canonical code; raises `NotPossibleError` when there is no such agency."""
        async with self._ledger.access() as unit:
            return await _known(unit, agency)

    async def all(self, agency: str | None = None, *, everybody: bool = False) -> list[Subscribed]:
        """Return what was asked for by an agency (the operators, when None), or by everybody."""
        async with self._ledger.access() as unit:
            code = await _known(unit, agency)
            found = await unit.subscriptions.all()
        return [one for one in found if everybody or one.subscription.agency == code]

    def _require_url(self, text: str) -> None:
        try:
            url = URL(text)
            wrong = not url.host or url.scheme not in ("https", "http") or url.user or url.password or url.fragment
        except ValueError:
            wrong = True
        if wrong or not text.isascii() or len(text) > 8 * LONGEST or not text.isprintable() or " " in text:
            raise NotPossibleError(
                f"{text}: cần địa chỉ https không có mật khẩu / give an https URL, without a password in it"
            )
        if url.scheme == "http" and not self._http:
            raise NotPossibleError(
                f"{text}: chỉ nhận https, trừ khi / only https is taken, unless LIENTHONG_NOTIFIER_WEBHOOK_HTTP=true"
            )


async def _known(unit: AccessUnit, code: str | None) -> str | None:
    if code is None:
        return None
    agency = await unit.participant(code)
    if agency is None:
        raise NotPossibleError(f"{code}: không có trong danh mục / is not in the directory")
    return agency.code
