"""Sending that is made to fail: the reports and errors are those of SMTP."""

from __future__ import annotations

import re
import threading
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from flask_mailhandler import Attachment
from flask_mailhandler import BatchError
from flask_mailhandler import ConnectError
from flask_mailhandler import DeferredError
from flask_mailhandler import DeliveryError
from flask_mailhandler import Mail
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import message_failed
from flask_mailhandler import Outbox
from flask_mailhandler import Phase
from flask_mailhandler import RefusedError
from flask_mailhandler import Report
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler import UnknownOutcomeError
from servers import DROP
from servers import ScriptedServer

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

ANN, BOB, CID = "ann@example.com", "bob@example.com", "cid@example.org"


@pytest.fixture
def app() -> Flask:
    app = Flask("failing")
    app.config.update(
        MAIL_URL="smtps://shop:secret@mx.example.com",
        MAIL_DEFAULT_FROM="shop@example.com",
        MAIL_TIMEOUT=60,
        MAIL_CONNECT_TIMEOUT=60,
        MAIL_ACCOUNTS={"bulk": {"recipients_per_message": 2}, "own": {"handler": "file"}},
    )
    Mail(app)
    return app


@pytest.fixture
def mail(app: Flask) -> Mail:
    return t.cast(Mail, app.extensions["mailhandler"])


@pytest.fixture
def outbox(app: Flask, mail: Mail, no_leaks: None) -> Iterator[Outbox]:
    with app.app_context(), mail.capture() as outbox:
        yield outbox


def message(*to: str) -> Message:
    return Message(subject="Hi", text="Hello", from_addr="shop@example.com", to=to or (ANN,))


@pytest.mark.parametrize(
    ("kind", "options", "error", "said"),
    [
        ("refused", {}, RefusedError, "refused at rcpt: 550 5.1.1 No such user here"),
        ("refused", {"code": 552}, RefusedError, "552 5.2.2 Mailbox full"),
        ("refused", {"code": 571}, RefusedError, "571 5.0.0"),
        ("deferred", {}, DeferredError, "deferred at rcpt: 451 4.3.0 Try again later"),
        ("deferred", {"code": 452}, DeferredError, "452 4.5.3 Too many recipients"),
        ("deferred", {"code": 421}, DeferredError, "421 4.3.2"),
        ("unknown", {}, UnknownOutcomeError, "unknown at end of data: "),
        ("connect", {}, ConnectError, "Connection refused"),
        ("connect", {"code": 421}, ConnectError, "greets with 421 4.3.2"),
        ("connect", {"code": 554}, ConnectError, "greets with 554 5.7.1"),
    ],
)
def test_kinds(
    mail: Mail,
    outbox: Outbox,
    kind: t.Any,
    options: dict[str, t.Any],
    error: type[DeliveryError],
    said: str,
) -> None:
    """Each kind raises its error, and nothing is captured. Afterwards sending works as before."""
    with outbox.fail(kind, **options) as failure, pytest.raises(error, match=re.escape(said)):
        mail.send(message(ANN, BOB))
    assert outbox == []

    assert mail.send(message()).ok
    assert failure.met == 1
    assert [captured.to for captured in outbox] == [[ANN]]


@pytest.mark.parametrize(
    ("kind", "on"),
    [
        ("refused", {"RCPT": "550 5.1.1 No such user here"}),
        ("deferred", {"RCPT": "451 4.3.0 Try again later"}),
        ("unknown", {"end of data": DROP}),
        ("connect", None),
    ],
)
def test_as_smtp_does(
    outbox: Outbox,
    mail: Mail,
    scripted: Callable[..., ScriptedServer],
    kind: t.Any,
    on: dict[str, t.Any] | None,
) -> None:
    """The report and the error equal those of a real server with the same replies."""
    server = scripted(on=on or {})
    if on is None:
        server.stop()
    handler = SMTPEmailHandler(host=server.host, port=server.port)
    (real,) = handler.send([message(ANN, BOB)])
    handler.close()

    outbox.fail(kind)
    with pytest.raises(DeliveryError) as caught:
        mail.send(message(ANN, BOB))

    def seen(error: DeliveryError | None) -> tuple[object, ...]:
        assert error is not None
        assert error.report is not None
        outcomes = [(o.state, o.code, o.enhanced_code) for o in error.report.outcomes]
        return type(error), error.phase, error.temporary, outcomes, without_port(str(error))

    assert seen(caught.value) == seen(real.error)


