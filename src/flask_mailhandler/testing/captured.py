"""One captured message, as a test reads it."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t
from collections.abc import Mapping
from email.message import Message as MIMEMessage

from ..address import Address
from ..address import Addresses
from ..attachment import Attachment
from ..content import Content
from ..envelope import Envelope
from ..frozen import Frozen
from ..message.message import Message
from ..report import Job
from ..report import Report
from .criteria import contains
from .criteria import described

if t.TYPE_CHECKING:
    from collections.abc import Coroutine

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from ..mime.links import Link
    from ..mime.reading import Reading
    from .api_request import APIRequest
    from .api_request import Provider
    from .element import Element
    from .one_click import AsyncClient
    from .one_click import R


class Captured(Frozen):
    """A message that was captured instead of sent::

        message = outbox.one(to="ann@example.com")
        assert message.subject == "Your code"
        assert message.code(length=6) == "482913"

    Its properties show the message as a recipient would see it.
    """

    message: Message | MIMEMessage
    """The message as it was sent, with the defaults filled in."""
    envelope: Envelope
    """The envelope with which it would have been sent."""
    content: Content
    """The octets that would have been sent."""
    report: Report
    """The report that ``send`` returned."""
    using: str = "default"
    """The account that would have sent it."""
    queued: bool = False
    """Whether it was passed to :meth:`.Mail.send_later`."""
    key: str = ""
    """The ``key`` that was passed to :meth:`.Mail.send_later`, or ""."""
    provider: Provider | None = dataclasses.field(default=None, repr=False)
    """The handler that would have sent it by an API."""

    @functools.cached_property
    def _read(self) -> Message | Reading:
        """The message; an ``EmailMessage`` is read from the octets that would have been sent, which
        include the defaults and the redirection."""
        if isinstance(self.message, Message):
            return self.message
        from ..mime.reading import as_read

        return as_read(bytes(self.content))

    @functools.cached_property
    def _document(self) -> Element:
        """The HTML, parsed once, so that elements of two calls of select() can be compared."""
        from .element import document

        return document(self.html)

    @property
    def subject(self) -> str:
        """The subject, with the prefix."""
        return self._read.subject

    @property
    def from_addr(self) -> Address:
        """The From: an address with a ``name``. Its ``formatted`` has both. It is empty if a
        message that a program sent to a test server has no From."""
        found = self._read.from_addr
        return _no_address() if found is None else found

    @property
    def to(self) -> Addresses:
        """The To."""
        return self._read.to

    @property
    def cc(self) -> Addresses:
        """The Cc."""
        return self._read.cc

    @property
    def bcc(self) -> Addresses:
        """The Bcc; for an ``EmailMessage``, the recipients that are only in the envelope."""
        if isinstance(self.message, Message):
            return self.message.bcc
        seen = {*self.to, *self.cc}
        return Addresses(a for a in self.envelope.recipients if a not in seen)

    @property
    def reply_to(self) -> Addresses:
        """The Reply-To."""
        return self._read.reply_to

    @property
    def text(self) -> str:
        """The text that a reader without HTML sees. Without one, it is made from the HTML."""
        read = self._read
        if read.text or not read.html:
            return read.text
        from ..plaintext import plaintext

        return plaintext(read.html)

    @property
    def html(self) -> str:
        """The HTML, or "" if there is none."""
        return self._read.html

    @property
    def headers(self) -> Mapping[str, str]:
        """The custom header fields."""
        return self._read.headers

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The attachments; inline images are ``message.inline_attachments``."""
        return self._read.attachments

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags, which no reader sees. An ``EmailMessage`` has none."""
        return self.message.tags if isinstance(self.message, Message) else ()

    @property
    def metadata(self) -> Mapping[str, str]:
        """Your own data for the provider. An ``EmailMessage`` has none."""
        return self.message.metadata if isinstance(self.message, Message) else {}

    @property
    def track_opens(self) -> bool | None:
        """Whether the provider tracks who opens the mail; None for what its settings say."""
        return self.message.track_opens if isinstance(self.message, Message) else None

    @property
    def track_clicks(self) -> bool | None:
        """Whether the provider tracks who follows a link; None for what its settings say."""
        return self.message.track_clicks if isinstance(self.message, Message) else None

    @property
    def stream(self) -> str | None:
        """The stream of the provider, or None."""
        return self.message.stream if isinstance(self.message, Message) else None

    @property
    def message_id(self) -> str:
        """The Message-ID, with its angle brackets."""
        return self.report.message_id

    @property
    def requests(self) -> tuple[APIRequest, ...]:
        """What the API of the account's provider would get: a request for each batch of recipients.
        Empty if the account sends by SMTP::

            (request,) = outbox.one(to="ann@example.com").requests
            assert request.json["MessageStream"] == "broadcast"

        :raises LoginError: if the provider needs credentials that a function returns, and there are
            none in the test.
        """
        if self.provider is None:
            return ()
        from .api_request import requests_of

        job = Job(self.message, self.message_id, self.envelope, self.content)
        return tuple(requests_of(self.provider, job))

    @property
    def links(self) -> tuple[Link, ...]:
        """The links in reading order: of the HTML if there is any, else of the text."""
        # Few captured messages are asked for links, and the parser takes time to import.
        from ..mime.links import html_links
        from ..mime.links import text_links

        return tuple(html_links(self.html) if self.html else text_links(self.text))

    def link(self, text: str | re.Pattern[str]) -> str:
        """Return the URL of the one link whose text or URL contains *text*::

            client.get(message.link("Choose a new password"))

        :param text: A string, or a pattern to search for.
        :raises AssertionError: if no link matches, or links with different URLs do.
        """
        found = [one for one in self.links if contains(one.text, text) or contains(one.url, text)]
        urls = {link.url for link in found}
        if len(urls) != 1:
            listed = "\n".join(f"  {link.text!r} -> {link.url}" for link in self.links) or "  none"
            raise AssertionError(f"{len(urls)} links match {text!r}. The links are:\n{listed}")
        return urls.pop()

    def attachment(self, filename: str | re.Pattern[str]) -> Attachment:
        """Return the one attachment or inline image with that name::

            assert message.attachment("bill-7.pdf").data.startswith(b"%PDF")

        :param filename: The whole name, or a pattern to search for.
        :raises AssertionError: if none or more than one matches.
        """
        inline = self.message.inline_attachments if isinstance(self.message, Message) else ()
        every = (*self.attachments, *inline)
        found = [
            one
            for one in every
            if (
                one.filename == filename
                if isinstance(filename, str)
                else contains(one.filename or "", filename)
            )
        ]
        if len(found) == 1:
            return found[0]
        names = ", ".join(repr(one.filename) for one in every) or "none"
        raise AssertionError(
            f"{len(found)} attachments match {described(filename)}. The attachments are: {names}"
        )

    def select(self, css: str) -> list[Element]:
        """Return the elements of the HTML that match a CSS selector, in document order. This needs
        the extra ``testing``::

            assert [price.text for price in message.select("td.price")] == ["4.20 €"]

        :raises AssertionError: if the message has no HTML.
        :raises ValueError: if *css* is not a valid selector.
        """
        if not self.html:
            raise AssertionError(f"{self!r} has no HTML, so {css!r} cannot match anything.")
        return self._document.select(css)

    def code(
        self, pattern: str | re.Pattern[str] | None = None, *, length: int | None = None
    ) -> str:
        """Return the one-time code in the subject or the text::

            assert message.code(length=6) == "482913"

        A code is 4 to 8 digits of any alphabet that are not part of a longer number, a date, a
        price, a URL or a word. ``123 456``, ``123-456``, ``1 2 3 4 5 6`` and one digit on each line
        count as one code. A code that is alone on its line is preferred to others, and a longer
        code to a year. The year of a copyright notice is never a code.

        :param pattern: A regular expression for codes that look different. If it has a group, the
            first group is the code.
        :param length: How many digits or letters the code has.
        :return: The code without gaps, in ASCII digits; with a pattern, exactly as it was found.
        :raises AssertionError: if no code or more than one is left. The error lists the numbers
            that were found.
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
            f"{len(meant)} numbers may be the code of {self!r}. Pass its length, code(length=6), or"
            f" a pattern, code(r'[A-Z]{{4}}-[0-9]{{4}}'). Found:\n{listed or '  none'}"
        )

    @t.overload
    def unsubscribe(self, client: FlaskClient) -> TestResponse: ...
    @t.overload
    def unsubscribe(self, client: AsyncClient[R]) -> Coroutine[t.Any, t.Any, R]: ...
    def unsubscribe(self, client: t.Any) -> t.Any:
        """Unsubscribe the recipient with one click: send the POST of a mailbox provider, which has
        no cookies, and return the response::

            message = outbox.one(to="ann@example.com")
            assert "unsubscribed" in message.unsubscribe(client).text

        With a client of Quart, write ``await message.unsubscribe(client)``.

        :param client: A client of the app. Its cookies are not used.
        :raises AssertionError: if the message has no such link, or if the response is one that a
            provider takes for a failure.
        """
        from .one_click import unsubscribe

        return unsubscribe(repr(self), self.headers, client)

    def __repr__(self) -> str:
        using = f" using={self.using}" if self.using != "default" else ""
        marks = using + (" queued" if self.queued else "")
        to = ", ".join(self.envelope.recipients)
        return f"<Captured {self.subject!r} to {to}{marks}>"


def _no_address() -> Address:
    empty = str.__new__(Address, "")
    empty.name = empty.written = ""
    return empty
