"""Addresses that get no more mail."""

from __future__ import annotations

import datetime
import io
import typing as t

import pytest
from flask import Flask

from flask_mailhandler import About
from flask_mailhandler import Address
from flask_mailhandler import ConfigurationError
from flask_mailhandler import Mail
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import QueueError
from flask_mailhandler import RefusedError
from flask_mailhandler import Suppression
from flask_mailhandler.queue.events.refusing import refused
from flask_mailhandler.queue.sending import store_retry
from flask_mailhandler.queue.stores.sqlite.history import SqliteHistory
from queueing import Shop
from queueing import shop
from signed_bounces import bounce_to

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask_mailhandler import Outbox
    from sending import Scripted

ANN, BOB, CARL = "ann@example.org", "bob@example.org", "carl@example.org"
SINCE = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)


def letter(*to: str, **fields: t.Any) -> Message:
    return Message(subject="Hi", text="Hello", to=[*to], **fields)


@pytest.fixture
def app() -> Flask:
    """An app in a test, which suppresses addresses."""
    app = Flask("shop")
    app.config.update(
        TESTING=True,
        SECRET_KEY="a secret",
        MAIL_QUEUE="sqlite",
        MAIL_SUPPRESSIONS=True,
        MAIL_DEFAULT_FROM="shop@example.com",
        MAIL_BOUNCE_ADDRESS="bounces@example.com",
    )
    Mail(app)
    return app


@pytest.fixture
def mail(app: Flask) -> Iterator[Mail]:
    """Its Mail, in its context."""
    with app.app_context():
        yield app.extensions["mailhandler"]


def test_refused_before_any_connection(mail: Mail, outbox: Outbox) -> None:
    """A suppressed recipient is refused with the reason, and the others get the message."""
    mail.suppressions.add("Ann@EXAMPLE.org", reason="bounced 5.1.1")
    since = datetime.datetime.now(datetime.UTC).date()

    report = mail.send(letter(BOB, "ANN@example.org", CARL))

    assert [str(outcome.state) for outcome in report.outcomes] == [
        "accepted",
        "refused",
        "accepted",
    ]
    (_, outcome, _) = report.outcomes
    assert outcome.text == f"suppressed since {since}: bounced 5.1.1"
    assert (outcome.about, outcome.code) == (About.RECIPIENT, None)
    assert outbox[0].envelope.recipients == [BOB, CARL]
    with pytest.raises(RefusedError, match=r"ann@example\.org refused: suppressed since 2"):
        mail.send(letter(ANN))
    assert len(outbox) == 1


def test_each_way_of_sending(mail: Mail, outbox: Outbox) -> None:
    """send with several messages, send_each and send_later refuse a suppressed recipient."""
    mail.suppressions.add(ANN)
    several = mail.send([letter(BOB), letter(BOB, ANN)])
    each = [*mail.send_each(iter([letter(ANN), letter(CARL)]))]
    mail.send_later(letter(ANN))
    mail.send_later(letter(ANN, CARL))

    assert [report.refused for report in (*several, *each)] == [[], [ANN], [ANN], []]
    assert [captured.envelope.recipients for captured in outbox] == [[BOB], [BOB], [CARL], [CARL]]


@pytest.mark.parametrize(
    ("suppressed", "also", "not_this"),
    [("ann@example.org", '"ANN"@EXAMPLE.org', '"ann "@example.org'),
     ('"a\\n\\n.b"@example.org', "ann.b@example.org", "a.n.n.b@example.org"),
     ('"ann..b"@example.org', '"ann.\\.b"@example.org', "ann.b@example.org"),
     ('".ann"@example.org', '"\\.ann"@example.org', "ann@example.org"),
     ('"a\\"b"@example.org', '"A\\"b"@example.org', '"ab"@example.org'),
     ("jos\xe9@example.org", "Jose\u0301@example.org", "jose@example.org"),
     ("ann@b\xfccher.example", "ann@XN--BCHER-KVA.example", "ann@bucher.example")],
)  # fmt: skip
def test_the_same_address(mail: Mail, suppressed: str, also: str, not_this: str) -> None:
    """An address is suppressed in each of the ways to write it."""
    with mail.capture():
        mail.suppressions.add(suppressed)

        assert mail.send(letter(also, not_this)).accepted == [not_this]
        assert mail.suppressions.remove(also) == 1
        assert len(mail.suppressions) == 0


