"""A mailer: what a group of mails shares."""

from __future__ import annotations

import typing as t

import pytest

from flask_mailhandler import Mail
from flask_mailhandler import Mailer
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.queue.row import PRIORITIES
from mail_templates import app_with
from queueing import Shop
from sending import letter

if t.TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

PLAIN = "<i>plain</i>{% block content %}{% endblock %}"
GROUPS = {"accounts": {"url": "smtp://bulk.example.com"}}


class AccountMailer(Mailer):
    """Sets every attribute."""

    from_addr = "Accounts <accounts@example.com>"
    reply_to = ("help@example.com",)
    using = "accounts"
    priority: str | None = "high"
    folder = "mail/account"
    layout = "plain.html"

    def welcome(self, name: str, **fields: t.Any) -> Message:
        return self.render("welcome", {"name": name}, to="ann@example.com", **fields)


class PlainMailer(Mailer):
    """Sets nothing."""


def app(**templates: str) -> Flask:
    """An app with a layout and the templates of a mail."""
    files = {f"mail/account/welcome.{ending}": text for ending, text in templates.items()}
    return app_with({**files, "plain.html": PLAIN, "hello.txt": "Hi"}, MAIL_ACCOUNTS=GROUPS)


def test_fields_that_are_shared() -> None:
    """Each message has the From, the Reply-To and the folder of the group."""
    with app(txt="{% block subject %}Hi{% endblock %}Hello {{ name }}").app_context():
        message = AccountMailer().welcome("Ann")

    assert str(message.from_addr) == "accounts@example.com"
    assert message.reply_to == ["help@example.com"]
    assert message.to == ["ann@example.com"]
    assert (message.subject, message.text) == ("Hi", "Hello Ann\n")


@pytest.mark.parametrize(
    ("field", "given"),
    [("from_addr", "me@example.com"), ("reply_to", "me@example.com"), ("reply_to", [])],
)
def test_arguments_take_precedence(field: str, given: t.Any) -> None:
    """A field that a mail passes replaces the one of the group."""
    with app(txt="Hello").app_context():
        message = AccountMailer().welcome("Ann", subject="Hi", **{field: given})

    expected = Message(text="Hello", **{field: given})
    assert getattr(message, field) == getattr(expected, field)


def test_a_mailer_without_attributes() -> None:
    """It renders and sends as the Mail does."""
    with app().app_context():
        message = PlainMailer().render("hello", locale="de", subject="Hi")

    assert (message.subject, message.text) == ("Hi", "Hi\n")
    assert message.from_addr is None
    assert message.reply_to == []


@pytest.mark.parametrize(
    ("ending", "template"),
    [
        ("html", "{% extends mail_layout %}{% block content %}Hello {{ name }}{% endblock %}"),
        ("md", "Hello {{ name }}"),
        (
            "mail",
            "{% extends mail_layout %}{% block html %}{{ super() }}{% endblock %}"
            "{% block content %}Hello {{ name }}{% endblock %}",
        ),
    ],
)
def test_layout(ending: str, template: str) -> None:
    """The mails of the group have its layout. Other mails have the usual one."""
    here = app(**{ending: template})
    if ending == "mail":
        here = app_with(
            {
                "mail/account/welcome.mail": template,
                "plain.html": f"{{% block html %}}{PLAIN}{{% endblock %}}",
            }
        )
    with here.app_context():
        plain = AccountMailer().welcome("Ann", subject="Hi")
        mail: Mail = here.extensions["mailhandler"]
        usual = mail.render("mail/account/welcome", {"name": "Ann"}, subject="Hi")

    assert plain.html.startswith("<i>plain</i>")
    assert usual.html.startswith("<!doctype html>")
    assert "Hello Ann" in plain.html
    assert "Hello Ann" in usual.html


