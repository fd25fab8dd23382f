"""MAIL_TELEMETRY: the spans and the metrics of what an app sends."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import typing as t

import pytest
from flask import Flask
from opentelemetry import metrics
from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import NoOpTracerProvider
from opentelemetry.trace import SpanKind
from opentelemetry.trace import StatusCode
from quart import Quart

from flask_mailhandler import Address
from flask_mailhandler import conclude
from flask_mailhandler import ConfigurationError
from flask_mailhandler import DeliveryError
from flask_mailhandler import EmailHandler
from flask_mailhandler import Event
from flask_mailhandler import EventKind
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import Outcome
from flask_mailhandler import Phase
from flask_mailhandler import State
from flask_mailhandler.app.current import registration_of
from flask_mailhandler.app.listeners import tell
from flask_mailhandler.app.telemetry import watch
from forking import in_child
from observing import Observed
from sending import in_groups
from sending import letter
from sending import letters
from sending import PATIENT
from sending import Scripted
from servers.actions import DROP
from servers.providers import FAKES

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator

    from flask_mailhandler import Job
    from flask_mailhandler import Report
    from flask_mailhandler.report import Observe
    from sending import Listener

DEFAULT = ("default",)


@pytest.fixture
def observed() -> Iterator[Observed]:
    made = Observed()
    yield made
    made.close()


def mail_of(server: Listener, telemetry: object, **keys: t.Any) -> tuple[Flask, Mail]:
    app = Flask("shop")
    app.config.update({f"MAIL_{name.upper()}": value for name, value in PATIENT.items()})
    app.config.update(MAIL_HOST=server.host, MAIL_PORT=server.port, MAIL_TELEMETRY=telemetry)
    app.config.update(keys)
    return app, Mail(app, cli=None)


def test_the_spans_of_a_send(scripted: Scripted, observed: Observed) -> None:
    """A send is a span of the request's trace. Its children are the preparation, the connection
    if one is opened, and the transaction."""
    server = scripted()
    app, mail = mail_of(server, observed.key)
    tracer = observed.tracer_provider.get_tracer("test")

    with app.app_context(), tracer.start_as_current_span("GET /"):
        report = mail.send(letter())
        mail.send(letter())

    request, (first, second) = observed.one("GET /"), observed.named("send default")
    assert [span.name for span in observed.children(request)] == ["send default"] * 2
    assert [span.name for span in observed.children(first)] == [
        "prepare default",
        "session default",
        "transaction default",
    ]
    assert [span.name for span in observed.children(second)] == [
        "prepare default",
        "transaction default",
    ]
    assert dict(first.attributes or {}) == {
        "messaging.system": "smtp",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "default",
        "messaging.message.id": report.message_id,
        "server.address": server.host,
        "server.port": server.port,
        "network.protocol.name": "smtp",
        "mailhandler.recipients.accepted": 1,
    }
    assert (first.kind, first.status.status_code) == (SpanKind.CLIENT, StatusCode.UNSET)
    scope = first.instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.schema_url) == (
        "flask_mailhandler",
        "https://opentelemetry.io/schemas/1.44.0",
    )
    for child in [*observed.children(first), *observed.children(second)]:
        assert child.start_time is not None
        assert child.end_time is not None
        assert child.start_time <= child.end_time
    phases = {name.split(".")[2] for name in observed.children(second)[1].attributes or {}}
    assert phases == {"mail", "rcpt", "data", "content", "end_of_data"}


def test_the_metrics_of_a_send(scripted: Scripted, observed: Observed) -> None:
    """Recipients are counted by account and state, phases by account, and the time of each message
    is in a histogram, by the class of its error."""
    server = scripted(on={"RCPT TO:<bad": "550 5.1.1 no such user"})
    app, mail = mail_of(server, observed.key, MAIL_ACCOUNTS={"bulk": {"timeout": 60}})

    with app.app_context():
        mail.send(letter("a@example.com", "bad@example.com"))
        mail.send(letter(), using="bulk")
        with pytest.raises(DeliveryError):
            mail.send(letter("bad@example.com"))

    points = observed.points()
    assert points["mailhandler.recipients"] == {
        ("accepted", "default"): 1,
        ("refused", "default"): 2,
        ("accepted", "bulk"): 1,
    }
    assert points["messaging.client.operation.duration"] == {
        ("default", "send", "smtp"): 1,
        ("bulk", "send", "smtp"): 1,
        ("RefusedError", "default", "send", "smtp"): 1,
    }
    numbers, times = points["mailhandler.phase.count"], points["mailhandler.phase.time"]
    assert numbers["prepare", "default"] == 2
    assert numbers["connect", "bulk"] == 1
    assert numbers["rcpt", "default"] == 2
    assert numbers.keys() == times.keys()
    assert all(0 < time < 60 for time in times.values())


@pytest.mark.parametrize(
    ("on", "status", "error", "more"),
    [
        (
            {"RCPT": "550 5.1.1 no"},
            "refused at rcpt",
            "RefusedError",
            {"code": 550, "enhanced_code": "5.1.1"},
        ),
        ({"MAIL": "451 4.7.1 later"}, "deferred at mail", "DeferredError", {"code": 451}),
        ({"end of data": DROP}, "unknown at end of data", "UnknownOutcomeError", {}),
        ({"greeting": "554 no"}, "deferred at greeting", "ConnectError", {}),
        ({"EHLO": DROP}, "deferred at ehlo", "ConnectError", {}),
    ],
)
def test_a_failure(
    scripted: Scripted,
    observed: Observed,
    on: dict[str, t.Any],
    status: str,
    error: str,
    more: dict[str, object],
) -> None:
    """If no recipient accepted a message, its span is an error, and so is the child in which it
    happened. The status is in our own words."""
    app, mail = mail_of(scripted(on=on), observed.key)

    with app.app_context(), pytest.raises(DeliveryError):
        mail.send(letter())

    span = observed.one("send default")
    last = observed.children(span)[-1]
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, status)
    assert (last.status.status_code, status.endswith(str(last.status.description))) == (
        StatusCode.ERROR,
        True,
    )
    found = dict(span.attributes or {})
    assert found["error.type"] == error
    assert {name: found[f"mailhandler.reply.{name}"] for name in more} == more
    assert span.events == ()  # an exception would be recorded with its text


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("MAIL", "550 5.7.1 <sender@private.example> is s3cret-password"),
        ("RCPT", "550-5.1.1 ann.private@example.org does not exist\r\n550 5.1.1 Private subject"),
        ("RCPT", "550 5.1.ann.private@example.org no"),
        ("end of data", "554 5.7.1 Private subject from sender@private.example is spam"),
        ("greeting", "554 ann.private@example.org go away"),
        ("AUTH", "535 5.7.8 shop.login s3cret-password"),
        ("EHLO", "550 ann.private@example.org"),
        ("DATA", "451 4.3.0 =?utf-8?q?Private?= s3cret-password"),
    ],
)
def test_nothing_private_is_exported(
    scripted: Scripted, observed: Observed, step: str, text: str
) -> None:
    """Neither an address, nor the subject, nor a secret, nor a word of the server or of the message
    is in a span or a metric."""
    server = scripted(users={"shop.login": "s3cret-password"}, on={step: text})
    app, mail = mail_of(
        server, observed.key, MAIL_USERNAME="shop.login", MAIL_PASSWORD="s3cret-password"
    )
    message = letter("ann.private@example.org", subject="Private subject", text="Private text")
    message = message.replace(
        from_addr="Private Name <sender@private.example>", message_id="<ann.private@example.org>"
    )

    with app.app_context():
        with pytest.raises(DeliveryError):
            mail.send(message)
        with pytest.raises(MessageError):
            mail.send("Private text", subject="Private subject", from_addr="sender@private.example")
        list(mail.send_each([message]))

    exported = observed.everything()
    assert "send default" in exported
    assert "mailhandler.recipients" in exported
    for word in ("@private", "ann.private", "rivate", "shop.login", "s3cret", "example.org"):
        assert word not in exported


def test_a_message_that_cannot_be_sent(scripted: Scripted, observed: Observed) -> None:
    """A MessageError is the error of a span, and counts as no message. A message that a function
    of before_send stops is a span without an error."""
    app, mail = mail_of(scripted(), observed.key)
    with app.app_context():
        with pytest.raises(MessageError):
            mail.send("Hello", subject="Hi")
        mail.before_send(lambda message: None)
        mail.send(letter())

    wrong, stopped = observed.named("send default")
    assert (wrong.attributes or {})["error.type"] == "MessageError"
    assert wrong.status.description == "not prepared"
    assert stopped.status.status_code is StatusCode.UNSET
    assert "messaging.client.operation.duration" not in observed.points()


def test_lists(scripted: Scripted, observed: Observed) -> None:
    """Each message of a list is a span of its own, over one connection or over several, and a
    message with many recipients has a child for each transaction."""
    app, mail = mail_of(
        in_groups(scripted)(), observed.key, MAIL_RECIPIENTS_PER_MESSAGE=2, MAIL_POOL_SIZE=3
    )
    with app.app_context():
        mail.send(letters(3))
        ids = [report.message_id for report in mail.send_each(iter(letters(4)))]
        ids += [report.message_id for report in mail.send_each(letters(9), connections=3)]
        mail.send(letter(*[f"r{number}@example.com" for number in range(5)]))

    spans = observed.named("send default")
    assert len(spans) == 3 + 4 + 9 + 1
    assert [(span.attributes or {})["messaging.message.id"] for span in spans[3:16]] == ids
    names = [child.name for child in observed.children(spans[-1])]
    assert names.count("transaction default") == 3
    for span in spans:
        assert span.start_time is not None
        assert span.end_time is not None
        for child in observed.children(span):
            assert span.start_time <= (child.start_time or 0) <= (child.end_time or 0)
            assert (child.end_time or 0) <= span.end_time
    assert observed.points()["mailhandler.recipients"] == {("accepted", "default"): 21}


def test_threads_and_async(scripted: Scripted, observed: Observed) -> None:
    """Each thread's sends, and those of send_async, belong to the span that is current there."""
    app, mail = mail_of(scripted(), observed.key, MAIL_POOL_SIZE=8)
    tracer = observed.tracer_provider.get_tracer("test")

    def work(number: int) -> None:
        with app.app_context(), tracer.start_as_current_span(f"thread {number}"):
            for _ in range(3):
                mail.send(letter())

    async def wait() -> None:
        with app.app_context(), tracer.start_as_current_span("task"):
            await asyncio.gather(*(mail.send_async(letter()) for _ in range(3)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(wait())

    for name in ("thread 0", "thread 1", "thread 2", "thread 3", "task"):
        children = observed.children(observed.one(name))
        assert [span.name for span in children] == ["send default"] * 3
    assert observed.points()["mailhandler.recipients"] == {("accepted", "default"): 15}


def test_quart(scripted: Scripted, observed: Observed) -> None:
    """An app of Quart reports what it sends as well."""
    app = Quart("shop")
    server = scripted()
    app.config.update({f"MAIL_{name.upper()}": value for name, value in PATIENT.items()})
    app.config.update(MAIL_HOST=server.host, MAIL_PORT=server.port, MAIL_TELEMETRY=observed.key)
    mail = Mail(app, cli=None)

    async def send() -> None:
        async with app.app_context():
            await mail.send_async(letter())

    asyncio.run(send())

    assert observed.one("send default").status.status_code is StatusCode.UNSET


def test_a_captured_message(observed: Observed) -> None:
    """Captured mail makes the spans that sent mail makes, without a connection, so that a test of
    an app sees them."""
    app = Flask("shop")
    app.config.update(TESTING=True, MAIL_TELEMETRY=observed.key)
    mail = Mail(app, cli=None)

    with app.app_context(), mail.capture() as outbox:
        mail.send(letter())

    span = observed.one("send default")
    assert len(outbox) == 1
    assert (span.attributes or {})["messaging.system"] == "memory"
    assert "server.address" not in (span.attributes or {})
    assert [child.name for child in observed.children(span)] == [
        "prepare default",
        "delivery default",
    ]


def test_an_api(observed: Observed) -> None:
    """A request to the API of a provider is an exchange with its server, and has its phases."""
    with FAKES["postmark"]() as fake:
        app = Flask("shop")
        app.config.update({f"MAIL_{name.upper()}": value for name, value in PATIENT.items()})
        app.config.update(MAIL_URL=fake.mail_url, MAIL_TELEMETRY=observed.key)
        mail = Mail(app, cli=None)
        with app.app_context():
            for _ in range(2):
                assert mail.send(letter()).ok
            mail.handler.close()

    first, second = observed.named("send default")
    found = dict(first.attributes or {})
    assert (found["messaging.system"], found["network.protocol.name"]) == ("postmark", "http")
    assert found["server.address"] == "127.0.0.1"
    names = [child.name for child in observed.children(first)]
    assert names == ["prepare default", "session default", "exchange default"]
    exchange = observed.children(second)[-1]
    assert exchange.name == "exchange default"
    assert {*(exchange.attributes or {})} == {
        "mailhandler.phase.content.time",
        "mailhandler.phase.end_of_data.time",
    }


def test_failover(scripted: Scripted, observed: Observed) -> None:
    """The account that sent a message is counted, and each connection that was tried is a child."""
    down, up = scripted(on={"greeting": "421 no"}), scripted()
    app, mail = mail_of(
        down,
        observed.key,
        MAIL_ACCOUNTS={"backup": {"host": up.host, "port": up.port}},
        MAIL_FAILOVER=["default", "backup"],
    )
    with app.app_context():
        assert mail.send(letter()).ok

    span = observed.one("send default")
    assert (span.attributes or {})["mailhandler.account"] == "backup"
    assert [child.name.partition(" ")[0] for child in observed.children(span)] == [
        "prepare",
        "session",
        "session",
        "transaction",
    ]
    points = observed.points()
    assert points["mailhandler.recipients"] == {("accepted", "backup"): 1}
    assert points["messaging.client.operation.duration"] == {("backup", "send", "failover"): 1}


class OddEmailHandler(EmailHandler):
    """Has attributes with the names of those of other handlers."""

    provider = "Pigeon"

    @property
    def server(self) -> t.Any:
        raise RuntimeError("not now")

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        for job in jobs:
            observe(Phase.END_OF_DATA, job)
            yield conclude(job, [Outcome(to, State.ACCEPTED) for to in job.envelope.recipients])


def test_a_handler_of_the_app(observed: Observed) -> None:
    """The class of a handler of the app is its system, whatever else it has."""
    app = Flask("shop")
    app.config.update(MAIL_HANDLER=OddEmailHandler, MAIL_TELEMETRY=observed.key)
    mail = Mail(app, cli=None)
    with app.app_context():
        assert mail.send(letter()).ok

    found = dict(observed.one("send default").attributes or {})
    assert found["messaging.system"] == "OddEmailHandler"
    assert "server.address" not in found


class Broken(SpanProcessor, Sampler):
    """Raises wherever it is called."""

    def on_start(self, *arguments: t.Any, **more: t.Any) -> None:
        raise RuntimeError("at the start")

    def on_end(self, span: t.Any) -> None:
        raise RuntimeError("at the end")

    def should_sample(self, *arguments: t.Any, **more: t.Any) -> t.Any:
        raise RuntimeError("no decision")

    def get_description(self) -> str:
        return "broken"


class AtEnd(Broken):
    def on_start(self, *arguments: t.Any, **more: t.Any) -> None:
        pass


class NoMeter:
    """Makes instruments that cannot be used."""

    def get_meter(self, *arguments: t.Any, **more: t.Any) -> t.Any:
        return self

    def __getattr__(self, name: str) -> t.Any:
        if name == "record":
            raise RuntimeError("no record")
        return lambda *arguments, **more: self


@pytest.mark.parametrize("part", ["start", "end", "sampler", "meter"])
def test_broken_telemetry(
    scripted: Scripted, observed: Observed, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    """An error in what an app has plugged into OpenTelemetry is logged once, and never stops a
    message, fails it, or sends it twice."""
    providers = dict(observed.key)
    if part == "meter":
        providers["meter_provider"] = NoMeter()
    else:
        broken = TracerProvider(sampler=Broken()) if part == "sampler" else TracerProvider()
        if part != "sampler":
            broken.add_span_processor(Broken() if part == "start" else AtEnd())
        providers["tracer_provider"] = broken
    server = scripted()
    app, mail = mail_of(server, providers)

    with app.app_context(), caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert mail.send(letter()).ok
        with pytest.raises(MessageError):
            mail.send("Hello", subject="Hi")

    assert len(server.accepted) == 3
    failed = [record for record in caplog.records if "Telemetry failed" in record.message]
    assert 1 <= len(failed) <= 2  # of two functions, each once


def test_a_trace_that_is_not_sampled(scripted: Scripted, observed: Observed) -> None:
    """Without a sampled trace the metrics are complete."""
    providers = {**observed.key, "tracer_provider": TracerProvider(sampler=ALWAYS_OFF)}
    app, mail = mail_of(scripted(), providers)

    with app.app_context():
        mail.send(letter())

    assert observed.points()["mailhandler.recipients"] == {("accepted", "default"): 1}


def test_several_apps(scripted: Scripted, observed: Observed) -> None:
    """Apps that share a provider all count, and one that was made after another is gone does as
    well: the SDK calls only the callbacks of the first."""
    server = scripted()
    made = [mail_of(server, observed.key) for _ in range(3)]
    for app, mail in made:
        with app.app_context():
            mail.send(letter())
    before = observed.points()["mailhandler.recipients"]

    del app, mail, made[:2]
    gc.collect()

    assert before == {("accepted", "default"): 3}
    assert observed.points()["mailhandler.recipients"] == {("accepted", "default"): 1}


def test_apps_of_the_global_provider(scripted: Scripted) -> None:
    """An app that names the global provider counts as well as one that leaves it out."""
    server, observed = scripted(), Observed()

    def send() -> object:
        metrics.set_meter_provider(observed.meter_provider)
        for value in (True, {"meter_provider": observed.meter_provider}):
            app, mail = mail_of(server, value)
            with app.app_context():
                mail.send(letter())
            made.append((app, mail))
        return observed.points()["mailhandler.recipients"]

    made: list[object] = []
    assert in_child(send) == {("accepted", "default"): 2}
    observed.close()


def test_events(observed: Observed) -> None:
    """Events are counted by their kind."""
    app = Flask("shop")
    app.config["MAIL_TELEMETRY"] = observed.key
    Mail(app, cli=None)
    with app.app_context():
        for kind in (EventKind.BOUNCED, EventKind.BOUNCED, EventKind.OPENED):
            tell(registration_of(app), Event(kind=kind, recipient=Address("ann@example.com")))

    assert observed.points()["mailhandler.events"] == {("bounced",): 2, ("opened",): 1}


def test_after_a_fork(scripted: Scripted, observed: Observed) -> None:
    """A child counts what it sends itself, whatever its parent had counted, and even if a thread of
    the parent was counting."""
    app, mail = mail_of(scripted(), observed.key)
    with app.app_context():
        mail.send(letter())
        telemetry = registration_of(app).telemetry
        assert telemetry is not None

        def send() -> object:
            mail.send(letter())
            assert telemetry is not None
            return {key[1:]: n for key, n in telemetry.sums.tally.sums().items() if len(key) == 3}

        held, forked = threading.Event(), threading.Event()

        def count() -> None:
            assert telemetry is not None
            with telemetry.sums.tally._changing:
                held.set()
                forked.wait(60)

        thread = threading.Thread(target=count)
        thread.start()
        assert held.wait(60)
        in_the_child = in_child(send)
        forked.set()
        thread.join()

    assert isinstance(in_the_child, dict)
    assert in_the_child["default", "accepted"] == 1


def test_a_message_given_up(scripted: Scripted, observed: Observed) -> None:
    """The garbage collector may report a message while the same thread reports another one."""
    app, mail = mail_of(scripted(), observed.key)
    with app.app_context():
        telemetry = registration_of(app).telemetry
        assert telemetry is not None
        with telemetry.sums.tally._changing:
            mail.send(letter())

    assert observed.points()["mailhandler.recipients"] == {("accepted", "default"): 1}


def test_the_clock_is_set(
    scripted: Scripted, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is put back during a message makes no time negative."""
    app, mail = mail_of(scripted(), observed.key)

    def put_back(message: Message) -> Message:
        monkeypatch.setattr(watch, "time_ns", lambda: 0)
        return message

    mail.before_send(put_back)
    with app.app_context():
        mail.send(letter())

    for span in observed.spans:
        assert (span.start_time or 0) <= (span.end_time or 0)
    assert min(observed.points()["mailhandler.phase.time"].values()) > 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("maybe", "not 'maybe'"),
        (17, "not 17"),
        ([1], "not [1]"),
        ({"tracer": 1}, "not 'tracer'"),
        ({"tracer_provider": 1}, "get_tracer()"),
        ({"meter_provider": object()}, "get_meter()"),
        ({1: None}, "not '1'"),
    ],
)
def test_wrong_values(value: object, said: str) -> None:
    """The key is a yes or no, or a mapping of providers."""
    app = Flask("shop")
    app.config["MAIL_TELEMETRY"] = value

    with pytest.raises(ConfigurationError, match="MAIL_TELEMETRY") as caught:
        Mail(app, cli=None)

    assert said in str(caught.value)


@pytest.mark.parametrize("value", [False, None, "", "no", True, "true", 1, {}])
def test_right_values(value: object) -> None:
    """It is off by default. Without providers the global ones are used."""
    app = Flask("shop")
    app.config["MAIL_TELEMETRY"] = value
    Mail(app, cli=None)

    on = value not in (False, None, "", "no")
    assert (registration_of(app).telemetry is not None) is on


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


_SEND = """
import sys
{before}
from flask import Flask
from flask_mailhandler import Mail, Message
app = Flask("shop")
app.config.update(TESTING=True, MAIL_TELEMETRY={value})
mail = Mail(app, cli=None)
with app.app_context():
    mail.send(Message(text="x", from_addr="a@b.example", to="c@d.example"))
print([name for name in sys.modules if "telemetry" in name])
"""


def test_off_loads_nothing() -> None:
    """An app without it loads nothing of it."""
    done = _run(_SEND.format(before="", value=None))

    assert done.stdout == "[]\n", done.stderr


def test_without_opentelemetry() -> None:
    """Without the library, init_app says what to install."""
    done = _run(_SEND.format(before="sys.modules['opentelemetry'] = None", value=True))

    assert "pip install 'Flask-MailHandler[telemetry]'" in done.stderr
    assert "ConfigurationError: MAIL_TELEMETRY" in done.stderr


_NO_OP: dict[str, object] = {
    "tracer_provider": NoOpTracerProvider(),
    "meter_provider": NoOpMeterProvider(),
}


@pytest.mark.parametrize("value", [True, _NO_OP])
def test_without_an_sdk(scripted: Scripted, value: object) -> None:
    """With the API alone, mail is sent, and nothing is noted that nobody would read."""
    app, mail = mail_of(scripted(), value)

    with app.app_context():
        assert mail.send(letter()).ok

    telemetry = registration_of(app).telemetry
    assert telemetry is not None
    assert telemetry.sums.tally.sums() == {}


@pytest.mark.parametrize("part", ["tracer_provider", "meter_provider"])
def test_one_without_the_other(scripted: Scripted, observed: Observed, part: str) -> None:
    """There may be traces without metrics, and metrics without traces."""
    app, mail = mail_of(scripted(), {**_NO_OP, part: observed.key[part]})

    with app.app_context():
        mail.send(letter())

    assert ("send default" in observed.names) is (part == "tracer_provider")
    assert ("mailhandler.recipients" in observed.points()) is (part == "meter_provider")


def test_an_sdk_that_is_set_up_later(scripted: Scripted) -> None:
    """What is sent after a process has set the global providers is reported to them, though the
    app was loaded before, and has sent mail."""
    app, mail = mail_of(scripted(), True)

    def set_up() -> object:
        with app.app_context():
            mail.send(letter())
            observed = Observed()
            trace.set_tracer_provider(observed.tracer_provider)
            metrics.set_meter_provider(observed.meter_provider)
            mail.send(letter())
        return observed.names, observed.points()["mailhandler.recipients"]

    names, recipients = t.cast("tuple[list[str], object]", in_child(set_up))

    assert names.count("send default") == 1
    assert recipients == {("accepted", "default"): 1}
