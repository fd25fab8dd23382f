"""One IMAP session (RFC 3501): find unseen messages, read their heads, mark them as seen.

Its errors say what is wrong with the server or with the setting, and what to do.
"""

from __future__ import annotations

import contextlib
import functools
import imaplib
import re
import ssl
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

from ..errors import ConfigurationError
from ..errors import MailError
from ..events.parts import MAX_OCTETS
from ..handlers.bounce_imap import IMAPMailbox
from ..handlers.tls_context import TLSContext
from ..net.masking import Echoes
from ..net.quoting import escape
from ..secret import Secret
from .imap_client import encoded
from .imap_client import IMAPClient
from .imap_client import quoted
from .imap_client import responses

# How many messages one SEARCH covers, so that its answer fits into a line.
_WINDOW = 10_000
_UID = re.compile(rb"\bUID (\d{1,10})\b", re.I)
_BODY = re.compile(rb'\bBODY\[\](?:<\d+>)? (?:\{\d+\}|""|NIL)', re.I)
_SEEN = re.compile(rb"\bFLAGS \([^()]*\\Seen\b", re.I)
_SHOWN = 300
T = t.TypeVar("T")


class Refused(MailError):
    """The server refused a command about one message. The session goes on."""


class IMAPSession:
    """A session in which the mailbox is selected, while its ``with`` block is open.

    :param token: An OAuth access token, instead of the password.
    :raises MailError: if the server cannot be used. Its text says why, and what to do.
    """

    def __init__(self, mailbox: IMAPMailbox, token: Secret | None) -> None:
        self._mailbox = mailbox
        self._token = token
        self._echoes = Echoes(secret for secret in (mailbox.password, token) if secret)
        self._client: IMAPClient
        self._messages: int = 0

    def __enter__(self) -> t.Self:
        self._client = self._try(lambda: IMAPClient(self._mailbox, self._context))
        try:
            self._encrypt()
            self._log_in()
            self._select()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        # Every message is handled. It does not matter whether the server says goodbye.
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            self._client.begin()
            self._client.logout()
        with contextlib.suppress(OSError):
            self._client.shutdown()  # which logout() leaves out if it fails

    def unseen(self) -> Iterator[bytes]:
        """Yield the UID of each message that is not marked as seen, the oldest first."""
        for first in range(1, self._messages + 1, _WINDOW):
            last = min(first + _WINDOW - 1, self._messages)
            found = self._ask("SEARCH", f"{first}:{last}", "UNSEEN", "UNDELETED")
            for line in found:
                numbers = line.split() if isinstance(line, bytes) else []
                yield from (one for one in numbers[:_WINDOW] if one.isdigit())

    def head(self, uid: bytes) -> bytes | None:
        """Return the first MiB of a message. It is not marked as seen.

        :return: None if the message is gone, or was marked as seen meanwhile.
        """
        wanted = f"(UID FLAGS BODY.PEEK[]<0.{MAX_OCTETS}>)"
        for text, literals in responses(self._ask("FETCH", uid.decode(), wanted)):
            # A server may also tell of the flags of other messages.
            named = _UID.search(text)
            if not (named and int(named[1]) == int(uid)):
                continue
            if _SEEN.search(text):
                return None
            if _BODY.search(text):
                return literals[0] if literals else b""
        return None

    def mark(self, uid: bytes) -> None:
        """Mark a message as seen."""
        self._ask("STORE", uid.decode(), "+FLAGS.SILENT", r"(\Seen)")

    def _ask(self, command: str, *arguments: str) -> list[t.Any]:
        self._client.begin()
        kind, data = self._try(lambda: self._client.uid(command, *arguments))
        if kind != "OK":
            raise Refused(f"{self._mailbox}: it refused UID {command}: {self._said(data)}.")
        return data

    @functools.cached_property
    def _context(self) -> ssl.SSLContext:
        ca_file = self._mailbox.tls_ca_file
        try:
            return TLSContext(None, ca_file, None, None)()
        except ConfigurationError as error:
            raise ConfigurationError(
                f"{self._mailbox.setting}: tls_ca_file {ca_file!r} cannot be used:"
                f" {error.__cause__}."
            ) from error

    def _encrypt(self) -> None:
        if self._mailbox.security != "starttls":
            return
        if "STARTTLS" not in self._client.capabilities:
            raise self._failure("it does not offer STARTTLS. Write imaps:// if it has port 993.")
        self._client.begin()
        self._try(lambda: self._client.starttls(self._context))

    def _log_in(self) -> None:
        self._client.begin()
        user, password = self._mailbox.username, self._mailbox.password
        offered = {*self._client.capabilities}
        login: Callable[[], object]
        if (token := self._token) is not None:
            if "AUTH=XOAUTH2" not in offered:
                raise self._failure(
                    "it does not offer AUTH=XOAUTH2, and the URL has no password. Add the password."
                )
            answer = _once(lambda: b"user=%s\1auth=Bearer %s\1\1" % (user.encode(), token.octets()))
            login = functools.partial(self._client.authenticate, "XOAUTH2", answer)
        elif password is None:
            raise self._failure("there is neither a password nor a token.")
        elif "AUTH=PLAIN" in offered:
            answer = _once(lambda: b"\0%s\0%s" % (user.encode(), password.octets()))
            login = functools.partial(self._client.authenticate, "PLAIN", answer)
        elif "LOGINDISABLED" in offered or not (user + password.reveal()).isascii():
            raise self._failure("it offers no login that can be used here.")
        else:
            login = functools.partial(self._log_in_plainly, user, password)
        self._try(login, f"it did not accept the login of {user!r}: ", self._login_hint)

    def _log_in_plainly(self, user: str, password: Secret) -> None:
        self._client.login(quoted(user), password.reveal())

    @property
    def _login_hint(self) -> str:
        if self._token is not None:
            return " Is the token valid, and granted for IMAP?"
        return (
            f" Check the user name and the password in {self._mailbox.setting}. Does the provider"
            " want a password for apps, or OAuth?"
        )

    def _select(self) -> None:
        self._client.begin()
        name = quoted(encoded(self._mailbox.name))
        try:
            kind, data = self._try(lambda: self._client.select(name))
        except imaplib.IMAP4.readonly:
            kind, data = "READ-ONLY", []
        flags = str(self._client.untagged_responses.get("PERMANENTFLAGS", "")).lower()
        if kind == "READ-ONLY" or (flags and "\\seen" not in flags):
            raise self._failure(
                "messages cannot be marked as seen there, so each run would read them again. Give"
                f" {self._mailbox.username!r} write permission."
            )
        count = data[0] if kind == "OK" and data else None
        if kind != "OK" or not (isinstance(count, bytes) and re.fullmatch(rb"\d{1,7}", count)):
            raise self._failure(
                f"the mailbox {self._mailbox.name!r} cannot be opened: {self._said(data)}. Check"
                f" its name in {self._mailbox.setting}."
            )
        self._messages = int(count)

    def _try(self, ask: Callable[[], T], before: str = "", hint: str = "") -> T:
        """Call a function, and turn its errors into one that says what to do."""
        try:
            return ask()
        except imaplib.IMAP4.readonly:
            raise
        except ssl.SSLCertVerificationError as error:
            raise self._failure(
                f"its certificate is not valid: {error.verify_message}. If a private authority has"
                f" signed it, add ?tls_ca_file=/path/to/ca.pem to the URL in"
                f" {self._mailbox.setting}."
            ) from error
        except TimeoutError as error:
            raise self._failure(
                f"it did not answer within {self._mailbox.timeout:g} seconds."
            ) from error
        except ssl.SSLError as error:
            raise self._failure(
                f"TLS failed: {error.reason or error}. For a server with STARTTLS, write imap://."
            ) from error
        except OSError as error:
            raise self._failure(
                f"the connection failed: {error.strerror or error}. Check the host and the port in"
                f" {self._mailbox.setting}."
            ) from error
        except imaplib.IMAP4.error as error:
            raise self._failure(f"{before}{self._said([*error.args])}.{hint}") from None
        except (ValueError, IndexError, KeyError, AttributeError, RecursionError) as error:
            # The library fails in these ways if an answer is not what it expects.
            raise self._failure(f"its answer is not IMAP ({type(error).__name__}).") from error

    def _said(self, data: t.Sequence[object]) -> str:
        octets = b" ".join(
            item if isinstance(item, bytes) else str(item).encode() for item in data if item
        )
        (shown,) = self._echoes.hide([escape(octets[: 4 * _SHOWN])])
        return shown[:_SHOWN].rstrip(".") or "no reason given"

    def _failure(self, text: str) -> MailError:
        return MailError(f"{self._mailbox}: {text}")


def _once(answer: Callable[[], bytes]) -> Callable[[bytes], bytes]:
    """Return a function that answers the first challenge, and each other one with an empty line: a
    server sends an error as a challenge."""
    answers = iter([answer])
    return lambda challenge: next(answers, bytes)()
