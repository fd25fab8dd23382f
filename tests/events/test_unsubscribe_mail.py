"""Mail to the address with which a recipient leaves a list (RFC 2369)."""

from __future__ import annotations

import typing as t

import pytest

from flask_mailhandler import Address
from flask_mailhandler import ConfigurationError
from flask_mailhandler import Event
from leaving import address
from leaving import ANN
from leaving import KEY
from leaving import ListShop
from leaving import MAILTO
from leaving import news

LEFT = [("unsubscribed", ANN, "newsletter")]


def shop_with(**keys: t.Any) -> ListShop:
    return ListShop(MAIL_UNSUBSCRIBE_MAILTO=MAILTO, **keys)


def asked(to: str, author: str = ANN, header: str = "") -> bytes:
    """The mail of a mail client that unsubscribes."""
    return f"From: {author}\r\nTo: {to}\r\n{header}Subject: unsubscribe\r\n\r\n".encode()


def told(octets: bytes, recipient: str | None = None, **keys: t.Any) -> list[tuple[str, str, str]]:
    """Let an app read a mail. Return what it was told."""
    shop = shop_with(**keys)
    with shop.app.app_context():
        events = shop.mail.handle_notification(octets, recipient=recipient)
    assert events == shop.events
    assert all(event.verified for event in events)
    return shop.told


SENT = address(shop_with().sent())


def test_the_address() -> None:
    """It fits into 64 octets, and is another one for each recipient."""
    other = address(shop_with().sent(news(to="bob@example.org")))

    assert len(Address(SENT).local) <= 64
    assert SENT.startswith("leave+")
    assert other != SENT
    assert len(SENT) == len(other)


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title, str.swapcase])
@pytest.mark.parametrize("author", [ANN, f"Ann O'Neill <{ANN}>", f'"x, y" <{ANN.title()}>'])
def test_a_mail(change: t.Callable[[str], str], author: str) -> None:
    """A mail from the recipient to the address ends the subscription. Its case does not matter."""
    found = told(asked(change(SENT), author))

    assert [(kind, to.lower(), name) for kind, to, name in found] == LEFT


@pytest.mark.parametrize("field", ["Delivered-To", "X-Original-To", "Cc"])
def test_another_field(field: str) -> None:
    """Any field of the header may name the address, or the caller."""
    assert told(asked("leave@shop.example", header=f"{field}: {SENT}\r\n")) == LEFT
    assert told(asked("leave@shop.example"), SENT) == LEFT


@pytest.mark.parametrize("to", ["j\xf6rg@b\xfccher.example", "ann@b\xfccher.example"])
def test_addresses_beyond_ascii(to: str) -> None:
    """The author may be written in UTF-8 (RFC 6532)."""
    shop = shop_with()
    sent = address(shop.sent(news(to=to)))
    with shop.app.app_context():
        shop.mail.handle_notification(asked(sent, f"J\xf6rg <{to}>"))

    assert shop.told == [("unsubscribed", str(Address(to)), "newsletter")]


@pytest.mark.parametrize("date", ["Date: Sun, 29 Nov 2026 12:00:00 +0000\r\n", "Date: x\r\n"])
def test_it_is_read_again(date: str) -> None:
    """A mail that is read twice is one event, and another mail is another one."""
    shop = shop_with(MAIL_QUEUE="sqlite", MAIL_SUPPRESSIONS=True)
    mail = asked(SENT, header=date)
    copy = b"" if "x" in date else b"Received: again\r\n"
    other = mail.replace(b"x\r\n", b"y\r\n").replace(b"12:00:00", b"12:20:00")
    with shop.app.app_context(), shop.mail.capture():
        found = [shop.mail.handle_notification(mail)]
        shop.mail.suppressions.remove(ANN)
        found.append(shop.mail.handle_notification(copy + mail))
        assert len(shop.mail.suppressions) == 0
        found.append(shop.mail.handle_notification(other))
        assert len(shop.mail.suppressions) == 1

    assert [len(events) for events in found] == [1, 0, 1]


@pytest.mark.parametrize("name", ["List-Unsubscribe", "LIST-UNSUBSCRIBE ", "list-unsubscribe"])
def test_a_copy_of_the_mail(name: str) -> None:
    """The mail itself, in a mailbox of its sender or sent on by a list that changes the From, does
    not end the subscription."""
    offer = f"{name}: <https://shop.example/mail/unsubscribe/x>,\r\n <mailto:{SENT}>\r\n"

    assert told(asked("leave@shop.example", header=offer)) == []
    assert told(asked(SENT, header=offer)) == LEFT
    assert told(asked("leave@shop.example", header=f"{offer}Cc: {SENT}\r\n")) == LEFT


