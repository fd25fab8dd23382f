"""Errors that are both ours and smtplib's: old code catches the one, new code the other."""

from __future__ import annotations

import re
import smtplib

from ..errors import MessageError
from ..phase import About
from ..phase import Outcome
from ..phase import Phase
from ..phase import State
from ..report import ConnectError
from ..report import DeferredError
from ..report import DeliveryError
from ..report import LoginError
from ..report import RefusedError
from ..report import TLSError
from ..report import UnknownOutcomeError


class BadHeaderError(MessageError):
    """The subject, the sender, the Reply-To or a recipient has a line break."""


class MissingAddressError(MessageError, AssertionError):
    """The message has no recipient, or no sender. Flask-Mail has an ``assert`` for it."""


class _Both(DeliveryError):
    # smtplib's constructors take other arguments, and an exception is pickled with these.
    def __init__(self, text: str, *, phase: Phase | None = None, temporary: bool = True) -> None:
        Exception.__init__(self, text)
        self.phase = phase
        self.temporary = temporary


class SMTPRecipientsRefused(_Both, RefusedError, smtplib.SMTPRecipientsRefused):
    """The server refused every recipient (5yz). ``recipients`` has the replies."""


class SMTPRecipientsDeferred(_Both, DeferredError, smtplib.SMTPRecipientsRefused):
    """The server refused every recipient for now (4yz). ``recipients`` has the replies."""


class SMTPSenderRefused(_Both, RefusedError, smtplib.SMTPSenderRefused):
    """The server refused the sender (5yz)."""


class SMTPSenderDeferred(_Both, DeferredError, smtplib.SMTPSenderRefused):
    """The server refused the sender for now (4yz)."""


class SMTPDataError(_Both, RefusedError, smtplib.SMTPDataError):
    """The server refused the content (5yz)."""


class SMTPDataDeferred(_Both, DeferredError, smtplib.SMTPDataError):
    """The server refused the content for now (4yz)."""


class SMTPConnectError(_Both, ConnectError, smtplib.SMTPConnectError):
    """The connection, the greeting or EHLO failed."""


class SMTPTLSError(_Both, TLSError, smtplib.SMTPConnectError):
    """The connection could not be encrypted, or the certificate could not be verified."""


class SMTPAuthenticationError(_Both, LoginError, smtplib.SMTPAuthenticationError):
    """The server refused the login, or requires one."""


class SMTPServerDisconnected(_Both, DeferredError, smtplib.SMTPServerDisconnected):
    """The connection ended, or the time was over, before the server had the whole message."""


class SMTPOutcomeUnknown(_Both, UnknownOutcomeError, smtplib.SMTPServerDisconnected):
    """The connection ended after the whole message was sent: the server may have accepted it."""


# Of a reply to a message, by what it is about: permanent, and for now.
_BY_REPLY: dict[About | None, tuple[type[_Both], type[_Both]]] = {
    About.SENDER: (SMTPSenderRefused, SMTPSenderDeferred),
    About.CONTENT: (SMTPDataError, SMTPDataDeferred),
    About.ACCOUNT: (SMTPDataError, SMTPDataDeferred),
}
# The reply to a login or a greeting is not about a recipient, so it is only in the text.
_IN_TEXT = re.compile(r"(?::| with) ([245][0-9]{2}) ")
_TO_RECIPIENTS = (SMTPRecipientsRefused, SMTPRecipientsDeferred)
# Without a reply to this message.
_BY_KIND: dict[type[DeliveryError], type[_Both]] = {
    ConnectError: SMTPConnectError,
    TLSError: SMTPTLSError,
    LoginError: SMTPAuthenticationError,
    UnknownOutcomeError: SMTPOutcomeUnknown,
}


def as_smtplib(error: DeliveryError) -> DeliveryError:
    """Return an error as the one of :mod:`smtplib` that Flask-Mail would have raised, which is also
    one of the same class as *error*."""
    outcomes = () if error.report is None else error.report.outcomes
    first = next((found for found in outcomes if found.state is not State.ACCEPTED), None)
    made = _kind_of(error, first)(str(error))
    made.__dict__.update(error.__dict__)
    code, text = (first.code, first.text) if first is not None else (None, str(error))
    if isinstance(made, smtplib.SMTPRecipientsRefused):
        made.recipients = {str(o.recipient): _reply(o) for o in outcomes}
        return made
    if isinstance(made, SMTPSenderRefused | SMTPSenderDeferred):
        made.sender = str(getattr(error.report and error.report.message, "from_addr", ""))
    if isinstance(made, smtplib.SMTPResponseException):
        if code is None and (reply := _IN_TEXT.search(str(error))):
            code = int(reply[1])
        made.smtp_code, made.smtp_error = code or 0, text.encode()
    return made


def _kind_of(error: DeliveryError, first: Outcome | None) -> type[_Both]:
    for kind, both in _BY_KIND.items():
        if isinstance(error, kind):
            return both
    temporary = isinstance(error, DeferredError)
    if temporary and (first is None or first.code is None):
        return SMTPServerDisconnected
    about = None if first is None else first.about
    return _BY_REPLY.get(about, _TO_RECIPIENTS)[temporary]


def _reply(outcome: Outcome) -> tuple[int, bytes]:
    """Return a reply as smtplib has it. An address that was refused before any connection gets the
    code that a server would give."""
    return outcome.code or (550 if outcome.state is State.REFUSED else 450), outcome.text.encode()
