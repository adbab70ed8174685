"""What a mail says and how it is built, and which addresses a webhook may have."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from lienthong.errors import MisconfiguredError
from lienthong.ledger.letters import AGENCY_TOPICS, OPERATOR_TOPICS, Announcement, Language, Letter
from lienthong.ledger.migrations import migrations
from lienthong.settings import NotifierSettings
from lienthong_notifier.mail import MailSender, composed
from lienthong_notifier.webhook import is_public
from lienthong_notifier.words import KINDS, TOPICS

if TYPE_CHECKING:
    from email.message import EmailMessage

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
LETTER = UUID("5f1a0cf3-70f4-5b2f-8d53-0b9be1f3a5f4")
PROBLEM = {"code": "ExistDoc", "vi": "đã có <b>văn bản</b>", "en": "there is <b>one</b>"}
FACTS: dict[str, dict[str, Any]] = {
    "DocumentRefused": {"document_id": "d1", "problems": [PROBLEM] * 7},
    "StatusRefused": {"document_id": "d1", "problems": [PROBLEM]},
    "NoticeGiven": {"kind": "waiting", "vi": "Văn bản đang chờ", "en": "The document waits"},
    "AgencyParked": {"queued": 7, "limit": 5},
    "DeliveryRecorded": {"written": "G22.1", "carrier": "G22"},
    "StatusReported": {"code": "02", "addressee": "H23", "description": "sai\r\nBcc: x@y\r\n\r\nnơi nhận"},
    "AgencyThrottled": {"kind": "document", "limit": 600},
    "MessageQuarantined": {"reason": "no user_id"},
    "AlarmRaised": {"vi": "hết hạn", "en": "it ends"},
    "LetterGivenUp": {"channel": "mail", "target": "a@b.vn", "attempts": 9, "trouble": "550 no such user"},
}


def announcement(kind: str, topic: str = "refusals") -> Announcement:
    """Return a fact of this kind about a document."""
    return Announcement(f"entry {kind}", topic, kind, "G22", uuid4(), "d1", "12/UBND", "H23", FACTS[kind], NOW)


def mail(*announcements: Announcement, language: Language = "vi", agency: str | None = "G22") -> EmailMessage:
    """Return a mail as its reader gets it."""
    letter = Letter(LETTER, agency, "mail", "vt@g22.vn", language, 1, NOW, announcements)
    sent = composed(letter, "truc@lienthong.example.vn", NOW).as_bytes()
    return message_from_bytes(sent, policy=policy.default)


def test_everything_that_is_announced_has_words() -> None:
    """Each kind and topic that the ledger announces is said in both languages, and every topic can be asked for."""
    sql = [one.sql for one in migrations() if "function announce()" in one.sql][-1]
    table = sql.split("as (values")[1].split("), told as")[0]
    rows = [[cell.strip(" ()'\n") for cell in line.split(",")][:4] for line in table.strip().splitlines()]
    rows = [row for row in rows if len(row) == 4]
    assert {kind for kind, *_ in rows} == set(KINDS) == set(FACTS)
    for reader, topics in (("operators", OPERATOR_TOPICS), ("agency", AGENCY_TOPICS)):
        assert {topic for *_, to, topic in rows if (to == "operators") == (reader == "operators")} == set(topics)
    assert set(TOPICS) == {*AGENCY_TOPICS, *OPERATOR_TOPICS}
    for kind in KINDS:
        said = KINDS[kind](announcement(kind))
        assert said.vi
        assert said.en
        assert said.vi != said.en


def test_a_mail_says_the_same_twice_and_nothing_of_it_is_markup() -> None:
    """Plain text and HTML; what an agency wrote is text in both, and never a header."""
    made = mail(*map(announcement, FACTS), language="both")
    text, page = (made.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert page is not None
    plain, html = text.get_content(), page.get_content()
    assert "đã có <b>văn bản</b>" in plain
    assert "<b>" not in html
    assert "đã có &lt;b&gt;văn bản&lt;/b&gt;" in html
    assert "và 2 lỗi khác" in plain
    assert "08:02 22/11/2026" in plain
    assert "To G22," in plain
    assert made["Bcc"] is None
    assert "sai Bcc: x@y nơi nhận" in plain


def test_a_mail_is_known_by_its_letter() -> None:
    """Sent again it has the same Message-ID; it says what it is about, and that no machine shall answer it."""
    one = mail(announcement("DocumentRefused"))
    again = mail(announcement("DocumentRefused"))
    assert one["Message-ID"] == again["Message-ID"] == f"<{LETTER}@lienthong.example.vn>"
    assert one["Subject"] == "[Liên Thông] Trục từ chối"
    assert one["Auto-Submitted"] == "auto-generated"
    several = mail(announcement("DocumentRefused"), announcement("StatusReported", "statuses"), language="en")
    assert several["Subject"] == "[Liên Thông] 2 notices"
    operators = mail(announcement("AgencyParked"), agency=None).get_body(("plain",))
    assert operators is not None
    assert operators.get_content().startswith("Kính gửi Ban vận hành trục liên thông,")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "100.64.0.1", "255.255.255.255", "224.0.0.1"),
        *("0.0.0.0", "::", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),  # noqa: S104 - not bound
    ],
)
def test_no_private_address_is_public(address: str) -> None:
    """An address of the exchange's own network is known in every form it can be written in."""
    assert not is_public(address)


def test_public_addresses_are() -> None:
    """What anybody on the Internet can reach may be called."""
    assert all(map(is_public, ("8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808")))


def test_mail_without_tls_stays_on_this_machine() -> None:
    """A password and agencies' notices do not cross a network in the clear."""
    MailSender(NotifierSettings(mail_host="127.0.0.1", mail_tls="none", mail_from="a@b.vn"))
    with pytest.raises(MisconfiguredError, match="none"):
        MailSender(NotifierSettings(mail_host="mail.example.vn", mail_tls="none", mail_from="a@b.vn"))
    with pytest.raises(MisconfiguredError, match="MAIL_FROM"):
        MailSender(NotifierSettings(mail_host="mail.example.vn"))
