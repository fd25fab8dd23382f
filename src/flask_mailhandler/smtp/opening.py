"""From nothing to a session that may send: connect, greeting, EHLO, TLS, EHLO, login.

Every failure here is an error of its own kind, because the message is not at fault::

    connect ── greeting ── ehlo ──┬────────────────┬── auth ── ready
       │          │         │     └─ tls ── ehlo ──┘    │
       └── ConnectError ────┘        TLSError       LoginError
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ..net.deadline import Deadline
from ..net.masking import Echoes
from ..net.tcp import create_connection
from ..phase import Phase
from ..report import ConnectError
from ..report import DeferredError
from ..report import LoginError
from ..report import TLSError
from ..secret import Secret
from . import auth
from .connection_hints import connect_hint
from .connection_hints import tls_hint
from .endpoint import Endpoint
from .extensions import extensions
from .reply import read_reply
from .reply import Reply
from .stream import LostError
from .stream import Stream
from .stream import StreamError


class Opening:
    """The steps of opening, and the result of each. :meth:`run` takes them all; ``flask mail
    check`` shows them.

    :param server: Where to connect, and how.
    :param deadline: For all steps together.
    :param step: Called with each phase before it begins.
    :param token: The token to log in with, instead of the configured one.
    """

    def __init__(
        self,
        server: Endpoint,
        deadline: Deadline,
        step: Callable[[Phase], None],
        *,
        token: Secret | None = None,
    ) -> None:
        self.server = server
        self.deadline = deadline
        self.step = step
        self.phase: Phase = Phase.CONNECT
        self.greeting: Reply | None = None
        self.extensions: dict[str, str] = {}
        self.mechanism: str | None = None
        """The login that was accepted."""
        self.fresh_tls: bool = False
        """Whether no reply has been read since the TLS handshake."""
        self.token: Secret | None = token
        self.last: Reply | None = None
        """The last reply that was read. After a refusal, that refusal."""
        self.echoes: Echoes = Echoes()
        """The secrets of the login, which the server may repeat at any time."""
        self.stream: Stream

    def run(self) -> None:
        """Take all steps.

        :raises DeferredError: if one of them fails; the socket is closed then.
        """
        self._connect()
        try:
            if self.server.security == "tls":
                self._start_tls()
            self._greet()
            self._hello()
            if self.server.security == "starttls":
                self._upgrade()
                self._hello()
            if self.server.username is not None or self.server.token is not None:
                self._log_in()
        except StreamError as error:
            self.stream.close()
            if self.echoes:
                # The frames that read lines may hold a secret that the server repeated.
                error.__traceback__ = None
            raise self._broken(error) from error
        except (ConnectError, LoginError):
            # The server refused in good order, and waits for this (RFC 5321 section 3.1).
            with contextlib.suppress(StreamError):
                self.stream.write(b"QUIT\r\n")
            self.stream.close()
            raise
        except BaseException:
            # Whatever ends the opening, the half-open connection is of no use.
            self.stream.close()
            raise

    @property
    def login_refused(self) -> bool:
        """Whether the server has refused the login, so that it would refuse it again."""
        return self.phase is Phase.AUTH and self.last is not None and self.last.code // 100 == 5

    @property
    def crowded(self) -> bool:
        """Whether the server has too many connections already: 421 before there is a session,
        or 432 4.3.2, as Exchange says."""
        last = self.last
        if last is None:
            return False
        return last.code == 421 or (last.code == 432 and last.enhanced_code == "4.3.2")

    def fresh_token(self) -> Secret | None:
        """Return another token, if this one was refused and came from a callable. If the callable
        has a method ``forget``, it is called with the refused one."""
        if self.token is None or not callable(self.server.token) or not self.login_refused:
            return None
        if self.last is None or not auth.refuses_secret(self.last):
            return None
        from ..net.oauth.current import another  # most servers take a password

        return another(self.server.token, self.token, f"No login at {self.server}")

    def _log_in(self) -> None:
        self._enter(Phase.AUTH)
        if self.token is None:
            self.token = auth.read_token(self.server)
        self.mechanism = auth.login(
            self.server, self.extensions, self._ask, self.echoes, self.token
        )

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.step(phase)

    def _ask(self, line: bytes | Secret) -> Reply:
        # A reply that has arrived says more than a failed write: a refusal, or a TLS alert.
        with contextlib.suppress(LostError):
            self.stream.write(
                Secret(line.octets() + b"\r\n") if isinstance(line, Secret) else line + b"\r\n"
            )
        return self._read()

    def _read(self) -> Reply:
        self.last = read_reply(self.stream.read_line, self.echoes)
        self.fresh_tls = False
        return self.last

    def _connect(self) -> None:
        if self.server.security != "none":
            # A file that cannot be used is an error before the connection is opened.
            self.server.tls_context()
        self._enter(Phase.CONNECT)
        try:
            sock = create_connection(
                self.server.host, self.server.port, self.deadline, self.server.source_address
            )
        except OSError as error:
            raise ConnectError(
                f"No connection to {self.server}: {_os_reason(error)}."
                + connect_hint(error, self.server),
                phase=Phase.CONNECT,
            ) from error
        self.stream = Stream(sock, self.deadline)

    def _greet(self) -> None:
        self._enter(Phase.GREETING)
        reply = self._read()
        if reply.code == 220:
            self.greeting = reply
            return
        # https://www.rfc-editor.org/rfc/rfc5321#section-3.1: 554 is "no service here"
        raise ConnectError(
            f"{self.server} greets with {reply}.",
            phase=Phase.GREETING,
            temporary=reply.code // 100 != 5,
        )

    def _hello(self) -> None:
        """Send EHLO, or HELO to a server that does not know EHLO (RFC 5321 sections 3.2 and
        4.1.1.1). Extensions offered before are forgotten (RFC 3207 section 4.2)."""
        self._enter(Phase.EHLO)
        name = (self.server.local_hostname or self._literal()).encode()
        reply = self._ask(b"EHLO " + name)
        self.extensions = extensions(reply.lines) if reply.code == 250 else {}
        if reply.code // 100 == 5:
            reply = self._ask(b"HELO " + name)
        if reply.code != 250:
            raise ConnectError(
                f"{self.server} answers EHLO with {reply}.",
                phase=Phase.EHLO,
                temporary=reply.code // 100 != 5,
            )

    def _literal(self) -> str:
        """Return the address literal of this end (RFC 5321 section 4.1.3). Asking the DNS for a
        name can take seconds, and shows the machine's name to others."""
        address = self.stream.local_address.partition("%")[0]
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def _upgrade(self) -> None:
        """Send STARTTLS (RFC 3207). If TLS is configured and not offered, that is an error:
        nothing is ever sent in plain text instead."""
        self._enter(Phase.TLS)
        if "STARTTLS" not in self.extensions:
            raise TLSError(
                f"{self.server} does not offer STARTTLS. Set MAIL_SECURITY = 'tls' and the TLS"
                " port (465) if it has one. Nothing was sent.",
                phase=Phase.TLS,
                temporary=False,
            )
        reply = self._ask(b"STARTTLS")
        if reply.code != 220:
            raise TLSError(
                f"{self.server} refuses STARTTLS: {reply}. Nothing was sent.",
                phase=Phase.TLS,
                temporary=reply.code // 100 == 4,
            )
        # Section 5: octets after the 220 were put there by an attacker on the way, to be taken for
        # the server's replies after the handshake.
        if self.stream.buffered:
            raise TLSError(
                f"{self.server} sent plain text after its reply to STARTTLS, as an attacker on the"
                " way would. The connection was closed and nothing was sent.",
                phase=Phase.TLS,
            )
        self._start_tls()

    def _start_tls(self) -> None:
        if self.phase is not Phase.TLS:
            self._enter(Phase.TLS)
        context = self.server.tls_context()
        try:
            self.stream.start_tls(context, self.server.certificate_name)
        except OSError as error:
            raise self._tls_error(error) from error
        self.fresh_tls = True

    def _tls_error(self, error: BaseException) -> TLSError:
        return TLSError(
            f"No encrypted connection to {self.server}: {_os_reason(error)}."
            + tls_hint(error, self.server, after_handshake=self.fresh_tls),
            phase=Phase.TLS,
            temporary=not hasattr(error, "verify_message"),
        )

    def _broken(self, error: StreamError) -> DeferredError:
        """Return the error for a stream that broke: it names the step and the likely cause."""
        if self.fresh_tls and isinstance(error, LostError):
            # In TLS 1.3 the server reports a missing or refused client certificate only now.
            return self._tls_error(error.__cause__ or error)
        hint = ""
        if self.phase is Phase.GREETING and self.server.security != "tls":
            hint = (
                " If the port speaks TLS from the first octet, as 465 does, set"
                " MAIL_SECURITY = 'tls'."
            )
        kind = {Phase.TLS: TLSError, Phase.AUTH: LoginError}.get(self.phase, ConnectError)
        return kind(f"{self.server} at {self.phase}: {error}.{hint}", phase=self.phase)


def _os_reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer within the time allowed"
    verify = getattr(error, "verify_message", "")
    if verify:
        return f"its certificate was not accepted: {verify.rstrip('.')}"
    reason = getattr(error, "reason", "") or getattr(error, "strerror", "") or str(error)
    return str(reason).rstrip(".") or type(error).__name__
