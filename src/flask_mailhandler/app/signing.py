"""Options that sign addresses and links with the secret key of the app."""

from __future__ import annotations

import functools
import typing as t
import weakref
from collections.abc import Mapping

from ..handlers.signed_address import secret_keys
from ..handlers.signed_address import SignedAddress
from ..handlers.unsubscribe import UnsubscribeLink

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..handlers.unsubscribe import Subscription
    from .base_url import BaseURL


def let_sign(
    options: Mapping[str, object], app: weakref.ref[App], base_url: BaseURL | None
) -> None:
    """Give the options of an account what they need of the app. No key is read yet, because it may
    be set after init_app."""
    for option in options.values():
        if isinstance(option, SignedAddress):
            option.keys = functools.partial(_secret_keys, app)
        elif isinstance(option, UnsubscribeLink):
            option.make = functools.partial(_link, app, base_url)


def _secret_keys(app: weakref.ref[App]) -> list[str | bytes]:
    found = app()
    return [] if found is None else secret_keys(found.config)


def _link(
    app: weakref.ref[App], base_url: BaseURL | None, subscription: Subscription, setting: str
) -> str:
    from .unsubscribing import link_of  # few processes send to lists

    found = app()
    assert found is not None  # it sends
    return link_of(found, base_url, subscription, setting)
