"""Which requests may see the pages, and which may change anything.

Each rule prevents an attack: see the table in tests/pages/test_access.py.
"""

from __future__ import annotations

import hmac
import re
import typing as t

from ..net.hosts import is_loopback

if t.TYPE_CHECKING:
    from werkzeug import Request

# Headers that a proxy or a tunnel adds. With one of them the peer, although on this machine, is not
# the client.
_PROXIES = frozenset(
    {
        *("forwarded", "via", "client-ip", "true-client-ip", "x-client-ip", "x-real-ip"),
        *("x-cluster-client-ip", "x-cloud-trace-context", "cdn-loop"),
    }
)
_PROXY_STARTS = (
    *("x-forwarded-", "x-original-", "x-envoy-", "x-amz-", "x-amzn-", "x-appengine-", "x-azure-"),
    *("x-vercel-", "cf-", "fastly-", "fly-", "ngrok-", "tailscale-"),
)
# https://www.rfc-editor.org/rfc/rfc9110#section-7.2
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")
TOKEN_HEADER = "X-Mail-Token"


def refusal(
    request: Request, *, debug: bool, agrees: t.Callable[[], bool], remote: bool
) -> str | None:
    """Return why a request gets a 404, or None if it may see the pages.

    :param debug: Whether the app is in debug mode.
    :param agrees: The app's ``allow_mailbox`` function, called last. It may read the request.
    :param remote: Whether *agrees* also decides on requests from other machines.
    """
    if reason := _from_elsewhere(request):
        # Debug mode alone never admits another machine.
        return None if remote and agrees() and is_of_this_site(request) else reason
    if not is_of_this_site(request):
        return "a page of another site made the request"
    if not (debug or agrees()):
        return "the app is not in debug mode, and no allow_mailbox function agrees"
    return None


def is_local(request: Request) -> bool:
    """Whether a request comes from this machine, by a name of this machine."""
    return _from_elsewhere(request) is None


def _from_elsewhere(request: Request) -> str | None:
    if not is_loopback(_plain_peer(request.remote_addr or "")):
        return f"it comes from {request.remote_addr or 'an unknown peer'}"
    host = request.headers.get("Host", "")
    if not _is_local_name(_name_of(host)):
        # DNS rebinding: the name of a site resolves to this machine, and the site's script reads
        # the response.
        return f"its Host is {host[:80]!r}, which is not a name of this machine"
    for name in request.headers.keys():  # noqa: SIM118
        lower = name.lower()
        if lower in _PROXIES or lower.startswith(_PROXY_STARTS):
            return f"it came through a proxy, which added {name}"
    if "werkzeug.proxy_fix.orig" in request.environ:
        return "it came through a proxy"
    protocol = request.environ.get("SERVER_PROTOCOL", "")
    if protocol in ("HTTP/0.9", "HTTP/1.0"):
        # nginx uses it by default, with its own Host and without naming the client.
        return f"it uses {protocol}, which proxies use and browsers do not"
    return None


def _plain_peer(address: str) -> str:
    """The IPv4 address of a peer that an IPv6 socket shows as ``::ffff:127.0.0.1``."""
    return address.removeprefix("::ffff:")


def _name_of(host: str) -> str:
    """A Host without its port and brackets; "" if it is not valid."""
    found = _HOST.fullmatch(host)
    return found[1] or found[2] if found else ""


def _is_local_name(name: str) -> bool:
    # https://www.rfc-editor.org/rfc/rfc6761#section-6.3: browsers never look these up in the DNS
    return is_loopback(name) or name.lower().rstrip(".").endswith(".localhost")


def is_of_this_site(request: Request) -> bool:
    """Whether the request does not come from a page of another origin. Links and typed addresses
    are allowed, since a site that links to a page cannot read it."""
    # Browsers without Sec-Fetch-Site send Origin if a page wants to read the response.
    if request.method in ("GET", "HEAD") and _has_foreign_origin(request):
        return False
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site in ("same-origin", "none"):
        return True
    return request.method == "GET" and (
        request.headers.get("Sec-Fetch-Mode"),
        request.headers.get("Sec-Fetch-Dest"),
    ) == ("navigate", "document")


def _has_foreign_origin(request: Request) -> bool:
    origin = request.headers.get("Origin")
    if origin is None or origin == _own_origin(request):
        return False
    return not _is_local_name(_name_of(origin.partition("://")[2]))


def _own_origin(request: Request) -> str:
    return request.host_url.rstrip("/")


def may_change(request: Request, token: str) -> bool:
    """Whether a POST comes from one of these pages: it has the token, which no other site can read,
    and its headers name the same origin."""
    given = request.headers.get(TOKEN_HEADER) or request.form.get("token", "")
    return _same_origin(request) and hmac.compare_digest(given.encode(), token.encode())


def _same_origin(request: Request) -> bool:
    # With no-referrer, a form sends "Origin: null", so this header is read first.
    if site := request.headers.get("Sec-Fetch-Site"):
        return site == "same-origin"
    return request.headers.get("Origin") == _own_origin(request)
