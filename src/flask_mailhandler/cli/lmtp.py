"""``flask mail bounce --lmtp``: a server to which a mail server delivers notifications (RFC 2033).

::

    mail server ── _Protocol ── LMTPServer.answer ── tell     in a thread, one message at a time
                     a reply to each recipient ◀───── 250 or 451
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import os
import re
import signal
import socket
import stat
import typing as t

import click

from ..app.current import registration
from ..app.framework import framework_of
from ..errors import ConfigurationError
from ..events.parts import MAX_OCTETS
from ..handlers.console import visible
from ..net.hosts import is_loopback
from ..net.hosts import with_port
from .aiosmtpd_use import harmless_log
from .aiosmtpd_use import importing_aiosmtpd
from .bounce import tell

with importing_aiosmtpd("--lmtp"):
    from aiosmtpd.lmtp import LMTP

if t.TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope as Transaction
    from aiosmtpd.smtp import Session
    from flask.sansio.app import App

MAX_SIZE = 1 << 28
"""A notification may return the whole message. Only its head is kept in memory."""
_MAX_RECIPIENTS = 100
_MAX_CONNECTIONS = 20
_LINE = 1 << 16
_WITHOUT_CODE = re.compile(r"([245])\d\d (?![245]\.\d)")
_STOPPING = "451 4.3.2 The server is stopping: try again later"


def serve_lmtp(place: str, *, dangerously_listen_on_network: bool) -> None:
    """Tell the current app of each notification that is delivered, until SIGINT or SIGTERM.

    :param place: ``HOST:PORT``, or the path of a Unix socket.
    :raises ConfigurationError: if it is not possible to listen there.
    """
    host, port, path = _parsed(place)
    if not (path or is_loopback(host) or dangerously_listen_on_network):
        raise ConfigurationError(
            f"{host} is not a loopback address: other machines could write bounces. To allow this,"
            " add --dangerously-listen-on-network."
        )
    asyncio.run(LMTPServer(registration().app, host, port, path).serve())
    click.echo("Stopped.")


def _parsed(place: str) -> tuple[str, int, str]:
    """Return the host and the port, or the path."""
    if "/" in place:
        return "", 0, place.removeprefix("unix:")
    host, colon, port = place.rpartition(":")
    if not (colon and host and re.fullmatch("[0-9]{1,5}", port) and int(port) < 1 << 16):
        raise ConfigurationError(
            f"--lmtp must be like 127.0.0.1:2400, or the path of a socket like"
            f" /run/shop/bounces.sock, not {place!r}."
        )
    return host.removeprefix("[").removesuffix("]"), int(port), ""


class LMTPServer:
    """Listens while :meth:`serve` runs.

    :param path: The path of a Unix socket, instead of host and port; or "".
    """

    def __init__(self, app: App, host: str, port: int, path: str) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._path = path
        self.stopping: bool = False
        self._protocols: list[_Protocol] = []
        # Code of the app may block. One message after another, as from a pipe.
        self._telling = concurrent.futures.ThreadPoolExecutor(1, "lmtp-telling")

    async def serve(self) -> None:
        """Listen until a signal. A message that the app is being told of gets its reply.

        :raises ConfigurationError: if it is not possible to listen there.
        """
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        with harmless_log(), self._telling:
            server = await self._listen(loop)
            click.echo(f"Waiting for bounces on {self._where(server)}. Press Ctrl-C to stop.")
            await stop.wait()
            self.stopping = True
            server.close()
            await self._hang_up()
        if self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> asyncio.Server:
        try:
            if not self._path:
                return await loop.create_server(self._connection, self._host, self._port)
            _check_path(self._path)
            server = await loop.create_unix_server(self._connection, self._path)
            # Like a port of this machine: the mail server runs as another user.
            os.chmod(self._path, 0o666)
            return server
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            hint = " Is another program listening there? Choose another place." if in_use else ""
            raise ConfigurationError(
                f"Cannot listen on {self._path or with_port(self._host, self._port)}:"
                f" {os.strerror(error.errno) if error.errno else error}.{hint}"
            ) from error

    def _where(self, server: asyncio.Server) -> str:
        if self._path:
            return self._path
        host, port = server.sockets[0].getsockname()[:2]
        return with_port(host, port)

    def _connection(self) -> LMTP:
        self._protocols = [known for known in self._protocols if known.transport is not None]
        protocol = _Protocol(self)
        self._protocols.append(protocol)
        return protocol

    @property
    def is_crowded(self) -> bool:
        """Whether there are more connections than are served at the same time."""
        return sum(known.transport is not None for known in self._protocols) > _MAX_CONNECTIONS

    async def _hang_up(self) -> None:
        for protocol in self._protocols:
            if not protocol.in_hand and isinstance(protocol.transport, asyncio.WriteTransport):
                protocol.transport.abort()
        conversations = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*conversations, return_exceptions=True)

    async def answer(self, octets: bytes, recipients: str) -> str:
        """Tell the app of a message, and return the reply."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._telling, self._answer, octets, recipients)

    def _answer(self, octets: bytes, recipients: str) -> str:
        if self.stopping:
            return _STOPPING
        try:
            with framework_of(self._app).app_context(self._app):
                events = tell(octets, recipients)
        except Exception as error:
            click.echo(visible(f"Error: {type(error).__name__}: {error}"), err=True)
            return "451 4.3.0 The app could not be told: try again later"
        return "250 2.0.0 The app was told" if events else "250 2.0.0 Not a notification"


