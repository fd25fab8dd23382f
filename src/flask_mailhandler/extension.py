"""The extension: a Flask app sends mail."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import AbstractContextManager
from email.message import Message as MIMEMessage

from flask import Flask

from .accounts import read_settings
from .address import AddressesInput
from .current import NAME
from .errors import BatchError
from .errors import ConfigurationError
from .handlers.base import EmailHandler
from .handlers.prepare import AnyMessage
from .handlers.prepare import Before
from .handlers.prepare import from_text
from .handlers.prepare import several
from .message import Message
from .message import MessageFields
from .outbox import Outbox
from .previews.preview import F
from .previews.preview import Previews
from .previews.preview import Variants
from .registration import Registration
from .registration import Registrations
from .report import Report
from .text import plain

A = t.TypeVar("A", bound=Callable[[], bool])
B = t.TypeVar("B", bound=Before)


class Mail:
    """Mail for Flask apps. It reads the ``MAIL_*`` keys of each app it is registered on, and is
    then ``app.extensions["mailhandler"]``, ``app.mail`` and :data:`.current_mail`.

    :param app: Registered at once; or call :meth:`init_app` later.
    :param cli: The name of the command group, ``flask mail``; None for none.
    """

    def __init__(self, app: Flask | None = None, *, cli: str | None = "mail") -> None:
        self._cli = cli
        self._before: list[Before] = []
        self._registrations = Registrations()
        self._may_look: Callable[[], bool] = lambda: False
        self.previews = Previews()
        """The previews by their names."""
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
        self._registrations.add(app, settings)
        app.extensions[NAME] = self
        if not hasattr(app, "mail"):
            app.mail = self  # type: ignore[attr-defined]
        if app.debug if settings.mailbox is None else settings.mailbox:
            from .mailbox.register import register_on

            register_on(app, settings, lambda: self._may_look())
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

    def allow_mailbox(self, function: A) -> A:
        """Register a function that says whether the page of the mailbox may be seen though the app
        is not in debug mode. It is called in the request for it. May be used as a decorator."""
        self._may_look = function
        return function

    def preview(
        self,
        name: str,
        /,
        *,
        variants: Variants | None = None,
        locales: Collection[str] = (),
        allow: Collection[str] = (),
    ) -> Callable[[F], F]:
        """Register a function that returns a message with sample data, to be looked at and tested.
        It is called only then; what it writes into a database is undone, and it cannot send.

        :param name: What it is called, with slashes between groups: ``"Account/Welcome"``.
        :param variants: More than one: names, and the keyword arguments of each.
        :param locales: Each is given to the function as ``locale=``.
        :param allow: The names of rules of :func:`.lint` that do not hold for it.
        :raises ValueError: for a name that is taken or cannot be one, or no name of a rule.
        :raises TypeError: if the function does not take these arguments.
        """
        return self.previews.adder(name, variants, locales, allow)

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
            message = from_text(text, fields, mine.handler(using).default_subject)
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
                for message in pace.each(several(messages, "send_each"))
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

    def render(
        self,
        template: str,
        context: Mapping[str, t.Any] | None = None,
        /,
        *,
        locale: object = None,
        **fields: t.Unpack[MessageFields],
    ) -> Message:
        """Make a message of templates: ``mail/welcome`` is ``mail/welcome.html`` and ``.txt``, or
        ``.md``, or ``.mail`` with a block for each part.

        :param context: The variables of the templates.
        :param locale: ``de``, ``de_AT`` or a ``babel.Locale``: the language to write it in.
        :param fields: The other fields of the message.
        :raises MessageError: if a link or an image of the HTML is dead in a mail.
        :raises jinja2.TemplateNotFound: if there is no such template.
        """
        from .templating import render

        mine = self._registration()
        return render(mine.app, mine.settings.base_url, template, context, locale, fields)

    def capture(self, app: Flask | None = None) -> AbstractContextManager[Outbox]:
        """Capture all mail instead of sending it, whatever the configuration and whichever the
        thread, as long as the context is open.

        :param app: Whose mail. If it is left out: the current app's; outside an app context
            that of every app this ``Mail`` is registered on.
        """
        return self._registrations.capture(app)

    def _registration(self) -> Registration:
        return self._registrations.current()

    def __repr__(self) -> str:
        return f"<Mail on {', '.join(self._registrations.names()) or 'no app'}>"
