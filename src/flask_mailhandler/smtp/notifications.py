"""The parameters of MAIL and RCPT that ask for delivery notifications (RFC 3461, RFC 6533)."""

from __future__ import annotations

import hashlib
import re
import typing as t
from collections.abc import Sequence

if t.TYPE_CHECKING:
    from ..address import Address
    from ..envelope import DSN

_RET = {"headers": " RET=HDRS", "full": " RET=FULL"}
# Some servers return an envelope id still in xtext, so it has only characters that xtext keeps.
_PLAIN = r"<([0-9A-Za-z._-]{1,64})@"
# RFC 3461 makes a RCPT command this much longer. RET and an ENVID of 64 characters are within what
# it allows for MAIL.
_LONGEST = 500


def ask_for(dsn: DSN, message_id: str, batch: Sequence[Address], commands: list[str]) -> None:
    """Add the parameters to the commands of a transaction.

    :param batch: The recipients, whose RCPT commands are the last of *commands*, after MAIL.
    """
    first = len(commands) - len(batch)
    commands[first - 1] += f"{_RET.get(dsn.ret or '', '')} ENVID={envelope_id(message_id)}"
    notify = f" NOTIFY={','.join(dsn.notify).upper()}" if dsn.notify else ""
    for index, recipient in enumerate(batch, first):
        original = f" ORCPT={_typed(recipient)}"
        # A server that refused a long command would refuse the recipient.
        fits = len(notify) + len(original.encode()) <= _LONGEST
        commands[index] += notify + (original if fits else "")


def envelope_id(message_id: str) -> str:
    """Return the ENVID of a message: the left part of its Message-ID if that is short and has no
    special characters, and otherwise a hash of it."""
    plain = re.match(_PLAIN, message_id)
    return plain[1] if plain else hashlib.sha256(message_id.encode()).hexdigest()[:32]


def _typed(recipient: Address) -> str:
    """Return an address with its type, as ORCPT takes it."""
    if recipient.isascii():
        return "rfc822;" + re.sub("[^!-*,-<>-~]", lambda found: f"+{ord(found[0]):02X}", recipient)
    # The server has offered SMTPUTF8, or the address would have been refused.
    return "utf-8;" + re.sub(
        r"[\x00- +=\\\x7f]", lambda found: f"\\x{{{ord(found[0]):02X}}}", recipient
    )
