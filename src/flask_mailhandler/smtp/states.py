"""The states of a connection, a session and a transaction, and their legal steps.

Each class holds one of these states, and its methods take the steps. In every state the connection
may also break: :meth:`.Transaction.break_off` says what that means for the recipients.
"""

from __future__ import annotations

import enum
import typing as t

from ..phase import Phase


class LineState(enum.Enum):
    """What a :class:`.Dialogue` expects of the server:

    ========  ====================================================  ===============
    state     the server                                            next
    ========  ====================================================  ===============
    RESTING   may close, or announce that it will                   TALKING, CLOSED
    TALKING   sends the replies that are outstanding, nothing else  RESTING, CLOSED
    CLOSED    is not heard any more
    ========  ====================================================  ===============
    """

    RESTING = enum.auto()
    TALKING = enum.auto()
    CLOSED = enum.auto()


class SessionState(enum.Enum):
    """How far a :class:`.Session` is with its transactions:

    =========  ========================================================  =======================
    state      means                                                     next
    =========  ========================================================  =======================
    FRESH      no transaction has begun                                  BUSY
    READY      a reply has ended the last transaction                    BUSY
    LEFT_OPEN  the last transaction got no content: RSET comes first     BUSY
    BUSY       a transaction is in hand                                  READY, LEFT_OPEN, AHEAD
    AHEAD      the next envelope went with the end of the last content;  BUSY
               its replies are outstanding
    =========  ========================================================  =======================

    Only a session that is FRESH, READY or LEFT_OPEN may be lent to another thread.
    """

    FRESH = enum.auto()
    READY = enum.auto()
    LEFT_OPEN = enum.auto()
    BUSY = enum.auto()
    AHEAD = enum.auto()


class TransactionState(enum.Enum):
    """What the server has of a :class:`.Transaction`, and the outcome if no reply comes:

    =========  ==========================================  ========  ===========================
    state      the server                                  no reply  next
    =========  ==========================================  ========  ===========================
    ENVELOPE   has no octet of the content                 deferred  CONTENT, IN_DOUBT,
                                                                     LEFT_OPEN
    CONTENT    may have a part of the content              deferred  IN_DOUBT
    IN_DOUBT   may have the whole content                  unknown   ENDED, NO_CHUNKS; CONTENT
                                                                     if the write failed
    LEFT_OPEN  has refused it; RSET must come next                   ENDED, by an empty content
    ENDED      has replied to the end of data
    NO_CHUNKS  offers CHUNKING and does not know BDAT: it
               has taken nothing, and the recipients wait
    =========  ==========================================  ========  ===========================

    In one flight (RFC 3030) a transaction is IN_DOUBT from its first octet on, and MAIL and RCPT
    are replied to in that state. Only a transaction in the state ENVELOPE may be moved to another
    connection.
    """

    if not t.TYPE_CHECKING:  # it is the same for a type checker
        # An Enum hashes its name, in Python, which takes 0.3 µs in each step.
        __hash__ = object.__hash__

    ENVELOPE = enum.auto()
    CONTENT = enum.auto()
    IN_DOUBT = enum.auto()
    LEFT_OPEN = enum.auto()
    ENDED = enum.auto()
    NO_CHUNKS = enum.auto()


LEGAL_STEPS: dict[TransactionState, tuple[TransactionState, ...]] = {
    TransactionState.ENVELOPE: (
        TransactionState.CONTENT,
        TransactionState.IN_DOUBT,
        TransactionState.LEFT_OPEN,
    ),
    TransactionState.CONTENT: (TransactionState.IN_DOUBT,),
    TransactionState.IN_DOUBT: (
        TransactionState.CONTENT,
        TransactionState.ENDED,
        TransactionState.NO_CHUNKS,
    ),
    TransactionState.LEFT_OPEN: (TransactionState.ENDED,),
    TransactionState.ENDED: (),
    TransactionState.NO_CHUNKS: (),
}
"""The last column of the table above."""
STATE_AT: dict[Phase, TransactionState] = {
    Phase.CONTENT: TransactionState.CONTENT,
    Phase.END_OF_DATA: TransactionState.IN_DOUBT,
    Phase.DONE: TransactionState.ENDED,
}
"""The state that begins with a phase."""


class Chunking(enum.Enum):
    """Whether a :class:`.Session` sends small messages as one chunk (BDAT, RFC 3030).

    ========  =======================================================  =================
    state     a small message                                          next
    ========  =======================================================  =================
    OFF       goes by DATA: BDAT is not wanted, or not offered
    UNPROVEN  goes in two flights, the envelope and the chunk          PROVEN, REFUSED
    PROVEN    goes in one flight, if nothing was refused meanwhile     UNPROVEN, REFUSED
    REFUSED   goes by DATA: the server does not know BDAT
    ========  =======================================================  =================
    """

    OFF = enum.auto()
    UNPROVEN = enum.auto()
    PROVEN = enum.auto()
    REFUSED = enum.auto()
