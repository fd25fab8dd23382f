"""Who may look, and from where.

Each rule answers an attack: see the table in tests/test_mailbox_guard.py.
"""

from __future__ import annotations

import hmac
import re
import typing as t

from ..net.hosts import is_loopback

if t.TYPE_CHECKING:
    from werkzeug import Request

# What a proxy or a tunnel adds: then the peer on this machine is not who asks.
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
    """Say why a request is answered 404, or None if it may go on.

    :param debug: Whether the app is in debug mode.
    :param agrees: The app's own word. It is asked last, and may read the request.
    :param remote: Whether the app's word is enough for requests from elsewhere.
    """
    if reason := _from_elsewhere(request):
        # Debug mode alone never shows anything to another machine.
        return None if remote and agrees() and _of_this_site(request) else reason
    if not _of_this_site(request):
        return "a page of another site has made the request"
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
        # DNS rebinding: a site's own name leads here, and its script reads the answer.
        return f"it was asked of {host[:80]!r}, which is no name of this machine"
    for name in request.headers.keys():  # noqa: SIM118
        lower = name.lower()
        if lower in _PROXIES or lower.startswith(_PROXY_STARTS):
            return f"it came through a proxy, which has added {name}"
    if "werkzeug.proxy_fix.orig" in request.environ:
        return "it came through a proxy"
    protocol = request.environ.get("SERVER_PROTOCOL", "")
    if protocol in ("HTTP/0.9", "HTTP/1.0"):
        # A plain nginx speaks so, in its own name and with no word of whom it asks for.
        return f"it was made in {protocol}, which proxies speak and browsers do not"
    return None


def _plain_peer(address: str) -> str:
    """The IPv4 address that an IPv6 socket shows as ``::ffff:127.0.0.1``."""
    return address.removeprefix("::ffff:")


def _name_of(host: str) -> str:
    """A Host without its port and brackets; "" if it is none."""
    found = _HOST.fullmatch(host)
    return found[1] or found[2] if found else ""


def _is_local_name(name: str) -> bool:
    # https://www.rfc-editor.org/rfc/rfc6761#section-6.3: browsers never ask the DNS for these
    return is_loopback(name) or name.lower().rstrip(".").endswith(".localhost")


def _of_this_site(request: Request) -> bool:
    """Whether no page of another origin has made the request. Links and typed addresses may:
    their page is not read by who made them."""
    # Browsers that do not send Sec-Fetch-Site say by this who wants to read the answer.
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
    """Whether a POST comes from a page of ours: it knows the token, which no other site can
    read, and it says that it is of the same origin."""
    given = request.headers.get(TOKEN_HEADER) or request.form.get("token", "")
    return _same_origin(request) and hmac.compare_digest(given.encode(), token.encode())


def _same_origin(request: Request) -> bool:
    # A form of a page with no-referrer sends "Origin: null", and this beside it.
    if site := request.headers.get("Sec-Fetch-Site"):
        return site == "same-origin"
    return request.headers.get("Origin") == _own_origin(request)
