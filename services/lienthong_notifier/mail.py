"""A letter as a mail: plain text and the same as HTML, by SMTP with TLS.

A server may take a mail and the connection break before it says so; then the mail is sent again. Nothing can prevent
that, but the ``Message-ID`` is the letter's own and the same every time, so that whoever has two knows them for one.
"""

from __future__ import annotations

import html
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING

import aiosmtplib

from lienthong.document.zone import VIETNAM
from lienthong.errors import Unavailable
from lienthong_notifier.words import TOPICS, Words, said

if TYPE_CHECKING:
    from datetime import datetime

    from lienthong.ledger.letters import Letter
    from lienthong.settings import NotifierSettings

__all__ = ["MailSender", "RefusedError", "composed"]

ANSWER_SECONDS = 20.0
"""For each answer of the server."""
PERMANENT = 500
"""From this reply code on the server says that trying again is pointless (RFC 5321, 4.2.1)."""
CLOSING = 421
"""The server itself goes away (RFC 5321, 3.8)."""

_HELLO = Words("Kính gửi {agency},", "To {agency},")
_OPERATORS = Words("Ban vận hành trục liên thông", "the operators of the exchange")
_FOOT = Words(
    "Thư tự động của trục liên thông văn bản; xin không trả lời. Mã thư: {letter}",
    "Sent by the document exchange itself; please do not answer. Letter: {letter}",
)
_MANY = Words("{count} thông báo", "{count} notices")
_MORE = Words("Và {count} thông báo nữa, không kể ở đây", "And {count} more notices, not told here")
LONGEST_LINE = 500
"""In characters: what an agency wrote may be long."""


class RefusedError(Exception):
    """The server does not take this mail, but is well.

    Attributes:
        lasting: it says that trying again is pointless.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.lasting = code >= PERMANENT


class MailSender:
    """Sends letters through one SMTP server, one connection each.

    Args:
        settings: which server.
    """

    def __init__(self, settings: NotifierSettings) -> None:
        assert settings.mail_from, "the settings see to it where there is a host"
        self._settings = settings
        self._from = settings.mail_from
        self._password = settings.mail_password.get_secret_value() if settings.mail_password else None
        self._tls = ssl.create_default_context(cafile=settings.authorities)

    async def send(self, letter: Letter, at: datetime) -> None:
        """Send a letter.

        Raises:
            Unavailable: the server cannot be reached or believed, or takes no mail now.
            RefusedError: it does not take this one.
        """
        settings = self._settings
        try:
            await aiosmtplib.send(
                composed(letter, self._from, at),
                sender=self._from,
                recipients=[letter.target],
                hostname=settings.mail_host,
                port=settings.mail_port,
                use_tls=settings.mail_tls == "implicit",
                start_tls=settings.mail_tls == "starttls",
                tls_context=self._tls,
                username=settings.mail_user,
                password=self._password,
                timeout=ANSWER_SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            (refused,) = error.recipients
            raise _failure(refused.code, refused.message) from error
        except aiosmtplib.SMTPDataError as error:
            raise _failure(error.code, error.message) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error


def _failure(code: int, message: str) -> Exception:
    return Unavailable(f"{code} {message}") if code == CLOSING else RefusedError(code, message)


def composed(letter: Letter, sender: str, at: datetime) -> EmailMessage:
    """Return a letter as a mail, dated `at`."""
    languages = ("vi", "en") if letter.language == "both" else (letter.language,)
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = sender, letter.target
    mail["Date"] = at
    mail["Message-ID"] = f"<{letter.letter}@{sender.rpartition('@')[2]}>"
    # RFC 3834: no machine answers it.
    mail["Auto-Submitted"] = "auto-generated"
    mail["Subject"] = "[Liên Thông] " + " / ".join(_of(_subject(letter), language) for language in languages)
    parts = [_Part(letter, language) for language in languages]
    mail.set_content("\n\n-- \n\n".join(part.text() for part in parts), cte="base64")
    body = "<hr>".join(part.html() for part in parts)
    head = '<meta charset="utf-8"><style>body{font-family:sans-serif}li{margin:.5em 0}small{color:#555}</style>'
    mail.add_alternative(
        f'<!doctype html><html lang="{languages[0]}"><head>{head}</head><body>{body}</body></html>',
        subtype="html",
        cte="base64",
    )
    return mail


def _subject(letter: Letter) -> Words:
    topics = list(dict.fromkeys(one.topic for one in letter.announcements))
    many = len(letter.announcements) + letter.more
    if len(topics) > 1:
        return Words(_MANY.vi.format(count=many), _MANY.en.format(count=many))
    topic = TOPICS[topics[0]]
    return topic if many == 1 else Words(f"{topic.vi} ({many})", f"{topic.en} ({many})")


class _Part:
    """One language of a mail: by topic, the oldest first."""

    def __init__(self, letter: Letter, language: str) -> None:
        reader = letter.agency or _of(_OPERATORS, language)
        self._hello = _of(_HELLO, language).format(agency=reader)
        self._foot = _of(_FOOT, language).format(letter=letter.letter)
        self._lines: dict[str, list[str]] = {}
        for one in letter.announcements:
            moment = f"{one.caused_at.astimezone(VIETNAM):%H:%M %d/%m/%Y}"
            title = _of(TOPICS[one.topic], language)
            self._lines.setdefault(title, []).append(f"{moment}  {_one_line(_of(said(one), language))}")
        self._more = [_of(_MORE, language).format(count=letter.more)] if letter.more else []

    def text(self) -> str:
        blocks = ["\n".join((title, *(f"  * {line}" for line in lines))) for title, lines in self._lines.items()]
        return "\n\n".join((self._hello, *blocks, *self._more, self._foot))

    def html(self) -> str:
        def safe(text: str) -> str:
            return html.escape(text, quote=True)

        blocks = [
            f"<h3>{safe(title)}</h3><ul>{''.join(f'<li>{safe(line)}</li>' for line in lines)}</ul>"
            for title, lines in self._lines.items()
        ]
        blocks += [f"<p>{safe(line)}</p>" for line in self._more]
        return f"<p>{safe(self._hello)}</p>{''.join(blocks)}<p><small>{safe(self._foot)}</small></p>"


def _of(words: Words, language: str) -> str:
    return words.vi if language == "vi" else words.en


def _one_line(text: str) -> str:
    # What an agency wrote stands in it.
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"
