"""An SMTP session that sends nothing and prints each of its steps."""

from __future__ import annotations

import time
import typing as t

import click

from ..address import Address
from ..errors import ConfigurationError
from ..errors import MessageError
from ..net.deadline import Deadline
from ..phase import Phase
from ..report import ConnectError
from ..report import DeferredError
from ..smtp.endpoint import Endpoint
from ..smtp.opening import Opening
from ..smtp.session import Session
from ..smtp.stream import StreamError
from .table import print_error
from .table import print_row

if t.TYPE_CHECKING:
    import ssl

    from ..handlers.base import EmailHandler
    from ..handlers.smtp import SMTPEmailHandler
    from ..smtp.reply import Reply

_NAMES = {
    Phase.CONNECT: "connect",
    Phase.GREETING: "greeting",
    Phase.EHLO: "extensions",
    Phase.TLS: "TLS",
    Phase.AUTH: "login",
    Phase.MAIL: "sender",
    Phase.RCPT: "recipient",
}
_WIDTHS = (max(map(len, _NAMES.values())), len("10000 ms"))
# Days. Certificates are usually renewed before this.
_SOON = 21
_DAY = 86400


class Trial:
    """Opens a session as a send would, asks whether the server would accept a message, and prints
    each step with its time.

    :param handler: The handler whose server to try.
    :param not_set: The text to add if the connection fails and no key says where mail goes.
    """

    def __init__(self, handler: SMTPEmailHandler, not_set: str = "") -> None:
        self.handler = handler
        self.server: Endpoint = handler.server
        self.not_set = not_set
        self._phase: Phase | None = None
        self._began = 0.0
        self.opening: Opening = Opening(
            self.server,
            Deadline(self.server.timeout).within(self.server.connect_timeout),
            self._begin,
        )

    def run(self, recipient: Address | None) -> int:
        """Run all steps.

        :param recipient: The recipient to ask about; None means a default recipient or the
            sender.
        :return: The exit code.
        """
        try:
            self.opening.run()
        except (DeferredError, ConfigurationError) as error:
            return self._fail(str(error) + self._hint(error))
        self._end()
        session = Session(self.server, self.opening)
        try:
            return self._probe(session, recipient)
        except StreamError as error:
            return self._fail(f"{self.server}: {error}.")
        finally:
            session.close()

    # Steps

    def _begin(self, phase: Phase) -> None:
        self._end()
        self._phase = phase
        self._began = time.monotonic()

    def _end(self) -> None:
        if self._phase is not None:
            first, *more = _FOUND[self._phase](self.opening)
            self._print(self._phase, first, *more)
        self._phase = None

    def _print(self, phase: Phase, first: str, *more: str) -> None:
        elapsed = f"{(time.monotonic() - self._began) * 1000:.0f} ms".rjust(_WIDTHS[1])
        print_row((_NAMES[phase], elapsed, first), _WIDTHS)
        for line in more:
            print_row(("", "", line), _WIDTHS)

    def _fail(self, why: str) -> int:
        if self._phase is not None:
            self._print(self._phase, "failed")
        click.echo()
        print_error(why if why.endswith(".") else f"{why}.")
        return 1

    def _hint(self, error: Exception) -> str:
        return self.not_set if isinstance(error, ConnectError) else ""

    # MAIL, RCPT, RSET

    def _probe(self, session: Session, wanted: Address | None) -> int:
        sender = self._sender() or wanted
        recipient = wanted or next(iter([*self._defaults(), *filter(None, [sender])]), None)
        if sender is None or recipient is None:
            return self._not_asked("give --to, or set MAIL_DEFAULT_FROM")
        if not (sender + recipient).isascii():
            if "SMTPUTF8" in session.offer:
                return self._not_asked("it offers SMTPUTF8, which these addresses need")
            return self._fail(
                f"{self.server} does not offer SMTPUTF8, which {sender} or {recipient} needs."
            )
        self._begin(Phase.MAIL)
        mail, rcpt = session.probe(sender, recipient, self.server.timeout)
        self._print(Phase.MAIL, f"{sender}: {mail}")
        if rcpt is not None:
            self._began = time.monotonic()
            print_row((_NAMES[Phase.RCPT], "", f"{recipient}: {rcpt}"), _WIDTHS)
        self._phase = None
        if mail.code // 10 != 25:
            why = f"{self.server} does not accept mail from {sender}."
            return self._fail(f"{why}{self._mail_hint(mail)}")
        if rcpt is not None and rcpt.code // 10 != 25:
            why = f"{self.server} does not accept mail to {recipient}."
            return self._fail(f"{why}{self._rcpt_hint(rcpt)}")
        return self._conclude(f"would accept mail from {sender} to {recipient}")

    def _sender(self) -> Address | None:
        handler: EmailHandler = self.handler  # mypy loses a field's type in a derived class
        if handler.default_from is not None:
            return handler.default_from
        try:
            return Address(self.server.username or "")
        except MessageError:
            return None

    def _defaults(self) -> tuple[Address, ...]:
        handler: EmailHandler = self.handler
        return handler.redirect_to or (
            *handler.default_to,
            *handler.default_cc,
            *handler.default_bcc,
        )

    def _mail_hint(self, reply: Reply) -> str:
        if reply.code == 530 and self.server.username is None:
            return " It requires a login: set MAIL_USERNAME and MAIL_PASSWORD."
        if reply.code // 100 == 4:
            return " Try again later."
        if self.server.username is not None:
            return " Set MAIL_DEFAULT_FROM to an address that this login may send from."
        return " Set MAIL_DEFAULT_FROM to an address of yours. The server may also require a login."

    def _rcpt_hint(self, reply: Reply) -> str:
        if reply.code // 100 == 4:
            return " Try again later: some servers first defer mail from an unknown client."
        if self.server.username is None and ("relay" in reply.text.lower() or reply.code == 530):
            return " It relays only after a login: set MAIL_USERNAME and MAIL_PASSWORD."
        return " Try another recipient with --to."

    def _not_asked(self, why: str) -> int:
        return self._conclude(
            f"replies as expected. It was not asked whether it would accept a message: {why}"
        )

    def _conclude(self, what: str) -> int:
        click.echo()
        if self.server.security == "none" and not self.server.loopback:
            click.echo("Warning: the connection is not encrypted: see MAIL_SECURITY.")
        click.echo(f"{self.server} {what}.\nNothing was sent.")
        return 0


