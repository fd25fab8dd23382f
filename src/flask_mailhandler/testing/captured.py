"""A message that was captured, for the eyes of a test."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t
from email.message import Message as MIMEMessage

from ..address import Addresses
from ..attachment import Attachment
from ..content import Content
from ..envelope import Envelope
from ..message.message import Message
from ..report import Report
from .criteria import has
from .criteria import shown

if t.TYPE_CHECKING:
    from ..mime.links import Link
    from ..mime.reading import Reading
    from .element import Element


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
        from ..mime.reading import as_read

        return as_read(bytes(self.content))

    @functools.cached_property
    def _document(self) -> Element:
        """The HTML, read once, so that the elements of two questions can be compared."""
        from .element import document

        return document(self.html)

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
        from ..plaintext import plaintext

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
        from ..mime.links import html_links
        from ..mime.links import text_links

        return tuple(html_links(self.html) if self.html else text_links(self.text))

    def link(self, text: str | re.Pattern[str]) -> str:
        """Return the URL of the one link whose text, or whose URL, has *text* in it.

        :raises AssertionError: if there is none or more than one leads somewhere else.
        """
        found = [link for link in self.links if has(link.text, text) or has(link.url, text)]
        urls = {link.url for link in found}
        if len(urls) != 1:
            listed = "\n".join(f"  {link.text!r} -> {link.url}" for link in self.links) or "  none"
            raise AssertionError(f"{len(urls)} links match {text!r}. The links are:\n{listed}")
        return urls.pop()

    def attachment(self, filename: str | re.Pattern[str]) -> Attachment:
        """Return the one attachment, or inline image, of that name or whose name a pattern is
        found in.

        :raises AssertionError: if there is none or more than one.
        """
        inline = self.message.inline_attachments if isinstance(self.message, Message) else ()
        every = (*self.attachments, *inline)
        found = [
            one
            for one in every
            if (
                one.filename == filename
                if isinstance(filename, str)
                else has(one.filename or "", filename)
            )
        ]
        if len(found) == 1:
            return found[0]
        names = ", ".join(repr(one.filename) for one in every) or "none"
        raise AssertionError(
            f"{len(found)} attachments match {shown(filename)}. There are: {names}"
        )

    def select(self, css: str) -> list[Element]:
        """Return the elements of the HTML that a CSS selector chooses, in their order. It needs
        the extra ``testing``.

        :raises AssertionError: if there is no HTML to choose from.
        :raises ValueError: for what is no selector.
        """
        if not self.html:
            raise AssertionError(f"{self!r} has no HTML that {css!r} could be looked for in.")
        return self._document.select(css)

    def code(
        self, pattern: str | re.Pattern[str] | None = None, *, length: int | None = None
    ) -> str:
        """Return the one-time code in the subject or the text: 4 to 8 digits of any alphabet that
        are no part of a longer number, a date, a price, a URL or a word. ``123 456``, ``123-456``,
        ``1 2 3 4 5 6`` and a line for each digit are one code. Of several, one that stands alone in
        its line is meant, and a longer one rather than a year; the year of a copyright never is.

        :param pattern: What a code looks like, if not so: an expression; of its first group the
            code is made.
        :param length: The digits, or letters, that it has.
        :return: The code without gaps, its digits in ASCII; by a pattern as it stands there.
        :raises AssertionError: that lists what was found, if that is nothing or more than one.
        """
        from .codes import codes
        from .codes import the_one

        found = codes(f"{self.subject}\n{self.text}", pattern)
        meant = the_one(found, length)
        if len(meant) == 1:
            return meant[0].code
        listed = "\n".join(
            f"  {code}" + (f" in {line.strip()!r}" if line else "") for code, line in found
        )
        raise AssertionError(
            f"{len(meant)} numbers may be the code of {self!r}: write code(length=6), or how it"
            f" looks, code(r'[A-Z]{{4}}-[0-9]{{4}}'). Found were:\n{listed or '  none'}"
        )

    def __repr__(self) -> str:
        marks = (f" using={self.using}" if self.using != "default" else "") + (
            " queued" if self.queued else ""
        )
        to = ", ".join(self.envelope.recipients)
        return f"<Captured {self.subject!r} to {to}{marks}>"
