"""What an app's registration gives to the rest of the package."""

from __future__ import annotations

import gc
import typing as t
import weakref

import pytest
from blinker import NamedSignal
from flask import Flask

from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import Phase
from flask_mailhandler.app.current import registration
from flask_mailhandler.app.current import registration_of
from flask_mailhandler.previews.preview import previews_of
from flask_mailhandler.queue.current import current_queue
from flask_mailhandler.signals import is_heard

if t.TYPE_CHECKING:
    from flask_mailhandler import Job

HI = Message(subject="Hi", text="Hello", from_addr="me@example.com", to="ann@example.com")


def an_app() -> tuple[Flask, Mail]:
    app = Flask("shop")
    app.testing = True
    return app, Mail(app, cli=None)


def test_it_is_found_by_its_app() -> None:
    """The registration of an app leads to the same queue, previews and functions as its Mail."""
    app, mail = an_app()
    mail.before_send(lambda message: message)

    with app.app_context():
        found = registration()
        assert current_queue() is mail.queue

    assert found is registration_of(app)
    assert found.app is app
    assert previews_of(found) is mail.previews
    assert len(found.before) == 1


def test_apps_of_one_mail() -> None:
    """Each app has its own registration; the functions of before_send are shared."""
    first, mail = an_app()
    second = Flask("office")
    mail.init_app(second)
    mail.before_send(lambda message: message)

    one, other = registration_of(first), registration_of(second)

    assert one is not other
    assert one.before == other.before != ()


def test_without_mail() -> None:
    """Without a Mail or an app context, the error says what to write."""
    app = Flask("bare")

    with pytest.raises(RuntimeError, match=r"no app context here.*write @with_appcontext"):
        registration()
    with app.app_context(), pytest.raises(RuntimeError, match=r"'bare' has no Mail: write Mail"):
        registration()


def test_it_does_not_hold_the_app() -> None:
    """An app that is dropped is collected with its registration, while its Mail lives on."""
    app, mail = an_app()
    gone = weakref.ref(app)

    del app
    gc.collect()

    assert gone() is None
    assert repr(mail) == "<Mail on no app>"


def test_observers(caplog: pytest.LogCaptureFixture) -> None:
    """Observers are called in order with each phase; what one raises is logged only."""
    app, mail = an_app()
    heard: list[tuple[str, Phase, str]] = []

    def faulty(phase: Phase, job: Job) -> None:
        raise ValueError("no luck")

    assert registration_of(app).observe is None
    mine = registration_of(app)
    mine.add_observer(lambda phase, job: heard.append(("first", phase, job.message_id)))
    mine.add_observer(faulty)
    mine.add_observer(lambda phase, job: heard.append(("last", phase, job.message_id)))
    assert mine.observe

    with app.app_context():
        (report,) = mail.handler.send([HI], observe=mine.observe)

    assert report.ok
    assert heard == [
        ("first", Phase.END_OF_DATA, report.message_id),
        ("last", Phase.END_OF_DATA, report.message_id),
    ]
    assert "An observer raised before the phase END_OF_DATA." in caplog.text


def test_whether_a_signal_is_heard() -> None:
    """A receiver of the app or of every app counts. One of another app does not, and neither does
    one that was disconnected."""
    app, other, signal = Flask("shop"), Flask("other"), NamedSignal("of a test")
    heard = []

    def receive(sender: Flask) -> None:
        pass

    with signal.connected_to(lambda sender: None, other):
        heard.append(is_heard(signal, app))
        with signal.connected_to(receive, app):
            heard.append(is_heard(signal, app))
        heard.append(is_heard(signal, app))
        with signal.connected_to(receive):
            heard.append(is_heard(signal, app))

    assert heard == [False, True, False, True]
