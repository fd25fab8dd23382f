"""Messages of the queue by their tags."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from email.message import EmailMessage

import pytest

from flask_mailhandler import Message
from flask_mailhandler import message_sent
from flask_mailhandler import MessageFields
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.stored_message import message_of
from flask_mailhandler.queue.stores.base import Filter
from flask_mailhandler.queue.unreadable import DamagedRowError
from queue_page_app import looking
from queueing import shop
from sending import letter
from storing import add
from storing import row

if t.TYPE_CHECKING:
    from pathlib import Path

    from flask_mailhandler.queue.stores.base import Store
    from storing import Place

HOSTILE = [
    "newsletter-48",
    "Grüße",
    'say "hi"',
    'say "there',
    'or, "elsewhere',
    "back\\slash",
    "100%",
    "a_b",
    "it's",
    "true",
    "null",
    "version",
    "subject",
    "smtputf8",
    "site",
    "line",
    "news: null",
]


def tagged(*tags: str, subject: str = "Hi") -> Message:
    """Return a message with tags."""
    return letter(subject=subject).replace(tags=tags)


@pytest.fixture
def store(place: Place) -> Store:
    """A store of the app "shop"."""
    return place.store()


def stored_options(folder: Path, messages: t.Iterable[Message | EmailMessage]) -> list[str]:
    """Return the options that the rows of some messages have."""
    with shop(folder, MAIL_QUEUE=str(folder / "options.sqlite")) as here:
        for message in messages:
            here.mail.send_later(message)
        return [one.options for one in here.rows]


def test_every_store_finds_a_tag(tmp_path: Path, store: Store) -> None:
    """A row is found by each of its tags and by nothing else: not by a part of a tag, another
    case, a subject with the same text, the name of an option, or a null in the options for a
    provider. A damaged row is not found."""
    messages = [tagged(tag, "every") for tag in HOSTILE]
    messages += [letter(subject=subject) for tag in HOSTILE for subject in (tag, f'"{tag}": null')]
    nulls = {"first": 1, **dict.fromkeys(HOSTILE)}
    messages += [letter().replace(provider_options={"acme": nulls, "other": {"in": nulls}})]
    options = stored_options(tmp_path, messages)
    add(store, *[row(options=one) for one in (*options, "{", '{"tags": ["news"]}')])

    for number, tag in enumerate(HOSTILE, 1):
        assert [one.id for one in store.rows(Filter(tag=tag), 100)] == [number]
    parts = ("newsletter-4", "ewsletter-48", "there", "elsewhere", ', "elsewhere', "hi", 'hi"', "")
    for other in (*parts, "NEWSLETTER-48", "grüße", "a%", "\ud800"):
        assert store.rows(Filter(tag=other), 100) == []
    assert len(store.rows(Filter(tag="every"), 100)) == len(HOSTILE)


def test_every_store_counts_and_purges_by_tag(tmp_path: Path, store: Store) -> None:
    """A tag works together with the other criteria, in lists, counts and purges."""
    may, june = stored_options(tmp_path, [tagged("may"), tagged("june")])
    done = row(options=may, state=RowState.SENT)
    add(
        store,
        row(options=may),
        done,
        dataclasses.replace(done, options=june),
        dataclasses.replace(done, account="news"),
    )

    assert [one.id for one in store.rows(Filter([RowState.SENT], "news", tag="may"), 9)] == [4]
    assert store.counts(tag="may") == {"waiting": 1, "sent": 2}
    assert store.counts("news", "may") == {"sent": 1}
    assert store.counts("news", "june") == {}
    assert store.purge(Filter(tag="may"), 9) == 2
    assert [one.id for one in store.rows(Filter(), 9)] == [3, 1]


def test_the_tags_survive_the_queue(tmp_path: Path) -> None:
    """The message of a signal has the tags that were queued."""
    heard: list[tuple[str, ...]] = []

    def hear(sender: object, message: Message, **extra: object) -> None:
        heard.append(message.tags)

    with shop(tmp_path, MAIL_HANDLER="memory") as here, message_sent.connected_to(hear, here.app):
        here.mail.send_later(tagged("news", "may"))
        here.mail.send_later(letter())
        here.queue.run_once()

    assert heard == [("news", "may"), ()]


def test_fields_for_a_provider_survive_the_queue(tmp_path: Path) -> None:
    """The message of a signal has those that were queued, and a row without any has none."""
    given: MessageFields = {
        "metadata": {"order": "17", "a": "b"},
        "track_opens": False,
        "stream": "eu",
        "provider_options": {"acme": {"first": 1, "rest": {"x": None}}},
    }
    heard: list[Message] = []

    def hear(sender: object, message: Message, **extra: object) -> None:
        heard.append(message)

    with shop(tmp_path, MAIL_HANDLER="memory") as here, message_sent.connected_to(hear, here.app):
        here.mail.send_later(letter().replace(**given))
        here.mail.send_later(letter())
        assert ["for_provider" in row.options for row in here.rows] == [True, False]
        listed = here.app.test_cli_runner().invoke(args=["mail", "queue", "show", "1"]).output
        here.queue.run_once()

    assert {name: getattr(heard[0], name) for name in given} == given
    assert (heard[1].metadata, heard[1].track_opens, heard[1].stream) == ({}, None, None)
    assert '{"order": "17", "a": "b"}' in listed


@pytest.mark.parametrize("stored", ["", "[]", "{", '{"subject": "x"}', 5, None])
def test_damaged_fields_for_a_provider(stored: t.Any) -> None:
    """A row whose fields for a provider cannot be read is damaged."""
    options = json.dumps({"version": 1, "sender": "", "for_provider": stored})

    with pytest.raises(DamagedRowError):
        message_of(row(options=options), b"Subject: x\r\n\r\n")


def test_the_commands(tmp_path: Path) -> None:
    """list, cancel, retry and purge take --tag. purge --tag asks, because it deletes keys."""
    with shop(tmp_path) as here:
        for tag in ("news-47", "news-48", "news-48"):
            here.mail.send_later(tagged(tag, "news"))
        here.mail.send_later(letter())

        def run(*arguments: str) -> str:
            found = here.app.test_cli_runner().invoke(args=["mail", "queue", *arguments])
            return " ".join(found.output.split())

        listed = json.loads(run("list", "--json", "--tag", "news-48"))
        assert [(one["id"], one["tags"]) for one in listed] == [
            (3, ["news-48", "news"]),
            (2, ["news-48", "news"]),
        ]
        assert "tags news-47, news" in run("show", "1")
        assert run("cancel", "--tag", "news-48") == "2 messages cancelled."
        assert here.states == ["waiting", "cancelled", "cancelled", "waiting"]
        assert "would delete 2 finished messages" in run("purge", "--tag", "news")
        assert run("retry", "--tag", "news-48") == "2 messages queued again."
        run("cancel", "--tag", "news")
        assert run("purge", "--tag", "news-47", "--yes") == "1 message deleted."
        assert here.states == ["cancelled", "cancelled", "waiting"]


def test_the_pages(tmp_path: Path) -> None:
    """The queue and the mailbox show the tags of a message, and find it by them."""
    here = looking(tmp_path, MAIL_HANDLER="mailbox")
    with here.app.app_context():
        here.mail.send(tagged("<b>direct", "News").replace(metadata={"order": "<i>1723"}))
        here.mail.send_later(tagged("queued", "News"))
        here.mail.send_later(letter())
        here.queue.run_once()
    browser = here.app.test_client()

    def found(query: str) -> list[list[str]]:
        listed = browser.get(f"/_mail/api/{query}").get_json()["messages"]
        return [message["tags"] for message in listed]

    direct, queued = ["<b>direct", "News"], ["queued", "News"]
    assert found("queue?tag=News") == [queued]
    assert found("queue?tag=news") == []
    assert found("messages") == [[], queued, direct]
    assert found("messages?tag=news") == [queued, direct]
    assert found("messages?q=tag:queued") == [queued]
    assert found("messages?q=tag:queue") == []
    assert found("messages?q=direct") == [direct]
    assert found("messages?q=1723") == [direct]
    assert "queued, News" in browser.get("/_mail/queue/1?q=tag:News").text
    assert "Nothing found" in browser.get("/_mail/queue/?q=tag:other").text
    page = browser.get("/_mail/api/messages?tag=<b>direct").get_json()["messages"][0]["page"]
    assert "&lt;b&gt;direct, News" in browser.get(page).text
    assert "&lt;i&gt;1723" in browser.get(page).text
    here.queue.close()
