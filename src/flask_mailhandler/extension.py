"""The extension: a Flask app sends mail."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping

from flask import Flask

from .app.current import NAME
from .app.send_later import look_after_queue
from .app.send_later import SendsLater
from .app.sender import Sender
from .app.settings import read_settings
from .errors import ConfigurationError
from .message.fields import MessageFields
from .message.message import Message
from .previews.preview import F
from .previews.preview import Previews
from .previews.preview import Variants

A = t.TypeVar("A", bound=Callable[[], bool])


def _refuse_quart(app: object) -> None:
    """Quart's app is much like Flask's, and every sending of it would fail."""
    if any(kind.__module__.partition(".")[0] == "quart" for kind in type(app).__mro__):
        raise RuntimeError(
            "Quart is not supported yet: Mail needs a Flask app. In an app of Quart, send by a"
            " handler in a thread: await asyncio.to_thread(SMTPEmailHandler(...).send, [message])."
        )


class Mail(Sender, SendsLater):
    """Mail for Flask apps. It reads the ``MAIL_*`` keys of each app it is registered on, and is
    then ``app.extensions["mailhandler"]``, ``app.mail`` and :data:`.current_mail`.

    :param app: Registered at once; or call :meth:`init_app` later.
    :param cli: The name of the command group, ``flask mail``; None for none.
    """

    def __init__(self, app: Flask | None = None, *, cli: str | None = "mail") -> None:
        super().__init__()
        self._cli = cli
        self._may_look: Callable[[], bool] = lambda: False
        self.previews: Previews = Previews()
        """The previews by their names."""
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Register on an app and check its configuration. Nothing is opened.

        :raises ConfigurationError: for the first ``MAIL_*`` key that is wrong.
        :raises RuntimeError: if the app has a ``Mail`` already, or is one of Quart.
        """
        _refuse_quart(app)
        if NAME in app.extensions:
            raise RuntimeError(
                "This app has a Mail already. Create one Mail, and register it once on each app."
            )
        try:
            settings = read_settings(app.config.get_namespace("MAIL_"))
        except ConfigurationError as error:
            # The text tells it all, and the frames between hold passwords as they were written.
            raise error.with_traceback(None)  # noqa: B904
        mine = self._registrations.add(app, settings)
        mine.other_mail.past_the_guard(app)
        look_after_queue(app, mine)
        app.extensions[NAME] = self
        if not hasattr(app, "mail"):
            app.mail = self  # type: ignore[attr-defined]
        if app.debug if settings.mailbox is None else settings.mailbox:
            from .pages.register import register_on

            register_on(app, settings, lambda: self._may_look())
        if self._cli is not None:
            from .cli import group

            app.cli.add_command(group(self._cli))

    def allow_mailbox(self, function: A) -> A:
        """Register a function that decides whether the mailbox page may be seen outside debug mode.
        It is called in each request for the page. May be used as a decorator."""
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
        return render(mine.app, mine.settings, template, context, locale, fields)

    def __repr__(self) -> str:
        return f"<Mail on {', '.join(self._registrations.names()) or 'no app'}>"
