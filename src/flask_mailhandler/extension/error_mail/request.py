"""What an error mail says of the request, copied while there is one.

Nothing here reads from the client or asks a database: a body that the view has not read is not read
now, and a user who was not loaded is not loaded. Nothing that belongs to the request is kept.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from ...app.framework import current_globals
from ...app.framework import current_request
from ...app.framework import current_session

Pairs: t.TypeAlias = tuple[tuple[str, str], ...]
# More than a mail shows, so that secrets are known wherever they stand. A client cannot fill the
# memory: of one table, so many values, and so many characters in all.
_MOST = 1000
_LONG = 8000
_ALL = 50_000


@dataclasses.dataclass(frozen=True, slots=True)
class RequestFacts:
    """What is known of a request. Nothing is masked yet."""

    method: str
    scheme: str
    path: str
    query: str
    endpoint: str
    remote: str
    headers: Pairs
    arguments: Pairs
    """The values in the path, by the names that its rule has for them."""
    form: Pairs
    json: Pairs
    session: Pairs


def text_of(make: Callable[[], object], limit: int = _LONG, *, strict: bool = False) -> str:
    """Return a value as text, cut to a limit. The value may be anything, and may raise.

    :param strict: Whether an error is raised, and not written in the place of the text.
    """
    try:
        text = str(make())
        return text if len(text) <= limit else f"{text[:limit]} ... [{len(text)} characters]"
    except Exception as error:
        if strict:
            raise
        return f"[{type(error).__name__}: it cannot be shown]"


def request_facts() -> RequestFacts | None:
    """Copy what is known of the current request; None outside one."""
    request: t.Any = current_request()
    try:
        return None if request is None else _facts(request)
    except Exception:  # a class of the app's own may do anything
        return None


def _facts(request: t.Any) -> RequestFacts:
    known = vars(request)
    # Werkzeug and Quart store a body that was parsed; until then, these are missing or None.
    form = known.get("form")
    form = known.get("_form") if form is None else form
    json = _parsed_json(known.get("_cached_json"))
    arguments = known.get("view_args")
    session = current_session()
    return RequestFacts(
        method=_short(request.method, 20),
        scheme=_short(request.scheme, 20),
        path=_short(f"{request.root_path}{request.path}", 2000),
        query=request.query_string.decode("utf-8", "replace")[:_LONG],
        endpoint=_short(request.endpoint or "", 200),
        remote=_short(request.remote_addr or "", 100),
        headers=_headers(request, known.get("environ")),
        arguments=_pairs(arguments.items) if arguments else (),
        form=_pairs(lambda: form.items(multi=True)) if form else (),
        json=() if json is None else _pairs(lambda: _leaves(json)),
        # Not its own items(), which may mark it as accessed, and so change the response.
        session=_pairs(lambda: dict.items(session)) if isinstance(session, dict) else (),
    )


def _headers(request: t.Any, environ: object) -> Pairs:
    if not isinstance(environ, dict):
        return _pairs(lambda: iter(request.headers))
    # Werkzeug would make each name from the variable of WSGI, which takes 30 microseconds. It is
    # done in the thread: see header_fields().
    return tuple(
        (name, value)
        for name, value in environ.items()
        if name.startswith(("HTTP_", "CONTENT_")) and value and type(value) is str
    )


def header_fields(facts: RequestFacts) -> list[tuple[str, str]]:
    """Return the names and the values of the header fields; ``User-Agent`` for the variable
    ``HTTP_USER_AGENT`` of WSGI."""
    return [
        (name.removeprefix("HTTP_").replace("_", "-").title(), text_of(lambda: value))  # noqa: B023
        for name, value in facts.headers
    ]


def _pairs(read: Callable[[], Iterable[tuple[object, object]]]) -> Pairs:
    found: list[tuple[str, str]] = []
    left = _ALL
    try:
        for name, value in itertools.islice(read(), _MOST):
            found.append((_short(name, 200), _short(value, min(_LONG, left))))
            left -= len(found[-1][0]) + len(found[-1][1])
            if left <= 0:
                break
    except Exception as error:  # a mapping of the app's own may do anything
        found.append(("...", type(error).__name__))
    return tuple(found)


def _short(value: object, limit: int) -> str:
    # Most are short texts already.
    return value if type(value) is str and len(value) <= limit else text_of(lambda: value, limit)


def _parsed_json(cached: t.Any) -> object:
    """Return the JSON that a view has read, or None."""
    both = cached.values() if isinstance(cached, dict) else cached or ()
    return next((value for value in both if value is not ...), None)


def _leaves(value: object, name: str = "") -> Iterable[tuple[str, object]]:
    """Yield each value in JSON with the names that lead to it: ``card.number``, ``items.0``."""
    inside: Iterable[tuple[object, object]]
    if isinstance(value, Mapping):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    else:
        if value is not None or name:
            yield name or "value", value
        return
    if name.count(".") > 6:
        yield name, "..."
        return
    for key, item in inside:
        yield from _leaves(item, f"{name}.{key}" if name else str(key))


def current_user(ask: Callable[[], object] | None, facts: RequestFacts | None) -> str:
    """Return who has sent the request: what the app's function returns, or the id that Flask-Login
    knows already. "" if nothing is known."""
    if facts is None:
        return ""
    if ask is not None:
        return text_of(lambda: "" if (found := ask()) is None else found, 200)
    for name, value in facts.session:
        if name == "_user_id":
            return value
    # Loaded for this request, by a token for example.
    user = getattr(current_globals(), "_login_user", None)
    return "" if user is None else text_of(lambda: user.get_id() or "", 200)
