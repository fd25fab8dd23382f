"""The extension: a Flask app sends mail."""

from __future__ import annotations

import contextlib
import typing as t
import weakref
from collections.abc import Iterable
from collections.abc import Iterator
from email.message import Message as MIMEMessage

from flask import Flask
from flask import has_app_context

from .accounts import read_settings
from .address import AddressesInput
from .current import current_app_object
from .current import NAME
from .errors import BatchError
from .errors import ConfigurationError
from .errors import MessageError
from .handlers.base import EmailHandler
from .handlers.prepare import AnyMessage
from .handlers.prepare import Before
from .handlers.prepare import several
from .later import look_after_queue
from .later import SendsLater
from .message import Message
from .message import MessageFields
from .outbox import Outbox
from .pace import Pace
from .registration import Registration
from .report import Report
from .text import plain
from .text import shorten

B = t.TypeVar("B", bound=Before)


class Mail(SendsLater):
    """Mail for Flask apps. It reads the ``MAIL_*`` keys of each app it is registered on, and is
    then ``app.extensions["mailhandler"]``, ``app.mail`` and :data:`.current_mail`.

    :param app: Registered at once; or call :meth:`init_app` later.
    :param cli: The name of the command group, ``flask mail``; None for none.
    """

    def __init__(self, app: Flask | None = None, *, cli: str | None = "mail") -> None:
        self._cli = cli
        self._before: list[Before] = []
        self._registrations: weakref.WeakKeyDictionary[Flask, Registration] = (
            weakref.WeakKeyDictionary()
        )
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Register on an app and check its configuration. Nothing is opened.

        :raises ConfigurationError: for the first ``MAIL_*`` key that is wrong.
        :raises RuntimeError: if the app has a ``Mail`` already.
        """
        if NAME in app.extensions:
            raise RuntimeError(
                "This app has a Mail already. Create one Mail, and register it once on each app."
            )
        try:
            settings = read_settings(app.config.get_namespace("MAIL_"))
        except ConfigurationError as error:
            # The text tells it all, and the frames between hold passwords as they were written.
            raise error.with_traceback(None)  # noqa: B904
        mine = self._registrations[app] = Registration(app, settings)
        look_after_queue(app, mine)
        app.extensions[NAME] = self
        if not hasattr(app, "mail"):
            app.mail = self  # type: ignore[attr-defined]
        if self._cli is not None:
            from .cli import group

            app.cli.add_command(group(self._cli))

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
        self._before.append(function)
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
        message: str,
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
        message: t.Any,
        /,
        *,
        using: str | None = None,
        recipients: AddressesInput = None,
        timeout: float | None = None,
        **fields: t.Any,
    ) -> Report | list[Report]:
        """Send a message, a text, or several messages, and return when the server has them.

        :param message: A :class:`.Message` or an ``EmailMessage``; or a text, with the other
            fields of the message by keyword, ``subject`` among them; or several messages, tens
            rather than thousands: see :meth:`send_each`.
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
        mine = self._registration()
        text = plain(message)
        if text is not None:
            message = _from_text(text, fields, mine.handler(using).default_subject)
        elif fields:
            raise TypeError(
                f"send() takes {', '.join(sorted(fields))} only beside a text; a message has its"
                " own: write message.replace(...)."
            )
        if isinstance(message, Message | MIMEMessage):
            (report,) = self._send(mine, [message], using, recipients, timeout)
            if report.failed and report.error is not None:
                raise report.error
            return report
        if recipients is not None:
            raise TypeError("send() takes recipients= only for a single message.")
        reports = self._send(mine, several(message, "send"), using, None, timeout)
        if any(report.failed for report in reports):
            raise BatchError(reports)
        return reports

    def _send(
        self,
        mine: Registration,
        messages: Iterable[AnyMessage],
        using: str | None,
        recipients: AddressesInput,
        timeout: float | None,
    ) -> list[Report]:
        handler = mine.handler(using)
        prepared = [
            handler.prepare(
                message, recipients=recipients, timeout=timeout, before=tuple(self._before)
            )
            for message in messages
        ]
        reports = []
        for report in handler.dispatch(prepared):
            mine.tell(report, using)
            reports.append(report)
        return reports

    def send_each(
        self,
        messages: Iterable[AnyMessage],
        /,
        *,
        using: str | None = None,
        timeout: float | None = None,
    ) -> Iterator[Report]:
        """Send any number of messages, each made, sent and reported before the next is asked
        for, over as few connections as possible and no faster than ``MAIL_RATE_LIMIT``.

        Nothing is sent until the result is iterated. What fails is in its report, and is not
        raised.

        :raises MessageError: while iterating, if a message cannot be sent as it is; those before
            it have been reported.
        """
        mine = self._registration()
        handler = mine.handler(using)
        before = tuple(self._before)
        pace = mine.pace(using)

        def reports() -> Iterator[Report]:
            for report in handler.dispatch(
                handler.prepare(message, timeout=timeout, before=before)
                for message in _paced(several(messages, "send_each"), pace)
            ):
                mine.tell(report, using)
                yield report

        return reports()

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
        message: str,
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
        return await asyncio.to_thread(send, message, **arguments)

    @contextlib.contextmanager
    def capture(self, app: Flask | None = None) -> Iterator[Outbox]:
        """Capture all mail instead of sending it, whatever the configuration and whichever the
        thread, as long as the context is open.

        :param app: Whose mail. If it is left out: the current app's; outside an app context
            that of every app this ``Mail`` is registered on.
        """
        outbox = Outbox()
        target = app or (current_app_object() if has_app_context() else None)
        all_mine = [self._registration_of(target)] if target else [*self._registrations.values()]
        for mine in all_mine:
            mine.start_capture(outbox)
        try:
            yield outbox
        finally:
            for mine in all_mine:
                mine.end_capture(outbox)

    def _registration(self) -> Registration:
        if not has_app_context():
            raise RuntimeError(
                "Mail is sent on behalf of an app, and there is no app context here. In a script,"
                " wrap the code in 'with app.app_context():'; in a thread, push one there."
            )
        return self._registration_of(current_app_object())

    def _registration_of(self, app: Flask) -> Registration:
        try:
            return self._registrations[app]
        except KeyError:
            raise RuntimeError(
                f"This Mail is not registered on the app {app.name!r}: call mail.init_app(app) in"
                " the function that creates the app."
            ) from None

    def __repr__(self) -> str:
        apps = ", ".join(sorted(app.name for app in self._registrations)) or "no app"
        return f"<Mail on {apps}>"


def _from_text(text: str, fields: dict[str, t.Any], default_subject: str) -> Message:
    if "text" in fields:
        raise TypeError("send() takes the text as its first argument; leave out text=.")
    if not fields.get("subject") and not default_subject:
        raise MessageError(
            f"send({shorten(text, 40)}) has no subject: the first argument is the text; write"
            " subject=..., or set MAIL_DEFAULT_SUBJECT."
        )
    return Message(text=text, **fields)


def _paced(messages: Iterable[AnyMessage], pace: Pace) -> Iterator[AnyMessage]:
    for message in messages:
        pace.wait()
        yield message
