"""The extension: :class:`Mail` and :data:`current_mail`."""

from __future__ import annotations

import types
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping

from werkzeug.local import LocalProxy

from ..app.current import NAME
from ..app.current import no_mail
from ..app.framework import current_app_object
from ..app.framework import framework_of
from ..app.framework import itself
from ..app.sender import Sender
from ..errors import ConfigurationError
from ..queue.send_later import LaterSender
from ..queue.send_later import start_with_requests

if t.TYPE_CHECKING:
    from flask import Blueprint
    from flask import Flask
    from flask.sansio.app import App

    from ..address import AddressesInput
    from ..app.settings import Settings
    from ..events.event import Event
    from ..events.kinds import EventKind
    from ..message.arguments import MessageFields
    from ..message.given import AnyMessage
    from ..message.message import Message
    from ..previews.preview import Previews
    from ..previews.preview import Variants
    from .error_mail.handler import ErrorMailHandler
    from .error_mail.options import ErrorMailOptions

A = t.TypeVar("A", bound=Callable[[], bool])
E = t.TypeVar("E", bound="Callable[[Event], object]")
F = t.TypeVar("F", bound="Callable[..., AnyMessage]")


class Mail(Sender, LaterSender):
    """Mail for Flask and Quart apps. It reads the ``MAIL_*`` keys of each app that it is registered
    on, and is then ``app.extensions["mailhandler"]``, ``app.mail`` and :data:`.current_mail`. ::

        mail = Mail()


        def create_app():
            app = Flask(__name__)
            app.config.from_prefixed_env()
            mail.init_app(app)
            return app

    :param app: The app to register on now; or call :meth:`init_app` later.
    :param cli: The name of the command group, ``flask mail``; None adds no commands.
    """

    def __init__(self, app: App | None = None, *, cli: str | None = "mail") -> None:
        super().__init__()
        self._cli = cli
        self._allow_mailbox: Callable[[], bool] = lambda: False
        if app is not None:
            self.init_app(app)

    @property
    def previews(self) -> Previews:
        """The previews by name."""
        from ..previews.preview import Previews  # many apps have none

        # Not cached_property, with which each of two threads could get its own.
        found: Previews = vars(self).setdefault("_previews", Previews())
        return found

    def init_app(self, app: App) -> None:
        """Register on an app and check its configuration. No connection and no file is opened. ::

            mail.init_app(app)

        :raises ConfigurationError: for the first ``MAIL_*`` key that is wrong.
        :raises RuntimeError: if the app already has a ``Mail``.
        """
        from ..app.settings import read_settings  # it loads what sends, see Registrations.add

        app = itself(app)
        if NAME in app.extensions:
            raise RuntimeError(
                "This app has a Mail already. Create one Mail, and register it once on each app."
            )
        try:
            settings = read_settings(app.config.get_namespace("MAIL_"))
        except ConfigurationError as error:
            # The text says everything, and the frames between hold passwords in clear text.
            raise error.with_traceback(None)  # noqa: B904
        mine = self._registrations.add(app, settings)
        mine.other_mail.past_the_guard(app)
        start_with_requests(app, mine)
        app.extensions[NAME] = self
        if not hasattr(app, "mail"):
            app.mail = self  # type: ignore[attr-defined]
        self._register_pages(app, settings)
        if self._cli is not None:
            from ..cli import group

            app.cli.add_command(group(self._cli, mine.framework.with_app_context))

    def _register_pages(self, app: App, settings: Settings) -> None:
        asked = app.debug if settings.mailbox is None else settings.mailbox
        if asked and framework_of(app).has_mailbox(settings.mailbox is not None):
            from ..pages.register import register_on

            register_on(t.cast("Flask", app), settings, lambda: self._allow_mailbox())
        if settings.has_unsubscribe:
            from ..pages.unsubscribe.register import register_on as add_unsubscribe

            add_unsubscribe(app, settings)
        if settings.has_webhooks:
            from ..pages.webhooks.register import register_on as add_webhooks

            add_webhooks(app, settings)

    def allow_mailbox(self, function: A) -> A:
        """Register a function that decides whether the mailbox page may be viewed outside debug
        mode. It is called in each request for the page. ::

            @mail.allow_mailbox
            def allow():
                return current_user.is_admin
        """
        self._allow_mailbox = function
        return function

    def queue_page(
        self,
        access: Callable[[Callable[..., t.Any]], Callable[..., t.Any]],
        *,
        may_change: Callable[[], bool] | None = None,
        may_read: Callable[[], bool] | None = None,
    ) -> Blueprint:
        """Return a blueprint with the page of the queue, for production. ::

            app.register_blueprint(mail.queue_page(login_required), url_prefix="/staff/mail")

        :param access: A decorator of views, which lets only some users pass.
        :param may_change: Returns True if the user may send messages again and cancel them.
        :param may_read: Returns True if the user may read the contents of messages.
        :raises TypeError: if one of them cannot check anything.
        """
        from ..pages.queue.production import queue_page

        return queue_page(access, may_change, may_read)

    def preview(
        self,
        name: str,
        /,
        *,
        variants: Variants | None = None,
        locales: Collection[str] = (),
        allow: Collection[str] = (),
    ) -> Callable[[F], F]:
        """Register a function that returns a message with sample data, to be viewed and tested. It
        is called only then. Its changes to a database are rolled back, and it cannot send. ::

            @mail.preview("Account/Welcome")
            def welcome():
                return mail.render("mail/welcome", {"name": "Ann"}, subject="Welcome")

        :param name: The name, with slashes between groups: ``"Account/Welcome"``.
        :param variants: Names, and the keyword arguments to call the function with for each.
        :param locales: The function is called with each as ``locale=``.
        :param allow: The names of rules of :func:`.lint` that do not apply to this preview.
        :raises ValueError: for a name that is taken or not valid, or an unknown rule.
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
        """Build a message from templates: ``mail/welcome`` stands for ``mail/welcome.html`` and
        ``.txt``, or ``.md``, or ``.mail`` with a block for each part. ::

            message = mail.render("mail/welcome", {"user": user}, to=user.email)

        :param context: The variables of the templates.
        :param locale: The language to render in: ``de``, ``de_AT`` or a ``babel.Locale``. If you
            leave it out, it is the language of the people in ``to=``: see :meth:`address_of`.
        :param fields: The other fields of the message.
        :raises MessageError: if the HTML has a link or an image that cannot work in a mail, or if
            the people have several languages.
        :raises jinja2.TemplateNotFound: if there is no such template.
        """
        from ..templating import render

        mine = self._registration()
        return render(mine.app, mine.settings, template, context, locale, fields)

    def render_each(
        self,
        template: str,
        context: Mapping[str, t.Any] | None = None,
        /,
        **fields: t.Unpack[MessageFields],
    ) -> list[Message]:
        """Build a message for each language of the recipients. Each recipient is in one of them. ::

            mail.send(mail.render_each("mail/closed", {"until": date}, bcc=users))

        An address without a person is in the first message.

        :raises MessageError: like :meth:`render`.
        """
        from ..templating import render_each

        mine = self._registration()
        return render_each(mine.app, mine.settings, template, context, fields)

    def on_event(self, *kinds: EventKind | str) -> Callable[[E], E]:
        """Register a function to call with each :class:`.Event` of these kinds, or with every event
        if there are none. ::

            @mail.on_event("bounced", "complained")
            def note(event):
                print(event.recipient, event.severity, event.reason)

        :raises ValueError: for a kind that does not exist.
        :raises TypeError: for an ``async`` function.
        """
        from ..app.listeners import registering  # few apps listen

        return registering(self._registrations.listeners, kinds)

    def error_handler(
        self, to: AddressesInput = (), **options: t.Unpack[ErrorMailOptions]
    ) -> ErrorMailHandler:
        """Return a handler of :mod:`logging` that mails errors. ::

            app.logger.addHandler(mail.error_handler(to="ops@example.com"))

        :param options: See :doc:`error-mail`.
        """
        from .error_mail.handler import make_handler

        return make_handler(self._registrations, self.previews, to, options)

    def handle_notification(self, octets: bytes, *, recipient: str | None = None) -> list[Event]:
        """Read a message that came to the envelope sender, and tell the app what became of its
        mail: each event is logged, sent as a signal, and passed to the :meth:`on_event`
        functions. ::

            events = mail.handle_notification(imap.fetch(...))

        :param recipient: The address that it came to, if its header does not name it. With
            ``MAIL_BOUNCE_ADDRESS``, this address verifies the events.
        :return: The events of :meth:`.Event.parse`. Empty if the message is not a notification.
        :raises ConfigurationError: if it came to a signed address, and there is no ``SECRET_KEY``.
        """
        from ..app.listeners import handle_notification

        return handle_notification(self._registration(), octets, recipient)

    def url_for(self, endpoint: str, /, **values: t.Any) -> str:
        """Return an absolute URL for a message, as ``url_for`` does in the templates of mails. ::

            link = mail.url_for("unsubscribe", token=token)

        It starts with ``MAIL_BASE_URL`` or ``SERVER_NAME``, and does not use the Host header of the
        request, which a client can forge. It works outside a request too.

        :param values: The arguments of :meth:`flask.Flask.url_for`.
        :raises ConfigurationError: if neither key is set, unless the host of the request can be
            trusted.
        :raises werkzeug.routing.BuildError: if there is no such endpoint.
        """
        from ..templating import whole_url

        mine = self._registration()
        return whole_url(mine.app, mine.settings.base_url, endpoint, values)

    def __repr__(self) -> str:
        return f"<Mail on {', '.join(self._registrations.names()) or 'no app'}>"


# Python names a method in a TypeError as the class that defines it. Users know only Mail.
for _kind in (Sender, LaterSender):
    for _name, _method in vars(_kind).items():
        if isinstance(_method, types.FunctionType):
            _method.__qualname__ = f"Mail.{_name}"


def _current_mail() -> Mail:
    app = current_app_object()
    if app is None:
        raise RuntimeError(
            "current_mail is the Mail of the current app, and there is no app context here: wrap"
            " the code in 'with app.app_context():' (Quart: 'async with')."
        )
    mail: Mail | None = app.extensions.get(NAME)
    if mail is None:
        raise no_mail(app)
    return mail


current_mail: Mail = t.cast("Mail", LocalProxy(_current_mail))
"""The :class:`.Mail` of the current app: ``current_mail.send(message)``."""
