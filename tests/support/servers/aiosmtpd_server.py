"""aiosmtpd, an independent server, in a thread."""

from __future__ import annotations

import asyncio
import threading
import typing as t
from dataclasses import dataclass

from aiosmtpd.smtp import AuthResult
from aiosmtpd.smtp import LoginPassword
from aiosmtpd.smtp import SMTP

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from aiosmtpd.smtp import Envelope
    from aiosmtpd.smtp import Session


class Received(t.NamedTuple):
    """A message that aiosmtpd received. *content* is without dot-stuffing."""

    sender: str
    recipients: list[str]
    content: bytes


@dataclass
class _Keeper:
    """The hooks of aiosmtpd, which check logins and store messages."""

    users: Mapping[str, str]
    messages: list[Received]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        # aiosmtpd's own auth_required knows only STARTTLS, and warns about everything else.
        if self.users and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        recipients = [str(recipient) for recipient in envelope.rcpt_tos]
        self.messages.append(Received(str(envelope.mail_from), recipients, content))
        return "250 2.0.0 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        expected = self.users.get(data.login.decode())
        success = expected is not None and expected.encode() == data.password
        return AuthResult(success=success, handled=False)


class AiosmtpdServer:
    """Listens on 127.0.0.1 from :meth:`start` to :meth:`stop`.

    :param tls: encrypt from the first octet.
    :param starttls: offer STARTTLS, and refuse MAIL and AUTH without it.
    :param users: name to password, for PLAIN and LOGIN; MAIL is refused without login.
    :param size: the limit that is offered, in octets.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        users: Mapping[str, str] | None = None,
        size: int = 33_554_432,
    ) -> None:
        self.port = 0
        self.messages: list[Received] = []
        self._tls = tls
        self._keeper = _Keeper(users or {}, self.messages)
        self._options: dict[str, t.Any] = {
            # Otherwise aiosmtpd looks the name up in the DNS.
            "hostname": "aiosmtpd.example",
            "enable_SMTPUTF8": True,
            "data_size_limit": size,
            "tls_context": starttls,
            "require_starttls": starttls is not None,
            # aiosmtpd does not count TLS from the first octet as TLS here.
            "auth_require_tls": starttls is not None or not users,
            "authenticator": self._keeper.authenticate,
        }
        self._protocols: list[SMTP] = []
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    def __repr__(self) -> str:
        state = "listening" if self._thread else "stopped"
        return f"<AiosmtpdServer {self.host}:{self.port} {state}, {len(self.messages)} messages>"

    def __enter__(self) -> t.Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> t.Self:
        """Listen. When it returns, clients can connect."""
        ready = threading.Event()
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._serve(ready),), name="aiosmtpd"
        )
        self._thread.start()
        if not ready.wait(60):
            raise RuntimeError("aiosmtpd did not start.")
        return self

    def stop(self) -> None:
        """Close all connections and wait for the thread."""
        if self._thread is None or self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = None

    async def _serve(self, ready: threading.Event) -> None:
        """aiosmtpd's Controller would leave open transports to the garbage collector."""
        self._loop = asyncio.get_running_loop()
        server = await self._loop.create_server(self._protocol, self.host, 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for protocol in self._protocols:
            if isinstance(protocol.transport, asyncio.WriteTransport):
                protocol.transport.abort()
        handling = asyncio.all_tasks() - {asyncio.current_task()}
        for task in handling:
            # asyncio does not tell aiosmtpd of an end in the middle of a TLS handshake.
            task.cancel()
        await asyncio.gather(*handling, return_exceptions=True)
        await server.wait_closed()

    def _protocol(self) -> SMTP:
        protocol = SMTP(self._keeper, **self._options)
        self._protocols.append(protocol)
        return protocol
