"""What the author of a handler can rely on: options, sealing, other accounts, URLs, observers."""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t
from email.message import EmailMessage

import pytest
from flask import Flask

from flask_mailhandler import ConfigurationError
from flask_mailhandler import Content
from flask_mailhandler import EmailHandler
from flask_mailhandler import Mail
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import Phase
from flask_mailhandler.config import integer
from flask_mailhandler.config import Option
from flask_mailhandler.config import secret
from flask_mailhandler.config import text
from flask_mailhandler.config import URL
from flask_mailhandler.handlers.base import accept
from flask_mailhandler.handlers.smtp import SMTPEmailHandler
from queueing import shop
from sending import letter
from sending import letters
from sending import PATIENT
from sending import Scripted
from sending import states

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from pathlib import Path

    from flask_mailhandler import Job
    from flask_mailhandler import Report
    from flask_mailhandler import Secret
    from flask_mailhandler.report import Observe


def app_with(**keys: object) -> Flask:
    app = Flask("pigeons")
    app.config["MAIL_DEFAULT_FROM"] = "app@example.com"
    app.config.update({f"MAIL_{name.upper()}": value for name, value in keys.items()})
    Mail(app, cli=None)
    return app


def mail_of(app: Flask) -> Mail:
    return t.cast(Mail, app.extensions["mailhandler"])


# Options


class Pigeon(EmailHandler):
    """A handler without a decorator: an option, a plain field, and what it holds."""

    pigeons: Option[int | None, int] = Option(integer(1, 9), 2)
    colour: str = "grey"
    flown: list[str] = dataclasses.field(default_factory=list)

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        for job in jobs:
            observe(Phase.END_OF_DATA, job)
            self.flown.append(job.message_id)
            yield accept(job)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Decorated(EmailHandler):
    """The same with the decorator."""

    pigeons: Option[int | None, int] = Option(integer(1, 9), 2)
    colour: str = "grey"
    flown: list[str] = dataclasses.field(default_factory=list)


class Racer(Pigeon):
    """A handler of a handler."""

    speed: Option[int | None, int] = Option(integer(1, 200), 90)


class DecoratedRacer(Decorated):
    """A handler of a handler that has the decorator."""

    speed: Option[int | None, int] = Option(integer(1, 200), 90)


@pytest.mark.parametrize("kind", [Pigeon, Decorated, Racer, DecoratedRacer])
def test_a_handler_needs_no_decorator(kind: type[Pigeon]) -> None:
    """Annotated fields are keyword arguments, with the decorator and without."""
    given: dict[str, t.Any] = {"pigeons": 3, "colour": "white", "default_from": "me@example.com"}
    handler = kind(**given)

    assert (handler.pigeons, handler.colour, handler.flown) == (3, "white", [])
    assert handler.default_from == "me@example.com"
    assert kind().flown is not handler.flown
    assert repr(kind(pigeons=3)) == f"{kind.__name__}(pigeons=3)"
    assert handler != kind(**given)
    assert dataclasses.replace(handler, pigeons=4).colour == "white"
    with pytest.raises(dataclasses.FrozenInstanceError):
        handler.pigeons = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        kind(3)  # type: ignore[call-arg, arg-type]


@pytest.mark.parametrize("kind", [Racer, DecoratedRacer])
def test_a_handler_of_a_handler(kind: type[Racer]) -> None:
    """Options of a subclass join those of its base, and are read from keys like them."""
    handler = kind.from_config({"speed": "120", "pigeons": "5", "host": "ignored"})

    assert (handler.speed, handler.pigeons) == (120, 5)
    with pytest.raises(ConfigurationError, match="MAIL_SPEED must be from 1 to 200"):
        kind.from_config({"speed": 900})


class Named:
    """A class that has nothing to do with handlers."""


class OfAnAPI(Named, EmailHandler):
    """A handler with a constructor of its own."""

    def __init__(self, key: str, **options: t.Any) -> None:
        super().__init__(**options)
        object.__setattr__(self, "key", key)


class OfAnotherAPI(OfAnAPI):
    """A handler of that handler, also with a constructor of its own."""

    def __init__(self, **options: t.Any) -> None:
        super().__init__("secret", **options)