@pytest.mark.parametrize("mail", ["html", "md"])
@pytest.mark.parametrize("own", [True, False])
def test_a_layout_that_extends_itself(mail: str, own: bool) -> None:
    """A layout that begins with ``{% extends mail_layout %}`` extends itself. The error names it,
    and says what to write."""
    text = "{% extends mail_layout %}{% block content %}Hi{% endblock %}"
    if mail == "md":
        text = '{% set layout = "plain.html" %}Hi' if own else "Hi"
    files = {f"mail/account/welcome.{mail}": text, "plain.html": "{% extends mail_layout %}"}
    with app_with(files).app_context(), pytest.raises(MessageError) as caught:
        AccountMailer().welcome("Ann", subject="Hi")

    assert str(caught.value) == (
        "plain.html extends itself, because it is the layout of this mail: {% extends mail_layout"
        ' %} extends plain.html. Write {% extends "mailhandler/layout.html" %} there.'
    )
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.html": "{% extends 'a.html' %}"}, "a.html extends itself."),
        (
            {"a.html": "{% extends 'b.html' %}", "b.html": "{% extends 'a.html' %}"},
            "The templates of the cycle are a.html, b.html.",
        ),
    ],
)
def test_templates_that_extend_one_another(files: dict[str, str], said: str) -> None:
    """Templates that extend one another are named, instead of a RecursionError."""
    with app_with(files).app_context(), pytest.raises(MessageError) as caught:
        PlainMailer().render("a", subject="Hi")

    assert said in str(caught.value)


def test_another_recursion() -> None:
    """A macro that calls itself without end is still Jinja's error."""
    text = "{% macro f(x) %}{{ f(x) }}{% endmacro %}<p>Hi {{ f(1) }}"
    with app_with({"a.html": text}).app_context(), pytest.raises(RecursionError):
        PlainMailer().render("a", subject="Hi")


def test_layout_of_a_template() -> None:
    """A mail in Markdown can set another layout than its group."""
    templates = {
        "mail/account/welcome.md": '{% set layout = "other.html" %}Hello',
        "plain.html": PLAIN,
        "other.html": "<b>other</b>{% block content %}{% endblock %}",
    }
    with app_with(templates).app_context():
        message = AccountMailer().welcome("Ann", subject="Hi")

    assert message.html.startswith("<b>other</b>")


@pytest.mark.parametrize("layout", ["", "plain.html", "base.html"])
def test_blocks_of_the_layout(layout: str) -> None:
    """A block that the layout does not print is an error, whatever the layout is."""
    templates = {
        "welcome.html": "{% extends mail_layout %}{% block contents %}Hi{% endblock %}",
        "plain.html": PLAIN,
        "base.html": "{% extends 'plain.html' %}",
    }
    with app_with(templates).app_context():
        mailer = PlainMailer()
        mailer.layout = layout

        with pytest.raises(MessageError, match=r"prints the block 'contents'. Did you mean 'conte"):
            mailer.render("welcome")


def test_a_layout_for_each_mailer() -> None:
    """Two groups may render the same template, each in its layout."""
    templates = {
        "welcome.html": "{% extends mail_layout %}{% block content %}Hi{% endblock %}",
        "one.html": "1{% block content %}{% endblock %}",
        "two.html": "2{% block content %}{% endblock %}",
    }
    first, second = PlainMailer(), PlainMailer()
    first.layout, second.layout = "one.html", "two.html"
    with app_with(templates).app_context():
        htmls = [mailer.render("welcome", subject="Hi").html for mailer in (first, second, first)]

    assert htmls == ["1Hi", "2Hi", "1Hi"]


def test_send_with_the_account() -> None:
    """``send`` uses the account of the group, and passes its other arguments on."""
    here = app(txt="Hello")
    mail: Mail = here.extensions["mailhandler"]
    mailer = AccountMailer(mail)
    with here.app_context(), mail.capture() as outbox:
        message = mailer.welcome("Ann", subject="Hi")
        report = mailer.send(message, recipients="bob@example.com")
        PlainMailer(mail).send(message)

    assert report.accepted == ["bob@example.com"]
    assert [captured.using for captured in outbox] == ["accounts", "default"]


@pytest.mark.parametrize("priority", PRIORITIES)
def test_send_later(priority: str, tmp_path: Path) -> None:
    """``send_later`` uses the account and the priority of the group, and passes its other
    arguments on."""
    here = Shop(tmp_path, MAIL_ACCOUNTS=GROUPS)
    mailer = AccountMailer(here.mail)
    mailer.priority = priority
    with here.app.app_context():
        ticket = mailer.send_later(letter(), key="once", delay=60)
        again = mailer.send_later(letter(), key="once")

    (row,) = here.rows
    assert (row.account, PRIORITIES[row.priority], row.key) == ("accounts", priority, "once")
    assert row.due - row.created == 60
    assert (ticket.created, again.created) == (True, False)


