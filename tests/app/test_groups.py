"""MAIL_FAILOVER and MAIL_SPREAD are checked when the app is registered."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from flask_mailhandler import ConfigurationError
from flask_mailhandler import Mail

ACCOUNTS = {"a": {"url": "smtps://a.example.com"}, "b": {"url": "postmark://TOKEN@default"}}


def handler_of(
    accounts: dict[str, t.Any] | None = None, using: str | None = None, **keys: t.Any
) -> str:
    """Register an app, and return the text of the handler of an account."""
    app = Flask("shop")
    app.config["MAIL_URL"] = "smtps://mail.example.com"
    app.config["MAIL_ACCOUNTS"] = {**ACCOUNTS, **(accounts or {})}
    app.config.update({f"MAIL_{name.upper()}": value for name, value in keys.items()})
    mail = Mail(app, cli=None)
    with app.app_context():
        return repr(mail.handler_for(using))


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        ({"failover": ["default", "a", "b"]}, "default, then a, then b"),
        ({"failover": ("a",)}, "a"),
        ({"failover": "default, b"}, "default, then b"),
        ({"spread": {"a": 3, "default": 0.5}}, "a 3, default 0.5"),
        ({"spread": '{"a": 3, "b": "1"}'}, "a 3, b 1"),
        ({"accounts": {"c": {"failover": ["a", "b"]}}, "using": "c"}, "a, then b"),
        ({"accounts": {"c": {"failover": ["default", "b"]}}, "using": "c"}, "default, then b"),
        (
            {
                "accounts": {"c": {"url": "smtps://c.example.com", "failover": ["c", "a"]}},
                "using": "c",
            },
            "c, then a",
        ),
        (
            {"accounts": {"c": {"spread": {"a": 1, "b": 1}}}, "failover": ["c", "default"]},
            "(a 1, b 1), then default",
        ),
    ],
)
def test_what_may_be_written(given: dict[str, t.Any], printed: str) -> None:
    """Accounts in their order, or by weight, for the default account and for a named one."""
    assert handler_of(**given) == f"<FailoverEmailHandler {printed}>"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"failover": []}, r"MAIL_FAILOVER is empty: it must be a list of accounts"),
        ({"spread": {}}, r"MAIL_SPREAD is empty: it must be a mapping"),
        ({"failover": ["default", "c"]}, r"MAIL_FAILOVER names the account 'c', which is not in"),
        ({"spread": {"c": 1}}, r"MAIL_SPREAD names the account 'c', which is not in .* 'a', 'b'"),
        ({"failover": ["a", "a"]}, r"MAIL_FAILOVER names the account 'a' more than once"),
        ({"failover": "a,b,a"}, r"MAIL_FAILOVER names the account 'a' more than once"),
        ({"failover": 7}, r"MAIL_FAILOVER must be a list of accounts, such as .*, not 7"),
        ({"failover": {"a": 1}}, r"MAIL_FAILOVER must be a list of accounts"),
        ({"failover": [b"a"]}, r"MAIL_FAILOVER must be a list of accounts"),
        ({"failover": ["a", None]}, r"MAIL_FAILOVER must be a list of accounts"),
        ({"spread": ["a", "b"]}, r"MAIL_SPREAD must be a mapping of accounts to weights"),
        ({"spread": "a=1"}, r"MAIL_SPREAD must be a mapping of accounts to weights"),
        ({"spread": {1: 1}}, r"MAIL_SPREAD must be a mapping of accounts to weights"),
        *(
            ({"spread": {"a": weight}}, r"MAIL_SPREAD\['a'\] must be a number over 0, not ")
            for weight in (0, -1, "x", "", None, True, float("nan"), float("inf"), [1], 10**400)
        ),
        ({"failover": ["a"], "spread": {"a": 1}}, r"MAIL_FAILOVER and MAIL_SPREAD are both set"),
        (
            {"accounts": {"c": {"failover": ["c", "a"]}}},
            r"MAIL_ACCOUNTS\['c'\]\['failover'\] names its own account, 'c', which has no server",
        ),
        (
            {"accounts": {"c": {"failover": ["a", "b"], "default_from": "c@example.com"}}},
            r"MAIL_ACCOUNTS\['c'\]\['default_from'\] has no effect, because MAIL_ACCOUNTS\['c'\]",
        ),
        (
            {"accounts": {"c": {"spread": {"a": 1}, "rate_limit": "1/s"}}},
            r"MAIL_ACCOUNTS\['c'\]\['rate_limit'\] has no effect",
        ),
        (
            {"accounts": {"c": {"failover": ["d"]}, "d": {"failover": ["a", "c"]}}},
            r"passes messages in a circle: 'c' -> 'd' -> 'c'",
        ),
        (
            {"accounts": {"c": {"failover": ["default"]}}, "failover": ["default", "c"]},
            r"passes messages in a circle",
        ),
    ],
)
def test_what_is_wrong(given: dict[str, t.Any], error: str) -> None:
    """The error names the key, and says what to write instead."""
    with pytest.raises(ConfigurationError, match=error):
        handler_of(**given)


def test_no_account_inherits_a_group() -> None:
    """An account has the group that it names, or none."""
    assert handler_of(failover=["default", "a"], using="b").startswith("PostmarkEmailHandler(")


def test_silent_handlers() -> None:
    """An app that prints its mail, or stores it, does so once."""
    keys: dict[str, t.Any] = {"failover": ["default", "b"], "url": None}

    assert handler_of(handler="console", **keys).startswith("ConsoleEmailHandler(")
    assert handler_of(suppress_send=True, **keys).startswith("MemoryEmailHandler(")
