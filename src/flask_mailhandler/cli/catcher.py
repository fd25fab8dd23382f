"""A local SMTP server, on aiosmtpd, that stores every message in a folder and relays none.

The folder has the format of :class:`.FileEmailHandler`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import errno
import os
import threading
import typing as t
from collections.abc import Callable

from ..content import Content
from ..envelope import Envelope
from ..errors import ConfigurationError
from ..errors import MessageError
from ..handlers.file import store
from ..mime.reading import read_within_bounds
from ..mime.reading import Reading
from ..mime.reading.summary import summary_of
from ..phase import State
from ..report import Outcome
from .aiosmtpd_use import harmless_log
from .aiosmtpd_use import importing_aiosmtpd

with importing_aiosmtpd("Catching mail"):
    from aiosmtpd.smtp import MISSING
    from aiosmtpd.smtp import SMTP

if t.TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope as Transaction
    from aiosmtpd.smtp import Session

_LOGIN = ("User Name", "Password")


@dataclasses.dataclass(frozen=True)
class Caught:
    """A message that was stored."""

    name: str
    """The name of its two files, without their suffixes."""
    envelope: Envelope
    message_id: str
    """The Message-ID in its header; "" if it has none."""
    subject: str
    """The subject, decoded as far as possible and shortened."""
    size: int
    """The number of its octets."""


def _ignore(caught: Caught) -> None:
    """Do nothing."""


class Catcher:
    """Listens while its ``with`` block is open (in its own thread), or while :meth:`serve` runs.

    :param folder: Where messages are stored. It is created if it does not exist.
    :param host: The address to listen on. Use a loopback address: any client that can reach it can
        fill the folder.
    :param port: 0 for any free port; :attr:`port` is then the one in use.
    :param size: The size of the largest message, in octets.
    :param caught: Called with each message after it is stored and before the client gets its reply:
        with one message at a time, in a separate thread.
    """

    def __init__(
        self,
        folder: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        size: int = 33_554_432,
        caught: Callable[[Caught], None] = _ignore,
    ) -> None:
        self.folder = folder
        self.host = host
        self.port: int = port
        self.stored: int = 0
        """How many messages were stored so far."""
        self._size = size
        self._caught = caught
        self._protocols: list[SMTP] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        # One thread, so that messages are stored in the order in which they arrive.
        self._storing: concurrent.futures.Executor | None = None

    async def serve(self, ready: Callable[[], None]) -> None:
        """Listen until :meth:`stop_soon` is called.

        :param ready: Called when a client can connect.
        :raises ConfigurationError: if the address or the folder cannot be used.
        """
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        with (
            harmless_log(),
            concurrent.futures.ThreadPoolExecutor(1, "catcher-storing") as self._storing,
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
                " Is another program listening there? Choose another port."
                if error.errno == errno.EADDRINUSE
                else ""
            )
            raise ConfigurationError(
                f"Cannot listen on {self.host}:{self.port}: {error.strerror or error}.{hint}"
            ) from error

    def _make_folder(self) -> None:
        reason = "it is not writable"
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            if os.access(self.folder, os.W_OK | os.X_OK):
                return
        except OSError as error:
            reason = error.strerror or str(error)
        raise ConfigurationError(
            f"Messages cannot be stored in {self.folder!r}: {reason}. Choose another folder."
        )

    async def _hang_up(self) -> None:
        for protocol in self._protocols:
            if isinstance(protocol.transport, asyncio.WriteTransport):
                protocol.transport.abort()
        conversations = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*conversations, return_exceptions=True)

    def stop_soon(self) -> None:
        """Make :meth:`serve` return. Call this in the same thread, for instance in a signal
        handler of its loop."""
        if self._stop is not None:
            self._stop.set()

    def __enter__(self) -> t.Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> t.Self:
        """Listen in a thread, and return when a client can connect.

        :raises ConfigurationError: if the address or the folder cannot be used.
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

        # A daemon, so that a process that does not call stop() can still exit.
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
            _Hooks(self),
            hostname="localhost",  # else aiosmtpd asks the DNS
            ident="Flask-MailHandler catches mail",
            data_size_limit=self._size,
            enable_SMTPUTF8=True,
            auth_require_tls=False,
        )
        self._protocols.append(protocol)
        return protocol

    async def store(self, transaction: Transaction) -> str:
        """Store what was sent, and return the reply. Other clients are served meanwhile."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._storing, self._store, transaction)

    def _store(self, transaction: Transaction) -> str:
        octets = transaction.original_content or b""
        path = str(transaction.mail_from or "")
        try:
            # aiosmtpd returns the null reverse-path as the client wrote it.
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
        self.stored += 1
        self._caught(Caught(name, envelope, message_id, told["subject"], content.size))
        return f"250 2.0.0 Kept as {name}"

    def __repr__(self) -> str:
        return f"<Catcher {self.host}:{self.port} in {self.folder!r}, {self.stored} stored>"


class _Protocol(SMTP):
    # Lines that other servers refuse are stored, so that a developer can see them.
    line_length_limit = 1 << 20


class _Hooks:
    """aiosmtpd's hooks."""

    def __init__(self, catcher: Catcher) -> None:
        self._catcher = catcher

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Transaction) -> str:
        return await self._catcher.store(envelope)

    # aiosmtpd offers a mechanism if this name exists, besides its own PLAIN and LOGIN.
    auth_XOAUTH2 = auth_OAUTHBEARER = None

    async def handle_AUTH(
        self, server: SMTP, session: Session, envelope: Transaction, args: list[str]
    ) -> str | None:
        """Accept any login. What its mechanism asks for is read and not stored."""
        asked = _LOGIN if args[0].upper() == "LOGIN" else ("",)
        for challenge in asked[len(args) - 1 :]:
            if await server.challenge_auth(challenge) is MISSING:
                return None  # aiosmtpd has sent a reply
        session.authenticated = True
        return "235 2.7.0 Any login will do"


def _message_id(message: Reading) -> str:
    """Return the Message-ID, from whatever header was sent."""
    found = (value for name, value in message.fields if name.lower() == "message-id")
    return next(found, "").strip()
