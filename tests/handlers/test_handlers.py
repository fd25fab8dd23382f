"""The handlers that send nothing, and a handler from outside the package."""

from __future__ import annotations

import dataclasses
import io
import json
import multiprocessing
import stat
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from flask_mailhandler import Attachment
from flask_mailhandler import conclude
from flask_mailhandler import ConfigurationError
from flask_mailhandler import ConsoleEmailHandler
from flask_mailhandler import DeferredError
from flask_mailhandler import EmailHandler
from flask_mailhandler import FileEmailHandler
from flask_mailhandler import Job
from flask_mailhandler import Mail
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import Outcome
from flask_mailhandler import Phase
from flask_mailhandler import Report
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler import State
from flask_mailhandler.config import integer
from flask_mailhandler.config import Option
from flask_mailhandler.handlers.base import accept
from flask_mailhandler.report import Observe
from servers import ScriptedServer

FULL = Message(
    subject="Your order",
    text="Hello Ann,\n\n.a line with a dot\nGrüße\n",
    html="<p>Hello Ann",
    from_addr=("The Shop", "shop@example.com"),
    to=["Ann <ann@example.com>"],
    cc="bob@example.com",
    bcc="boss@example.com",
    attachments=[Attachment(b"%PDF", filename="bill.pdf")],
)


def handlers(folder: Path) -> dict[str, EmailHandler]:
    return {
        "memory": MemoryEmailHandler(),
        "console": ConsoleEmailHandler(stream=io.StringIO()),
        "file": FileEmailHandler(folder=folder),
    }


@pytest.mark.parametrize("name", ["memory", "console", "file"])
def test_all_handlers_accept(name: str, tmp_path: Path) -> None:
    """A handler works without Flask, takes several messages, and reports each recipient."""
    reports = handlers(tmp_path)[name].send([FULL, FULL.replace()])

    assert [report.ok for report in reports] == [True, True]
    assert reports[0].accepted == ["ann@example.com", "bob@example.com", "boss@example.com"]


@pytest.mark.parametrize("name", ["memory", "console", "file"])
def test_all_handlers_check(name: str, tmp_path: Path) -> None:
    """C-100: a message that SMTP would refuse fails in every handler."""
    handler = handlers(tmp_path)[name]

    with pytest.raises(MessageError, match="no sender"):
        handler.send([Message(text="x", to="ann@example.com")])
    with pytest.raises(MessageError, match="no recipient"):
        handler.send([Message(text="x", from_addr="shop@example.com")])


def test_the_file_is_what_smtp_sends(
    tmp_path: Path, scripted: t.Callable[..., ScriptedServer]
) -> None:
    """C-101: the .eml is octet for octet what SMTP sends, and Bcc is in neither."""
    server = scripted()
    memory = MemoryEmailHandler()

    FileEmailHandler(folder=tmp_path).send([FULL])
    patient = SMTPEmailHandler(host=server.host, port=server.port, timeout=60, connect_timeout=60)
    patient.send([FULL])
    memory.send([FULL])

    (eml,) = tmp_path.glob("*.eml")
    assert eml.read_bytes() == server.accepted[0].content == bytes(memory.outbox[0].content)
    assert b"boss" not in eml.read_bytes()


def test_the_folder(tmp_path: Path) -> None:
    """The folder holds an .eml and a .json with the same name, which only their owner can read."""
    folder = tmp_path / "new" / "mail"

    (report,) = FileEmailHandler(folder=folder).send([FULL])

    (eml,), (facts,) = folder.glob("*.eml"), folder.glob("*.json")
    assert eml.stem == facts.stem
    assert [stat.S_IMODE(path.stat().st_mode) for path in (eml, facts)] == [0o600, 0o600]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    found = json.loads(facts.read_text())
    assert found["message_id"] == report.message_id
    assert found["size"] == eml.stat().st_size
    assert found["envelope"] == {
        "sender": "shop@example.com",
        "recipients": ["ann@example.com", "bob@example.com", "boss@example.com"],
    }
    assert [outcome["state"] for outcome in found["report"]] == ["accepted"] * 3


