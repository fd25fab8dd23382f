"""How a :class:`.Mail` sends: now, many, in a thread, or into an outbox."""

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
"""What stands for an argument that must not be left out."""


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
        """Register a function that sees every message after the defaults are filled in. It
        returns the message, a changed copy, or None to stop it. May be used as a decorator."""
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
        """Send a message, a text, or several messages, and return when the server has them.

        :param message: A :class:`.Message` or an ``EmailMessage``; or a text, with the other
            fields of the message by keyword, ``subject`` among them, or None where they hold
            ``html``; or several messages, tens rather than thousands: see :meth:`send_each`.
        :param using: The account of ``MAIL_ACCOUNTS`` to send by.
        :param recipients: Who gets the message this time, whatever its header says: for another
            try with ``report.deferred``.
        :param timeout: Seconds for each message all in all, instead of ``MAIL_TIMEOUT``.
        :return: A report, or for several messages a list of them.
        :raises MessageError: if a message cannot be sent as it is. Then nothing was sent.
        :raises DeliveryError: if nobody accepted the message: :exc:`.UnknownOutcomeError`,
            :exc:`.DeferredError` or :exc:`.RefusedError`, with the report.
        :raises BatchError: if of several messages at least one was accepted by nobody.
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
        """Send any number of messages, lazily, no faster than ``MAIL_RATE_LIMIT``, and report on
        each in their order. Nothing is sent until the result is iterated. What fails is in its
        report, and is not raised.

        From a generator each message is made, sent and reported before the next is asked for.
        Of a list, and with several connections, some messages are prepared ahead; and while the
        result is iterated its connections are in use, so that sending something else meanwhile
        needs one more (``MAIL_POOL_SIZE``).

        When the iteration is given up, what is under way is finished, and what was not begun is
        not sent. The reports that did not come then go to the log and the signals, as all do.

        :param connections: So many are used at once, at most ``MAIL_POOL_SIZE``.
        :raises ConfigurationError: if there are not so many.
        :raises MessageError: while iterating, if a message cannot be sent as it is; those before
            it have been reported.
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
        """As :meth:`send`, in a thread, for an ``async`` view. Cancelling the wait does not stop
        the sending: its report still goes to the signal and the log."""
        import asyncio  # only who awaits pays for it

        send: t.Callable[..., Report | list[Report]] = self.send
        work = functools.partial(send, message, **arguments)
        # Not to_thread(): what no thread has begun yet it takes back when the wait is cancelled.
        context = contextvars.copy_context()
        sending = asyncio.get_running_loop().run_in_executor(None, context.run, work)
        # Nobody may wait for its error any more, and what failed is in the log already.
        sending.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Not shield(): from Python 3.14 on it logs the error that nobody waits for.
        await asyncio.wait([sending])
        return sending.result()

    def capture(
        self, app: Flask | None = None, *, server: SMTPServer | None = None
    ) -> AbstractContextManager[Outbox]:
        """Capture all mail instead of sending it, whatever the configuration and whichever the
        thread, as long as the context is open.

        :param app: Whose mail. If it is left out: the current app's; outside an app context
            that of every app this ``Mail`` is registered on.
        :param server: A test server that mail is sent to, and captured by, instead: encrypted and
            logged in as each account would be.
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
    """Say what to write where the message is missing, or an argument belongs to send_later."""
    if later := sorted(LATER.intersection(fields)):
        raise TypeError(
            f"send() sends now: {', '.join(later)} is an argument of send_later(), which takes"
            " a message."
        )
    if message is MISSING:
        raise TypeError(
            "send() takes first a message, or its text: mail.send('Hello Ann', subject=...)."
        )
