"""The shell of every answer: its template, and headers that nobody else can open.

The environment of the templates is our own, so that an app which escapes in another way, or sees
all templates, changes nothing here.
"""

from __future__ import annotations

import re
import typing as t

from flask import Response
from flask import url_for
from jinja2 import Environment
from jinja2 import StrictUndefined

from ..templating.package_files import PackageLoader

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

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
    """An answer that is written as it was made, whatever an app's ``after_request`` functions do
    to it: one that allows every origin to read it would give mail away, and a toolbar that
    writes into every page would write into the mail."""

    seal: t.Mapping[str, str] = LOCKED
    """Its headers that nobody opens."""
    written: Response | None = None
    """What is written, once the app may change no more."""

    def get_wsgi_response(
        self, environ: WSGIEnvironment
    ) -> tuple[t.Iterable[bytes], str, list[tuple[str, str]]]:
        if self.written is None:
            return super().get_wsgi_response(environ)
        ours = {name.lower() for name, _ in self.written.headers}
        for name, value in self.headers:
            if name.lower() not in ours and not _CHANGES.match(name):
                self.written.headers.add(name, value)
        return self.written.get_wsgi_response(environ)


# Headers that open an answer to others, or that say what its body is.
_CHANGES = re.compile(r"(?:access-control|content|cross-origin)-|location$|refresh$|link$", re.I)


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
    return response


def close(response: Response) -> Response:
    """Close an answer of ours, before functions of the app see it. Others stay as they are: a
    stranger's 404 is that of the app.

    An app with a ``response_class`` of its own has made one of it, which knows no seal.
    """
    seal = getattr(response, "seal", None)
    if seal is None:
        return response
    octets = response.get_data()
    response.headers.update(seal)
    closed = Sealed(iter([octets]), response.status_code, response.headers.copy())
    closed.written = Response(octets, response.status_code, response.headers.copy())
    # What has a Location is taken for a redirection, and what is a list for a page to write into.
    closed.headers.pop("Location", None)
    return closed


class Shell:
    """What the pages of a blueprint share."""

    def __init__(self) -> None:
        self._sections: list[tuple[str, str, t.Callable[[], bool]]] = []
        self._templates = Environment(
            loader=PackageLoader("pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["url_for"] = url_for

    def add_section(
        self, label: str, endpoint: str, is_shown: t.Callable[[], bool] = lambda: True
    ) -> None:
        """Have the header lead to a page.

        :param is_shown: Asked whenever a page is rendered.
        """
        self._sections.append((label, endpoint, is_shown))

    @property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """The label and the endpoint of each page that the header leads to now."""
        return tuple(
            (label, endpoint) for label, endpoint, is_shown in self._sections if is_shown()
        )

    def render(self, template: str, **context: t.Any) -> str:
        """Render a part of a page; every value is escaped."""
        return self._templates.get_template(f"mailhandler/{template}").render(context)

    def render_page(self, template: str, **context: t.Any) -> str:
        """Render a page, which extends ``mailhandler/base.html``."""
        return self.render(template, sections=self.sections, **context)

    def page(self, template: str, *, status: int = 200, **context: t.Any) -> Sealed:
        """Answer with a page."""
        return sealed(self.render_page(template, **context), status=status)
