"""A strict judge of the client: every breach of the clauses C-1 ... C-97, as a sentence.

It only listens. It gets commands, content and early octets together with the :class:`Dialogue`,
which has everything that the client can know at that moment.
"""

from __future__ import annotations

import base64
import binascii
import re
import typing as t

from . import syntax

if t.TYPE_CHECKING:
    from .dialogue import Command
    from .dialogue import Dialogue
    from .dialogue import Transaction

# RFC 5321 4.5.3.1.4, and how much longer MAIL and RCPT may be with each extension.
LINE_LIMIT = 512
ALLOWANCES = {
    "MAIL": {"SIZE": 26, "8BITMIME": 17, "SMTPUTF8": 10, "DSN": 100, "AUTH": 500},
    "RCPT": {"DSN": 500},
}
#: RFC 2920 3.1: these must be the last command of a group.
LAST_IN_GROUP = {"EHLO", "HELO", "DATA", "VRFY", "EXPN", "NOOP", "QUIT", "AUTH", "STARTTLS"}
#: The replies to 100 recipients and the commands around them.
MOST_OUTSTANDING = 103
VERBS = LAST_IN_GROUP | {"MAIL", "RCPT", "RSET", "BDAT"}
PARAMETER_OF = {
    "BODY": "8BITMIME",
    "RET": "DSN",
    "ENVID": "DSN",
    "NOTIFY": "DSN",
    "ORCPT": "DSN",
}


