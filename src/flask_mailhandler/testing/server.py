"""An SMTP server in a thread. It captures messages, and follows the script of its outbox."""

from __future__ import annotations

import socket
import threading
import typing as t
from collections.abc import Mapping

from ..content import Content
from ..envelope import Envelope
from ..mime.reading import parsed
from ..phase import State
from ..report import Outcome
from ..report import report_on
from .captured import Captured
from .connection import Connection
from .outbox import Outbox
from .script import Scripted
from .script import Step

if t.TYPE_CHECKING:
    from .certificates import Certificates
    from .login import Credentials


class SMTPServer:
    """An SMTP server on a loopback port, which supports STARTTLS and logins::

        with SMTPServer() as server:
            app.config["MAIL_URL"] = server.url
            ...
            server.outbox.one(to="ann@example.com")

    It runs from :meth:`start` to :meth:`stop`, or until the end of its ``with`` block. It captures
    messages in :attr:`outbox`, and ``outbox.fail()`` makes it fail. It does not know which account
    has sent a message.

    :param outbox: The outbox that captures messages.
    :param users: User names with their passwords or tokens. The server then requires a login, and
        checks it. If it is left out, no login is required and every login succeeds.
    """

    host: str = "127.0.0.1"
    """The address on which it listens."""

    def __init__(
        self, *, outbox: Outbox | None = None, users: Mapping[str, str] | None = None
    ) -> None:
        self.outbox: Outbox = Outbox() if outbox is None else outbox
        """The messages that were sent to it."""
        self.port: int = 0
        """The port for plain text, and for TLS after STARTTLS."""
        self.tls_port: int = 0
        """The port for TLS from the first octet."""
        self.commands: list[str] = []
        """Every command that clients have sent, in all connections, without the content and
        without credentials."""
        self._users = users
        self._listeners: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._connections: list[Connection] = []
        self._certificates: Certificates | None = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The value for ``MAIL_URL``."""
        return f"smtp://{self.host}:{self.port}?security=none"

    @property
    def certificates(self) -> Certificates:
        """Its certificate and the authority that issued it. They are made on first use, and need
        the extra ``testing``."""
        with self._lock:
            if self._certificates is None:
                from .certificates import Certificates

                self._certificates = Certificates()
            return self._certificates

    def reply(self, step: Step, reply: str | None, *, times: int | None = None) -> Scripted:
        """Set the reply to a step, until the test ends or until the end of its ``with`` block::

            with server.reply("MAIL", "451 4.3.0 Try again later", times=1):
                ...

        :param step: ``greeting``, ``EHLO``, ``STARTTLS``, ``AUTH``, ``MAIL``, ``RCPT``, ``DATA``,
            ``end of data``; or ``connect``, where the server can only close the connection.
        :param reply: A reply, such as ``"451 4.3.0 Try again later"``, with a line feed between
            lines. With None the server closes the connection.
        :param times: How many messages or connections get this reply. If it is left out, all of
            them get it.
        :raises ValueError: if *reply* is not a valid reply.
        """
        return self.outbox.script.add(step, reply, None, times)

    def start(self) -> t.Self:
        """Start to listen. When this returns, clients can connect."""
        self.port = self._listen(encrypted=False)
        self.tls_port = self._listen(encrypted=True)
        return self

    def stop(self) -> None:
        """Close all connections, and wait for all threads. You can call :meth:`start` again."""
        for listener in self._listeners:
            # This ends accept() in the other thread; close() alone would not.
            listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for listener in self._listeners:
            listener.close()
        for connection in self._connections:
            connection.stop()
        self._listeners, self._threads, self._connections = [], [], []
        self.port = self.tls_port = 0

    def __enter__(self) -> t.Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _listen(self, *, encrypted: bool) -> int:
        listener = socket.create_server((self.host, 0), backlog=128)
        thread = threading.Thread(
            target=self._accept, args=(listener, encrypted), name="smtp_server", daemon=True
        )
        self._listeners.append(listener)
        self._threads.append(thread)
        thread.start()
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket, encrypted: bool) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:  # by stop()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, sock, encrypted)
            with self._lock:
                self._connections = [c for c in self._connections if c.thread.is_alive()]
                self._connections.append(connection)
                connection.thread.start()

    # For the connections

    @property
    def requires_login(self) -> bool:
        return self._users is not None

    def is_right(self, credentials: Credentials) -> bool:
        """Return whether a client may log in with these credentials."""
        return self._users is None or self._users.get(credentials.user) == credentials.proof

    def capture(self, envelope: Envelope, octets: bytes, smtputf8: bool) -> None:
        """Add a message to the outbox."""
        message = parsed(octets)
        message_id = str(message.get("Message-ID") or "").strip()
        outcomes = [Outcome(one, State.ACCEPTED, code=250) for one in envelope.recipients]
        report = report_on(message, message_id, outcomes)
        content = Content(octets, smtputf8=smtputf8, eightbit=not octets.isascii())
        self.outbox.append(Captured(message, envelope, content, report))

    def __repr__(self) -> str:
        state = f"on {self.host}:{self.port}" if self._listeners else "stopped"
        return f"<SMTPServer {state}, {len(self.outbox)} captured>"
