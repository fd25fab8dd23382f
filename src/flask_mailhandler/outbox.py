"""Captured mail, for the eyes of a test."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t
from collections.abc import Callable
from email.message import Message as MIMEMessage

from .address import Address
from .address import Addresses
from .attachment import Attachment
from .content import Content
from .envelope import Envelope
from .errors import MessageError
from .message import Message
from .report import Report

if t.TYPE_CHECKING:
    from .links import Link
    from .mime.reading import Reading

Criterion: t.TypeAlias = "str | re.Pattern[str] | Callable[[t.Any], object] | None"


@dataclasses.dataclass(frozen=True, repr=False)
class Captured:
    """A message that a handler has taken and not sent. What a reader would see is read through:
    ``subject``, ``from_addr``, ``to``, ``cc``, ``bcc``, ``reply_to``, ``text``, ``html``,
    ``headers``, ``attachments``."""

    message: Message | MIMEMessage
    """The message as it was sent, with the defaults filled in."""
    envelope: Envelope
    """Who would have got it."""
    content: Content
    """The octets that would have been sent."""
    report: Report
    """The report that the sender has got."""
    using: str = "default"
    """The account that would have sent it."""
    queued: bool = False
    """Whether it was to be sent later."""
    key: str = ""
    """The key with which it was to be sent later, or ""."""

    @functools.cached_property
    def _words(self) -> Message | Reading:
        """What was written; of an ``EmailMessage`` what would have been sent, which has the
        defaults and the redirection in it."""
        if isinstance(self.message, Message):
            return self.message
        from .mime.reading import as_read

        return as_read(bytes(self.content))

    @property
    def subject(self) -> str:
        """The subject, prefix included."""
        return self._words.subject

    @property
    def from_addr(self) -> str:
        """The mailbox of the From."""
        return str(self._words.from_addr or "")

    @property
    def to(self) -> Addresses:
        """The To."""
        return self._words.to

    @property
    def cc(self) -> Addresses:
        """The Cc."""
        return self._words.cc

    @property
    def bcc(self) -> Addresses:
        """The Bcc; of an ``EmailMessage`` whoever is only in the envelope."""
        if isinstance(self.message, Message):
            return self.message.bcc
        seen = {*self.to, *self.cc}
        return Addresses(a for a in self.envelope.recipients if a not in seen)

    @property
    def reply_to(self) -> Addresses:
        """The Reply-To."""
        return self._words.reply_to

    @property
    def text(self) -> str:
        """The text that a reader without HTML sees: what was written, or was made of the HTML."""
        words = self._words
        if words.text or not words.html:
            return words.text
        from .plaintext import plaintext

        return plaintext(words.html)

    @property
    def html(self) -> str:
        """The HTML, or "" if there is none."""
        return self._words.html

    @property
    def headers(self) -> t.Mapping[str, str]:
        """The custom header fields."""
        return self._words.headers

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The attachments; inline images are ``message.inline_attachments``."""
        return self._words.attachments

    @property
    def message_id(self) -> str:
        """The Message-ID, with its angle brackets."""
        return self.report.message_id

    @property
    def links(self) -> tuple[Link, ...]:
        """The links in reading order: of the HTML if there is any, else of the text."""
        # Only a test asks, and reading HTML takes more to load than capturing mail.
        from .links import html_links
        from .links import text_links

        return tuple(html_links(self.html) if self.html else text_links(self.text))

    def link(self, text: str | re.Pattern[str]) -> str:
        """Return the URL of the one link whose text, or whose URL, has *text* in it.

        :raises AssertionError: if there is none or more than one leads somewhere else.
        """
        found = [link for link in self.links if _has(link.text, text) or _has(link.url, text)]
        urls = {link.url for link in found}
        if len(urls) != 1:
            listed = "\n".join(f"  {link.text!r} -> {link.url}" for link in self.links) or "  none"
            raise AssertionError(f"{len(urls)} links match {text!r}. The links are:\n{listed}")
        return urls.pop()

    def __repr__(self) -> str:
        marks = (f" using={self.using}" if self.using != "default" else "") + (
            " queued" if self.queued else ""
        )
        to = ", ".join(self.envelope.recipients)
        return f"<Captured {self.subject!r} to {to}{marks}>"


class Outbox(list[Captured]):
    """A list of captured messages, first to last, that can be asked."""

    def find(
        self,
        *,
        to: Criterion = None,
        subject: Criterion = None,
        text: Criterion = None,
        html: Criterion = None,
    ) -> list[Captured]:
        """Return the messages that meet every criterion.

        A string must be one of the recipients, whatever its name and the spelling of its domain,
        be the subject, or stand in the text or HTML; a pattern must be found; a predicate must
        return something true.

        :param to: Any recipient of the envelope, Cc and Bcc included.
        """
        criteria = _criteria(to, subject, text, html)
        return [c for c in self if all(_meets(c, *criterion) for criterion in criteria)]

    def one(
        self,
        *,
        to: Criterion = None,
        subject: Criterion = None,
        text: Criterion = None,
        html: Criterion = None,
    ) -> Captured:
        """Return the only message that meets every criterion, as :meth:`find` does.

        :raises AssertionError: that shows every captured message and the criterion it fails.
        """
        found = self.find(to=to, subject=subject, text=text, html=html)
        if len(found) == 1:
            return found[0]
        criteria = _criteria(to, subject, text, html)
        wanted = ", ".join(f"{name}={_shown(value)}" for name, value in criteria) or "anything"
        raise AssertionError(
            f"{len(found)} of {len(self)} captured messages match {wanted}.\n"
            + _table(self, criteria)
        )


def _criteria(
    to: Criterion, subject: Criterion, text: Criterion, html: Criterion
) -> list[tuple[str, Criterion]]:
    given = {"to": to, "subject": subject, "text": text, "html": html}
    return [(name, value) for name, value in given.items() if value is not None]


def _meets(captured: Captured, name: str, wanted: Criterion) -> bool:
    if name == "to":
        recipients = captured.envelope.recipients
        if callable(wanted):
            return any(wanted(recipient) for recipient in recipients)
        if isinstance(wanted, re.Pattern):
            return any(wanted.search(recipient) for recipient in recipients)
        return wanted is not None and _mailbox(wanted) in recipients
    value = getattr(captured, name)
    if callable(wanted):
        return bool(wanted(value))
    return value == wanted if name == "subject" and isinstance(wanted, str) else _has(value, wanted)


def _mailbox(wanted: str) -> str:
    """The mailbox as envelopes have it: without a name, the domain in ASCII and lower case."""
    try:
        return Address(wanted)
    except MessageError:
        return wanted


def _has(value: str, wanted: str | re.Pattern[str] | None) -> bool:
    if isinstance(wanted, re.Pattern):
        return bool(wanted.search(value))
    return (wanted or "") in value


def _table(captured: Outbox, criteria: list[tuple[str, Criterion]]) -> str:
    if not captured:
        return "  Nothing was captured."
    lines = []
    for number, item in enumerate(captured):
        failed = [name for name, wanted in criteria if not _meets(item, name, wanted)]
        reason = f"  <- {', '.join(failed)}" if failed else "  <- matches"
        recipients = ", ".join(item.envelope.recipients)
        lines.append(f"  [{number}] {item.subject!r} to {recipients}{reason}")
    return "\n".join(lines)


def _shown(wanted: Criterion) -> str:
    return f"/{wanted.pattern}/" if isinstance(wanted, re.Pattern) else repr(wanted)
