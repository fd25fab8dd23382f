"""Fixtures for all tests: real servers on loopback ports, certificates, and a check for leaks."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import typing as t

import coverage
import pytest
from hypothesis import HealthCheck
from hypothesis import settings

from compiled_once import keep_compiled
from flask_mailhandler.queue import retry
from flask_mailhandler.smtp.stream import Stream
from mail_reader import MailReader
from mailauth import Mailauth
from npm import missing as npm_missing
from open_things import open_things
from opendkim import missing as opendkim_missing
from package_venv import PackageVenv
from pooling import Clock
from servers import ScriptedServer
from servers import silence
from servers.aiosmtpd_server import AiosmtpdServer
from servers.certificates import Certificates
from servers.certificates import make
from servers.chromium import Chromium
from servers.chromium import missing as chromium_missing
from servers.database_server import DatabaseServer
from servers.exim import Exim
from servers.mariadb import Mariadb
from servers.mariadb import missing as mariadb_missing
from servers.node_smtp_server import NodeSmtpServer
from servers.opensmtpd import OpenSMTPD
from servers.pgbouncer import missing as pgbouncer_missing
from servers.pgbouncer import PgBouncer
from servers.postfix import missing as postfix_missing
from servers.postfix import Postfix
from servers.postgresql import missing as postgresql_missing
from servers.postgresql import Postgresql
from servers.rabbitmq_server import missing as rabbitmq_missing
from servers.rabbitmq_server import RabbitMQServer
from servers.redis_server import missing as redis_missing
from servers.redis_server import RedisServer
from servers.smtp_sink import missing as smtp_sink_missing
from servers.smtp_sink import SmtpSink
from storing import Place

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Generator
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

# A slow example on a busy machine is not a failure.
settings.register_profile(
    "unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")
# To run for a night: pytest --hypothesis-profile=thorough --timeout=0
settings.register_profile("thorough", settings(), max_examples=2000)

keep_compiled()


# The tests that use one of these run in one worker of xdist, which alone starts or installs it.
ONE_SERVER = ("exim", "opensmtpd", "packages", "rabbitmq")
# They are made for a module, so that its tests run in one worker.
OF_A_MODULE = {"built", "chromium", "tools"}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave the collected tests and the imported modules out of every garbage collection. Each one
    takes a quarter of a second otherwise, and every test with ``no_leaks`` makes two."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in this hook, too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests for ``--dist loadgroup``: those that share a costly fixture, and the quick
    ones of a module. Each of the others runs where there is room."""
    for item in items:
        if group := _group(item):
            item.add_marker(pytest.mark.xdist_group(group))


def _group(item: pytest.Item) -> str:
    uses: list[str] = getattr(item, "fixturenames", [])
    for server in ONE_SERVER:
        if server in uses:
            return server
    long = any(map(item.get_closest_marker, ("slow", "services")))
    return "" if long and OF_A_MODULE.isdisjoint(uses) else item.nodeid.partition("::")[0]


_time_limit = pytest.StashKey[t.Any]()


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: t.Any) -> Generator[None, object, object]:
    """Interrupt a test that hangs again and again, as it may hang once more when it closes what it
    has opened."""
    item.stash[_time_limit] = settings
    result = yield
    if settings.method == "signal":
        signal.setitimer(signal.ITIMER_REAL, settings.timeout, settings.timeout)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Limit the time of each teardown. pytest-timeout stops its clock at a failure, for a
    debugger."""
    if (settings := item.stash.get(_time_limit, None)) is not None:
        item.ihook.pytest_timeout_set_timer(item=item, settings=settings)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Server contexts, good and bad, and the files a client needs."""
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def postfix(certificates: Certificates) -> Iterator[Postfix]:
    """One Postfix for the session (of each xdist worker). Mark the test ``services``.

    Where it cannot be started the test is skipped, or, with MAILHANDLER_REQUIRE_SERVICES=1, fails.
    """
    _skip_or_fail("Postfix", postfix_missing())
    server = Postfix(certificates)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def exim() -> Iterator[Exim]:
    """One Exim for the session (of each xdist worker), unpacked on first use. Mark the test
    ``services``."""
    server = Exim()
    try:
        _skip_or_fail("Exim", server.missing())
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def opensmtpd() -> Iterator[OpenSMTPD]:
    """One OpenSMTPD for the tests of a module, unpacked. Mark the test ``services``."""
    server = OpenSMTPD()
    try:
        _skip_or_fail("OpenSMTPD", server.missing())
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def opendkim_installed() -> None:
    """Debian's opendkim. Mark the test ``services``."""
    _skip_or_fail("OpenDKIM", opendkim_missing())


