"""People instead of strings: their addresses, and their languages."""

from __future__ import annotations

import dataclasses
import json
import pickle
import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask
from jinja2 import DictLoader
from sqlalchemy import orm
from werkzeug.local import LocalProxy

from flask_mailhandler import Address
from flask_mailhandler import Envelope
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.address import AddressInput
from flask_mailhandler.address import LocalizedAddress

if t.TYPE_CHECKING:
    from collections.abc import Iterator


class Base(orm.DeclarativeBase): ...


class User(Base):
    """A user of an app, with a relationship whose name is that of an attribute of the standard
    library's header fields."""

    __tablename__ = "user"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    email: orm.Mapped[str]
    language: orm.Mapped[str | None]
    addresses: orm.Mapped[list[Place]] = orm.relationship()

    def __mail_address__(self) -> tuple[str, str]:
        return self.name, self.email

    def __mail_locale__(self) -> str | None:
        return self.language


class Place(Base):
    __tablename__ = "place"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    user_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("user.id"))


class Member(t.NamedTuple):
    """A row of a query, which is a tuple of two strings."""

    email: str
    name: str

    def __mail_address__(self) -> str:
        return self.email


@dataclasses.dataclass
class Team:
    """People that are iterable and have an address of their own."""

    members: list[str]

    def __iter__(self) -> t.Iterator[str]:
        return iter(self.members)

    def __mail_address__(self) -> str:
        return "Team <team@example.com>"


def user(name: str, language: str | None = None) -> User:
    return User(name=name, email=f"{name.lower()}@example.com", language=language)


@pytest.fixture
def mail() -> Iterator[Mail]:
    app = Flask("shop")
    app.config["MAIL_DEFAULT_FROM"] = "shop@example.com"
    app.config["TESTING"] = True
    words = {"hi.txt": "Hello", "hi.de.txt": "Hallo", "hi.fr.txt": "Salut"}
    blocks = "{{% block subject %}}Hi{{% endblock %}}{{% block text %}}{}{{% endblock %}}"
    app.jinja_loader = DictLoader({name: blocks.format(word) for name, word in words.items()})
    mail = Mail(app, cli=None)
    with app.app_context():
        yield mail


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (user("Ann"), [("Ann", "ann@example.com")]),
        ([user("Ann"), "bob@example.com"], [("Ann", "ann@example.com"), ("", "bob@example.com")]),
        (
            (user("A,b"), Member("b@example.com", "Bob")),
            [("A,b", "a,b@example.com"), ("", "b@example.com")],
        ),
        (Member("b@example.com", "Bob"), [("", "b@example.com")]),
        (Team(["a@example.com", "b@example.com"]), [("Team", "team@example.com")]),
        ((user(name) for name in ("Ann", "Bob")), None),
        (LocalProxy(lambda: user("Ann")), [("Ann", "ann@example.com")]),
        ([LocalProxy(lambda: user("Ann"))], [("Ann", "ann@example.com")]),
    ],
    ids=["one", "list", "tuple", "row", "team", "iterator", "proxy", "proxies"],
)
def test_people_are_recipients(given: t.Any, named: list[tuple[str, str]] | None) -> None:
    """An object with __mail_address__() stands for its address, wherever an address may stand."""
    if named and ("A,b", "a,b@example.com") in named:
        given[0].email = "b@example.com"
        named = [("A,b", "b@example.com"), ("", "b@example.com")]
    expect = named or [("Ann", "ann@example.com"), ("Bob", "bob@example.com")]

    assert [*Message(to=given).to.named] == expect


def test_people_in_every_field() -> None:
    """The fields with one address, and the envelope, take people too."""
    ann = user("Ann", "de")

    message = Message(from_addr=ann, envelope_sender=ann, reply_to=ann, cc=ann, bcc=[ann])

    assert message.from_addr == message.envelope_sender == "ann@example.com"
    assert message.cc == message.bcc == message.reply_to == ["ann@example.com"]
    assert Envelope("shop@example.com", [t.cast(t.Any, ann)]).recipients == ["ann@example.com"]


def test_the_rows_of_a_query(mail: Mail) -> None:
    """The result of a query is a list of recipients, and its addresses outlive the session."""
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add_all([user("Ann", "de"), user("Bob", "de")])
        session.commit()
        message = mail.render("hi", to=session.scalars(sa.select(User).order_by(User.id)))
    engine.dispose()

    report = mail.send(message)

    assert report.accepted == ["ann@example.com", "bob@example.com"]
    assert message.text.strip() == "Hallo"
    assert Message.from_dict(json.loads(json.dumps(message.to_dict()))) == message


