"""The addresses and languages of the objects of a class, such as an app's users."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

from ..address import AddressInput

P = t.TypeVar("P")


def address_of(
    kind: type[P],
    function: Callable[[P], AddressInput],
    locale: Callable[[P], object] | None,
) -> None:
    """Give a class the methods ``__mail_address__`` and ``__mail_locale__``.

    :raises TypeError: for a value that is not a class, or a class that cannot be changed.
    """
    if not isinstance(kind, type):
        raise TypeError(f"address_of() takes a class and a function, not {kind!r}.")
    for given in (function, locale):
        if given is not None and not callable(given):
            raise TypeError(
                f"address_of() takes a function of a {kind.__name__}, not {given!r}: write"
                f" mail.address_of({kind.__name__}, lambda user: user.email)."
            )
    # A lambda around each, because a callable object would not become a method.
    kind.__mail_address__ = lambda self: function(self)  # type: ignore[attr-defined]
    if locale is not None:
        kind.__mail_locale__ = lambda self: locale(self)  # type: ignore[attr-defined]
