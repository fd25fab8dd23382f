"""A real SMTP server in a thread: it keeps what it is sent, and plays the script of its outbox."""

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
    """A server on a loopback port, from :meth:`start` to :meth:`stop` or as long as its ``with``
    block is open. It offers STARTTLS, and logins.

    What it was sent is in :attr:`outbox`, and ``outbox.fail()`` lets it fail.
    Which account has sent it is not known here.

    :param outbox: Where messages are kept.
    :param users: Names and passwords (or tokens): then a login is required, and must be right. If
        it is left out none is required, and any is right.
    """

    host: str = "127.0.0.1"
    """Where it listens."""

    def __init__(
        self, *, outbox: Outbox | None = None, users: Mapping[str, str] | None = None
    ) -> None:
        self.outbox: Outbox = Outbox() if outbox is None else outbox
        """What it was sent."""
        self.port: int = 0
        """Where it speaks plain text, and TLS after STARTTLS."""
        self.tls_port: int = 0
        """Where it speaks TLS from the first octet."""
        self.commands: list[str] = []
        """Every line that clients have said but the content and what they log in with, over all
        connections."""
        self._users = users
        self._listeners: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._connections: list[Connection] = []
        self._certificates: Certificates | None = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """For ``MAIL_URL``."""
        return f"smtp://{self.host}:{self.port}?security=none"

    @property
    def certificates(self) -> Certificates:
        """Its certificate and the authority of it, made when they are first asked for. It needs
        the extra ``testing``."""
        with self._lock:
            if self._certificates is None:
                from .certificates import Certificates

                self._certificates = Certificates()
            return self._certificates

    def reply(self, step: Step, reply: str | None, *, times: int | None = None) -> Scripted:
        """Let it say something of its own, until the test ends, or, as a context manager, to the
        end of its block.

        :param step: ``greeting``, ``EHLO``, ``STARTTLS``, ``AUTH``, ``MAIL``, ``RCPT``, ``DATA``,
            ``end of data``; or ``connect``, where it can only hang up.
        :param reply: A reply, such as ``"451 4.3.0 Try again later"``; lines are separated by a
            line feed. None hangs up.
        :param times: How many messages, or connections, it is for; any number if it is left out.
        :raises ValueError: for what is no reply.
        """
        return self.outbox.script.add(step, reply, None, times)

    def start(self) -> t.Self:
        """Listen. Returns when a client can connect."""
        self.port = self._listen(encrypted=False)
        self.tls_port = self._listen(encrypted=True)
        return self

    def stop(self) -> None:
        """Close every connection, and wait for every thread. :meth:`start` may follow."""
        for listener in self._listeners:
            # Wakes the accept() of the other thread; close() alone would not.
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
            except OSError:  # it is being stopped
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, sock, encrypted)
            with self._lock:
                self._connections = [c for c in self._connections if c.thread.is_alive()]
                self._connections.append(connection)
                connection.thread.start()

    # For the connections

    @property
    def wants_login(self) -> bool:
        return self._users is not None

    def knows(self, credentials: Credentials) -> bool:
        """Whether a login is right."""
        return self._users is None or self._users.get(credentials.user) == credentials.proof

    def keep(self, envelope: Envelope, octets: bytes, smtputf8: bool) -> None:
        """Capture what was sent."""
        message = parsed(octets)
        message_id = str(message.get("Message-ID") or "").strip()
        outcomes = [Outcome(one, State.ACCEPTED, code=250) for one in envelope.recipients]
        report = report_on(message, message_id, outcomes)
        content = Content(octets, smtputf8=smtputf8, eightbit=not octets.isascii())
        self.outbox.append(Captured(message, envelope, content, report))

    def __repr__(self) -> str:
        state = f"on {self.host}:{self.port}" if self._listeners else "stopped"
        return f"<SMTPServer {state}, {len(self.outbox)} captured>"
