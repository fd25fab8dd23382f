"""The shell of every response: its template, and headers that the app cannot weaken.

The pages have their own Jinja environment, so the escaping and the templates of the app do not
affect them.
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
    # Otherwise the browser looks up the names in links, and their owners know of the reader.
    "X-DNS-Prefetch-Control": "off",
    "X-Frame-Options": "DENY",
}
"""The headers of a page."""

_SANDBOX = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'"

FRAME = {
    # An opener policy is an error in a sandbox.
    **{name: value for name, value in LOCKED.items() if name != "Cross-Origin-Opener-Policy"},
    # A click on a link may open a new tab. A message can do nothing else.
    "Content-Security-Policy": (
        f"{_SANDBOX}; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
}
"""The headers of the HTML of a message."""

FRAME_WITH_IMAGES = {
    **FRAME,
    "Content-Security-Policy": FRAME["Content-Security-Policy"].replace(
        "img-src data:", "img-src data: http: https:"
    ),
}
"""As :data:`FRAME`, for a reader who loads remote images."""

DOWNLOAD = {
    **LOCKED,
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "X-Download-Options": "noopen",
}
"""The headers of a download, which the browser never shows."""


class Sealed(Response):
    """A response that the app's ``after_request`` functions cannot change. One that allows every
    origin would expose mail, and a toolbar would insert its HTML into a message."""

    seal: t.Mapping[str, str] = LOCKED
    """The headers that protect it."""
    written: Response | None = None
    """The response that is sent, whatever the app has changed."""

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


# Headers that open a response to other origins, or that describe its body.
_CHANGES = re.compile(r"(?:access-control|content|cross-origin)-|location$|refresh$|link$", re.I)


def sealed(
    body: str | bytes,
    seal: t.Mapping[str, str] = LOCKED,
    *,
    mimetype: str = "text/html",
    status: int = 200,
) -> Sealed:
    """Return a response with the headers of *seal*."""
    # Text in some charsets decodes to lone surrogates, which cannot be encoded.
    octets = body.encode("utf-8", "replace") if isinstance(body, str) else body
    response = Sealed(octets, status, mimetype=mimetype)
    response.seal = seal
    return response


def streamed(pieces: t.Iterator[str], name: str, mimetype: str) -> Sealed:
    """Return a download that is made while it is sent. Its name is in ASCII."""
    response = Sealed(pieces, mimetype=mimetype)
    response.seal = DOWNLOAD
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def close(response: Response) -> Response:
    """Protect a response of these pages, before functions of the app see it. Any other response
    stays as it is: a client without access gets the app's own 404.

    With its own ``response_class`` the app has converted the response already, which has no seal
    then.
    """
    seal = getattr(response, "seal", None)
    if seal is None:
        return response
    response.headers.update(seal)
    streams = response.is_streamed
    octets = b"" if streams else response.get_data()
    body = response.response if streams else octets
    closed = Sealed(iter([octets]), response.status_code, response.headers.copy())
    closed.written = Response(body, response.status_code, response.headers.copy())
    # The app would take a response with a Location for a redirect. One whose body is a list could
    # be changed, so the body is an iterator.
    closed.headers.pop("Location", None)
    return closed


class Shell:
    """Templates and navigation, which the pages of a blueprint share.

    :param home: The endpoint of the first page.
    """

    def __init__(self, home: str = ".inbox") -> None:
        self._sections: list[tuple[str, str, t.Callable[[], bool]]] = []
        self._templates = Environment(
            loader=PackageLoader("pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(url_for=url_for, home=home)

    def add_section(
        self, label: str, endpoint: str, is_shown: t.Callable[[], bool] = lambda: True
    ) -> None:
        """Add a link to the header of the pages.

        :param is_shown: Whether the link is shown. It is called whenever a page is rendered.
        """
        self._sections.append((label, endpoint, is_shown))

    @property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """The label and endpoint of each link that the header shows now."""
        return tuple(
            (label, endpoint) for label, endpoint, is_shown in self._sections if is_shown()
        )

    def render(self, template: str, **context: t.Any) -> str:
        """Render a part of a page. Every value is escaped."""
        return self._templates.get_template(f"mailhandler/{template}").render(context)

    def render_page(self, template: str, **context: t.Any) -> str:
        """Render a page, which extends ``mailhandler/base.html``."""
        return self.render(template, sections=self.sections, **context)

    def page(self, template: str, *, status: int = 200, **context: t.Any) -> Sealed:
        """Return a response with a page."""
        return sealed(self.render_page(template, **context), status=status)