@pytest.mark.parametrize("make", [lambda **given: OfAnAPI("secret", **given), OfAnotherAPI])
def test_a_constructor_of_your_own(make: t.Callable[..., OfAnAPI]) -> None:
    """A handler may have its own constructor, and passes the options on."""
    handler = make(default_from="me@example.com")

    assert (handler.default_from, vars(handler)["key"]) == ("me@example.com", "secret")
    assert EmailHandler(default_to="ann@example.com").default_to == ["ann@example.com"]
    with pytest.raises(TypeError, match="colour"):
        make(colour="grey")


@pytest.mark.parametrize("name", ["default_from", "flown", "unknown"])
def test_what_a_handler_holds_is_a_field(name: str) -> None:
    """A handler does not change, and the error says where what it holds belongs."""
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"'{name}' cannot be set.*a field"):
        setattr(Pigeon(), name, "x")
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"'{name}' cannot be set"):
        delattr(Pigeon(), name)


class Untyped(EmailHandler):
    """An option without a type is no field."""

    wings = Option[t.Any, t.Any](integer(1, 9), 2)


def test_an_option_without_a_type() -> None:
    """An option without a type is an error that says what to write."""
    with pytest.raises(ConfigurationError, match=r"'wings' of Untyped has no type.*wings: Option"):
        Untyped.from_config({})


# Sealing


class Sealing(MemoryEmailHandler):
    """Puts a hash of the octets before them, in the way of a signature."""

    seals: list[bytes] = dataclasses.field(default_factory=list)

    def seal(self, content: Content) -> Content:
        if b"spoilt" in bytes(content):
            raise MessageError("The message cannot be signed.")
        if b"no key" in bytes(content):
            raise ConfigurationError("The key cannot be read.")
        self.seals.append(bytes(content))
        return Content(_sealed(bytes(content)), smtputf8=content.smtputf8)


def _sealed(octets: bytes) -> bytes:
    return f"X-Seal: {hashlib.sha256(octets).hexdigest()}\r\n".encode() + octets


def standard() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com", "Hi"
    message.set_content("Hello.\n")
    return message


@pytest.mark.parametrize("message", [letter(), standard()], ids=["ours", "standard library"])
@pytest.mark.parametrize("guard", [{}, {"redirect_to": "me@example.com"}])
def test_sealing(message: Message | EmailMessage, guard: dict[str, t.Any]) -> None:
    """What is sealed is what is delivered, after the staging guard and once for each job."""
    handler = Sealing(**guard)

    (report,) = handler.send([message])

    (octets,) = handler.seals
    (captured,) = handler.outbox
    assert report.ok
    assert bytes(captured.content) == _sealed(octets)
    assert (b"X-Original-To: b@example.com\r\n" in octets) is bool(guard)


def test_sealing_is_not_for_nobody() -> None:
    """A message that needs no delivery is not sealed."""
    handler = Sealing(allow_to=["@example.org"])

    (report,) = handler.send([letter()])
    (stopped,) = handler.send([letter()], before=[lambda message: None])

    assert states(report) == ["refused"]
    assert stopped.outcomes == ()
    assert handler.seals == []


def test_a_message_that_cannot_be_sealed() -> None:
    """A message that cannot be sealed is refused for its content, and the others are sent."""
    good, bad, last = letter("a@example.com"), letter("b@other.example", "c@example.com"), letter()
    handler = Sealing(allow_to=["@example.com"])

    reports = handler.send([good, bad.replace(text="spoilt"), last])

    assert [states(report) for report in reports] == [["accepted"], ["refused"] * 2, ["accepted"]]
    assert [outcome.recipient for outcome in reports[1].outcomes] == [
        "b@other.example",
        "c@example.com",
    ]
    assert [outcome.about for outcome in reports[1].outcomes] == ["recipient", "content"]
    assert "cannot be signed" in str(reports[1].outcomes[1])
    assert len(handler.outbox) == 2


def test_a_key_that_cannot_be_read() -> None:
    """Any other error of sealing is raised, after the reports of the messages before it."""
    handler = Sealing()
    prepared = [handler.prepare(letter(text=body)) for body in ("first", "no key", "third")]
    reports = handler.dispatch(prepared)

    assert next(reports).ok
    with pytest.raises(ConfigurationError, match="The key cannot be read"):
        next(reports)
    assert len(handler.outbox) == 1


