"""A local SMTP server that keeps every message in a folder and sends none on, on aiosmtpd.

The folder is as :class:`.FileEmailHandler` writes it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import errno
import logging
import os
import threading
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

from ..content import Content
from ..envelope import Envelope
from ..errors import ConfigurationError
from ..errors import MessageError
from ..handlers.console import visible
from ..handlers.file import store
from ..mime.reading import read_within_bounds
from ..mime.reading import Reading
from ..mime.reading.summary import summary_of
from ..report import Outcome
from ..report import State

try:
    from aiosmtpd.smtp import MISSING
    from aiosmtpd.smtp import SMTP
except ImportError as _error:
    raise ConfigurationError(
        "Catching mail needs aiosmtpd: pip install 'Flask-MailHandler[catch]'"
    ) from _error

if t.TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope as Transaction
    from aiosmtpd.smtp import Session

_LOGIN = ("User Name", "Password")


@dataclasses.dataclass(frozen=True)
class Caught:
    """A message that was kept."""

    name: str
    """Of its two files, without an ending."""
    envelope: Envelope
    message_id: str
    """As its header has it; "" if it has none."""
    subject: str
    """For people: decoded as far as it can be, and cut."""
    size: int
    """Octets."""


def _unheard(caught: Caught) -> None:
    """Tell nobody."""


class Catcher:
    """Listens as long as its ``with`` block is open (in a thread of its own), or as
    :meth:`serve` runs.

    :param folder: Where messages are kept. It is made if it is not there.
    :param host: Who can reach it can fill the folder, so it should be a loopback address.
    :param port: 0 for any free one; :attr:`port` then tells which.
    :param size: The octets of the largest message.
    :param caught: Called with each message that was kept, before its sender is answered: one after
        the other, in a thread of their own.
    """

    def __init__(
        self,
        folder: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        size: int = 33_554_432,
        caught: Callable[[Caught], None] = _unheard,
    ) -> None:
        self.folder = folder
        self.host = host
        self.port: int = port
        self.kept: int = 0
        """Messages kept so far."""
        self._size = size
        self._caught = caught
        self._protocols: list[SMTP] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        # One thread, so that messages are kept in the order in which they came.
        self._keeping: concurrent.futures.Executor | None = None

    async def serve(self, ready: Callable[[], None]) -> None:
        """Listen until :meth:`stop_soon` is called.

        :param ready: Called when a client can connect.
        :raises ConfigurationError: if the address or the folder cannot be had.
        """
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        with (
            _harmless_log(),
            concurrent.futures.ThreadPoolExecutor(1, "catcher-keeping") as self._keeping,
            contextlib.closing(await self._listen(self._loop)) as server,
        ):
            self.port = server.sockets[0].getsockname()[1]
            self._make_folder()
            ready()
            await self._stop.wait()
            server.close()
            await self._hang_up()

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> asyncio.Server:
        try:
            return await loop.create_server(self._connection, self.host, self.port)
        except OSError as error:
            hint = (
                " Is something listening there already? Choose another port."
                if error.errno == errno.EADDRINUSE
                else ""
            )
            raise ConfigurationError(
                f"{self.host}:{self.port} cannot be listened on: {error.strerror or error}.{hint}"
            ) from error

    def _make_folder(self) -> None:
        reason = "it may not be written"
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            if os.access(self.folder, os.W_OK | os.X_OK):
                return
        except OSError as error:
            reason = error.strerror or str(error)
        raise ConfigurationError(
            f"Messages cannot be kept in {self.folder!r}: {reason}. Choose another folder."
        )

    async def _hang_up(self) -> None:
        for protocol in self._protocols:
            if isinstance(protocol.transport, asyncio.WriteTransport):
                protocol.transport.abort()
        conversations = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*conversations, return_exceptions=True)

    def stop_soon(self) -> None:
        """Let :meth:`serve` end: for its own thread, such as from a signal handler of its loop."""
        if self._stop is not None:
            self._stop.set()

    def __enter__(self) -> t.Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> t.Self:
        """Listen, in a thread. Returns when a client can connect.

        :raises ConfigurationError: if the address or the folder cannot be had.
        """
        failures: list[BaseException] = []
        ready = threading.Event()

        def run() -> None:
            try:
                asyncio.run(self.serve(ready.set))
            except BaseException as error:
                failures.append(error)
            finally:
                ready.set()

        # A daemon, because a worker that nobody told to stop must still be able to end.
        self._thread = threading.Thread(target=run, name="catcher", daemon=True)
        self._thread.start()
        ready.wait()
        if failures:
            self._thread.join()
            raise failures[0]
        return self

    def stop(self) -> None:
        """Close every connection, and wait for the thread."""
        if self._thread is None or self._loop is None:
            return
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self.stop_soon)
        self._thread.join()
        self._thread = None

    def _connection(self) -> SMTP:
        self._protocols = [known for known in self._protocols if known.transport is not None]
        protocol = _Protocol(
            _Keeper(self),
            hostname="localhost",  # else aiosmtpd asks the DNS
            ident="Flask-MailHandler catches mail",
            data_size_limit=self._size,
            enable_SMTPUTF8=True,
            auth_require_tls=False,
        )
        self._protocols.append(protocol)
        return protocol

    async def keep(self, transaction: Transaction) -> str:
        """Keep what was sent, and say how to answer. Others are served meanwhile."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._keeping, self._keep, transaction)

    def _keep(self, transaction: Transaction) -> str:
        octets = transaction.original_content or b""
        path = str(transaction.mail_from or "")
        try:
            # aiosmtpd gives the null reverse-path as it is written.
            envelope = Envelope("" if path == "<>" else path, map(str, transaction.rcpt_tos))
        except MessageError as error:
            return f"553 5.1.3 {error}".encode("ascii", "backslashreplace").decode()[:500]
        content = Content(
            octets,
            smtputf8=bool(transaction.smtp_utf8),
            eightbit=not octets.isascii(),
        )
        message = read_within_bounds(octets)
        message_id, told = _message_id(message), summary_of(message)
        outcomes = [Outcome(address, State.ACCEPTED, code=250) for address in envelope.recipients]
        try:
            facts = {"summary": told}
            name = store(self.folder, envelope, content, outcomes, message_id, facts)
        except OSError as error:
            return f"452 4.3.1 The folder cannot be written: {error.strerror}"
        self.kept += 1
        self._caught(Caught(name, envelope, message_id, told["subject"], content.size))
        return f"250 2.0.0 Kept as {name}"

    def __repr__(self) -> str:
        return f"<Catcher {self.host}:{self.port} in {self.folder!r}, {self.kept} kept>"