@pytest.fixture(scope="session")
def mailauth() -> Iterator[Mailauth]:
    """npm's mailauth, installed on first use. Mark the test ``services``."""
    _skip_or_fail("mailauth", npm_missing())
    with Mailauth() as found:
        yield found


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> PackageVenv:
    """Packages that were written for Flask-Mail, installed on first use. Mark the test
    ``services``."""
    return PackageVenv(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """One PostgreSQL for the session (of each xdist worker). Mark the test ``services``."""
    _skip_or_fail("PostgreSQL", postgresql_missing())
    server = Postgresql()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Mariadb]:
    """One MariaDB for the session (of each xdist worker). Mark the test ``services``."""
    _skip_or_fail("MariaDB", mariadb_missing())
    server = Mariadb()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.services) for name in ("postgresql", "mariadb")]
)
def database_server(request: pytest.FixtureRequest) -> DatabaseServer:
    """The servers in which mail can wait. The test is run for each. If it names them, with
    ``indirect``, mark it ``services``."""
    found: DatabaseServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def pgbouncer(postgresql: Postgresql) -> Iterator[Callable[..., PgBouncer]]:
    """Start PgBouncer before PostgreSQL: ``pooler = pgbouncer(size=1)``. Mark the test
    ``services``."""
    _skip_or_fail("PgBouncer", pgbouncer_missing())
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(PgBouncer(postgresql, **options))


@pytest.fixture(scope="session")
def objdump() -> None:
    """The tools that PyInstaller needs. Mark the test ``services``."""
    _skip_or_fail("objdump", "" if shutil.which("objdump") else "apt-get install binutils")


