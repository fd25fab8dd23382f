"""Mails of this package itself. No template, filter or context processor of the app takes part.

They are rendered in a thread, where a context processor that needs a request would raise; and they
must be readable when the app is what is broken.
"""

from __future__ import annotations

import typing as t

from jinja2 import Environment
from jinja2 import StrictUndefined

from .accent import mail_accent
from .css.inline import inliner
from .package_files import PackageLoader


class PackageMail:
    """Renders the mails of this package."""

    def __init__(self) -> None:
        self._html = _environment(autoescape=True)
        self._text = _environment(autoescape=False)
        self._html.globals.update(mail_accent=mail_accent, mail_locale="en")
        self._inline = inliner()

    def html(self, name: str, subject: str, variables: t.Mapping[str, t.Any]) -> str:
        """Return the HTML of a mail.

        :param name: ``"error"`` for ``templates/mailhandler/error.html``.
        """
        template = self._html.get_template(f"mailhandler/{name}.html")
        return self._inline(template.render(variables, mail_subject=lambda: subject))

    def text(self, name: str, variables: t.Mapping[str, t.Any]) -> str:
        """Return the text of a mail."""
        template = self._text.get_template(f"mailhandler/{name}.txt")
        return f"{template.render(variables).strip()}\n"


def _environment(*, autoescape: bool) -> Environment:
    return Environment(
        loader=PackageLoader("templating"), autoescape=autoescape, undefined=StrictUndefined
    )
