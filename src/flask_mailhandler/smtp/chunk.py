"""A small message as one chunk (RFC 3030), in two flights or, after your own relay has shown that
it can, in one::

    MAIL, RCPT ..., BDAT n LAST, content   ──>
                                           <── 250 250 250

In one flight the server may have the message as soon as the first octet is written, so a connection
that breaks then leaves the outcome unknown.
"""

from __future__ import annotations

from ..errors import MessageError
from ..phase import Phase
from .delivery import Delivery
from .states import TransactionState
from .stream import StreamError
from .transaction import Transaction

# One write is no larger than this, which any server reads at once.
_MOST = 4096


def fits(transaction: Transaction) -> bool:
    """Return whether a transaction is small enough for one write. Its commands must also fit in
    one group: otherwise the content would follow a command that does not announce it, and be read
    as commands."""
    lines = (*transaction.commands, _bdat(transaction.delivery))
    size = sum(len(line.encode()) + 2 for line in lines)
    return (
        transaction.dialogue.is_group(len(lines))
        and size + transaction.delivery.job.content.size <= _MOST
    )


def in_two_flights(transaction: Transaction) -> None:
    """Send the envelope, and after its replies BDAT with the whole content.

    :raises StreamError: if a reply is missing.
    """
    transaction.start()
    if transaction.envelope(after=0):
        transaction.enter(Phase.END_OF_DATA)
        transaction.dialogue.queue([_bdat(transaction.delivery)])
        if _write(transaction):
            _conclude(transaction)


def in_one_flight(transaction: Transaction) -> None:
    """Send everything in one write. It is in doubt from its first octet on.

    :raises StreamError: if a reply is missing.
    """
    transaction.doubtful = transaction.batch
    transaction.enter(Phase.END_OF_DATA)
    transaction.start(_bdat(transaction.delivery))
    if _write(transaction) and transaction.envelope():
        _conclude(transaction)


def _bdat(delivery: Delivery) -> str:
    # https://www.rfc-editor.org/rfc/rfc3030#section-2
    return f"BDAT {delivery.job.content.size} LAST"


def _write(transaction: Transaction) -> bool:
    try:
        transaction.dialogue.write_group(after=transaction.delivery.job.content)
    except MessageError as error:
        transaction.content_changed(error)
        return False
    except StreamError as error:
        transaction.end_not_written(error)
        return False
    return True


def _conclude(transaction: Transaction) -> None:
    reply = transaction.dialogue.reply()
    transaction.dialogue.check_nothing_more()
    if reply.code in (500, 502, 503, 504):
        # The server offers CHUNKING and does not know BDAT. It has taken nothing, and DATA on a
        # fresh connection will do.
        transaction.step(TransactionState.NO_CHUNKS)
        transaction.dialogue.close()
    else:
        transaction.conclude(reply)
