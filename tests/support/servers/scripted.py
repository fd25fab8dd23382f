"""An SMTP server whose replies can all be declared, and which checks the client at the same time.

::

    with ScriptedServer(extensions=["SIZE 1000000", "PIPELINING"],
                        on={"RCPT": ["250 2.1.5 ok", "550 5.1.1 no such user"],
                            "end of data": DROP}) as server:
        ...  # a client talks to server.host, server.port

    assert server.breaches == []

Steps are ``greeting``, ``handshake`` (before it), ``content`` (before it is read), ``response``
(to an AUTH challenge that was declared), ``end of data``, and the beginning of any command line:
``RCPT``, ``RCPT TO:<bad@example.com>``. The longest matching key is used. A single action
applies every time. Of a list each action applies once, over all connections, and then the default.
"""

from __future__ import annotations

import socket
import threading
import typing as t
from dataclasses import dataclass

from .actions import Script
from .connection import Connection
from .dead_ends import keep_port
from .login import Accounts
from .plan import note_strangers

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from collections.abc import Sequence

    from .actions import Actions
    from .dialogue import Transaction

DEFAULT_EXTENSIONS = ("SIZE 10485760", "8BITMIME", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True)
class Accepted:
    """A message that arrived completely. *content* is without dot-stuffing, with its last CRLF."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    #: The parameters of MAIL by upper-case keyword; ``""`` for one without a value.
    parameters: dict[str, str]
    connection: int


class Closable(t.Protocol):
    """A client."""

    def close(self) -> None: ...


class ScriptedServer:
    """Listens from :meth:`start` to :meth:`stop`, or until the end of the ``with`` block.

    :param extensions: the EHLO lines; STARTTLS and AUTH are added by the arguments below
        (AUTH only inside TLS if there is STARTTLS).
    :param extensions_tls: the same after TLS, if it differs.
    :param on: step to action, or to a list of them (see the module).
    :param tls: encrypt from the first octet.
    :param starttls: offer STARTTLS.
    :param users: name to password, for PLAIN and LOGIN.
    :param tokens: name to token, for OAUTHBEARER and XOAUTH2.
    :param require_tls: MAIL and AUTH over clear text are breaches.
    :param host: ``127.0.0.1``, ``::1``, or ``localhost`` (which listens on 127.0.0.1 alone).
    """

    def __init__(
        self,
        *,
        extensions: Sequence[str] = DEFAULT_EXTENSIONS,
        extensions_tls: Sequence[str] | None = None,
        on: Mapping[str, Actions] | None = None,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        users: Mapping[str, str] | None = None,
        tokens: Mapping[str, str] | None = None,
        require_tls: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        self.host = host
        self.port = 0
        self.tls = tls
        self.starttls = starttls
        self.require_tls = require_tls
        self.accounts = Accounts(users or {}, tokens or {})
        self.script = Script(on or {})
        self._extensions = list(extensions)
        self._extensions_tls = list(extensions if extensions_tls is None else extensions_tls)
        #: Complete messages that got a 2yz reply, in order.
        self.accepted: list[Accepted] = []
        #: Complete messages, whatever the reply was.
        self.received: list[Accepted] = []
        self.commands: list[str] = []
        self.connections: list[Connection] = []
        #: Every breach of the standards by the client. It should be empty.
        self.breaches: list[str] = []
        #: Clients that keep connections open. settle() closes them.
        self.clients: list[Closable] = []
        # Also while it does not listen, so that no other server gets the port.
        self._kept: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._change = threading.Condition()

    def __repr__(self) -> str:
        state = "listening" if self._listener else "stopped"
        return (
            f"<ScriptedServer {self.host}:{self.port} {state},"
            f" {len(self.accepted)} accepted of {len(self.received)} received,"
            f" breaches {self.breaches}, connections {self.connections}>"
        )

    def __enter__(self) -> t.Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.leave()

    def start(self) -> t.Self:
        """Listen. When it returns, clients can connect."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        address = "127.0.0.1" if self.host == "localhost" else self.host
        if self._kept is None:
            self._kept = keep_port(address)
            self.port = self._kept.getsockname()[1]
            note_strangers(self.port)
        self._listener = socket.create_server((address, self.port), family=family, backlog=128)
        self._acceptor = threading.Thread(
            target=self._accept, args=(self._listener,), name=f"scripted-{self.port}"
        )
        self._acceptor.start()
        return self

    def stop(self) -> None:
        """Close everything and wait for every thread. Octets that have arrived are still read.

        Call :meth:`start` to restart it on the same port. Until then the port refuses
        connections. :meth:`leave` releases the port.
        """
        if self._listener is None or self._acceptor is None:
            return
        # This ends accept() in the other thread; close() alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        self._listener = None
        for connection in self.connections:
            connection.stop()
        for connection in self.connections:
            connection.thread.join(60)
            if connection.thread.is_alive():
                raise RuntimeError(f"{connection!r} does not end.")

    def leave(self) -> None:
        """Stop, and release the port."""
        self.stop()
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def settle(self, timeout: float = 60.0) -> None:
        """Close the clients' connections, and wait until every connection is closed, so that the
        last QUIT has been read.

        :raises TimeoutError: if one is still open after *timeout* seconds.
        """
        for client in self.clients:
            client.close()
        with self._change:
            if not self._change.wait_for(self._is_idle, timeout):
                raise TimeoutError(f"{self!r} still has an open connection.")

    def _is_idle(self) -> bool:
        return all(connection.over for connection in self.connections)

    def offers(self, encrypted: bool) -> list[str]:
        """The extensions for the next reply to EHLO."""
        lines = list(self._extensions_tls if encrypted else self._extensions)
        keywords = {line.split(" ")[0].upper() for line in lines}
        if self.starttls and not encrypted and "STARTTLS" not in keywords:
            lines.append("STARTTLS")
        mechanisms = self.accounts.mechanisms
        if mechanisms and "AUTH" not in keywords and (encrypted or not self.starttls):
            lines.append(f"AUTH {' '.join(mechanisms)}")
        return lines

    # For the connections

    def ended(self) -> None:
        with self._change:
            self._change.notify_all()

    def received_whole(self, opened: Transaction, content: bytes, connection: int) -> Accepted:
        record = Accepted(
            opened.sender, tuple(opened.recipients), content, dict(opened.parameters), connection
        )
        self.received.append(record)
        return record

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            connection = Connection(self, sock, len(self.connections))
            self.connections.append(connection)
            connection.thread.start()
