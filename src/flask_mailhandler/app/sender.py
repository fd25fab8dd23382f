"""How a :class:`.Mail` sends: one message, many, in a thread, or into an outbox."""

from __future__ import annotations

import contextvars
import functools
import typing as t
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import AbstractContextManager

from flask import Flask

from .. import config
from ..address import AddressesInput
from ..handlers.base import EmailHandler
from ..handlers.prepare import AnyMessage
from ..handlers.prepare import Before
from ..handlers.prepare import from_text
from ..handlers.prepare import several
from ..message.fields import MessageFields
from ..message.other_names import LATER
from ..report import BatchError
from ..report import Report
from ..testing.outbox import Outbox
from ..text.checks import plain
from .registrations import MailBase
from .send_call import SendCall

if t.TYPE_CHECKING:
    from email.header import Header

    from ..testing.server import SMTPServer

B = t.TypeVar("B", bound=Before)

MISSING = object()
"""The default of an argument that must not be left out."""


class Sender(MailBase):
    """Sends on behalf of the current app."""

    @property
    def handler(self) -> EmailHandler:
        """The handler in force for the default account of the current app."""
        return self._registration().handler(None)

    def handler_for(self, using: str | None) -> EmailHandler:
        """The handler in force for an account of the current app.

        :raises ConfigurationError: if there is no such account.
        """
        return self._registration().handler(using)

    def before_send(self, function: B) -> B:
        """Register a function that is called with every message after the defaults are filled in.
        It returns the message, a changed copy, or None to stop the message.

        .. code-block:: python

            @mail.before_send
            def tag(message):
                return message.replace(headers={**message.headers, "X-App": "shop"})
        """
        self._registrations.before.append(function)
        return function

    @t.overload
    def send(
        self,
        message: AnyMessage,
        /,
        *,
        using: str | None = None,
        recipients: AddressesInput = None,
        timeout: float | None = None,
    ) -> Report: ...
    @t.overload
    def send(
        self,
        message: str | Header | None,
        /,
        *,
        using: str | None = None,
        timeout: float | None = None,
        **fields: t.Unpack[MessageFields],
    ) -> Report: ...
    @t.overload
    def send(
        self,
        message: Iterable[AnyMessage],
        /,
        *,
        using: str | None = None,
        timeout: float | None = None,
    ) -> list[Report]: ...
    def send(
        self,
        message: t.Any = MISSING,
        /,
        *,
        using: str | None = None,
        recipients: AddressesInput = None,
        timeout: float | None = None,
        **fields: t.Any,
    ) -> Report | list[Report]:
        """Send a message, a text or several messages, and return when the server has accepted
        them.

        .. code-block:: python

            report = mail.send("Hello Ann", subject="Hi", to="ann@example.com")

        :param message: A :class:`.Message` or an ``EmailMessage``; or a text, with the other
            fields of the message as keyword arguments, including ``subject``, or None if they
            include ``html``; or several messages: tens, not thousands (see :meth:`send_each`).
        :param using: The account of ``MAIL_ACCOUNTS`` to send through.
        :param recipients: The recipients this time, instead of those in the message, for example
            to try ``report.deferred`` again.
        :param timeout: Seconds for each message all in all, instead of ``MAIL_TIMEOUT``.
        :return: A report, or a list of reports for several messages.
        :raises MessageError: if a message cannot be sent as it is. Nothing is sent then.
        :raises DeliveryError: if the message was accepted for no recipient:
            :exc:`.UnknownOutcomeError`, :exc:`.DeferredError` or :exc:`.RefusedError`, with the
            report.
        :raises BatchError: if one of several messages was accepted for no recipient.
        """
        single = isinstance(message, AnyMessage)
        if fields or not single:
            _check_arguments(message, fields)
        call = SendCall(self._registrations.current(), using, recipients, timeout)
        if fields or not single:
            message = _read(message, fields, recipients, call.handler.default_subject)
        if isinstance(message, AnyMessage):
            (report,) = call.send([message])
            if report.error is not None and report.failed:
                raise report.error
            return report
        reports = call.send(several(message, "send"))
        if any(report.failed for report in reports):
            raise BatchError(reports)
        return reports

    def send_each(
        self,
        messages: Iterable[AnyMessage],
        /,
        *,
        using: str | None = None,
        connections: int = 1,
        timeout: float | None = None,
    ) -> Iterator[Report]:
        """Send any number of messages, lazily and no faster than ``MAIL_RATE_LIMIT``, and give a
        report for each in their order. Nothing is sent until you iterate the result. A failure is
        in the report, and is not raised.

        .. code-block:: python

            for report in mail.send_each(newsletter(user) for user in users):
                print(report.message_id, report.ok)

        A message from a generator is made, sent and reported before the next one is asked for.
        Messages from a list, or for several connections, are prepared some ahead. While you
        iterate the result its connections are in use, so another send at that time needs one more
        (``MAIL_POOL_SIZE``).

        If you stop iterating, the messages that were begun are finished, and the others are not
        sent. The reports that you did not get still go to the log and the signals.

        :param connections: The number of connections to use at once, at most ``MAIL_POOL_SIZE``.
        :raises ConfigurationError: if that is more than the handler can use.
        :raises MessageError: while iterating, if a message cannot be sent as it is. The messages
            before it have been reported.
        """
        connections = config.integer(1, 1000)(connections, "connections=")
        call = SendCall(self._registrations.current(), using, timeout=timeout)
        return call.send_each(several(messages, "send_each"), call.at_once(connections))

    @t.overload
    async def send_async(
        self,
        message: AnyMessage,
        /,
        *,
        using: str | None = None,
        recipients: AddressesInput = None,
        timeout: float | None = None,
    ) -> Report: ...
    @t.overload
    async def send_async(
        self,
        message: str | Header | None,
        /,
        *,
        using: str | None = None,
        timeout: float | None = None,
        **fields: t.Unpack[MessageFields],
    ) -> Report: ...
    @t.overload
    async def send_async(
        self,
        message: Iterable[AnyMessage],
        /,
        *,
        using: str | None = None,
        timeout: float | None = None,
    ) -> list[Report]: ...
    async def send_async(self, message: t.Any, /, **arguments: t.Any) -> Report | list[Report]:
        """Do what :meth:`send` does in a thread, for an ``async`` view. If the wait is cancelled,
        the message is still sent, and its report goes to the signal and the log.

        .. code-block:: python

            report = await mail.send_async(message)
        """
        import asyncio  # only an async view needs it

        send: t.Callable[..., Report | list[Report]] = self.send
        work = functools.partial(send, message, **arguments)
        # Not to_thread(): if the wait is cancelled, it takes back a call that no thread has begun.
        context = contextvars.copy_context()
        sending = asyncio.get_running_loop().run_in_executor(None, context.run, work)
        # If the wait was cancelled, no caller takes the error, which is in the log already.
        sending.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Not shield(): from Python 3.14 on it logs an error that no caller takes.
        await asyncio.wait([sending])
        return sending.result()

    def capture(
        self, app: Flask | None = None, *, server: SMTPServer | None = None
    ) -> AbstractContextManager[Outbox]:
        """Capture all mail instead of sending it while the context is open, in every thread and
        with any configuration.

        .. code-block:: python

            with mail.capture() as outbox:
                client.post("/register")
            assert outbox[0].subject == "Welcome"

        :param app: The app whose mail is captured. If it is left out: the current app, or outside
            an app context every app that this ``Mail`` is registered on.
        :param server: A test server that gets and captures the mail instead, encrypted and logged
            in as each account is.
        """
        return self._registrations.capture(app, server)


def _read(
    message: t.Any, fields: dict[str, t.Any], recipients: AddressesInput, default_subject: str
) -> AnyMessage | Iterable[AnyMessage]:
    """Make a message of a text and its fields; return several messages as they are.

    :raises TypeError: if the arguments do not go together.
    """
    text = plain(message)
    if text is not None or message is None:
        if recipients is not None:
            raise TypeError("send() takes recipients= only with a message; with a text, to=.")
        return from_text(text, fields, default_subject)
    if fields:
        raise TypeError(
            f"send() takes {', '.join(sorted(fields))} only with a text; a message has its own:"
            " write message.replace(...)."
        )
    if recipients is not None:
        raise TypeError("send() takes recipients= only for a single message.")
    return t.cast("Iterable[AnyMessage]", message)


def _check_arguments(message: object, fields: Collection[str]) -> None:
    """Raise an error that says what to write if the message is missing, or if an argument belongs
    to send_later."""
    if later := sorted(LATER.intersection(fields)):
        raise TypeError(
            f"send() sends now: {', '.join(later)} is an argument of send_later(), which takes"
            " a message."
        )
    if message is MISSING:
        raise TypeError(
            "send() takes a message or a text first: mail.send('Hello Ann', subject=...)."
        )