def test_address_of_a_class(mail: Mail) -> None:
    """address_of gives any class an address and a language, and its subclasses too."""

    @dataclasses.dataclass
    class Customer:
        mail_address: str
        speaks: str = "de-AT"

    class Company(Customer): ...

    mail.address_of(Customer, lambda one: one.mail_address, locale=lambda one: one.speaks)

    for kind in (Customer, Company):
        given: t.Any = kind("ann@example.com")
        message = mail.render("hi", to=given)
        assert message.to == ["ann@example.com"]
        assert message.text.strip() == "Hallo"
    with pytest.raises(TypeError, match="takes a class and a function"):
        mail.address_of(t.cast(t.Any, Customer("a@example.com")), lambda one: "")
    with pytest.raises(TypeError, match=r"write mail\.address_of\(Customer, lambda user"):
        mail.address_of(Customer, t.cast(t.Any, "mail_address"))


@pytest.mark.parametrize("returned", [None, user("Ann"), 5, "", "ann@@example.com", b"a@b.example"])
def test_people_without_an_address(returned: t.Any) -> None:
    """The error names the field, and if no address was returned, the class."""

    class Guest:
        def __mail_address__(self) -> AddressInput:
            return t.cast("AddressInput", returned)

    names_class = returned is None or isinstance(returned, User)
    with pytest.raises(MessageError, match="to has a Guest without" if names_class else "^to "):
        Message(to=Guest())


def test_other_objects() -> None:
    """The error for an object of another class says how to give it an address."""

    class Guest:
        addresses: t.ClassVar = ["a@example.com"]

    wrong: t.Any
    for wrong in (Guest(), [Guest()]):
        with pytest.raises(MessageError, match=r"^to takes .*mail\.address_of\(Guest, function\)"):
            Message(to=wrong)
    for wrong in (5, [5], User):
        with pytest.raises(MessageError, match=r"^to takes "):
            Message(to=wrong)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"to": user("Ann", "de")}, "Hallo"),
        ({"to": [user("Ann", "de_AT"), user("Bob", "de-AT")]}, "Hallo"),
        ({"to": ["x@example.com", user("Ann", "fr")]}, "Salut"),
        ({"to": iter([user("Ann", "fr")])}, "Salut"),
        ({"to": user("Ann")}, "Hello"),
        ({"to": "x@example.com"}, "Hello"),
        ({"to": user("Ann", "de"), "bcc": user("Bob", "fr")}, "Hallo"),
        ({"bcc": [user("Bob", "fr")]}, "Salut"),
        ({"to": [user("Ann", "de"), user("Bob", "fr")], "locale": "fr"}, "Salut"),
        ({}, "Hello"),
    ],
)
def test_the_language_of_people(mail: Mail, fields: t.Any, text: str) -> None:
    """render takes the language of the people in To, or if there is no To in Cc and Bcc."""
    message = mail.render("hi", **fields)

    assert message.text.strip() == text
    if "to" in fields:
        assert message.to != []


def test_several_languages_are_an_error(mail: Mail) -> None:
    """One mail has one language: the error names the function that renders several."""
    for other in ("fr", None):
        with pytest.raises(MessageError, match=r"several languages: 'de', .*render_each"):
            mail.render("hi", to=[user("Ann", "de"), user("Bob", other)])
    with pytest.raises(MessageError, match="locale must be like"):
        mail.render("hi", to=user("Ann", "../de"))


def test_a_mail_for_each_language(mail: Mail) -> None:
    """render_each makes a mail for each language, and each recipient is in one of them."""
    people: list[AddressInput]
    people = [user("Ann", "de"), "x@example.com", user("Bob", "fr"), user("Cid"), user("Dan", "de")]

    hidden = [user("Eve", "fr"), user("Fay", "en")]
    messages = mail.render_each("hi", {}, from_addr="a@example.com", to=people, bcc=hidden)

    found = [(one.text.strip(), [*one.to], [*one.bcc]) for one in messages]
    assert found == [
        ("Hallo", ["ann@example.com", "x@example.com", "dan@example.com"], []),
        ("Salut", ["bob@example.com"], ["eve@example.com"]),
        ("Hello", ["cid@example.com"], []),
        ("Hello", [], ["fay@example.com"]),
    ]
    assert len({one.message_id for one in messages}) == 4
    assert all(report.ok for report in mail.send(messages))


@pytest.mark.parametrize("to", ["x@example.com", ["x@example.com"], None, []])
def test_a_mail_for_no_people(mail: Mail, to: t.Any) -> None:
    """Without people, render_each makes one mail, as render does."""
    (message,) = mail.render_each("hi", to=to)

    assert (message.text.strip(), message.to) == ("Hello", mail.render("hi", to=to).to)


def test_render_each_takes_no_message_id(mail: Mail) -> None:
    """A given Message-ID would be that of several messages."""
    with pytest.raises(TypeError, match="each message has its own"):
        mail.render_each("hi", to="x@example.com", message_id="<1@example.com>")


def test_an_address_keeps_its_language() -> None:
    """An address of a person is equal to the plain one, and copies keep its language."""
    (address,) = Message(to=user("Ann", "de")).to

    assert address == Address("ann@example.com")
    assert isinstance(address, LocalizedAddress)
    again = pickle.loads(pickle.dumps(address))
    assert (again, again.name, again.locale) == ("ann@example.com", "Ann", "de")