# The result of each step


def _connected(opening: Opening) -> list[str]:
    server, address = opening.server, opening.stream.peer_address
    at = "" if server.host == address else f" at {address}"
    return [f"{server.host}{at}, port {server.port}"]


def _greeting(opening: Opening) -> list[str]:
    return [str(opening.greeting)]


def _extensions(opening: Opening) -> list[str]:
    offered = [f"{name} {value}".strip() for name, value in opening.extensions.items()]
    return [", ".join(offered) or "none"]


def _encryption(opening: Opening) -> list[str]:
    tls = opening.stream.tls
    assert tls is not None
    cipher = tls.cipher()
    return [f"{tls.version()}, {cipher[0] if cipher else 'no cipher'}", *_certificate(tls)]


def _certificate(tls: ssl.SSLSocket) -> list[str]:
    found = tls.getpeercert()
    if not found:  # the user's own context may check no certificate
        return ["Warning: the certificate is not verified: see MAIL_TLS_CONTEXT."]
    import ssl

    left = (ssl.cert_time_to_seconds(str(found["notAfter"])) - time.time()) / _DAY
    names = [str(value) for kind, value in _pairs(found.get("subjectAltName"))]
    lines = [
        f"certificate of {_name(found.get('subject'), 'commonName') or ', '.join(names[:3])}",
        f"by {_name(found.get('issuer'), 'organizationName', 'commonName')}, {left:.0f} days left",
    ]
    return lines if left > _SOON else [*lines, "Warning: it expires soon: renew it on the server."]


def _pairs(found: t.Any) -> t.Iterator[tuple[str, str]]:
    yield from found or ()


def _name(found: t.Any, *attributes: str) -> str:
    """Return those of these attributes that a distinguished name has."""
    names = dict(pair for group in found or () for pair in group)
    return " ".join(str(names[attribute]) for attribute in attributes if attribute in names)


def _login(opening: Opening) -> list[str]:
    return [f"{opening.mechanism}, as {opening.server.username}"]


_FOUND: dict[Phase, t.Callable[[Opening], list[str]]] = {
    Phase.CONNECT: _connected,
    Phase.GREETING: _greeting,
    Phase.EHLO: _extensions,
    Phase.TLS: _encryption,
    Phase.AUTH: _login,
}