@pytest.fixture(
    params=[
        *("sqlite", "sqlalchemy"),
        *(pytest.param(name, marks=pytest.mark.services) for name in ("postgresql", "mariadb")),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """The queue's store: a file, and SQLAlchemy with SQLite, PostgreSQL and MariaDB. The test is
    run for each."""
    with contextlib.ExitStack() as stack:
        named = str(tmp_path / "queue.sqlite")
        if request.param == "sqlalchemy":
            named = f"sqlite:///{tmp_path}/app.sqlite"
        if request.param in ("postgresql", "mariadb"):
            server: DatabaseServer = request.getfixturevalue(request.param)
            named = stack.enter_context(server.database())
        found = stack.enter_context(contextlib.closing(Place(named, tmp_path)))
        yield found


@pytest.fixture
def smtp_sink(request: pytest.FixtureRequest) -> Iterator[Callable[..., SmtpSink]]:
    """Start Debian's smtp-sink: ``sink = smtp_sink("-q", ".")``. Mark the test ``services``."""
    _skip_or_fail("smtp-sink", smtp_sink_missing())
    _leaks_are_looked_for_last(request)
    with contextlib.ExitStack() as stack:
        yield lambda *flags: stack.enter_context(SmtpSink(*flags))


@pytest.fixture
def node_smtp_server(
    request: pytest.FixtureRequest, certificates: Certificates
) -> Iterator[Callable[..., NodeSmtpServer]]:
    """Start npm's smtp-server: ``server = node_smtp_server("starttls", users={...})``. Mark the
    test ``services``."""
    _skip_or_fail("smtp-server", npm_missing())
    _leaks_are_looked_for_last(request)
    with contextlib.ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(
            NodeSmtpServer(certificates, *args, **options)
        )


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A Redis that stores nothing on disk. Mark the test ``services``."""
    _skip_or_fail("Redis", redis_missing())
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQServer]:
    """One RabbitMQ for the session (of each xdist worker), because it is slow to start. A test
    that stops it starts it again. Mark the test ``services``."""
    _skip_or_fail("RabbitMQ", rabbitmq_missing())
    with RabbitMQServer() as server:
        yield server


@pytest.fixture(scope="session")
def reader() -> Iterator[MailReader]:
    """npm's mailparser, installed on first use. Mark the test ``services``."""
    _skip_or_fail("mailparser", npm_missing())
    with MailReader() as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser for the tests of one module, because its driver conflicts with asyncio.
    Mark the test ``services``."""
    _skip_or_fail("Chromium", chromium_missing())
    with Chromium() as browser:
        yield browser


@pytest.fixture
def scripted(request: pytest.FixtureRequest) -> Iterator[Callable[..., ScriptedServer]]:
    """Start scripted servers: ``server = scripted(on={"RCPT": "550 5.1.1 no such user"})``.

    They are stopped at the end of the test, which fails if the client broke a rule. A test that
    breaks one on purpose looks at ``server.breaches`` and clears it.
    """
    _leaks_are_looked_for_last(request)
    servers: list[ScriptedServer] = []

    def start(**declared: t.Any) -> ScriptedServer:
        server = ScriptedServer(**declared)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        for client in server.clients:
            client.close()
        server.leave()
    assert [breach for server in servers for breach in server.breaches] == []


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline passes as soon as the scripted server is silent or begins a delay, and only
    then."""
    monkeypatch.setattr(Stream, "_receive", silence.impatient(t.cast("t.Any", Stream)._receive))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of sessions and pools. It stands still until a test moves it."""
    clock = Clock()
    for module in ("net.deadline", "smtp.pool", "net.slots", "smtp.session", "smtp.stream"):
        monkeypatch.setattr(f"flask_mailhandler.{module}.time", clock)
    return clock


@pytest.fixture
def not_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a test runs, the queue tries no message a second time, and no pause ends."""
    monkeypatch.setattr(retry, "FIRST", retry.LONGEST)


@pytest.fixture
def aiosmtpd_server(request: pytest.FixtureRequest) -> Iterator[Callable[..., AiosmtpdServer]]:
    """Start aiosmtpd: ``server = aiosmtpd_server(starttls=certificates.valid, users={...})``."""
    _leaks_are_looked_for_last(request)
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(AiosmtpdServer(**options))


@pytest.fixture
def untraced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Measure no coverage, which takes as long as the test itself: for large input, for a sequence
    that is repeated with another interruption, and for processes that are killed before they could
    write what they measured. Other tests run the same lines."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    measuring = coverage.Coverage.current()
    if measuring is not None:
        measuring.stop()
    yield
    if measuring is not None:
        # start() applies the patches again. Without this, each fork starts as many measurements,
        # and writes as many files, as tests were left out before it: 16 seconds late in a run.
        patches = measuring.get_option("run:patch")
        measuring.set_option("run:patch", [])
        measuring.start()
        measuring.set_option("run:patch", patches)


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Check that a test leaves no thread and no descriptor open."""
    before = open_things()
    # All that was collected just now and is left: looking through it again at the end of each test
    # takes ten times as long as the test.
    gc.freeze()
    yield
    assert open_things() - before == set()


@pytest.fixture(scope="session")
def service_or_skip() -> Callable[[str, str], None]:
    """Skip a test, or fail it: ``service_or_skip("Dovecot", why_it_is_missing)``."""
    return _skip_or_fail


def _skip_or_fail(service: str, why: str) -> None:
    if why and os.environ.get("MAILHANDLER_REQUIRE_SERVICES") == "1":
        pytest.fail(f"MAILHANDLER_REQUIRE_SERVICES is set, but there is no {service}: {why}")
    if why:
        pytest.skip(f"There is no {service} here: {why}")


def _leaks_are_looked_for_last(request: pytest.FixtureRequest) -> None:
    """Set this fixture up first, so that it is torn down last."""
    if "no_leaks" in request.fixturenames:
        request.getfixturevalue("no_leaks")