def without_port(text: str) -> str:
    return re.sub(r"(127\.0\.0\.1):\d+", r"\1", text)


@pytest.mark.parametrize(
    "to", [BOB, "Bob <bob@EXAMPLE.com>", re.compile("^bob"), lambda a: a == BOB]
)
def test_one_recipient(mail: Mail, outbox: Outbox, to: t.Any) -> None:
    """A failure may affect one recipient. The accepted ones have the message."""
    outbox.fail("refused", to=to)

    report = mail.send(message(ANN, BOB))

    assert report.accepted == [ANN]
    assert report.refused == [BOB]
    assert isinstance(report.error, RefusedError)
    assert outbox[0].envelope.recipients == [ANN]
    assert outbox[0].to == [ANN, BOB]
    assert outbox[0].report is report
    assert outbox.find(to=BOB) == []


def test_several_failures(mail: Mail, outbox: Outbox) -> None:
    """Several failures apply together; those with a recipient come first."""
    outbox.fail("deferred")
    outbox.fail("refused", to=BOB)
    outbox.fail("refused", to=CID, code=554)

    with pytest.raises(DeferredError) as caught:
        mail.send(message(ANN, BOB, CID))

    assert caught.value.report is not None
    assert [outcome.code for outcome in caught.value.report.outcomes] == [451, 550, 554]


def test_times(mail: Mail, outbox: Outbox) -> None:
    """times= counts messages, not recipients. Failures of one kind follow each other."""
    outbox.fail("deferred", times=2)
    outbox.fail("refused", times=1)

    reports = [*mail.send_each([message(ANN, BOB), message(), message(BOB), message(CID)])]

    assert [type(report.error) for report in reports[:3]] == [DeferredError] * 2 + [RefusedError]
    assert reports[0].deferred == [ANN, BOB]
    assert reports[3].ok
    assert [captured.to for captured in outbox] == [[CID]]


def test_times_of_connections(mail: Mail, outbox: Outbox) -> None:
    """Without a connection a whole list fails at once. An empty list is not an attempt."""
    failure = outbox.fail("connect", times=1)
    assert mail.send([]) == []

    with pytest.raises(BatchError) as caught:
        mail.send([message(), message(BOB)])
    mail.send([message(), message(BOB)])

    assert [type(report.error) for report in caught.value.reports] == [ConnectError] * 2
    assert failure.met == 1
    assert len(outbox) == 2


def test_a_list_with_an_unknown(mail: Mail, outbox: Outbox) -> None:
    """F-66: an unknown outcome in a list does not stop the other messages."""
    outbox.fail("unknown", to=BOB)

    with pytest.raises(BatchError) as caught:
        mail.send([message(ANN), message(ANN, BOB), message(CID)])

    assert [report.ok for report in caught.value.reports] == [True, False, True]
    assert caught.value.reports[1].unknown == [ANN, BOB]
    assert [captured.to for captured in outbox] == [[ANN], [CID]]


def test_the_account_counts(mail: Mail, outbox: Outbox) -> None:
    """F-39: the batches are those of the account. A 452 divides one, and the rest is sent again."""
    failure = outbox.fail("deferred", code=452, to=CID, times=1)

    report = mail.send(message(ANN, CID, BOB), using="bulk")

    assert report.ok
    assert failure.met == 1
    assert outbox[0].using == "bulk"
    assert outbox[0].envelope.recipients == [ANN, CID, BOB]


def test_an_account_that_is_not_smtp(mail: Mail, outbox: Outbox) -> None:
    """An account with another handler can be made to fail too."""
    outbox.fail("refused")

    with pytest.raises(RefusedError):
        mail.send(message(), using="own")


def test_signal_and_phases(app: Flask, mail: Mail, outbox: Outbox) -> None:
    """Signals and observers are called as with SMTP."""
    failed: list[Report] = []
    phases: list[Phase] = []
    outbox.fail("unknown")
    handler = mail.handler

    def hear(app: Flask, report: Report, **other: object) -> None:
        failed.append(report)

    with message_failed.connected_to(hear, app), pytest.raises(UnknownOutcomeError):
        mail.send(message())
    handler.send([message()], observe=lambda phase, job: phases.append(phase))

    assert failed[0].unknown == [ANN]
    assert phases[-1] is Phase.END_OF_DATA
    assert Phase.RCPT in phases


