"""The shell of every answer: its template, and headers that nobody else can open.

The environment of the templates is our own, so that an app which escapes in another way, or sees
all templates, changes nothing here.
"""

from __future__ import annotations

import typing as t

from flask import Response
from flask import url_for
from jinja2 import Environment
from jinja2 import StrictUndefined

from ..package_files import PackageLoader

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.datastructures import Headers

LOCKED = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Else the names in links are looked up, and who owns them knows that a message is read.
    "X-DNS-Prefetch-Control": "off",
    "X-Frame-Options": "DENY",
}
"""The headers of a page."""

_SANDBOX = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'"

FRAME = {
    # (An opener policy is an error in a sandbox.)
    **{name: value for name, value in LOCKED.items() if name != "Cross-Origin-Opener-Policy"},
    # A link may open a new tab, when somebody clicks it; that is all a message can do.
    "Content-Security-Policy": (
        f"{_SANDBOX}; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
}
"""The headers of a message's HTML."""

FRAME_WITH_IMAGES = {
    **FRAME,
    "Content-Security-Policy": FRAME["Content-Security-Policy"].replace(
        "img-src data:", "img-src data: http: https:"
    ),
}
"""As :data:`FRAME`, for who has asked to see remote images."""

DOWNLOAD = {
    **LOCKED,
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "X-Download-Options": "noopen",
}
"""The headers of a file, which is never shown."""


class Sealed(Response):
    """An answer whose headers an app's ``after_request`` cannot change: they are set when the
    answer is written. An app that allows every origin to read it would give mail away."""

    seal: t.Mapping[str, str] = LOCKED

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        headers = super().get_wsgi_headers(environ)
        for name in [name for name, _ in headers if name.lower().startswith("access-control-")]:
            headers.remove(name)
        headers.update(self.seal)
        return headers


def sealed(
    body: str | bytes,
    seal: t.Mapping[str, str] = LOCKED,
    *,
    mimetype: str = "text/html",
    status: int = 200,
) -> Sealed:
    """Make an answer."""
    # A text in some charsets decodes to halves of characters, which cannot be written.
    octets = body.encode("utf-8", "replace") if isinstance(body, str) else body
    response = Sealed(octets, status, mimetype=mimetype)
    response.seal = seal
    # An app with a response_class of its own makes one of it, and that knows no seal.
    response.headers.update(seal)
    return response


class Shell:
    """What the pages of a blueprint share.

    :param parts: Of the package, which have templates beside those of the mailbox.
    """

    def __init__(self, *parts: str) -> None:
        self._sections: list[tuple[str, str, t.Callable[[], bool]]] = []
        self._templates = Environment(
            loader=PackageLoader("mailbox", *parts),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["url_for"] = url_for

    def add_section(
        self, label: str, endpoint: str, shown: t.Callable[[], bool] = lambda: True
    ) -> None:
        """Have the header lead to a page.

        :param shown: Asked whenever a page is rendered.
        """
        self._sections.append((label, endpoint, shown))

    @property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """The label and the endpoint of each page that the header leads to now."""
        return tuple((label, endpoint) for label, endpoint, shown in self._sections if shown())

    def render(self, template: str, **context: t.Any) -> str:
        """Render a part of a page; every value is escaped."""
        return self._templates.get_template(f"mailhandler/{template}").render(context)

    def render_page(self, template: str, **context: t.Any) -> str:
        """Render a page, which extends ``mailhandler/base.html``."""
        return self.render(template, sections=self.sections, **context)

    def page(self, template: str, *, status: int = 200, **context: t.Any) -> Sealed:
        """Answer with a page."""
        return sealed(self.render_page(template, **context), status=status)
