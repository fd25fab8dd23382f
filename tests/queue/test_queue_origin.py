"""The template and the line of code of a queued message."""

from __future__ import annotations

import json
import sys
import typing as t
from email.message import EmailMessage

import pytest

from flask_mailhandler import Message
from flask_mailhandler import message_sent
from flask_mailhandler.message.template_name import mark
from flask_mailhandler.message.template_name import origin_of
from queue_page_app import looking
from queueing import shop
from sending import letter

if t.TYPE_CHECKING:
    from pathlib import Path

    from queueing import Shop


def one(here: Shop) -> int:
    """Queue a message, and return the line that does it."""
    here.mail.send_later(mark(letter(), "account/reset"))
    return sys._getframe().f_lineno - 1


def each(here: Shop) -> int:
    """Queue a list, and return the line that does it."""
    [*here.mail.send_later_each(mark(letter(), "account/reset") for _ in range(2))]
    return sys._getframe().f_lineno - 1


def changed(here: Shop) -> int:
    """Queue a changed copy, and return the line that does it."""
    here.mail.send_later(mark(letter(), "account/reset").replace(subject="Reset"))
    return sys._getframe().f_lineno - 1


@pytest.mark.parametrize("queue", [one, each, changed])
def test_the_mailbox_shows_them(tmp_path: Path, queue: t.Callable[[Shop], int]) -> None:
    """The mailbox and the queue show the template and the line that queued a message, as the
    mailbox does for a message that was sent directly."""
    here = looking(tmp_path, MAIL_HANDLER="mailbox")
    with here.app.app_context():
        line = queue(here)
        here.queue.run_once()
    browser = here.app.test_client()
    listed = browser.get("/_mail/api/messages").get_json()["messages"][0]
    found = browser.get(listed["url"]).get_json()
    queued = browser.get("/_mail/api/queue/1").get_json()
    pages = [browser.get(url).text for url in (listed["page"], "/_mail/queue/1")]
    said = here.app.test_cli_runner().invoke(args=["mail", "queue", "show", "1"]).output
    here.queue.close()

    assert found["template"] == queued["template"] == "account/reset"
    assert found["site"] == queued["site"]
    assert found["site"] == {"file": __file__, "line": line, "function": queue.__name__}
    assert found["duration"] > 0
    for text in (*pages, " ".join(said.split())):
        assert "account/reset" in text
        assert f"test_queue_origin.py:{line}" in text


def test_a_message_without_a_template(tmp_path: Path) -> None:
    """A message without a template, and one of the standard library, have a line of code only."""
    foreign = EmailMessage()
    foreign["From"], foreign["To"], foreign["Subject"] = "a@example.com", "b@example.com", "Hi"
    foreign.set_content("Hello")
    with shop(tmp_path) as here:
        for message in (letter(), foreign):
            here.mail.send_later(message)
        found = [json.loads(row.options) for row in here.rows]

    assert ["template" in one for one in found] == [False, False]
    assert [one["site"]["function"] for one in found] == ["test_a_message_without_a_template"] * 2


def test_a_signal_has_the_template(tmp_path: Path) -> None:
    """The message of a signal has the template, before and after one of its fields is used."""
    heard: list[t.Any] = []

    def hear(sender: object, message: Message, **extra: object) -> None:
        heard.extend([origin_of(message), message.subject, origin_of(message)])

    with shop(tmp_path, MAIL_HANDLER="memory") as here, message_sent.connected_to(hear, here.app):
        here.mail.send_later(mark(letter(), "news/may"))
        here.queue.run_once()

    assert heard == ["news/may", "Hi", "news/may"]


@pytest.mark.parametrize("name", ["caf\udce9.py", "\udcff\udcfe.py"])
def test_a_file_whose_name_is_not_utf8(tmp_path: Path, name: str) -> None:
    """A line of code in a file whose name is not UTF-8 does not prevent a message from being
    queued."""
    with shop(tmp_path) as here:
        code = compile("mail.send_later(message)", name, "exec")
        exec(code, {"mail": here.mail, "message": letter()})
        (row,) = here.rows

    assert json.loads(row.options)["site"]["file"] == name.encode("utf-8", "replace").decode()


def test_an_older_row(tmp_path: Path) -> None:
    """A row that has neither is sent, and its page shows neither."""
    here = looking(tmp_path, MAIL_HANDLER="mailbox")
    with here.app.app_context():
        here.mail.send_later(letter())
        with here.queue.store.file.write() as connection:  # type: ignore[attr-defined]
            connection.execute("UPDATE mail_queue SET options = json_remove(options, '$.site')")
        here.queue.run_once()
        assert here.states == ["sent"]
    browser = here.app.test_client()
    found = browser.get("/_mail/api/queue/1").get_json()
    text = browser.get("/_mail/queue/1").text
    here.queue.close()

    assert (found["template"], found["site"]) == (None, None)
    assert "Sent by" not in text
