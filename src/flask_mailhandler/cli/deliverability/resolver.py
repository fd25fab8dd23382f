"""Asks the DNS. The only file that knows dnspython."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ...errors import ConfigurationError
from ...net.deadline import Deadline
from .answer import Answer
from .answer import State

if t.TYPE_CHECKING:
    import dns.rdata
    import dns.resolver

# Seconds: for one try, for one question, and for all of them.
_TRY, _QUESTION, _ALL = 2.0, 6.0, 45.0
# dnspython follows 16 within an answer. A server that is not recursive gives them one by one.
_MOST_CNAMES = 8
# https://www.rfc-editor.org/rfc/rfc9715: an answer of this size is not fragmented.
_PAYLOAD = 1232
_HOST_PORT = re.compile(r"\[([^]]+)\](?::(\d+))?|([^:]+):(\d+)")
_NOT_THERE = (
    "flask mail check --dns needs dnspython: pip install 'Flask-MailHandler[deliverability]'."
)


class Resolver:
    """Answers questions, each of them once.

    :param nameserver: The server to ask and its port; None for those of this machine.
    :param seconds: The time for all questions. Each question that comes later gets no answer.
    :raises ConfigurationError: without dnspython, or if this machine has no name server.
    """

    def __init__(self, nameserver: tuple[str, int] | None = None, seconds: float = _ALL) -> None:
        try:
            import dns.exception
            import dns.resolver
        except ImportError as error:
            raise ConfigurationError(_NOT_THERE) from error
        try:
            self._resolver = dns.resolver.Resolver(configure=nameserver is None)
        except dns.exception.DNSException:
            raise ConfigurationError(
                "This machine names no name server in /etc/resolv.conf: pass --nameserver IP."
            ) from None
        if nameserver is not None:
            self._resolver.nameservers = [nameserver[0]]
            self._resolver.port = nameserver[1]
        self._resolver.timeout = _TRY
        self._resolver.use_edns(0, 0, _PAYLOAD)
        self._deadline = Deadline(seconds)
        self._answers: dict[tuple[str, str], Answer] = {}

    def ask(self, name: str, kind: str) -> Answer:
        """Answer a question: see :class:`.Answer`. It never raises."""
        question = name.lower().removesuffix("."), kind
        if question not in self._answers:
            self._answers[question] = self._follow(*question)
        return self._answers[question]

    def _follow(self, name: str, kind: str) -> Answer:
        """Ask for a name and then for the names that its CNAME records lead to, because a server
        that is not recursive knows those of its own zones only."""
        asked = [name]
        while True:
            answer = self._query(asked[-1], kind)
            target = answer.detail if answer.state is State.NO_DATA else ""
            if not target or len(asked) > _MOST_CNAMES or target in asked:
                break
            asked.append(target)
        if target in asked:
            return Answer(name, kind, State.UNUSABLE, (), "its CNAME records make a circle")
        if target:
            return Answer(name, kind, State.UNUSABLE, (), "its CNAME records make a long chain")
        end = "" if asked[-1] == name or answer.detail else asked[-1]
        return Answer(name, kind, answer.state, answer.values, answer.detail or end)

    def _query(self, name: str, kind: str) -> Answer:
        import dns.exception
        import dns.flags
        import dns.name
        import dns.resolver

        left = self._deadline.remaining()
        if not left:
            over = f"the {self._deadline.allowed:g} s for all look-ups are over"
            return Answer(name, kind, State.SILENT, (), over)
        try:
            asked = dns.name.from_text(name)
        except (dns.exception.DNSException, ValueError):
            return Answer(name, kind, State.UNUSABLE, (), "it is not a name of the DNS")
        lifetime = min(_QUESTION, left)
        try:
            found = self._resolver.resolve(
                asked, kind, raise_on_no_answer=False, lifetime=lifetime, search=False
            )
        except dns.resolver.NXDOMAIN as error:
            end = _text(error.canonical_name)
            return Answer(name, kind, State.NO_NAME, (), "" if end == name else end)
        except dns.resolver.NoNameservers as error:
            return self._not_answered(name, kind, error)
        except dns.exception.Timeout:
            why = f"{self._servers} did not reply within {lifetime:.2g} s"
            return Answer(name, kind, State.SILENT, (), why)
        except dns.exception.DNSException as error:
            return Answer(name, kind, State.FAILED, (), f"{type(error).__name__} in the answer")
        if found.rrset is None:
            end = _text(found.canonical_name)
            if end == name and not found.response.flags & (dns.flags.AA | dns.flags.RA):
                # It refers to other servers, and does not say that there is no record.
                why = f"{self._servers} is not the server of this name, and asks no other"
                return Answer(name, kind, State.REFUSED, (), why)
            return Answer(name, kind, State.NO_DATA, (), "" if end == name else end)
        return Answer(name, kind, State.FOUND, tuple(map(_value, found.rrset)))

    @property
    def _servers(self) -> str:
        port = self._resolver.port
        named = [str(server) for server in self._resolver.nameservers]
        return ", ".join(named) + (f" port {port}" if port != 53 else "")

    def _not_answered(self, name: str, kind: str, error: dns.resolver.NoNameservers) -> Answer:
        import dns.message

        errors = error.kwargs.get("errors") or [(None, False, 0, "no reply", None)]
        why = errors[-1][3]
        if isinstance(why, dns.message.ChainTooLong):
            return Answer(name, kind, State.UNUSABLE, (), "its CNAME records make a circle")
        text = why if isinstance(why, str) else f"{why}" or type(why).__name__
        state = State.REFUSED if text == "REFUSED" else State.FAILED
        return Answer(name, kind, state, (), f"{self._servers} replied {text}")


def _text(name: object) -> str:
    return str(name).lower().removesuffix(".")


def _value(record: dns.rdata.Rdata) -> str:
    strings = getattr(record, "strings", None)
    if strings is None:
        return record.to_text().lower()
    # RFC 7208 section 3.3 and RFC 6376 section 3.6.2.2: joined without a space
    text: str = b"".join(strings).decode("utf-8", "backslashreplace")
    return text


def read_nameserver(text: str | None) -> tuple[str, int] | None:
    """Read ``IP``, ``IP:PORT`` or ``[IP]:PORT``.

    :raises ConfigurationError: if it is none of these.
    """
    if text is None:
        return None
    parts = _HOST_PORT.fullmatch(text.strip())
    host, port = (parts[1] or parts[3], parts[2] or parts[4]) if parts else (text.strip(), None)
    try:
        address, number = ipaddress.ip_address(host), int(port or 53)
    except ValueError:
        address, number = None, 0
    if address is None or not 0 < number < 65536:
        raise ConfigurationError(
            "--nameserver takes an IP address, with a port if it is not 53, such as 192.0.2.53 or"
            f" [2001:db8::53]:5300, not {text!r}."
        )
    return str(address), number
