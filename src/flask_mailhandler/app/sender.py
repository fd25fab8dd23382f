"""How a :class:`.Mail` sends: one message, many, in a thread, or into an outbox."""

from __future__ import annotations

import contextvars
import functools
import typing as t
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from email.message import Message as MIMEMessage

from ..message.given import AnyMessage
from ..message.given import Before
from ..message.given import several
from ..message.message import Message
from ..message.other_names import LATER
from ..text.checks import plain
from .registrations import MailBase

if t.TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from email.header import Header

    from flask.sansio.app import App

    from ..address import AddressesInput
    from ..address import AddressInput
    from ..handlers.base import EmailHandler
    from ..message.arguments import MessageFields
    from ..report import Report
    from ..testing.outbox import Outbox
    from ..testing.server import SMTPServer

B = t.TypeVar("B", bound="Before")
_OWN = ("recipients", "timeout", "using")

MISSING = object()
"""The default of an argument that is required."""


class Sender(MailBase):
    """Sends on behalf of the current app."""

    @property
    def handler(self) -> EmailHandler:
        """The handler in force for the default account of the current app. In a test it is the
        handler for tests. ::

            print(mail.handler)
        """
        return self._registration().handler(None)

    def handler_for(self, using: str | None) -> EmailHandler:
        """Return the handler in force for an account of the current app. ::

            print(mail.handler_for("bulk"))

        :raises ConfigurationError: if there is no such account.
        """
        return self._registration().handler(using)

    def before_send(self, function: B) -> B:
        """Register a function to call with every message after the defaults are filled in. It
        returns the message, a changed copy, or None to stop the message. ::

            @mail.before_send
            def mark(message):
                return message.replace(subject=f"[test] {message.subject}")
        """
        from .wrong_arguments import check_not_async  # when an app is made, and not for a send

        check_not_async(function, "before_send")
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
        envelope_sender: AddressInput | None = None,
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
        envelope_sender: AddressInput | None = None,
        timeout: float | None = None,
        **fields: t.Any,
    ) -> Report | list[Report]:
        """Send a message, a text, or several messages, and return when the server has them. ::

            report = mail.send("Hello Ann", subject="Hi", to="ann@example.com")

        :param message: A :class:`.Message` or an ``EmailMessage``; or a text, with the other
            fields of the message as keyword arguments, including ``subject``; or None with
            ``html=``; or several messages, tens rather than thousands: see :meth:`send_each`.
        :param using: The account of ``MAIL_ACCOUNTS`` to send with.
        :param recipients: The recipients of this call, instead of those in the headers: for
            instance ``report.deferred``, to try again.
        :param envelope_sender: The address for bounces of an ``EmailMessage``, instead of its
            Sender or From. A :class:`.Message` has a field of this name.
        :param timeout: Seconds in all for each message, instead of ``MAIL_TIMEOUT``.
        :return: A report, or a list of reports for several messages.
        :raises MessageError: if a message cannot be sent as it is. Nothing was sent then.
        :raises DeliveryError: if no recipient accepted the message: :exc:`.UnknownOutcomeError`,
            :exc:`.DeferredError` or :exc:`.RefusedError`, with the report.
        :raises BatchError: if at least one of several messages was accepted by no recipient.
        """
        from .send_call import SendCall  # loaded with the first app, see Registrations.add

        single = isinstance(message, AnyMessage)
        if envelope_sender is not None and not isinstance(message, MIMEMessage):
            # It is a field of a text, and a Message has its own.
            fields["envelope_sender"], envelope_sender = envelope_sender, None
        if fields or not single:
            _check_arguments(self.send, message, fields, recipients)
        call = SendCall(self._registrations.current(), using, recipients, timeout, envelope_sender)
        if fields or not single:
            message = _read(message, fields, call.handler.default_subject)
        if isinstance(message, AnyMessage):
            (report,) = call.send([message])
            if report.error is not None and report.failed:
                raise report.error
            return report
        reports = call.send(several(message, "send"))
        if any(report.failed for report in reports):
            from ..report import BatchError

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
        **wrong: t.Never,
    ) -> Iterator[Report]:
        """Send any number of messages lazily, within ``MAIL_RATE_LIMIT``, and yield a report for
        each, in order. Nothing is sent until you iterate over the result. A failure is in its
        report, and is not raised. ::

            for report in mail.send_each(newsletter()):
                print(report.message_id, report.ok)

        Each message of a generator is made, sent and reported before the next is asked for. With a
        list, and with several connections, some messages are prepared ahead. The connections stay
        in use while you iterate, so sending another message meanwhile needs one more
        (``MAIL_POOL_SIZE``).

        If you stop iterating, messages that are being sent are finished, and the others are not
        sent. Reports that were not yielded still go to the log and the signals.

        :param connections: How many connections to use at once, at most ``MAIL_POOL_SIZE``.
        :raises ConfigurationError: if the pool is smaller.
        :raises MessageError: during the iteration, if a message cannot be sent as it is; those
            before it have been reported.
        """
        from .send_call import SendCall

        if wrong:
            from .wrong_arguments import wrong_argument

            raise wrong_argument(self.send_each, wrong)
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
        envelope_sender: AddressInput | None = None,
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
        """Call :meth:`send` in a thread, for an ``async`` view. Cancelling the wait does not stop
        the send: its report still goes to the signal and the log. ::

            report = await mail.send_async(message)
        """
        import asyncio  # only async apps load it

        no_field = isinstance(message, MIMEMessage) or arguments.get("envelope_sender") is None
        own = (*_OWN, "envelope_sender") if no_field else _OWN
        fields = {name: value for name, value in arguments.items() if name not in own}
        _check_arguments(self.send_async, message, fields, arguments.get("recipients"))
        send: t.Callable[..., Report | list[Report]] = self.send
        work = functools.partial(send, message, **arguments)
        # Not to_thread(): if the wait is cancelled, it withdraws a send that no thread has begun.
        context = contextvars.copy_context()
        sending = asyncio.get_running_loop().run_in_executor(None, context.run, work)
        # Retrieve the error even if the wait was cancelled; the failure is in the log already.
        sending.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Not shield(): since Python 3.14 it logs an error after a cancelled wait.
        await asyncio.wait([sending])
        return sending.result()

    def capture(
        self, app: App | None = None, *, server: SMTPServer | None = None
    ) -> AbstractContextManager[Outbox]:
        """Capture all mail instead of sending it, in every thread and with any configuration, while
        the context is open. ::

            with mail.capture() as outbox:
                client.post("/signup", data={"email": "ann@example.com"})
            assert outbox.one(to="ann@example.com").subject == "Welcome"

        :param app: The app whose mail to capture. Default: the current app; outside an app context,
            every app that this ``Mail`` is registered on.
        :param server: A test server that receives and captures the mail instead, with the
            encryption and the login of each account.
        """
        return self._registrations.capture(app, server)


