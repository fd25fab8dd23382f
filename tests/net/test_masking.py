"""Secrets that a server repeats are masked in every form in which they were sent."""

from __future__ import annotations

import base64
import itertools
import logging
import re
import typing as t
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_mailhandler.net.masking import Echoes
from flask_mailhandler.secret import Secret
from sending import letter
from sending import Scripted
from sending import smtp

if t.TYPE_CHECKING:
    from collections.abc import Callable

PASSWORD = "s3cret+wörd/that nobody sees"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def halves(text: str, separator: str) -> str:
    """The text in two lines or words."""
    return text[: len(text) // 2] + separator + text[len(text) // 2 :]


FORMS = {
    "as it is": PASSWORD,
    "its base64": b64(PASSWORD),
    "its base64 for URLs": base64.urlsafe_b64encode(PASSWORD.encode()).decode(),
    "PLAIN": b64(f"\0ann\0{PASSWORD}"),
    "its base64 behind one octet": b64(f"x{PASSWORD}")[2:],
    "its base64 behind two octets": b64(f"xy{PASSWORD}")[3:],
    "PLAIN in upper case": b64(f"\0ann\0{PASSWORD}").upper(),
    "PLAIN cut off": b64(f"\0ann\0{PASSWORD}")[:30],
    "percent-encoded": urllib.parse.quote(PASSWORD, safe=""),
    "percent-encoded in small letters": urllib.parse.quote(PASSWORD, safe="").lower(),
    "percent-encoded in part": PASSWORD.replace("+", "%2B").replace(" ", "%20"),
    "of a form": urllib.parse.quote_plus(PASSWORD),
    "its base64 percent-encoded": urllib.parse.quote(b64(PASSWORD), safe=""),
    "in JSON": PASSWORD.replace("ö", "\\u00f6"),
    "without its spaces": PASSWORD.replace(" ", ""),
}


def remains(shown: str, form: str) -> bool:
    """Whether a piece of a form, longer than by chance, is in the text shown."""
    together = "".join(shown.split())
    form = "".join(form.split())
    return any(form[at : at + 6] in together for at in range(len(form) - 5))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("how", ["one line", "two lines", "two words"])
def test_forms(form: str, how: str) -> None:
    """A secret is found as it is, encoded, cut off, and split over lines."""
    echoes = Echoes([Secret(PASSWORD)])
    echoes.add_line(Secret(b64(f"\0ann\0{PASSWORD}")))
    lines = {
        "one line": ["hello", f"wrong: {form}, she said"],
        "two lines": ["hello", *halves(f"wrong: {form}", "\n5.7.8 ").splitlines(), "she said"],
        "two words": ["hello", halves(f"wrong: {form}", " ") + ", she said"],
    }[how]

    shown = echoes.hide(lines)

    assert not remains("".join(line.removeprefix("5.7.8 ") for line in shown), form)
    assert shown[0] == "hello"
    assert shown[-1].endswith("she said")
    assert "***" in "".join(shown)
    assert len(shown) == len(lines)


@pytest.mark.parametrize("end", [16, 20, 40, -1])
@pytest.mark.parametrize("written", [str, urllib.parse.quote_plus])
def test_tokens_that_are_cut_off(end: int, written: Callable[[str], str]) -> None:
    """Servers cut off the text that they repeat, and a large part of a token is masked too."""
    token = "ya29.a0AfB_byC/Rk3v+Zq7tXw5uYn8s-M1d=0Lj6Ph2"
    form = written(token[:end])

    (shown,) = Echoes([Secret(token)]).hide([f"wrong: {form}... she said"])

    assert shown == "wrong: ***... she said"


def test_passwords_that_begin_with_words() -> None:
    """A text does not show how a password begins by a gap."""
    (shown,) = Echoes([Secret("password-of-ann-17")]).hide(["5.7.8 wrong password-of-ann"])

    assert shown == "5.7.8 wrong password-of-ann"


@pytest.mark.parametrize(
    "line",
    [
        "2.0.0 Ok: queued as 4XyZ",
        "5.7.8 Username and Password not accepted",
        "100%25 sure",
        "",
        "%",
    ],
)
def test_what_is_no_secret(line: str) -> None:
    """Text that is not a secret stays as it is, and so does all text if there is no secret."""
    assert Echoes([Secret("correct horse battery")]).hide([line, line]) == [line, line]
    assert Echoes().hide([line]) == [line]


@pytest.mark.parametrize("secret", ["", "abc"])
def test_short_secrets(secret: str) -> None:
    """A secret so short that any text could hold it is not searched for in plain form."""
    assert Echoes([Secret(secret)]).hide(["the abc of mail"]) == ["the abc of mail"]


# Long ones are tokens, of which the first half is enough.
@given(st.text("ab", min_size=4, max_size=40), st.text("ab", max_size=120))
def test_secrets_that_repeat_themselves(secret: str, text: str) -> None:
    """All of a secret is masked where another one begins in it, and nothing else is."""
    least = len(secret) if len(secret) < 32 else 16
    hidden = set()
    for start in range(len(text)):
        pairs = zip(secret, text[start:], strict=False)
        common = len([*itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)])
        hidden |= {*range(start, start + common)} if common >= least else set()
    shown = "".join("*" if at in hidden else one for at, one in enumerate(text))

    assert Echoes([Secret(secret)]).hide([text]) == [re.sub(r"\*+", "***", shown)]


def test_a_secret_of_one_letter() -> None:
    """The search takes linear time. If it took the square, this would take ten minutes."""
    (shown,) = Echoes([Secret("z" * 60_000)]).hide([f"{'z' * 40_000} of {'z' * 40_000}"])
    assert shown == "*** of ***"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    "said",
    [
        lambda form: {"AUTH": f"535 5.7.8 no: {form}"},
        lambda form: {"AUTH": halves(f"535-5.7.8 {form}", "\n535 5.7.8 ")},
        lambda form: {"MAIL": halves(f"550-5.7.1 {form}", "\n550 5.7.1 ")},
        lambda form: {"RCPT": halves(f"450-{form}", "\n450 ")},
        # The second half is no reply.
        lambda form: {"end of data": halves(f"550-{form}", "\r\n").encode() + b"\r\n"},
    ],
)
def test_nothing_is_told(
    scripted: Scripted,
    caplog: pytest.LogCaptureFixture,
    said: t.Callable[[str], dict[str, t.Any]],
    form: str,
) -> None:
    """No form of the password is in the error, the report or the log."""
    caplog.set_level(logging.DEBUG)
    server = scripted(extensions=["AUTH PLAIN"], users={"ann": PASSWORD}, on=said(form))

    (report,) = smtp(server, username="ann", password=PASSWORD).send([letter()])

    assert report.error is not None
    seen = [str(report.error), *(outcome.text for outcome in report.outcomes), caplog.text]
    assert not any(remains(text.replace("5.7.8 ", ""), form) for text in seen)