def _check_path(path: str) -> None:
    """Check that asyncio may make its socket there: it would replace one on which another process
    listens.

    :raises ConfigurationError: for something there that is not a socket.
    :raises OSError: if the socket is in use.
    """
    with contextlib.suppress(FileNotFoundError, PermissionError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise ConfigurationError(
                f"{path} is not a socket: name a path at which there is nothing yet."
            )
    with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(FileNotFoundError):
        if sock.connect_ex(path) == 0:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


class _Protocol(LMTP):
    # The limit of a piece: a longer line is read in several.
    line_length_limit = _LINE

    def __init__(self, server: LMTPServer) -> None:
        super().__init__(
            _Hooks(server),
            hostname="localhost",  # else aiosmtpd asks the DNS
            ident="Flask-MailHandler reads bounces",
            data_size_limit=MAX_SIZE,
            enable_SMTPUTF8=True,
        )
        self._server = server
        self._with_codes = False
        self.in_hand: bool = False
        """Whether the app is being told of a message, or the reply is being sent."""

    async def smtp_LHLO(self, arg: str) -> None:
        self._with_codes = False  # https://www.rfc-editor.org/rfc/rfc2034#section-4
        await super().smtp_LHLO(arg)
        self._with_codes = True

    async def push(self, status: t.Any) -> None:
        if self._with_codes and (plain := _WITHOUT_CODE.match(status)):
            status = f"{status[:3]} {plain[1]}.0.0{status[3:]}"
        await super().push(status)

    # aiosmtpd keeps the whole content, and has one reply for all recipients.
    async def smtp_DATA(self, arg: str) -> None:
        assert self.envelope is not None
        recipients = [str(address) for address in self.envelope.rcpt_tos]
        if not recipients:
            await self.push("503 5.5.1 There is no recipient")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        head, size = await self._content()
        self.in_hand = True
        try:
            if size > MAX_SIZE:
                reply = f"552 5.3.4 The message is larger than {MAX_SIZE} octets"
            else:
                reply = await self._server.answer(head, "\n".join(recipients))
            t.cast(t.Any, self)._set_post_data_state()
            await self.push("\r\n".join([reply] * len(recipients)))
        finally:
            self.in_hand = False
        if self._server.stopping and isinstance(self.transport, asyncio.WriteTransport):
            self.transport.close()

    async def _content(self) -> tuple[bytes, int]:
        """Read the content. Return its head, and the size of it all."""
        head, size, starts = bytearray(), 0, True
        while True:
            try:
                piece = await self._reader.readuntil(b"\r\n")
            except asyncio.LimitOverrunError as error:
                piece = await self._reader.readexactly(error.consumed)
            if starts and piece == b".\r\n":
                return bytes(head[:MAX_OCTETS]), size
            if starts and piece.startswith(b"."):
                piece = piece[1:]
            starts = piece.endswith(b"\r\n")
            size += len(piece)
            if len(head) < MAX_OCTETS:
                head += piece


class _Hooks:
    """aiosmtpd's hooks."""

    def __init__(self, server: LMTPServer) -> None:
        self._server = server

    async def handle_EHLO(
        self,
        server: LMTP,
        session: Session,
        envelope: Transaction,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        more = ["250-PIPELINING", "250-ENHANCEDSTATUSCODES"]
        return [*responses[:-1], *more, responses[-1]]

    async def handle_MAIL(
        self,
        server: LMTP,
        session: Session,
        envelope: Transaction,
        address: str,
        options: list[str],
    ) -> str:
        if self._server.is_crowded:
            return "451 4.3.2 Too many connections: try again later"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self,
        server: LMTP,
        session: Session,
        envelope: Transaction,
        address: str,
        options: list[str],
    ) -> str:
        if len(envelope.rcpt_tos) >= _MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"