def _write_many(folder: str) -> None:
    FileEmailHandler(folder=folder).send(FULL.replace() for _ in range(20))


@pytest.mark.slow
def test_many_writers(tmp_path: Path) -> None:
    """Several processes write into one folder and lose nothing."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write_many, args=(str(tmp_path),)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len([*tmp_path.glob("*.eml")]) == len([*tmp_path.glob("*.json")]) == 60
    assert len([*tmp_path.iterdir()]) == 120


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder that cannot be written defers the message, and the error names the key."""
    (tmp_path / "file").write_text("in the way")

    (report,) = FileEmailHandler(folder=tmp_path / "file" / "mail").send([FULL])

    assert report.deferred == ["ann@example.com", "bob@example.com", "boss@example.com"]
    assert "Check MAIL_FOLDER" in str(report.error)


def test_an_attachment_that_changed(tmp_path: Path) -> None:
    """A file that changed after it was attached leaves no part of the message in the folder."""
    path = tmp_path / "report.txt"
    path.write_text("first")
    message = FULL.replace(attachments=Attachment.from_path(path))
    path.write_text("second, and longer")
    folder = tmp_path / "mail"

    (report,) = FileEmailHandler(folder=folder).send([message])

    assert report.refused == ["ann@example.com", "bob@example.com", "boss@example.com"]
    assert "has changed" in str(report.error)
    assert [*folder.iterdir()] == []


def test_the_console_block() -> None:
    """The console shows the envelope with Bcc, the header, the text and the attachments."""
    stream = io.StringIO()

    ConsoleEmailHandler(stream=stream).send([FULL])

    shown = stream.getvalue()
    assert "Envelope from: shop@example.com" in shown
    assert "Envelope to:   ann@example.com, bob@example.com, boss@example.com" in shown
    assert "Subject: Your order" in shown
    assert "From: The Shop <shop@example.com>" in shown
    assert "Hello Ann,\n\n.a line with a dot\nGrüße" in shown
    assert "[attachment: bill.pdf, application/pdf, 4 octets]" in shown


def test_the_console_neutralises_escapes() -> None:
    """An escape sequence in a text is shown, and does not reach the terminal."""
    stream = io.StringIO()

    ConsoleEmailHandler(stream=stream).send([FULL.replace(text="\x1b[2J\x07\x9bevil\u202e")])

    shown = stream.getvalue()
    assert r"\x1b[2J\x07\x9bevil\u202e" in shown
    assert "\x1b" not in shown


