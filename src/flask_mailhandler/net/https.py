"""One HTTP/1.1 request (RFC 9112), limited in time and size, that never shows a secret.

::

    connect ── TLS ── content ── end of data ── answer
    └──── the server cannot have it ────┘└─ it may ─┘

The last octets of a request are held back until all others are written, so that a server that
has not been given them has no complete request. No redirection is followed, no proxy is used, and
no request is repeated.

Errors of the standard library are not passed on: their frames hold the octets that were sent and
received.
"""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.parse
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from ..phase import Phase
from ..secret import Secret
from .deadline import Deadline
from .hosts import is_loopback
from .https_connection import Answer as Answer
from .https_connection import Exchange

_MAX_ANSWER = 1 << 20
# https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2, and section 5.5 without octets above 127
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[ -~]*")


class NoAnswerError(Exception):
    """There is no usable response.

    :param reason: In a few words of our own, without anything that was sent or received.
    :param phase: How far the request came: :attr:`.Phase.CONNECT`, ``TLS``, ``CONTENT``, or
        ``END_OF_DATA`` if all of it was written.
    :param temporary: Whether a later attempt may succeed.
    """

    def __init__(self, reason: str, phase: Phase, *, temporary: bool = True) -> None:
        super().__init__(reason)
        self.phase = phase
        self.temporary = temporary

    @property
    def perhaps_taken(self) -> bool:
        """Whether the server may have the whole request. If not, repeating it is safe."""
        return self.phase >= Phase.END_OF_DATA


def split(url: str) -> urllib.parse.SplitResult:
    """Parse a URL to which a request can be sent.

    :raises ValueError: if it has no host, or has a user name, a fragment, or characters that a URL
        cannot have. The URL is not in the error, because it may hold a secret.
    """
    wrong = ValueError("not a URL that a request can be sent to")
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        host.encode("idna")  # as connecting does
        usable = bool(host) and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable or not re.fullmatch("[!-~]+", url) or re.search("[@#]", url):
        raise wrong
    return parts


def is_private(url: urllib.parse.SplitResult) -> bool:
    """Return whether a secret may be sent there: by ``https``, or within this machine."""
    return url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname or ""))


def verifying_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context that verifies the server's certificate.

    :param ca_file: The certificates to trust (PEM), instead of the system's authorities.
    """
    context = ssl.create_default_context(cafile=ca_file)
    # https://www.rfc-editor.org/rfc/rfc9525#section-6.3: only a subjectAltName counts
    context.hostname_checks_common_name = False
    return context


def request(
    method: str,
    url: urllib.parse.SplitResult,
    *,
    headers: Mapping[str, str | Secret],
    body: bytes | Secret | Iterable[bytes] = b"",
    size: int | None = None,
    deadline: Deadline,
    tls_context: ssl.SSLContext | None = None,
    max_answer: int = _MAX_ANSWER,
    step: Callable[[Phase], object] = lambda phase: None,
) -> Answer:
    """Send one request and return the response, whatever its status::

        answer = https.request(
            "POST",
            https.split("https://api.example.com/mail"),
            headers={"Authorization": Secret("Bearer ...")},
            body=b"{}",
            deadline=Deadline(25),
        )

    :param url: As :func:`split` returns it.
    :param headers: Besides Host, Content-Length and Connection, which are added.
    :param body: The octets, or pieces of them.
    :param size: The number of octets, if *body* comes in pieces.
    :param deadline: For everything, from resolving the name to the end of the response.
    :param tls_context: For ``https``; :func:`verifying_context` if it is left out.
    :param max_answer: The most octets of the response's body.
    :param step: Called with each phase before it begins; with :attr:`.Phase.END_OF_DATA` before
        the last octets are written.
    :raises NoAnswerError: if there is no complete response, or if the server reports success before
        it has the whole request.
    :raises ValueError: if a header or the size is wrong.
    """
    octets, length = _exactly(body, size)
    head = _head(method, url, headers, length)
    exchange = Exchange(deadline, step)
    context = (tls_context or verifying_context()) if url.scheme == "https" else None
    try:
        with exchange.connected(url, context):
            exchange.write(head, octets)
            answer = exchange.read(method, max_answer)
    except (OSError, http.client.HTTPException) as error:
        reason, temporary = _reason(error), not hasattr(error, "verify_message")
    except BaseException as error:
        raise error.with_traceback(None) from None
    else:
        if exchange.whole or answer.status >= 400:
            return answer
        reason, temporary = f"it answered {answer.status} before it had the whole request.", True
    # Not in the handler: the error would keep the frames of the other one as its context.
    raise NoAnswerError(reason, exchange.phase, temporary=temporary)


def _exactly(
    body: bytes | Secret | Iterable[bytes], size: int | None
) -> tuple[Iterable[bytes | Secret], int]:
    """Return the pieces of a body, and the number of their octets."""
    if isinstance(body, bytes | Secret):
        return [body], len(Secret(body).octets())
    if size is None:
        raise ValueError("a body that comes in pieces needs a size")
    return _counted(body, size), size


def _counted(body: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield the pieces of a body. If it is longer than its size, the server would have the whole
    request before we know."""
    left = size
    for piece in body:
        left -= len(piece)
        if left < 0:
            break
        yield piece
    if left:
        raise ValueError(f"the body does not have the {size} octets that were announced")


def _head(
    method: str,
    url: urllib.parse.SplitResult,
    headers: Mapping[str, str | Secret],
    size: int,
) -> Secret:
    """Return the request line and the header fields (RFC 9112 sections 3 and 5)."""
    target = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
    fields: dict[str, str | Secret] = {"Accept-Encoding": "identity"}
    if size or method not in ("GET", "HEAD", "DELETE"):
        fields["Content-Length"] = str(size)
    fields |= {**headers, "Connection": "close", "Host": url.netloc}
    for name, value in fields.items():  # all of them before a local variable holds a secret
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(Secret(value).octets()):
            raise ValueError(f"the header {name!r} has characters that a request cannot have")
    lines = [b"%s: %s" % (name.encode(), Secret(value).octets()) for name, value in fields.items()]
    return Secret(b"\r\n".join([f"{method} {target} HTTP/1.1".encode(), *lines, b"", b""]))


def _reason(error: Exception) -> str:
    """Return in our own words what failed; no word is the server's."""
    if isinstance(error, TimeoutError):
        return "no answer within the time allowed."
    if not isinstance(error, OSError):
        return f"its answer is not HTTP, or broke off ({type(error).__name__})."
    if verify := getattr(error, "verify_message", ""):
        return f"its certificate was not accepted: {verify.rstrip('.')}."
    said = getattr(error, "reason", "") or error.strerror or str(error)
    return f"{str(said).rstrip('.')}."