@pytest.mark.parametrize("delimiter", ["-", "=", "_"])
def test_another_delimiter(delimiter: str) -> None:
    """The delimiter is the one of bounces. In a mailto: URL, some characters are encoded."""
    keys = {"MAIL_BOUNCE_DELIMITER": delimiter}
    sent = address(shop_with(**keys).sent())
    to = sent.replace("%3D", "=")

    assert ("%3D" in sent) == (delimiter == "=")
    assert told(asked(to), **keys) == LEFT
    assert told(asked(to)) == []


@pytest.mark.parametrize("name", ["a", "Тест", "x" * 26, "a b", "News/48"])
def test_names(name: str) -> None:
    """The name of the list comes back as it was."""
    sent = address(shop_with().sent(news(unsubscribe=name)))

    assert told(asked(sent.upper())) == [("unsubscribed", ANN, name)]


def changed(place: int) -> str:
    letter = "b" if SENT[place] == "a" else "a"
    return f"{SENT[:place]}{letter}{SENT[place + 1 :]}"


@pytest.mark.parametrize(
    "octets",
    [
        asked(SENT, "bob@example.org"),
        asked(SENT, f"{ANN}.example"),
        asked(SENT, f"bob@example.org\r\nSender: {ANN}"),
        asked(SENT, "<>"),
        asked(SENT, "not an address"),
        asked(SENT, "x" * 100_000),
        asked(SENT, "(" * 10_000),
        asked(changed(7)),
        asked(changed(30)),
        asked(f"x{SENT}"),
        asked(SENT.replace("leave+", "leave+a")),
        asked(SENT.replace("@", "a@")),
        asked(f"{SENT}.example"),
        asked(SENT.partition("@")[0] + "@shop.test"),
        asked("leave+@shop.example"),
        asked("leave+aaaaaaaaaaaaaaaa@shop.example"),
        asked("leave@shop.example"),
        f"Subject: x\r\n\r\nTo: {SENT}\r\nFrom: {ANN}\r\n".encode(),
        f"To: {SENT}\r\nSubject: x\r\n\r\n".encode(),
        b"",
        SENT.encode(),
    ],
)
def test_forgeries(octets: bytes) -> None:
    """A mail that is not from the recipient, or not to the address, tells nothing."""
    assert told(octets) == []


def test_keys_that_were_changed() -> None:
    """The address is valid as long as its key is one of the fallbacks."""
    assert told(asked(SENT), SECRET_KEY="new", SECRET_KEY_FALLBACKS=["older", KEY]) == LEFT
    assert told(asked(SENT), SECRET_KEY="new", SECRET_KEY_FALLBACKS=["older"]) == []
    with pytest.raises(ConfigurationError, match="MAIL_UNSUBSCRIBE_MAILTO needs the app's SECRET"):
        told(asked(SENT), SECRET_KEY=None)
    assert told(asked("leave@shop.example"), SECRET_KEY=None) == []


def test_accounts() -> None:
    """The address of any account is read, and one that several accounts share only once."""
    keys: t.Any = {
        "MAIL_ACCOUNTS": {"bulk": {"unsubscribe_mailto": "off@news.example"}, "other": {}},
    }
    sent = address(shop_with(**keys).sent(using="bulk"))

    assert told(asked(sent), **keys) == LEFT
    assert told(asked(SENT), **keys) == LEFT


def test_without_the_key() -> None:
    """An app without MAIL_UNSUBSCRIBE_MAILTO reads no such mail."""
    shop = ListShop()
    with shop.app.app_context():
        assert shop.mail.handle_notification(asked(SENT)) == []


def test_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A mail that is not from its recipient is logged, without a whole address."""
    told(asked(SENT, "bob@example.org"))

    (record,) = caplog.records
    assert record.getMessage() == "Mail to unsubscribe is not from its recipient: bo…@example.org."


def test_the_command() -> None:
    """``flask mail bounce`` reads it."""
    shop = shop_with()
    result = shop.app.test_cli_runner().invoke(args=["mail", "bounce"], input=asked(SENT))

    assert (result.exit_code, result.output) == (0, f"{ANN} unsubscribed\n")
    assert shop.told == LEFT


def test_the_signal() -> None:
    """The signal of this kind is sent."""
    from flask_mailhandler import message_unsubscribed

    shop = shop_with()
    heard: list[Event] = []

    def hear(app: t.Any, event: Event) -> None:
        heard.append(event)

    with message_unsubscribed.connected_to(hear, shop.app), shop.app.app_context():
        shop.mail.handle_notification(asked(SENT))

    assert heard == shop.events
