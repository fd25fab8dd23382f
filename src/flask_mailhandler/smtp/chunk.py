"""A small message as one chunk (RFC 3030), in two flights or, when a relay of one's own has shown
that it can, in one::

    MAIL, RCPT ..., BDAT n LAST, content   ──>
                                           <── 250 250 250

The server may have the message as soon as the first octet is on its way, so that a connection
which breaks leaves the outcome unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import MessageError
from ..phase import Phase
from .delivery import Delivery
from .stream import StreamError
from .transaction import Transaction

# A flight of one write is no larger than this, which any server reads at once.
_MOST = 4096


def fits(transaction: Transaction, commands: Sequence[str]) -> bool:
    """Whether a transaction is small enough for one write. What does not go in one group does not
    either: the content would follow a command that does not announce it, and be read as commands.
    """
    lines = (*commands, _command(transaction.delivery))
    size = sum(len(line.encode()) + 2 for line in lines)
    return (
        transaction.dialogue.is_group(len(lines))
        and size + transaction.delivery.job.content.size <= _MOST
    )


def in_two_flights(transaction: Transaction, commands: list[str]) -> None:
    """The envelope, and after its replies the whole content behind BDAT.

    :raises StreamError: if a reply is missing.
    """
    transaction.announce(commands)
    if transaction.agree(last=0):
        transaction.enter(Phase.END_OF_DATA)
        transaction.dialogue.put([_command(transaction.delivery)])
        if _give(transaction):
            _conclude(transaction)


def in_one_flight(transaction: Transaction, commands: list[str]) -> None:
    """Everything in one write. It is end of data from its first octet.

    :raises StreamError: if a reply is missing.
    """
    transaction.doubtful = transaction.batch
    transaction.enter(Phase.END_OF_DATA)
    transaction.announce(commands, _command(transaction.delivery))
    if _give(transaction) and transaction.agree():
        _conclude(transaction)


def _command(delivery: Delivery) -> str:
    # https://www.rfc-editor.org/rfc/rfc3030#section-2
    return f"BDAT {delivery.job.content.size} LAST"


def _give(transaction: Transaction) -> bool:
    try:
        transaction.dialogue.say(behind=transaction.delivery.job.content)
    except MessageError as error:
        transaction.spoilt(error)
        return False
    except StreamError as error:
        transaction.not_whole(error)
        return False
    return True


def _conclude(transaction: Transaction) -> None:
    reply = transaction.dialogue.reply()
    transaction.dialogue.check_nothing_more()
    if reply.code in (500, 502, 503, 504):
        # The server offers CHUNKING and does not know BDAT. Nothing was taken, and DATA on a
        # fresh connection will do.
        transaction.chunk_refused = True
        transaction.dialogue.close()
    else:
        transaction.conclude(reply)