@pytest.mark.parametrize("withheld", ["suppressed", "stopped", "not allowed"])
def test_nothing_is_read_ahead(withheld: str) -> None:
    """send_each asks a generator for the next message after the one before it was reported, also
    if that one needs no delivery."""
    app, seen = Flask("shop"), list[str]()
    app.config.update(MAIL_QUEUE="sqlite", MAIL_SUPPRESSIONS=True, MAIL_ALLOW_TO="@example.org")
    app.config.update(TESTING=True, MAIL_DEFAULT_FROM="shop@example.com")
    mail = Mail(app)
    mail.before_send(lambda message: None if message.subject == "stopped" else message)
    away = "dave@example.net" if withheld == "not allowed" else ANN

    def letters() -> Iterator[Message]:
        for to in (away, BOB, away, away, CARL, away):
            seen.append(f"made {to}")
            yield letter(to).replace(subject=withheld if to == away else "Hi")

    with app.app_context(), mail.capture() as outbox:
        mail.suppressions.add(ANN)
        for report in mail.send_each(letters()):
            seen.append("sent" if report.ok and report.accepted else withheld)

    order = [withheld, "sent", withheld, withheld, "sent", withheld]
    assert seen[1::2] == order
    assert [captured.envelope.recipients for captured in outbox] == [[BOB], [CARL]]


def test_a_server_that_is_away(mail: Mail, outbox: Outbox) -> None:
    """Messages after one that found no server are deferred at once, also after a suppressed
    recipient: no other connection is tried for them."""
    mail.suppressions.add(ANN)
    outbox.fail("connect", times=1)

    reports = [*mail.send_each(letter(to) for to in (BOB, ANN, CARL))]

    assert [report.deferred for report in reports] == [[BOB], [], [CARL]]
    assert [report.refused for report in reports] == [[], [ANN], []]


def test_a_bounce_suppresses(mail: Mail, outbox: Outbox) -> None:
    """A verified hard bounce or complaint suppresses, and removing the address ends it."""
    mail.send_each([letter(ANN), letter(BOB), letter(CARL)]).__iter__()
    reports = [*mail.send_each([letter(ANN), letter(BOB), letter(CARL)])]
    assert all(report.ok for report in reports)
    of = {captured.envelope.recipients[0]: captured for captured in outbox}
    outbox.event("bounced", of[Address(ANN)])
    outbox.event("bounced", of[Address(BOB)], status="4.2.2", reason="Mailbox full")
    (complaint,) = outbox.event("complained", of[Address(CARL)])

    assert complaint.verified
    assert [(str(one.address), one.reason) for one in mail.suppressions] == [
        (ANN, "bounced 5.1.1"),
        (CARL, "complained"),
    ]
    assert mail.send(letter(ANN, BOB, CARL)).refused == [ANN, CARL]
    mail.suppressions.remove(ANN)
    assert mail.send(letter(ANN)).ok


def test_a_forged_bounce(mail: Mail, outbox: Outbox) -> None:
    """A notification that did not come to the signed address suppresses nobody."""
    mail.send(letter(ANN, BOB))
    events = outbox.event("bounced", outbox[0])  # of two recipients, so it proves nothing

    assert [event.verified for event in events] == [False, False]
    assert len(mail.suppressions) == 0


