"""The state of one connection as both sides know it: commands and replies."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from .actions import more_than_one_reply
from .actions import reply_code
from .syntax import parse_path


@dataclass(frozen=True)
class Command:
    """A command line. It is *pipelined* if it arrived before the reply to the previous one."""

    line: str
    pipelined: bool = False

    @property
    def verb(self) -> str:
        return self.line.split(" ", 1)[0].upper()

    @property
    def argument(self) -> str:
        return self.line.partition(" ")[2]


@dataclass
class Transaction:
    """The time from MAIL (accepted or not) to the reply to end of data, or RSET."""

    sender: str
    parameters: dict[str, str]
    accepted: bool
    recipients: list[str] = field(default_factory=list)
    #: "DATA" or "BDAT", once one of them came.
    verb: str = ""
    chunks: bytearray = field(default_factory=bytearray)
    #: A chunk was refused. The client must send RSET.
    broken: bool = False


@dataclass
class Dialogue:
    """The state of a connection after all commands and replies."""

    tls: bool = False
    #: EHLO or HELO was accepted, since TLS if there is TLS.
    greeted: bool = False
    ehlo_code: int | None = None
    #: Keyword to parameters, of the last EHLO.
    extensions: dict[str, str] = field(default_factory=dict)
    logged_in: bool = False
    transaction: Transaction | None = None
    #: Why the client may only send QUIT, or "".
    doomed: str = ""

    @property
    def pipelining(self) -> bool:
        return "PIPELINING" in self.extensions

    def encrypted(self) -> None:
        """STARTTLS resets everything (RFC 3207 4.2)."""
        self.tls = True
        self.greeted = self.logged_in = False
        self.ehlo_code = self.transaction = None
        self.extensions = {}

    def replied(self, command: Command, said: bytes) -> int | None:
        """Record the reply to a command. Return its code, or None if it is not a valid reply."""
        code = reply_code(said)
        if command.verb == "GREETING" and code != 220:
            self.doomed = f"C-14: the greeting was {said[:40]!r}"
        elif code == 421:
            self.doomed = "C-15: the server said 421"
        elif code is None:
            self.doomed = f"F-86: a reply was {said[:40]!r}"
        elif more_than_one_reply(said):
            self.doomed = f"F-77: a reply was followed by another, {said[:40]!r}"
        accepted = code is not None and code < 300
        match command.verb:
            case "EHLO" | "HELO":
                self._greeted(command.verb, code, said)
            case "MAIL":
                self._mail(command, accepted)
            case "RCPT" if accepted and self.transaction:
                path = parse_path(command.line)
                self.transaction.recipients.append(path.mailbox if path else command.line)
            case "DATA" if code == 354 and self.transaction and not self.transaction.accepted:
                self.doomed = "C-59: the server said 354 after a refused MAIL"
            case "RSET":
                self.transaction = None
                if code != 250:
                    self.doomed = "F-70: RSET was refused"
            case "AUTH":
                self.logged_in = self.logged_in or code == 235
            case "QUIT":
                self.doomed = "C-16: the client said QUIT"
            case "END":
                self.transaction = None
        return code

    def _greeted(self, verb: str, code: int | None, said: bytes) -> None:
        accepted = code == 250
        self.greeted = self.greeted or accepted
        self.extensions = {}
        if accepted:
            self.transaction = None
        if verb == "EHLO":
            self.ehlo_code = code
        if accepted and verb == "EHLO":
            for line in said.decode("latin-1").splitlines()[1:]:
                # "AUTH=LOGIN" is how some old servers spell "AUTH LOGIN".
                keyword, _, parameters = line[4:].strip().replace("AUTH=", "AUTH ").partition(" ")
                self.extensions[keyword.upper()] = parameters

    def _mail(self, command: Command, accepted: bool) -> None:
        # A refused second MAIL leaves the open transaction as it is.
        if accepted or self.transaction is None:
            path = parse_path(command.line)
            self.transaction = Transaction(
                path.mailbox if path else command.line,
                path.parameters if path else {},
                accepted,
            )
