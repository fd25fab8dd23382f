"""From the name of a template to a message."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Mapping

from jinja2 import TemplateNotFound
from markupsafe import Markup

from ..app.framework import framework_of
from ..app.settings import Settings
from ..message import fields as message_fields
from ..message.arguments import MessageFields
from ..message.message import Message
from ..message.one_click import PLACEHOLDER
from ..message.template_name import mark
from ..text.checks import plain
from ..text.checks import shorten
from . import language
from . import lookup
from . import markdown
from . import recipients
from .accent import mail_accent
from .css.inline import inliner
from .dead_links import check_links
from .environments import Environments
from .images import collecting
from .images import mail_image
from .missing import check_body
from .missing import check_subject
from .parts import ABOUT
from .parts import IN_ONE_FILE
from .parts import one_line
from .parts import Parts
from .unprinted import check_blocks
from .urls import url_for_of

if t.TYPE_CHECKING:
    from flask.sansio.app import App

_KEY = "mailhandler.templates"
_LAYOUT = "mailhandler/layout.html"


def render(
    app: App,
    settings: Settings,
    template: str,
    context: Mapping[str, t.Any] | None,
    locale: object,
    fields: MessageFields,
) -> Message:
    """Make a message from templates::

        mail.render("mail/welcome", {"user": user}, locale="de", to=user.email)

    See :meth:`.Mail.render`.
    """
    _check_arguments(template, context, fields)
    if locale is None:
        fields = recipients.read(fields)
        locale = recipients.language_of(fields) or None
    message = _templates(app, settings).render(template, context, locale, fields)
    return mark(message, template, language.read_locale(locale))


def render_each(
    app: App,
    settings: Settings,
    template: str,
    context: Mapping[str, t.Any] | None,
    fields: MessageFields,
) -> list[Message]:
    """Make a message for each language of the recipients::

        mail.render_each("mail/welcome", to=users)

    See :meth:`.Mail.render_each`.
    """
    _check_arguments(template, context, fields)
    if fields.get("message_id") is not None:
        raise TypeError("render_each() takes no message_id=: each message has its own.")
    parts = recipients.by_language(recipients.read(fields))
    return [
        render(app, settings, template, context, locale or None, part)
        for locale, part in parts.items()
    ]


def _check_arguments(template: object, context: object, fields: MessageFields) -> None:
    """Check the arguments before rendering, so that an error is not blamed on a template.

    :raises TypeError: if an argument is wrong. The error says what to write.
    """
    if not isinstance(template, str):
        raise TypeError(f"render() takes the name of a template, not {shorten(template)}.")
    if not isinstance(context, Mapping | None):
        raise TypeError(
            f"render() takes the variables in a dict, {{'name': ...}}, not {shorten(context)}."
        )
    for part in ("html", "text"):
        if part in fields:
            raise TypeError(f"render() takes the {part} from the templates; leave out {part}=.")
    if not fields.keys() <= MessageFields.__optional_keys__:
        try:
            Message(**fields)
        except TypeError as error:
            raise TypeError(
                f"{error} Pass variables of the template in the second argument:"
                f" render({template!r}, {{...}})."
            ) from None


def _templates(app: App, settings: Settings) -> Templates:
    # The app holds them, because they hold the app.
    found: Templates | None = app.extensions.get(_KEY)
    if found is None:
        # If two threads make one, both use the first.
        found = t.cast(Templates, app.extensions.setdefault(_KEY, Templates(app, settings)))
    return found


class Templates:
    """An app's mail templates, and everything that is made once for them."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._placeholders = settings.placeholders
        self._url_for = url_for_of(app, settings.base_url)
        functions = {"url_for": self._url_for, "mail_image": mail_image, "mail_accent": mail_accent}
        self._environments = Environments(app, functions)
        self._inline = inliner()
        # As in Jinja: a template that was not found is looked up again in debug mode only.
        cached = functools.lru_cache(256)(self._find)
        self._files = self._find if app.jinja_env.auto_reload else cached

    def render(
        self,
        template: str,
        context: Mapping[str, t.Any] | None,
        locale: object,
        fields: MessageFields,
    ) -> Message:
        known = language.read_locale(locale)
        with language.speaking(self._app, known), collecting(self._app) as images:
            listed: dict[str, t.Any] = (
                {"unsubscribe_url": PLACEHOLDER} if fields.get("unsubscribe") else {}
            )
            variables = self._variables({**listed, **(context or {})}, known)
            layout = variables["mail_layout"]
            files = self._files(template, known, layout if isinstance(layout, str) else "")
            subject = plain(fields.get("subject"))
            parts = Parts(
                self._environments,
                lambda text: self._convert(text),
                files,
                variables,
                None if subject is None else one_line(subject),
            )
            html = parts.html()
            source = files.single or files.html or files.markdown
            check_subject(parts.subject(), source or files.text, passed=subject is not None)
            check_links(html, source, self._placeholders)
            check_body(html, parts.text(), source or files.text)
            html = self._inline(html)
            name = "inline_attachments"
            inline = message_fields.attachments(fields.get(name), name)
            made: MessageFields = {
                **fields,
                "subject": parts.subject(),
                "text": parts.text(),
                "html": html,
                "inline_attachments": [*inline, *images.shown_in(html)],
            }
            return Message(**made)

    def _variables(self, context: Mapping[str, t.Any] | None, locale: str) -> dict[str, t.Any]:
        variables = {
            "mail_locale": locale.replace("_", "-"),
            "mail_layout": _LAYOUT,
            **(context or {}),
        }
        framework_of(self._app).add_variables(self._app, variables)
        # A context processor may have set its own url_for, which would not be safe.
        return {**variables, "url_for": self._url_for}

    @functools.cached_property
    def _convert(self) -> t.Callable[[str], Markup]:
        return markdown.converter()

    def _find(self, template: str, locale: str, layout: str) -> lookup.Files:
        locales = [*language.fallbacks(locale)]
        files = lookup.find(template, locales, self._exists, self._known)
        environment = self._environments.text.environment
        for name in files.written:
            single = name == files.single
            check_blocks(environment, name, IN_ONE_FILE if single else ABOUT, layout, silent=single)
        return files

    def _known(self) -> list[str]:
        try:
            return self._environments.text.environment.list_templates()
        except TypeError:  # not every loader can list them
            return []

    def _exists(self, name: str) -> bool:
        try:
            self._environments.text.environment.get_template(name)
        except TemplateNotFound:
            return False
        return True