def test_bounces_without_a_message_id(mail: Mail, outbox: Outbox) -> None:
    """A recipient, who knows the signed address, can make one bounce of its message, and none of
    the message to somebody else."""
    report = mail.send(letter(ANN))
    left = str(report.message_id)[1:].partition("@")[0]
    bounces = [
        bounce_to(ANN).replace(b"Final-", b"Original-Envelope-Id: %s\n\nFinal-" % written)
        for written in (b"another", b"0123456789abcdef" * 2, left.encode())
    ]
    to = str(outbox[0].envelope.sender)

    events = [mail.handle_notification(one, recipient=to) for one in bounces]

    assert [len(found) for found in events] == [1, 0, 0]
    assert (events[0][0].verified, events[0][0].envelope_id) == (True, left)


def test_each_capture_has_its_own(mail: Mail) -> None:
    """A test does not see the suppressed addresses of another one."""
    with mail.capture():
        mail.suppressions.add(ANN)
        assert ANN in mail.suppressions
    with mail.capture():
        assert ANN not in mail.suppressions
    assert ANN not in mail.suppressions


def test_the_queue(tmp_path: Path, scripted: Scripted) -> None:
    """A worker looks when it sends, because an address may be suppressed while its mail waits."""
    server = scripted()
    keys = {"MAIL_QUEUE": "q.sqlite", "MAIL_SUPPRESSIONS": True}
    shop = Shop(tmp_path, server, **keys)
    with shop.app.app_context():
        tickets = [shop.mail.send_later(letter(*to)) for to in ([ANN], [ANN, BOB], [CARL])]
        shop.mail.suppressions.add(ANN, reason="bounced 5.1.1")
        shop.mail.queue.run_once()
        states = [str(row and row.state) for row in map(shop.queue.get, (t.id for t in tickets))]
        row = shop.queue.get(tickets[1].id)
        assert row is not None
        report = shop.queue.report(row)
        shop.queue.close()

    assert states == ["failed", "sent", "sent"]
    assert [*report.refused, *report.accepted] == [ANN, BOB]
    assert "suppressed since" in report.outcomes[0].text
    assert len(server.accepted) == 2