class SealingSMTP(SMTPEmailHandler):
    """Seals what it sends."""

    seals: list[bytes] = dataclasses.field(default_factory=list)

    def seal(self, content: Content) -> Content:
        self.seals.append(bytes(content))
        return Content(_sealed(bytes(content)))


@pytest.mark.parametrize("connections", [1, 2])
def test_sealing_by_smtp(scripted: Scripted, connections: int) -> None:
    """A job is sealed once, over how many connections and in how many batches it is sent."""
    server = scripted(extensions=["PIPELINING"])
    options: dict[str, t.Any] = {"host": server.host, "port": server.port, **PATIENT}
    handler = SealingSMTP(recipients_per_message=1, **options)
    server.clients.append(handler)
    mail = [letter("a@example.com", "b@example.com", subject=str(number)) for number in range(4)]

    reports = [*handler.dispatch(map(handler.prepare, mail), connections=connections)]

    assert [report.ok for report in reports] == [True] * 4
    assert len(handler.seals) == 4
    sealed = [_sealed(octets) for octets in handler.seals]
    assert sorted(one.content for one in server.accepted) == sorted(sealed * 2)


def test_a_queued_message_is_sealed_when_it_is_sent(tmp_path: Path, scripted: Scripted) -> None:
    """The queue stores the octets as they were, and each attempt seals them anew."""
    server = scripted(on={"end of data": ["451 4.3.0 later", "250 ok"]})
    keys: dict[str, t.Any] = {"MAIL_HANDLER": SealingSMTP, "MAIL_HOST": server.host}

    with shop(tmp_path, MAIL_PORT=server.port, MAIL_CONNECT_TIMEOUT=60, **keys) as here:
        handler = t.cast(SealingSMTP, here.mail.handler)
        here.mail.send_later(letter())
        stored = here.queue.store.content(here.rows[0].id)
        here.queue.run_once()
        here.all_later()
        here.queue.run_once()
        handler.close()

        assert here.states == ["sent"]
    assert handler.seals == [stored, stored]
    assert [one.content for one in server.accepted] == [_sealed(t.cast(bytes, stored))]


# The handlers of other accounts


class Passing(EmailHandler):
    """Passes every job on to the handler of another account."""

    pass_to: Option[str | None, str] = Option(text, "default")
    handler_for: Callable[[str], EmailHandler] | None = None

    def with_handlers(self, handler_for: Callable[[str], EmailHandler]) -> t.Self:
        return dataclasses.replace(self, handler_for=handler_for)

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        assert self.handler_for is not None
        yield from self.handler_for(self.pass_to).deliver(jobs, observe)


def passing(**to: str) -> dict[str, dict[str, object]]:
    return {name: {"handler": Passing, "pass_to": other} for name, other in to.items()}


def test_a_handler_of_another_account() -> None:
    """A handler passes messages on by the handler that is in force for an account."""
    app = app_with(handler="memory", accounts=passing(first="second", second="default"))
    mail = mail_of(app)

    with app.app_context():
        report = mail.send(letter(), using="first")
        outbox = t.cast(MemoryEmailHandler, mail.handler).outbox

    assert report.ok
    assert [captured.envelope.recipients for captured in outbox] == [["b@example.com"]]


@pytest.mark.parametrize(
    ("accounts", "circle"),
    [
        ({"one": "one"}, "'one' -> 'one'"),
        ({"one": "two", "two": "one"}, "'two' -> 'one' -> 'two'"),
        ({"one": "two", "two": "three", "three": "two"}, "'three' -> 'two' -> 'three'"),
    ],
)
def test_accounts_in_a_circle(accounts: dict[str, str], circle: str) -> None:
    """Accounts that pass messages on in a circle are an error that names them."""
    app = app_with(handler="memory", accounts=passing(**accounts))
    mail = mail_of(app)

    with app.app_context():
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=f"in a circle: {circle}"):
                mail.send(letter(), using="one")


def test_an_account_that_is_not_there() -> None:
    """A handler that asks for an account that is not there gets the usual error."""
    app = app_with(handler="memory", accounts=passing(one="nowhere"))

    with app.app_context(), pytest.raises(ConfigurationError, match="no account 'nowhere'"):
        mail_of(app).send(letter(), using="one")