@contextlib.contextmanager
def _harmless_log() -> Iterator[None]:
    """Make visible what aiosmtpd's log repeats of a client's words: it may be printed on a
    terminal, which must not obey them."""

    def make_visible(record: logging.LogRecord) -> bool:
        record.msg, record.args = visible(record.getMessage()), None
        if record.exc_info:
            # A traceback would be printed as it is: what it ends with stands in the line.
            record.msg += visible(f": {record.exc_info[1]!r}")
            record.exc_info = None
        return True

    log = logging.getLogger("mail.log")
    log.addFilter(make_visible)
    try:
        yield
    finally:
        log.removeFilter(make_visible)


class _Protocol(SMTP):
    # What other servers would refuse is to be seen here, so that it can be found out.
    line_length_limit = 1 << 20


class _Keeper:
    """aiosmtpd's hooks."""

    def __init__(self, catcher: Catcher) -> None:
        self._catcher = catcher

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Transaction) -> str:
        return await self._catcher.keep(envelope)

    # These names alone let aiosmtpd offer the mechanisms, beside its own PLAIN and LOGIN.
    auth_XOAUTH2 = auth_OAUTHBEARER = None

    async def handle_AUTH(
        self, server: SMTP, session: Session, envelope: Transaction, args: list[str]
    ) -> str | None:
        """Accept any login; what its mechanism asks for is read and forgotten."""
        asked = _LOGIN if args[0].upper() == "LOGIN" else ("",)
        for challenge in asked[len(args) - 1 :]:
            if await server.challenge_auth(challenge) is MISSING:
                return None  # that has been answered
        session.authenticated = True
        return "235 2.7.0 Any login will do"


def _message_id(message: Reading) -> str:
    """The Message-ID, whatever has been sent as a header."""
    found = (value for name, value in message.fields if name.lower() == "message-id")
    return next(found, "").strip()