def test_an_attached_file(mail: Mail, outbox: Outbox, tmp_path: Path) -> None:
    """A message that some recipients got is captured completely. A changed file is refused as
    usual."""
    path = tmp_path / "bill.txt"
    path.write_bytes(b"12 EUR")
    attached = message(ANN, BOB).replace(attachments=Attachment.from_path(path))
    outbox.fail("refused", to=BOB)

    mail.send(attached)
    path.write_bytes(b"1200000 EUR")
    with pytest.raises(RefusedError) as caught:
        mail.send(attached)

    assert caught.value.report is not None
    assert "has changed" in caught.value.report.outcomes[0].text
    assert outbox[0].attachment("bill.txt").data == b"12 EUR"
    assert len(outbox) == 1


def test_the_memory_handler_itself() -> None:
    """A memory handler outside a capture can be made to fail too."""
    handler = MemoryEmailHandler()
    handler.outbox.fail("refused", times=1)

    first, second = handler.send([message(), message(BOB)])

    assert first.refused == [ANN]
    assert second.ok
    assert handler.outbox[0].to == [BOB]


def test_threads(app: Flask, mail: Mail, outbox: Outbox) -> None:
    """Each thread has its own session, and each failure applies exactly as often as set."""
    failure = outbox.fail("refused", times=5)
    outcomes: list[bool] = []

    def work() -> None:
        with app.app_context():
            for report in mail.send_each([message(), message(BOB)]):
                outcomes.append(report.ok)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == [False] * 5 + [True] * 11
    assert failure.met == 5
    assert len(outbox) == 11


def test_a_sending_that_is_left(mail: Mail, outbox: Outbox) -> None:
    """A caller that stops asking for reports leaves no server behind."""
    outbox.fail("refused")
    reports = mail.send_each([message(), message(BOB)])

    assert not next(reports).ok
    reports.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (
            "lost",
            {},
            "is not a known failure. Write one of refused, deferred, unknown, connect.",
        ),
        ("refused", {"code": 450}, "needs a code from 500 to 599, not 450."),
        ("deferred", {"code": 550}, "needs a code from 400 to 499, not 550."),
        ("connect", {"code": 250}, "needs a code from 400 to 499 or 500 to 599, not 250."),
        ("unknown", {"code": 550}, "write fail('refused', code=...)"),
        ("connect", {"to": ANN}, "write fail('deferred', to=...)"),
        ("refused", {"times": 0}, "times must be 1 or more"),
    ],
)
def test_what_no_server_does(kind: t.Any, options: dict[str, t.Any], said: str) -> None:
    """A failure that cannot happen is an error that says what to write."""
    with pytest.raises(ValueError, match=re.escape(said)):
        Outbox().fail(kind, **options)


@pytest.mark.parametrize("ask", [Outbox.find, Outbox.one, Outbox.wait_for])
def test_no_criterion(ask: t.Any) -> None:
    """A value that could never match is an error, because the failure would never happen."""
    said = r"to= takes a string, a pattern or a function, not \['ann@example.com'\]"

    with pytest.raises(TypeError, match=said):
        ask(Outbox(), to=[ANN])
    with pytest.raises(TypeError, match=said):
        Outbox().fail("refused", to=t.cast(t.Any, [ANN]))
    with pytest.raises(TypeError, match="subject= takes a string"):
        ask(Outbox(), subject=5)


@pytest.mark.parametrize("ask", [Outbox.find, Outbox.one, Outbox.wait_for])
@pytest.mark.parametrize("name", ["sender", "cc", "Subject"])
def test_an_unknown_criterion(ask: t.Any, name: str) -> None:
    """An unknown criterion is an error that lists the known ones."""
    said = f"^{name}= is not a criterion. The criteria are to=, subject=, text=, html=.$"

    with pytest.raises(TypeError, match=said):
        ask(Outbox(), **{name: "ann@example.com"})


def test_a_failure_shows_itself(mail: Mail, outbox: Outbox) -> None:
    """The repr of a failure shows its effect and how often it applied."""
    failure = outbox.fail("refused", to=re.compile("^ann"), times=2)
    mail.send(message(ANN, BOB))

    assert repr(failure) == ("<Scripted RCPT: 550 5.1.1 No such user here to=/^ann/, met 1 of 2>")
    assert repr(outbox.fail("unknown")) == "<Scripted end of data: closes the connection, met 0>"


def test_ending_a_failure(mail: Mail, outbox: Outbox) -> None:
    """A failure may be ended at any time, and twice."""
    failure = outbox.fail("refused")
    failure.end()
    failure.end()

    assert mail.send(message()).ok