class Oracle:
    """Judges one connection. *breaches* is the list of the whole server."""

    def __init__(self, dialogue: Dialogue, breaches: list[str], require_tls: bool) -> None:
        self.dialogue = dialogue
        self.breaches = breaches
        self.require_tls = require_tls

    def blame(self, breach: str) -> None:
        self.breaches.append(breach)

    # Groups

    def too_early(self, command: Command, octets: bytes) -> None:
        """*octets* arrived before the reply to *command* was sent (RFC 2920)."""
        seen = f"{octets[:60]!r} before the reply to {command.line!r}"
        if command.verb == "GREETING" or not self.dialogue.pipelining:
            self.blame(f"C-56: PIPELINING was not offered, but {seen}")
        elif command.verb in LAST_IN_GROUP:
            self.blame(f"C-57: {command.verb} must be the last of its group, but {seen}")
        elif b"BDAT" not in octets and (lines := octets.count(b"\r\n") + 1) > MOST_OUTSTANDING:
            self.blame(f"C-60: {lines} commands unanswered: {seen}")

    # Commands

    def line(self, octets: bytes) -> None:
        """A line before it is parsed."""
        self.breaches += syntax.line_faults(octets)
        verb = octets[:4].decode("latin-1").upper()
        allowed = ALLOWANCES.get(verb, {})
        limit = LINE_LIMIT + sum(allowed.get(name, 0) for name in self.dialogue.extensions)
        if len(octets) > limit:
            clause = "C-91" if verb == "AUTH" else "C-6"
            self.blame(f"{clause}: a command line of {len(octets)} octets, {limit} allowed")

    def command(self, command: Command) -> None:
        """Check a command before the server replies."""
        verb = command.verb
        if verb in {"VRFY", "EXPN", "HELP", "TURN"}:
            self.blame(f"C-24: {command.line!r}")
        elif verb not in VERBS:
            self.blame(f"C-5: no command: {command.line!r}")
        if self.dialogue.doomed and verb != "QUIT" and not command.pipelined:
            self.blame(f"{self.dialogue.doomed}, but then {command.line!r}")
        if verb not in {"EHLO", "HELO", "QUIT"} and not self.dialogue.greeted:
            after = " after STARTTLS" if self.dialogue.tls else ""
            self.blame(f"C-2: {command.line!r} before EHLO{after}")
        judge = getattr(self, f"_{verb.lower()}", None) if verb in VERBS else None
        if judge:
            judge(command)

    def _ehlo(self, command: Command) -> None:
        self.breaches += syntax.host_faults(command.argument)

    def _helo(self, command: Command) -> None:
        self.breaches += syntax.host_faults(command.argument)
        code = self.dialogue.ehlo_code
        if code is None or not 500 <= code <= 599:
            self.blame(f"C-4: HELO after EHLO was answered {code}")

    def _starttls(self, command: Command) -> None:
        self._offered("STARTTLS", command)
        if self.dialogue.tls:
            self.blame("C-97: STARTTLS inside TLS")

    def _auth(self, command: Command) -> None:
        self._offered("AUTH", command)
        self._in_tls(command)
        mechanism, _, initial = command.argument.partition(" ")
        offered = self.dialogue.extensions.get("AUTH", "").upper().split()
        if offered and mechanism.upper() not in offered:
            self.blame(f"C-97: AUTH {mechanism}, but {offered} was offered")
        if self.dialogue.logged_in:
            self.blame("C-89: AUTH a second time")
        if self.dialogue.transaction:
            self.blame("C-89: AUTH inside a transaction")
        if initial not in {"", "="}:
            self.response(initial)

    def response(self, line: str) -> None:
        """One line of an AUTH exchange (RFC 4954 4)."""
        if len(line) + 2 > 12288:
            self.blame(f"C-91: an AUTH line of {len(line) + 2} octets")
        try:
            line == "*" or base64.b64decode(line.encode("latin-1"), validate=True)
        except binascii.Error:
            self.blame("C-90: an AUTH response that is not base64")

    def _mail(self, command: Command) -> None:
        self._in_tls(command)
        if self.dialogue.transaction and not command.pipelined:
            self.blame(f"C-23: {command.line!r}, but the transaction before was not ended by RSET")
        parameters = self._parameters(command)
        size = parameters.get("SIZE")
        if size is not None and not size.isdigit():
            self.blame(f"C-67: SIZE={size}")
        limit = self.dialogue.extensions.get("SIZE", "")
        if size and size.isdigit() and limit.isdigit() and 0 < int(limit) < int(size):
            self.blame(f"C-69: SIZE={size}, but the server takes {limit}")
        body = parameters.get("BODY", "7BIT").upper()
        if body not in {"7BIT", "8BITMIME", "BINARYMIME"}:
            self.blame(f"C-53: BODY={body}")
        if body == "BINARYMIME" and not {"BINARYMIME", "CHUNKING"} <= set(self.dialogue.extensions):
            self.blame("C-66: BODY=BINARYMIME without BINARYMIME and CHUNKING")
        if "SMTPUTF8" in parameters and body == "7BIT":
            self.blame("C-51: SMTPUTF8 without BODY=8BITMIME")

    def _rcpt(self, command: Command) -> None:
        self._parameters(command)
        opened = self.dialogue.transaction
        if not command.pipelined and not (opened and opened.accepted):
            self.blame(f"C-10: {command.line!r} without an accepted MAIL")

    def _parameters(self, command: Command) -> dict[str, str]:
        path = syntax.parse_path(command.line)
        parameters = path.parameters if path else {}
        opened = self.dialogue.transaction
        smtputf8 = "SMTPUTF8" in (opened.parameters if command.verb == "RCPT" and opened else {})
        smtputf8 = smtputf8 or "SMTPUTF8" in parameters
        self.breaches += syntax.path_faults(command.line, smtputf8)
        for keyword in parameters:
            self._offered(PARAMETER_OF.get(keyword, keyword), command)
        return parameters

    def _data(self, command: Command) -> None:
        opened = self.dialogue.transaction
        if not command.pipelined and not (opened and opened.recipients):
            self.blame("C-10: DATA without an accepted recipient")
        if opened and opened.verb == "BDAT":
            self.blame("C-62: DATA after BDAT in one transaction")
        if opened and opened.parameters.get("BODY", "").upper() == "BINARYMIME":
            self.blame("C-66: DATA for BODY=BINARYMIME")

    def _bdat(self, command: Command) -> None:
        self._offered("CHUNKING", command)
        opened = self.dialogue.transaction
        if not syntax.BDAT.fullmatch(command.line):
            self.blame(f"C-63: not the form of BDAT: {command.line!r}")
        if not command.pipelined and not (opened and opened.recipients):
            self.blame("C-10: BDAT without an accepted recipient")
        if opened and opened.broken and not command.pipelined:
            self.blame("C-65: BDAT after a refused BDAT")

    def _offered(self, extension: str, command: Command) -> None:
        if extension not in self.dialogue.extensions:
            self.blame(f"C-97: {command.line[:60]!r}, but the last EHLO did not offer {extension}")

    def _in_tls(self, command: Command) -> None:
        if self.require_tls and not self.dialogue.tls:
            self.blame(f"C-96: {command.verb} over clear text")

    # Content

    def stuffed(self, raw: bytes, whole: bool) -> None:
        """The content after 354, without the final dot; not *whole* if the client closed before."""
        opened = self.dialogue.transaction
        if raw and not (opened and opened.recipients):
            self.blame(f"C-59: content although no recipient was accepted: {raw[:40]!r}")
        if whole and opened and not opened.accepted:
            self.blame("C-59: end of data after a refused MAIL")
        if not whole:
            # The end may be cut anywhere, in the middle of a CRLF or of the end of data too.
            raw = raw.removesuffix(b"\r")
            raw = raw[:-1] if raw == b"." or raw.endswith(b"\n.") else raw
            self.breaches += syntax.content_faults(raw)
        elif opened and opened.recipients:
            self.content(syntax.unstuffed(raw), opened)
        self.breaches += syntax.stuffing_faults(raw)

    def content(self, octets: bytes, opened: Transaction) -> None:
        """A whole content without dot-stuffing."""
        parameters = opened.parameters
        body = parameters.get("BODY", "7BIT").upper()
        self.breaches += syntax.content_faults(octets, binary=body == "BINARYMIME")
        eight_bit = not octets.isascii()
        if eight_bit and body == "7BIT":
            self.blame("C-53: 8-bit content without BODY=8BITMIME")
        header = (b"\r\n" + octets).partition(b"\r\n\r\n")[0]
        if not header.isascii() and "SMTPUTF8" not in parameters:
            self.blame("C-51: an 8-bit header without SMTPUTF8")
        mailboxes = "".join([opened.sender, *opened.recipients])
        if "SMTPUTF8" in parameters and mailboxes.isascii() and not eight_bit:
            self.blame("C-51: SMTPUTF8, but nothing needs it")
        size = parameters.get("SIZE", "")
        if size.isdigit() and int(size) < len(octets):
            self.blame(f"C-67: SIZE={size}, but {len(octets)} octets came")
        notification = re.search(
            rb"^(Auto-Submitted: *auto-|Content-Type: *multipart/report)", header, re.I | re.M
        )
        if opened.sender == "" and not notification:
            self.blame("C-20: the null reverse-path for a message that is not a notification")
