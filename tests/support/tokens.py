"""Requests and credentials for the tests of OAuthToken."""

from __future__ import annotations

import typing as t

import pytest

from flask_mailhandler import LoginError
from flask_mailhandler import OAuthToken
from servers.token_server import answer

if t.TYPE_CHECKING:
    from servers.token_server import TokenServer

SECRET = "s3cret+of/the app"
REFRESH = "1//refresh-token-that-nobody-sees"
TOKEN = "ya29.token-that-nobody-sees"
GIVEN = answer(access_token=TOKEN, token_type="Bearer", expires_in=3600)


def of_client(server: TokenServer, **options: t.Any) -> OAuthToken:
    """Client credentials."""
    given: dict[str, t.Any] = {"client_id": "app", "client_secret": SECRET, "timeout": 60.0}
    return OAuthToken(server.url, **(given | options))


def of_user(server: TokenServer, **options: t.Any) -> OAuthToken:
    """A user has granted access."""
    return of_client(server, refresh_token=REFRESH, **options)


def failure(token: OAuthToken) -> LoginError:
    """Return the error of a call that must fail."""
    with pytest.raises(LoginError) as caught:
        token()
    return caught.value
