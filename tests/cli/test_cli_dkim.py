"""``flask mail dkim``: a new key, and the records of the keys in the configuration."""

from __future__ import annotations

import re
import stat
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler.mime import render
from flask_mailhandler.mime.dkim import sign
from flask_mailhandler.mime.dkim.key import load_key
from flask_mailhandler.secret import Secret
from sending import PATIENT
from signing import ed25519
from signing import made
from signing import rsa
from signing import verified

if t.TYPE_CHECKING:
    from click.testing import Result

    from sending import Scripted


def create_app(**keys: object) -> Flask:
    app = Flask("shop")
    app.config.update({f"MAIL_{name.upper()}": value for name, value in keys.items()})
    Mail(app)
    return app


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["mail", *arguments])


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is written into the current folder."""
    monkeypatch.chdir(tmp_path)


def printed(output: str) -> dict[str, str]:
    """The records that are printed, by their names: the strings of each joined."""
    found = re.findall(r"^(\S+) IN TXT \(\n((?: +\"[^\"]*\"(?: \))?\n?)+)", output, re.M)
    return {name: "".join(re.findall(r'"([^"]*)"', text)) for name, text in found}


@pytest.mark.parametrize(("flags", "bits"), [((), 2048), (("--ed25519",), 256)])
def test_new(tmp_path: Path, flags: tuple[str, ...], bits: int) -> None:
    """A key is written for its owner only, and what is printed verifies what it signs."""
    app = create_app(default_from="The Shop <shop@shop.example>")

    result = run(app, "dkim", "new", "s2026", *flags)

    path = tmp_path / "s2026.pem"
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"MAIL_DKIM_KEYS = {{'s2026': '{path}'}}" in result.output
    assert all(len(text) <= 255 for text in re.findall(r'"([^"]*)"', result.output))
    key = load_key("s2026", Secret(path.read_bytes()))
    assert key.bits == bits
    message = Message(subject="Hi", text="x", from_addr="a@shop.example", to="b@x.example")
    records = {name.rstrip("."): text for name, text in printed(result.output).items()}
    assert [one.passed for one in verified(bytes(sign(render(message), [key])), records)] == [True]
    assert "PRIVATE" not in result.output


def test_new_elsewhere(tmp_path: Path) -> None:
    """--file names another file, and without a domain the name in the DNS ends before it."""
    result = run(create_app(), "dkim", "new", "s2026", "--file", "keys.pem", "--ed25519")

    assert result.exit_code == 0
    assert (tmp_path / "keys.pem").exists()
    assert [*printed(result.output)] == ["s2026._domainkey"]


@pytest.mark.parametrize("umask", [0, 0o777])
def test_the_mode_of_a_new_key(tmp_path: Path, umask: int) -> None:
    """The mode is 0600, whatever the umask is."""
    import os

    before = os.umask(umask)
    try:
        run(create_app(), "dkim", "new", "s2026", "--ed25519")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "s2026.pem").stat().st_mode) == 0o600


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    """An existing file, or a link to nowhere, is not changed."""
    (tmp_path / "s2026.pem").write_text("precious")
    (tmp_path / "link.pem").symlink_to("nowhere")

    for selector in ("s2026", "link"):
        result = run(create_app(), "dkim", "new", selector)
        assert result.exit_code == 1
        assert "exists and was not changed" in result.output

    assert (tmp_path / "s2026.pem").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["s 2026"], "SELECTOR: 's 2026' is not a selector"),
        (["../s2026"], "SELECTOR: '../s2026' is not a selector"),
        (["s2026", "--file", "missing/s.pem"], "cannot be written: No such file or directory"),
        (["s2026", "--using", "bulk"], "There is no account 'bulk'"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: list[str], text: str) -> None:
    """What cannot be done is an error in one line, and nothing is written."""
    result = run(create_app(), "dkim", "new", *arguments)

    assert result.exit_code == 1
    assert text in result.output
    assert [*tmp_path.iterdir()] == []


def test_records(tmp_path: Path) -> None:
    """Each key of each account is printed once, for the domain that signs."""
    keys = {"s2026": made()[1], "e2026": made("e2026", True)[1]}
    app = create_app(
        default_from="shop@shop.example",
        dkim_keys=keys,
        accounts={
            "same": {"host": "127.0.0.2"},
            "news": {"dkim_domain": "news.shop.example", "dkim_keys": {"e2026": keys["e2026"]}},
        },
    )

    everything, news = run(app, "dkim", "records"), run(app, "dkim", "records", "--using", "news")

    assert printed(everything.output) == {
        "s2026._domainkey.shop.example.": rsa().record,
        "e2026._domainkey.shop.example.": ed25519().record,
        "e2026._domainkey.news.shop.example.": ed25519().record,
    }
    assert printed(news.output) == {"e2026._domainkey.news.shop.example.": ed25519().record}
    assert everything.exit_code == news.exit_code == 0


def test_no_records() -> None:
    """Without a key, the command says how to make one."""
    result = run(create_app(), "dkim", "records")

    assert result.exit_code == 1
    assert "mail is not signed. Make a key: flask mail dkim new SELECTOR" in result.output


def test_check_names_the_keys(scripted: Scripted) -> None:
    """``flask mail check`` shows with which keys mail is signed, and for which domain."""
    server = scripted()
    keys = {"s2026": made()[1], "e2026": made("e2026", True)[1]}
    options = {"host": server.host, "port": server.port, "default_from": "a@shop.example"}

    named = run(
        create_app(**options, **PATIENT, dkim_keys=keys, dkim_domain="shop.example"), "check"
    )
    of_from = run(create_app(**options, **PATIENT, dkim_keys=keys), "check")
    unsigned = run(create_app(**options, **PATIENT), "check")

    signed = "Mail is signed with s2026 (RSA 2048), e2026 (Ed25519) for"
    assert f"{signed} shop.example." in named.output
    assert f"{signed} the domain of its From." in of_from.output
    assert re.search(r"^  dkim_keys +s2026, e2026 +MAIL_DKIM_KEYS$", named.output, re.M)
    assert "signed" not in unsigned.output
    assert named.exit_code == of_from.exit_code == unsigned.exit_code == 0