# URLs


class Loft(EmailHandler):
    """Installed by an entry point, with its own form of a URL: ``loft://KEY@host/room``."""

    loft_key: Option[str | Secret | None, Secret | None] = Option(secret, None)
    loft: Option[str | None, str] = Option(text, "")
    room: Option[str | None, str] = Option(text, "attic")

    @classmethod
    def options_of_url(cls, url: URL) -> dict[str, object]:
        if not url.username:
            raise ConfigurationError(f"{url.setting} must be like 'loft://KEY@host'.")
        return {"loft_key": url.username, "loft": url.host, "room": url.path.strip("/") or None}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that names :class:`Loft` by an entry point."""
    folder = tmp_path / "loft-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: loft\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        f"[flask_mailhandler.handlers]\nloft = {__name__}:Loft\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("url", "expect"),
    [
        ("loft://K%40Y@old.example", ("old.example", "attic", "")),
        (
            "loft://K%40Y@old.example/roof%20box?default_subject=Coo",
            ("old.example", "roof box", "Coo"),
        ),
        ("loft://K%40Y@old.example?room=cellar", ("old.example", "cellar", "")),
    ],
)
def test_a_url_of_a_handlers_own(url: str, expect: tuple[str, ...]) -> None:
    """A handler says what the parts of its URL mean; the query holds options."""
    app = app_with(url=url)

    with app.app_context():
        handler = t.cast(Loft, mail_of(app).handler)

    assert handler.loft_key is not None
    assert handler.loft_key.reveal() == "K@Y"
    assert (handler.loft, handler.room, handler.default_subject) == expect


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("loft://old.example", "MAIL_URL must be like 'loft://KEY@host'"),
        ("loft://KEY@old.example?rom=x", "MAIL_URL has unknown options: rom"),
        ("lofd://KEY@old.example", "MAIL_URL begins with 'lofd:', which names no known handler"),
        ("lofd:", "'lofd' is not a known handler"),
    ],
)
def test_a_wrong_url_of_a_handlers_own(url: str, said: str) -> None:
    """A wrong URL is an error that does not show it."""
    with pytest.raises(ConfigurationError) as caught:
        app_with(url=url)

    assert said in str(caught.value)
    assert "KEY@old" not in str(caught.value)


def test_a_url_does_not_show_its_parts() -> None:
    """The repr of a URL shows neither login nor query."""
    url = URL("MAIL_URL", "loft", "KEY", "word", "old.example", 1, "/x", {"token": "y"})

    assert repr(url) == "<URL loft: of MAIL_URL>"


# Observers, and one report for each message


@pytest.mark.parametrize("several", [False, True])
def test_an_app_observes_each_phase(several: bool) -> None:
    """The observer of an app is called with each phase of what Mail sends, before it begins."""
    app = app_with(handler="memory")
    mail = mail_of(app)
    heard: list[tuple[Phase, str, int]] = []
    first, second = letters(2)

    def observe(phase: Phase, job: Job) -> None:
        outbox = t.cast(MemoryEmailHandler, mail.handler).outbox
        heard.append((phase, job.envelope.recipients[0], len(outbox)))

    with app.app_context():
        observing(mail, observe)
        if several:
            assert all(report.ok for report in mail.send_each([first, second]))
        else:
            mail.send([first, second])

    assert heard == [
        (Phase.END_OF_DATA, "r1@example.com", 0),
        (Phase.END_OF_DATA, "r2@example.com", 1),
    ]


def observing(mail: Mail, observe: Observe) -> None:
    """Observe what the current app sends."""
    mail._registration().add_observer(observe)


class Hasty(EmailHandler):
    """Ends before it has read its jobs."""

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        yield accept(next(iter(jobs)))


def test_stopped_messages_at_the_end_are_reported() -> None:
    """A message that was stopped is reported, though deliver has ended before it."""
    first, second, third = letters(3)

    def stop(message: Message) -> Message | None:
        return None if message.to == third.to else message

    reports = Hasty().send([first, second, third], before=[stop])

    assert [states(report) for report in reports] == [["accepted"], ["deferred"], []]