def test_a_queue_that_cannot_look(
    tmp_path: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a worker cannot look the addresses up, its account pauses, and no mail is lost."""

    def fail(self: SqliteHistory, keys: t.Any) -> t.Any:
        raise QueueError("The tables are not there.")

    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE="q.sqlite", MAIL_SUPPRESSIONS=True) as here:
        here.mail.send_later(letter(ANN))
        with monkeypatch.context() as patch:
            patch.setattr(SqliteHistory, "suppressed", fail)
            patch.setattr(store_retry, "LONGEST", 0.0)
            here.queue.run_once()
        before, pause = here.states, here.queue.store.pause("default")
        here.all_later()
        here.queue.run_once()

        assert (before, here.states) == (["waiting"], ["sent"])
        assert "The tables are not there." in pause.why


def test_a_redirected_queue(tmp_path: Path, scripted: Scripted) -> None:
    """A worker that redirects mail looks up the addresses that it goes to."""
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE="q.sqlite", MAIL_SUPPRESSIONS=True) as here:
        here.mail.send_later(letter(ANN))
        here.mail.suppressions.add(ANN)
        here.queue.close()
    keys = {"MAIL_QUEUE": "q.sqlite", "MAIL_SUPPRESSIONS": True, "MAIL_REDIRECT_TO": [BOB, CARL]}
    with shop(tmp_path, server, **keys) as here:
        here.mail.suppressions.add(BOB)
        here.queue.run_once()

    assert [envelope.recipients for envelope in server.accepted] == [(CARL,)]


def test_one_query(mail: Mail, outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipients of a call of send are looked up at once, however many they are."""
    asked: list[int] = []
    plain = SqliteHistory.suppressed

    def suppressed(self: SqliteHistory, keys: t.Any) -> t.Any:
        asked.append(len(keys))
        return plain(self, keys)

    monkeypatch.setattr(SqliteHistory, "suppressed", suppressed)
    mail.send([letter(*(f"u{number}@example.org" for number in range(2000))), letter(ANN)])

    assert asked == [2001]


def test_a_store_that_fails(
    mail: Mail, outbox: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Mail is sent if the addresses cannot be looked up: a password reset does not wait for it."""

    def fail(self: SqliteHistory, keys: t.Any) -> t.Any:
        raise QueueError("The disk is full.")

    monkeypatch.setattr(SqliteHistory, "suppressed", fail)

    assert mail.send(letter(ANN)).ok
    assert "without a look at the suppressed addresses: The disk is full." in caplog.text


@pytest.mark.parametrize(
    ("list_name", "stopped"),
    [("", [BOB]), ("news", [ANN, BOB, CARL]), ("offers", [BOB, CARL])],
)
def test_lists(list_name: str, stopped: list[str]) -> None:
    """An entry for a list stops only the mail of that list, and not a password reset."""
    entries = {
        ANN: [Suppression(address=Address(ANN), list_name="news", since=SINCE)],
        BOB: [Suppression(address=Address(BOB), since=SINCE)],
        CARL: [
            Suppression(address=Address(CARL), list_name=name, since=SINCE)
            for name in ("news", "offers")
        ],
    }
    handler = MemoryEmailHandler(default_from="shop@example.com", allow_to=["@example.org"])
    prepared = handler.prepare(letter(ANN, "x@other.example", BOB, CARL))

    (report,) = handler.dispatch([refused(prepared, entries, list_name)])

    everyone = [ANN, "x@other.example", BOB, CARL]
    assert [outcome.recipient for outcome in report.outcomes] == everyone
    assert report.refused == [
        one for one in everyone if one not in (ANN, BOB, CARL) or one in stopped
    ]
    assert report.accepted == [one for one in (ANN, BOB, CARL) if one not in stopped]


def test_the_object(mail: Mail) -> None:
    """Addresses are added, found, listed and removed, whatever their case and form."""
    found = mail.suppressions
    assert found.add("Jörg <jörg@BÜCHER.example>", reason="asked by phone")
    assert not found.add("JÖRG@xn--bcher-kva.example")
    assert found.add(ANN, list_name="news")

    assert "jörg@bücher.example" in found
    assert ANN not in found
    assert 1 not in found
    assert found.get(ANN) is None
    entry = found.get("ANN@example.org", list_name="news")
    assert entry is not None
    assert (entry.list_name, entry.reason, entry.event) == ("news", "added by hand", None)
    assert (
        f"{entry}" == f"suppressed for the list 'news' since {entry.since:%Y-%m-%d}: added by hand"
    )
    assert [one.address for one in found] == [ANN, "jörg@xn--bcher-kva.example"]
    assert found.page(after=entry) == [*found][1:]
    assert found.page(list_name="news", limit=1) == [entry]
    assert len(found) == 2
    assert (found.remove(ANN, list_name=""), found.remove(ANN), found.remove(ANN)) == (0, 1, 0)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("add", {"address": "ann"}),
        ("add", {"address": ""}),
        ("add", {"address": f"{ANN}, {BOB}"}),
        ("add", {"address": ANN, "list_name": "n" * 191}),
        ("add", {"address": ANN, "list_name": "a\nb"}),
        ("add", {"address": ANN, "reason": "a\0b"}),
        ("remove", {"address": "ann@"}),
        ("get", {"address": "@"}),
    ],
)
def test_wrong_values(mail: Mail, method: str, arguments: dict[str, str]) -> None:
    """A value that cannot be stored is refused, and nothing changes."""
    with pytest.raises(MessageError):
        getattr(mail.suppressions, method)(**arguments)

    assert len(mail.suppressions) == 0


def test_export_and_import(mail: Mail) -> None:
    """What is exported can be imported, any number of times, by another app too."""
    found = mail.suppressions
    found.add(ANN, reason='said "no", and left')
    found.add("jörg@bücher.example", list_name="ünïcode, news")
    file = io.StringIO()

    assert found.export_csv(file) == 2
    before = [*found]
    assert found.import_csv(io.StringIO(file.getvalue())) == 0
    found.remove(ANN)
    assert found.import_csv(io.StringIO(file.getvalue())) == 1
    assert [*found] == before


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("", []),
        (f"{ANN}\r\n\r\n{BOB}\r\n", [(ANN, "", "imported"), (BOB, "", "imported")]),
        (f"\ufeffEmail Address\nAnn <{ANN}>\n", [(ANN, "", "imported")]),
        # SendGrid, Postmark, Mailgun and Amazon SES.
        (f"email,created,reason,status\n{ANN},1700000000,550  5.1.1\n", [(ANN, "", "550 5.1.1")]),
        (
            f'"EmailAddress","SuppressionReason","Origin","CreatedAt"\n"{ANN}","HardBounce","R",'
            '"2020-01-01T00:00:00-05:00"',
            [(ANN, "", "HardBounce")],
        ),
        (f"address,code,error,created_at\n{ANN},550,x,2020-01-01 00:00:00 UTC", [(ANN, "", "x")]),
        (
            f"reason,EMAIL,list\n,{ANN},news\n,{BOB},\n",
            [(ANN, "news", "imported"), (BOB, "", "imported")],
        ),
        (f"email\n{ANN}\n{ANN.upper()}\n", [(ANN, "", "imported")]),
    ],
)
def test_files_of_others(mail: Mail, text: str, entries: list[tuple[str, str, str]]) -> None:
    """The usual names of fields are known, and a list of addresses needs none."""
    number = mail.suppressions.import_csv(io.StringIO(text, newline=""))

    found = [(str.__str__(one.address), one.list_name, one.reason) for one in mail.suppressions]
    assert found == entries
    assert number == len(entries)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (f"{ANN}\nnobody\n", r"line 2: the address to suppress is not an address: 'nobody' has"),
        (f"email,since\n{ANN},\n{BOB},soon\n", r"line 3: 'soon' is not a time: write one like"),
        (f"email,since\n{BOB},1e400\n", r"line 2: '1e400' is not a time"),
        (f"email,since\n{BOB},{'9' * 30}\n", r"line 2: '9+' is not a time"),
        (f"email,list\n{ANN},x\n,x\n", r"line 3: "),
        (f'email\n{ANN}\n"{BOB}', r"line 3: unexpected end of data\. Does a quotation mark open"),
        (f'email\n{ANN}\n"{BOB}\n{BOB}\n{BOB}\n', r"line 3: .*Does a quotation mark open"),
        (f'email,reason\n{ANN},"a "b" c"\n{BOB},\n', r'line 2: .*Within quotes, write "" for one'),
        ("name,city\nAnn,Berlin\n", r"'name,city', has no field for the address: name one"),
        (f"email;since\n{BOB};\n", r"'email;since', has no .* put commas between the fields"),
        (f"{ANN}\n" + "x\n" * 9, r"(?s)line 2: .*line 6: .*and 4 more"),
        (f"email\n{ANN}\n\0\n", r"line 3: "),
        (f"email\n{'a' * 200_000}\n", r"line 2: "),
    ],
)
def test_files_that_cannot_be_read(mail: Mail, text: str, error: str) -> None:
    """The error names the lines, and nothing of the file is imported."""
    with pytest.raises(MessageError, match=error):
        mail.suppressions.import_csv(io.StringIO(text, newline=""))

    assert len(mail.suppressions) == 0


def test_off() -> None:
    """Without the key there is no list, and nothing is looked up. The key needs a queue."""
    app = Flask("shop")
    mail = Mail(app)
    with (
        app.app_context(),
        pytest.raises(ConfigurationError, match=r"set MAIL_SUPPRESSIONS = True"),
    ):
        _ = mail.suppressions
    assert app.extensions["mailhandler.registration"].screen is None

    for queue in (None, ""):
        app = Flask("shop")
        app.config.update(MAIL_SUPPRESSIONS=True, MAIL_QUEUE=queue)
        with pytest.raises(ConfigurationError, match=r"set MAIL_QUEUE to 'sqlite'"):
            Mail(app)
