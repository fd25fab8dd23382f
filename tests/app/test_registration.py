"""What an app's registration gives to the rest of the package."""

from __future__ import annotations

import gc
import sys
import threading
import typing as t
import weakref

import pytest
from blinker import NamedSignal
from flask import Flask
from flask import request_started

from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import Phase
from flask_mailhandler.app.current import living
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


def test_an_app_adds_no_receiver() -> None:
    """All apps share one receiver of Flask's signal. Blinker 1.9 removes one that an app had for
    itself when the app is collected, and fails if another thread connects one then
    (findings/blinker-receiver-dropped-in-a-thread)."""
    an_app()
    before = {*request_started.receivers}

    apps = [an_app() for _ in range(3)]

    assert {*request_started.receivers} == before
    for app, _ in apps:
        assert request_started.has_receivers_for(app)


def test_apps_of_several_threads() -> None:
    """One thread may list the apps while another adds one."""
    keys = weakref.WeakKeyDictionary[t.Any, int]()
    kept = [NamedSignal(str(number)) for number in range(20_000)]
    keys.update(dict.fromkeys(kept[:1000], 0))
    begun, added = threading.Event(), threading.Event()

    def add() -> None:
        begun.wait(60)
        for key in kept[1000:]:
            keys[key] = 0
        added.set()

    thread = threading.Thread(target=add)
    thread.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        begun.set()
        while not added.is_set():
            assert {*kept[:1000]} <= {*living(keys)}
    finally:
        sys.setswitchinterval(interval)
        thread.join()
    del kept[1:]
    gc.collect()
    assert living(keys) == kept


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
