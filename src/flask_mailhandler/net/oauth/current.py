"""The token of ``MAIL_OAUTH_TOKEN`` now: one that was set, or what a callable returns."""

from __future__ import annotations

import re
from collections.abc import Callable

from ...phase import Phase
from ...report import LoginError
from ...secret import Secret


def current(given: Secret | Callable[[], str], failed: str) -> Secret:
    """Return the token to log in with.

    :param failed: What does not work without one, for the error.
    :raises LoginError: if the callable returns no token.
    """
    if isinstance(given, Secret):
        return given
    try:
        token = Secret(given())
        if not re.fullmatch(rb"[!-~]+", token.octets()):
            raise ValueError("not a token")
    except LoginError:
        raise  # it says what to do
    except Exception as error:  # from the app's own callable: whatever it is, there is no login
        raise LoginError(
            f"{failed}: the callable of MAIL_OAUTH_TOKEN returned no token"
            f" ({type(error).__name__}).",
            phase=Phase.AUTH,
        ) from error
    return token


def another(given: Secret | Callable[[], str], refused: Secret, failed: str) -> Secret | None:
    """Return another token than the one that the server has refused, or None if there is none.

    If the callable has a method ``forget``, it is called with the refused one.

    :raises LoginError: see :func:`current`.
    """
    if isinstance(given, Secret):
        return None
    forget = getattr(given, "forget", None)
    if forget is not None:
        forget(refused.reveal())
    fresh = current(given, failed)
    return None if fresh == refused else fresh