def _read(
    message: t.Any, fields: dict[str, t.Any], default_subject: str
) -> AnyMessage | Iterable[AnyMessage]:
    """Build a message from a text and its fields; return several messages as they are."""
    text = plain(message)
    if text is not None or message is None:
        from ..handlers.prepare import from_text

        return from_text(text, fields, default_subject)
    return t.cast("Iterable[AnyMessage]", message)


def _check_arguments(
    method: t.Callable[..., object],
    message: object,
    fields: Collection[str],
    recipients: AddressesInput,
) -> None:
    """Check that the arguments of ``send`` or ``send_async`` go together.

    :raises TypeError: if they do not. It names the method that the user called.
    """
    call = f"{method.__name__}()"
    if later := sorted(LATER.intersection(fields)):
        raise TypeError(
            f"{call} sends now: {', '.join(later)} is an argument of send_later(), which takes"
            " a message."
        )
    if message is MISSING:
        raise TypeError(
            "send() takes a message, or its text, first: mail.send('Hello Ann', subject=...)."
        )
    is_text = message is None or plain(message) is not None
    if is_text and recipients is not None:
        raise TypeError(f"{call} takes recipients= only with a message; with a text, to=.")
    if wrong := [name for name in fields if name not in Message.__dataclass_fields__]:
        from .wrong_arguments import near
        from .wrong_arguments import wrong_argument

        # An unknown field of a text is an error of Message, unless one of our own was meant.
        if wrong := [name for name in wrong if not is_text or near(name, _OWN)]:
            raise wrong_argument(method, wrong, takes=_OWN)
    elif is_text:
        return
    elif fields:
        from .wrong_arguments import fields_of_a_text

        raise fields_of_a_text(method, sorted(fields), message)
    elif recipients is not None and not isinstance(message, AnyMessage):
        raise TypeError(f"{call} takes recipients= only for a single message.")
