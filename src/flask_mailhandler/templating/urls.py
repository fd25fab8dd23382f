"""``url_for`` in a message: always a whole URL, based on ``MAIL_BASE_URL`` or ``SERVER_NAME``.

The client of a request writes its Host header. If a link were based on it, an attacker could make
a victim's password reset lead to the attacker's server. So it is only used if it was checked
(``TRUSTED_HOSTS``), in debug mode and in tests.
"""

from __future__ import annotations

import typing as t
import warnings
from urllib.parse import quote

from werkzeug.routing import BuildError
from werkzeug.sansio.utils import host_is_trusted

from ..app.base_url import BaseURL
from ..app.framework import current_request
from ..app.no_sending import is_preview
from ..errors import ConfigurationError
from ..errors import ConfigurationWarning
from ..errors import MessageError

if t.TYPE_CHECKING:
    from flask.sansio.app import App

URLFor: t.TypeAlias = "t.Callable[..., str]"

# https://url.spec.whatwg.org/#fragment-percent-encode-set, as Flask has it.
_IN_ANCHOR = "%!#$&'()*+,/:;=?@"


def url_for_of(app: App, base: BaseURL | None) -> URLFor:
    """Return the ``url_for`` of an app's mail templates, which takes the arguments of Flask's.

    :param base: The value of ``MAIL_BASE_URL``.
    """

    def url_for(endpoint: str, /, **values: t.Any) -> str:
        return whole_url(app, base, endpoint, values)

    return url_for


def whole_url(app: App, base: BaseURL | None, endpoint: str, values: dict[str, t.Any]) -> str:
    """Return an absolute URL for a message, as :meth:`.Mail.url_for` does."""
    values["_external"] = True
    fixed = base or _server_name(app)
    if fixed is not None:
        return _build(app, fixed, endpoint, values)
    _check_host(app)
    url: str = t.cast(t.Any, app).url_for(endpoint, **values)
    return url


def _server_name(app: App) -> BaseURL | None:
    """The base URL from ``SERVER_NAME``, with the scheme and the path that Flask would use."""
    name = app.config["SERVER_NAME"]
    if not name:
        return None
    if (request := current_request()) is not None:
        return BaseURL(request.scheme, name, request.root_path)
    return BaseURL(app.config["PREFERRED_URL_SCHEME"], name, app.config["APPLICATION_ROOT"])


def _build(app: App, base: BaseURL, endpoint: str, values: dict[str, t.Any]) -> str:
    """Build a URL as :meth:`flask.Flask.url_for` does, with an adapter that ignores the request."""
    special = {name: values.pop(name, None) for name in ("_anchor", "_method", "_scheme")}
    del values["_external"]
    if endpoint.startswith("."):
        blueprint = getattr(current_request(), "blueprint", None)
        endpoint = f"{blueprint}{endpoint}" if blueprint else endpoint[1:]
    adapter = app.url_map.bind(base.host, script_name=base.path, url_scheme=base.scheme)
    app.inject_url_defaults(endpoint, values)
    try:
        url = adapter.build(
            endpoint,
            values,
            method=special["_method"],
            url_scheme=special["_scheme"],
            force_external=True,
        )
    except BuildError as error:
        values.update(special, _external=True)
        return app.handle_url_build_error(error, endpoint, values)
    anchor = special["_anchor"]
    return url if anchor is None else f"{url}#{quote(anchor, safe=_IN_ANCHOR)}"


def _check_host(app: App) -> None:
    """Check that the host of the request can be trusted.

    :raises ConfigurationError: outside a request, or if the client may have forged the host.
    :raises MessageError: if it is not one of ``TRUSTED_HOSTS``.
    """
    request = current_request()
    if request is None:
        raise ConfigurationError(
            "url_for in a mail needs MAIL_BASE_URL outside a request. Set it to the URL of the app,"
            " such as 'https://shop.example'."
        )
    if is_preview():
        return  # no client has sent that request
    trusted = app.config.get("TRUSTED_HOSTS")
    if trusted:
        # Flask 3.0 ignores the key.
        if not host_is_trusted(request.host, trusted):
            raise MessageError(f"The host {request.host!r} is not one of TRUSTED_HOSTS.")
    elif app.testing:
        warnings.warn(
            "Outside tests, url_for in a mail needs MAIL_BASE_URL. Set it to the URL of the app,"
            " such as 'https://shop.example'.",
            ConfigurationWarning,
            stacklevel=4,  # past whole_url, and the url_for that called it
        )
    elif not app.debug:
        raise ConfigurationError(
            "url_for in a mail needs MAIL_BASE_URL. Set it to the URL of the app, such as"
            " 'https://shop.example'. The Host header of the request may be forged, and then the"
            " link would lead to an attacker's server."
        )
