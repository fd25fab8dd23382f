"""Listening to providers: a report keeps less than a response says."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from contextvars import ContextVar

if t.TYPE_CHECKING:
    from ...net.http.request import Request
    from ...net.http.response import Response

    Hear: t.TypeAlias = Callable[[Request, Response], object]

_hears: ContextVar[Hear | None] = ContextVar("hears", default=None)


@contextlib.contextmanager
def hearing(hear: Hear) -> Iterator[None]:
    """Pass each request and its response to a function while the context is open."""
    token = _hears.set(hear)
    try:
        yield
    finally:
        _hears.reset(token)


def tell(request: Request, response: Response) -> None:
    """Tell the function of the open context, if there is one."""
    if (hear := _hears.get()) is not None:
        hear(request, response)
