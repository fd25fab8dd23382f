"""The JSON of the mailbox, for end-to-end tests."""

from __future__ import annotations

import threading
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_mailhandler import Attachment
from flask_mailhandler.pages.displayed import MAX_HTML
from mailbox_app import app_with_mailbox
from mailbox_app import keep
from mailbox_app import send

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return app_with_mailbox(tmp_path)


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return app.test_client()


def test_list(app: Flask, browser: FlaskClient) -> None:
    """The JSON has the newest first, and can be filtered by address, subject, words and a previous
    message."""
    for name in ("ann", "ben", "cleo"):
        send(app, to=f"{name}@example.com", subject=f"For {name}")

    def found(query: str) -> list[str]:
        messages = browser.get(f"/_mail/api/messages?{query}").get_json()["messages"]
        return [message["to"][0].partition("@")[0] for message in messages]

    oldest = browser.get("/_mail/api/messages").get_json()["messages"][-1]["id"]
    assert found("") == ["cleo", "ben", "ann"]
    assert found("limit=1") == ["cleo"]
    assert found("to=BEN@example.com") == ["ben"]
    assert found("subject=for&from=shop&q=is:unread") == ["cleo", "ben", "ann"]
    assert found("to=nobody") == []
    assert found(f"after={oldest}") == ["cleo", "ben"]


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "limit=nan", "limit=1e9"])
def test_wrong_numbers(browser: FlaskClient, query: str) -> None:
    """An invalid number is an error."""
    found = browser.get(f"/_mail/api/messages?{query}")

    assert found.status_code == 400
    assert found.get_json() == {"error": "limit must be a number from 0 to 1000."}


def test_message(app: Flask, browser: FlaskClient) -> None:
    """One message as JSON: text, HTML, header, links, envelope, files with their URLs, and what the
    app knew."""
    send(
        app,
        html='<a href="https://shop.example/reset">Reset</a>',
        text="https://shop.example/text",
        bcc="boss@example.com",
        attachments=[Attachment("a,b\n", filename="a.csv")],
    )
    (listed,) = browser.get("/_mail/api/messages").get_json()["messages"]

    found = browser.get(listed["url"]).get_json()

    assert {**found, **listed} == found
    assert found["links"] == [
        {"url": "https://shop.example/text", "text": "https://shop.example/text"},
        {"url": "https://shop.example/reset", "text": "Reset"},
    ]
    assert found["envelope"]["recipients"] == ["ann@example.com", "boss@example.com"]
    assert ["Subject", "Hi"] in found["headers"]
    assert found["site"]["function"] == "send"
    assert 0 < found["duration"] < 60
    (file,) = found["files"]
    assert browser.get(file["url"]).data == b"a,b\r\n"
    assert browser.get("/_mail/api/messages/x").status_code == 404


def test_long_html(browser: FlaskClient, tmp_path: Path) -> None:
    """Attack: a message whose HTML is longer than a page shows. A program gets no more either."""
    id = keep(tmp_path, b"Content-Type: text/html\r\n\r\n" + b"x" * (MAX_HTML + 1))

    found = browser.get(f"/_mail/api/messages/{id}").get_json()

    assert len(found["html"]) == MAX_HTML
    assert "Its end is not shown" in browser.get(f"/_mail/messages/{id}").text


def test_wait(app: Flask, browser: FlaskClient) -> None:
    """A test waits for the next message that matches, or gets an error in time."""
    send(app, to="old@example.com")
    last = browser.get("/_mail/api/messages").get_json()["messages"][0]["id"]
    found: list[t.Any] = []
    threaded = {"wsgi.multithread": True}

    def wait() -> None:
        path = f"/_mail/api/wait?to=new&after={last}&timeout=25"
        found.append(app.test_client().get(path, environ_overrides=threaded).get_json())

    waiting = threading.Thread(target=wait)
    waiting.start()
    send(app, to="other@example.com")
    send(app, to="new@example.com", subject="first")
    waiting.join()
    send(app, to="new@example.com", subject="second")

    assert found[0]["subject"] == "first"
    again = browser.get(f"/_mail/api/wait?to=new&after={last}").get_json()
    assert again["subject"] == "first"
    assert browser.get("/_mail/api/wait?to=new").get_json()["subject"] == "second"
    late = browser.get("/_mail/api/wait?to=nobody&timeout=0", environ_overrides=threaded)
    assert (late.status_code, late.get_json()) == (
        404,
        {"error": "No matching message has arrived."},
    )


@pytest.mark.parametrize("threaded", [True, False])
def test_wait_no_longer(browser: FlaskClient, threaded: bool) -> None:
    """A wait that is too long is refused by every server."""
    environ = {"wsgi.multithread": threaded}

    found = browser.get("/_mail/api/wait?timeout=26", environ_overrides=environ)

    assert found.get_json() == {"error": "timeout must be a number from 0 to 25."}


def test_wait_alone(browser: FlaskClient) -> None:
    """A server with one thread responds at once, because the message could not be sent
    meanwhile."""
    alone = {"wsgi.multithread": False, "wsgi.multiprocess": False}

    found = browser.get("/_mail/api/wait?timeout=25", environ_overrides=alone)

    assert found.status_code == 404