def test_the_console_follows_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a stream it prints to standard output as it is at that time."""
    ConsoleEmailHandler().send([FULL])

    assert "Subject: Your order" in capsys.readouterr().out


class PigeonEmailHandler(EmailHandler):
    """A handler from outside the package: one method and an option."""

    pigeons: Option[int | None, int] = Option(integer(1, 9), 1)

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        for number, job in enumerate(jobs):
            observe(Phase.END_OF_DATA, job)
            state = State.ACCEPTED if number < self.pigeons else State.DEFERRED
            yield conclude(job, [Outcome(a, state) for a in job.envelope.recipients])


def test_a_handler_of_somebody_else() -> None:
    """A handler is found by module and class, and its options are read from MAIL_* keys."""
    app = Flask("pigeons")
    app.config["MAIL_HANDLER"] = f"{__name__}:PigeonEmailHandler"
    app.config["MAIL_PIGEONS"] = "2"
    app.config["MAIL_SUBJECT_PREFIX"] = "coo"
    mail = Mail(app, cli=None)

    with app.app_context():
        reports = list(mail.send_each(FULL.replace() for _ in range(3)))

    assert [report.ok for report in reports] == [True, True, False]
    assert t.cast(Message, reports[0].message).subject == "coo Your order"


def test_a_wrong_option_of_somebody_else() -> None:
    """An option of such a handler is checked when the handler is built."""
    app = Flask("pigeons")
    app.config["MAIL_HANDLER"] = f"{__name__}:PigeonEmailHandler"
    app.config["MAIL_PIGEONS"] = "many"
    mail = Mail(app, cli=None)

    with app.app_context(), pytest.raises(ConfigurationError, match="MAIL_PIGEONS must be"):
        mail.send(FULL)


def test_a_handler_that_is_not_there() -> None:
    """An error names the module that cannot be imported."""
    app = Flask("pigeons")
    app.config["MAIL_HANDLER"] = "no.such.module:Handler"
    mail = Mail(app, cli=None)

    with app.app_context(), pytest.raises(ConfigurationError, match="cannot be imported"):
        mail.send(FULL)


def test_a_handler_without_deliver() -> None:
    """A handler without deliver() raises an error that says so."""
    with pytest.raises(NotImplementedError, match=r"must implement deliver\(\)"):
        EmailHandler().send([FULL])


class SloppyEmailHandler(EmailHandler):
    """A handler that does not keep to the contract."""

    how: str = "silent"

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        if self.how == "silent":
            for _ in jobs:
                pass
        elif self.how == "early":
            yield accept(next(iter(jobs)))
        elif self.how == "raises":
            yield accept(next(iter(jobs)))
            next(iter(jobs))
            raise DeferredError("closed for today")
        else:
            for job in jobs:
                yield accept(job)
                yield accept(job)


@pytest.mark.parametrize(
    ("how", "expect"),
    [
        ("silent", ["unknown", "unknown", "unknown"]),
        ("early", ["accepted", "deferred", "deferred"]),
        ("raises", ["accepted", "deferred", "deferred"]),
    ],
)
def test_every_message_is_reported(how: str, expect: list[str]) -> None:
    """Whatever deliver does, there is one report for each message."""
    messages = [FULL.replace(to=f"{name}@example.com", cc=None, bcc=None) for name in "abc"]

    reports = SloppyEmailHandler(how=how).send(messages)

    assert [outcome.state for report in reports for outcome in report.outcomes] == expect
    assert [report.message for report in reports] == messages


def test_more_reports_than_messages() -> None:
    """A handler that reports more messages than it was given raises a TypeError."""
    with pytest.raises(TypeError, match=r"SloppyEmailHandler\.deliver\(\) reports more"):
        SloppyEmailHandler(how="twice").send([FULL])


def test_outcomes_are_in_the_order_of_the_envelope() -> None:
    """Recipients that the staging guard withholds keep their place in the order."""
    message = FULL.replace(
        to=["x@bad.example", "ann@example.com", "y@bad.example"], cc=None, bcc=None
    )

    (report,) = MemoryEmailHandler(allow_to=["*@example.com"]).send([message])

    assert [outcome.recipient for outcome in report.outcomes] == [*message.to]
    assert report.accepted == ["ann@example.com"]


def test_a_handler_prints_itself() -> None:
    """The repr of a handler shows what differs from the defaults, and no secret."""
    handler = SMTPEmailHandler(host="mx.example.com", username="me", password="oober")

    assert repr(handler) == ("SMTPEmailHandler(host='mx.example.com', username='me', password=***)")


def test_observe_is_told_before() -> None:
    """The observer is called with the end of data before the message is accepted."""
    handler = MemoryEmailHandler()
    heard: list[tuple[str, int]] = []

    handler.send([FULL], observe=lambda phase, job: heard.append((str(phase), len(handler.outbox))))

    assert heard == [("end of data", 0)]


def test_options_do_not_change() -> None:
    """The options of a handler cannot be set."""
    handler: t.Any = MemoryEmailHandler()

    with pytest.raises(dataclasses.FrozenInstanceError):
        handler.default_from = "me@example.com"


def test_no_link_is_followed(tmp_path: Path) -> None:
    """A file is created with O_EXCL, so a link with its name is not followed."""
    from flask_mailhandler.handlers.file import _write

    target = tmp_path / "target"
    (tmp_path / "link").symlink_to(target)

    with pytest.raises(FileExistsError):
        _write(str(tmp_path / "link"), [b"x"])
    assert not target.exists()