@pytest.mark.parametrize(
    ("priority", "later", "each"),
    [(None, "normal", "bulk"), ("high", "high", "high"), ("normal", "normal", "normal")],
)
def test_send_later_each(priority: str | None, later: str, each: str, tmp_path: Path) -> None:
    """``send_later_each`` uses the account and the priority of the group. Without a priority, a
    list is sent after single messages."""
    here = Shop(tmp_path, MAIL_ACCOUNTS=GROUPS)
    mailer = AccountMailer(here.mail)
    mailer.priority = priority
    with here.app.app_context():
        mailer.send_later(letter())
        tickets = [
            *mailer.send_later_each(
                (letter(f"r{n % 2}@example.com") for n in range(3)),
                key=lambda message: f"news:{message.to[0]}",
                delay=60,
            )
        ]

    assert [ticket.created for ticket in tickets] == [True, True, False]
    assert [PRIORITIES[row.priority] for row in here.rows] == [later, each, each]
    assert {row.account for row in here.rows} == {"accounts"}
    assert [row.due - row.created for row in here.rows] == [0, 60, 60]


@pytest.mark.parametrize(
    ("shared", "given", "tags"),
    [
        ((), None, ()),
        ("account", None, ("account",)),
        (["account", "eu"], ["welcome"], ("account", "eu", "welcome")),
        ("account", "account", ("account",)),
        ((), "welcome", ("welcome",)),
    ],
)
def test_tags(shared: t.Any, given: t.Any, tags: tuple[str, ...]) -> None:
    """Each message has the tags of the group, and after them those that the mail adds."""
    fields = {} if given is None else {"tags": given}
    mailer = AccountMailer()
    mailer.tags = shared
    with app(txt="Hello").app_context():
        message = mailer.welcome("Ann", subject="Hi", **fields)

    assert message.tags == tags
    assert message.replace(tags=[]).tags == ()


@pytest.mark.parametrize(
    ("shared", "given", "said"), [(5, None, "AccountMailer.tags takes"), ("x", 5, "tags takes")]
)
def test_a_wrong_tag(shared: t.Any, given: t.Any, said: str) -> None:
    """The error for a wrong tag says whether it is the attribute or the argument."""
    mailer = AccountMailer()
    mailer.tags = shared
    with app(txt="Hello").app_context(), pytest.raises(MessageError) as caught:
        mailer.welcome("Ann", subject="Hi", tags=given)

    assert str(caught.value).startswith(said)


def test_fields_for_a_provider() -> None:
    """Each message has those of the group. A mail adds metadata, and overrides the others."""
    mailer = AccountMailer()
    mailer.metadata, mailer.stream, mailer.track_opens = {"team": "a", "kind": "b"}, "eu", False
    mailer.provider_options = {"postmark": {"InlineCss": True}}
    with app(txt="Hello").app_context():
        plain = mailer.welcome("Ann", subject="Hi")
        other = mailer.welcome(
            "Ann", subject="Hi", metadata={"kind": "c", "order": "17"}, track_opens=True
        )

    assert plain.metadata == {"team": "a", "kind": "b"}
    assert (plain.stream, plain.track_opens, plain.track_clicks) == ("eu", False, None)
    assert plain.provider_options == {"postmark": {"InlineCss": True}}
    assert other.metadata == {"team": "a", "kind": "c", "order": "17"}
    assert (other.stream, other.track_opens) == ("eu", True)


@pytest.mark.parametrize(
    ("shared", "given", "said"),
    [(5, None, "AccountMailer.metadata takes"), ({"a": "b"}, {"c": 5}, "metadata takes strings")],
)
def test_wrong_metadata(shared: t.Any, given: t.Any, said: str) -> None:
    """The error for wrong metadata says whether it is the attribute or the argument."""
    mailer = AccountMailer()
    mailer.metadata = shared
    with app(txt="Hello").app_context(), pytest.raises(MessageError) as caught:
        mailer.welcome("Ann", subject="Hi", metadata=given)

    assert str(caught.value).startswith(said)


def test_the_mail_of_the_current_app() -> None:
    """Without an argument, a mailer belongs to each app whose context it is used in."""
    mailer = PlainMailer()
    texts = []
    for text in ("one", "two"):
        with app_with({"hello.txt": text}).app_context():
            texts.append(mailer.render("hello", subject="Hi").text)

    assert texts == ["one\n", "two\n"]
    with pytest.raises(RuntimeError, match="no app context here"):
        mailer.render("hello")
