"""One connection: transactions, one after the other, until it ends.

With PIPELINING a message takes two flights, its envelope and its content. In a list the end of
one content and the envelope of the next message are one write, so each message costs one round
trip::

    envelope 1        ──>
                      <── 250 250 354
    content 1
    . + envelope 2    ──>
                      <── 250 | 250 250 354
    content 2
    .                 ──>
                      <── 250

A large content is written before its end, a small one in the same write.

Only one end of data is unanswered at any time, so that one break never makes several messages
unknown.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import time
from collections.abc import Collection
from collections.abc import Iterator

from ..address import Address
from ..net.deadline import Deadline
from ..phase import Phase
from ..report import ConnectError
from ..report import LoginError
from ..report import Observe
from . import chunk
from .delivery import Deliveries
from .delivery import Delivery
from .dialogue import Dialogue
from .endpoint import Endpoint
from .extensions import Offer
from .opening import Opening
from .reply import Reply
from .states import Chunking
from .states import LineState
from .states import SessionState
from .states import TransactionState
from .stream import StreamError
from .stream import TimedOutError
from .stuffing import SMALL
from .transaction import Transaction

# Seconds: one flight is not risked when nothing was received from the server for longer.
_FRESH = 2.0
# Reading these from their enum takes 0.2 µs each time up to Python 3.11.
_BUSY, _AHEAD = SessionState.BUSY, SessionState.AHEAD
_BDAT = (Chunking.UNPROVEN, Chunking.PROVEN)


class Session:
    """A connection that is ready to send. Its steps are in the table of :class:`.SessionState`.

    :param server: Where it is connected.
    :param opening: The opening, whose steps have been taken.
    :param chunking: Whether BDAT may be used; not after the host has refused it.
    """

    def __init__(self, server: Endpoint, opening: Opening, *, chunking: bool = True) -> None:
        self.server = server
        self.offer: Offer = Offer(opening.extensions)
        self.state: SessionState = SessionState.FRESH
        self.begun: int = 0
        """Transactions. All but the last of them have been ended by replies."""
        self.chunking: Chunking = Chunking.OFF
        if (
            chunking
            and server.one_flight
            and {"PIPELINING", "CHUNKING"} <= {*self.offer.extensions}
        ):
            self.chunking = Chunking.UNPROVEN
        self._pid = os.getpid()
        self._ahead: Transaction | None = None
        """The next transaction, in the state AHEAD."""
        most = self.offer.at_most("MAILMAX", server.messages_per_connection)
        self._most = most or sys.maxsize
        self._most_recipients = self.offer.at_most("RCPTMAX", server.recipients_per_message)
        self._dialogue = Dialogue(opening.stream, "PIPELINING" in self.offer, opening.echoes)

    @property
    def usable(self) -> bool:
        """Whether another transaction may begin. Not in a child of a fork: it is its parent's."""
        return self._dialogue.state is not LineState.CLOSED and self._pid == os.getpid()

    @property
    def idle(self) -> bool:
        """Whether no transaction is in hand, so that another thread may use it."""
        in_hand = self.state is _BUSY or self.state is _AHEAD
        return not in_hand and self.usable and not self._dialogue.pending

    @property
    def heard(self) -> float:
        """When something was last received from the server, on the monotonic clock."""
        return self._dialogue.stream.heard

    def is_quiet(self) -> bool:
        """Return whether the server is still there and has sent nothing unasked, as far as can be
        seen without waiting."""
        try:
            self._dialogue.stream.check_quiet()
        except StreamError:
            return False
        return True

    def send(self, deliveries: Deliveries, observe: Observe) -> Iterator[Delivery]:
        """Send the deliveries that are at hand, and yield each when its recipients are settled.

        It ends early when this connection is of no more use; the deliveries left need another.

        :raises LoginError: if the server wants a login before it takes any mail (530).
        :raises ConnectError: if it does not answer the first MAIL in time.
        """
        # Between two messages, the caller may fork: `usable` asks whose process this is.
        while (delivery := deliveries.at_hand()) and self.usable:
            if self.state is not _AHEAD:
                self.offer.refuse_what_cannot_go(delivery, self.server)
            while delivery.waiting and self._dialogue.open:
                self._dialogue.stream.deadline = delivery.deadline
                self._transact(delivery, deliveries, observe)
            if delivery.waiting:
                return
            yield deliveries.take()

    def probe(self, sender: str, recipient: Address, timeout: float) -> tuple[Reply, Reply | None]:
        """Ask whether the server would take a message: MAIL, RCPT and RSET, no content.

        :raises StreamError: if the connection breaks.
        """
        self._dialogue.stream.deadline = Deadline(timeout)
        try:
            mail = self._command(f"MAIL FROM:<{sender}>")
            rcpt = self._command(f"RCPT TO:<{recipient}>") if mail.code // 10 == 25 else None
            if not (rcpt or mail).closing:
                self._command("RSET")
        except BaseException:
            self.abandon()
            raise
        return mail, rcpt

    def _command(self, command: str) -> Reply:
        self._dialogue.queue([command])
        return self._dialogue.reply()

    def close(self) -> None:
        """Close. If the connection is in order QUIT is sent, and its reply is not waited for."""
        if self.idle:
            with contextlib.suppress(StreamError):
                self._dialogue.stream.deadline = Deadline(1)
                self._dialogue.stream.write(b"QUIT\r\n")
        self.abandon()

    def abandon(self) -> None:
        """Close the connection without QUIT."""
        self._ahead = None
        self._dialogue.close()

    def _transact(self, delivery: Delivery, deliveries: Deliveries, observe: Observe) -> None:
        """Complete one transaction: the one whose envelope is already sent, or a new one."""
        ahead, self._ahead = self._ahead, None
        assert (ahead is not None) == (self.state is _AHEAD)
        transaction = ahead or self._begin(delivery, observe, self.state)
        self.state = _BUSY
        hangs = None
        try:
            if ahead is None or not self._is_near_its_end(ahead):
                deliveries.before_wait()
            if ahead is None:
                self._dialogue.state = LineState.RESTING
                if self.chunking in _BDAT and chunk.fits(transaction):
                    self._send_chunk(transaction)
                else:
                    transaction.start("DATA")
                    self._complete(transaction, deliveries)
            else:
                self._complete(transaction, deliveries)
        except LoginError:
            self.state = SessionState.LEFT_OPEN  # the server refused it in good order
            raise
        except StreamError as error:
            self.abandon()
            if isinstance(error, TimedOutError) and self._is_unanswered(transaction):
                hangs = str(error)
            else:
                transaction.break_off(error)
        except BaseException:
            # Such as a KeyboardInterrupt in the middle of a command or a reply.
            self.abandon()
            transaction.break_off(StreamError("sending was interrupted"))
            raise
        if hangs is not None:
            # The server would not answer the next message either.
            raise ConnectError(f"{self.server} at {Phase.MAIL}: {hangs}.", phase=Phase.MAIL)
        if self.state is _BUSY:
            ended = transaction.state is TransactionState.ENDED
            self.state = SessionState.READY if ended else SessionState.LEFT_OPEN
        if self._dialogue.open:
            delivery.repeated = False
            if self.begun >= self._most and self.state is not _AHEAD:
                self.close()

    def _is_near_its_end(self, ahead: Transaction) -> bool:
        """Return whether the end of this data can be written without waiting for the server."""
        return self._dialogue.granted and ahead.delivery.job.content.size <= SMALL

    def _is_unanswered(self, transaction: Transaction) -> bool:
        """Return whether the server has not replied to any command since the session opened."""
        first = self.begun == 1 and transaction.phase is Phase.MAIL
        return first and transaction.state is TransactionState.ENVELOPE

    def _begin(
        self,
        delivery: Delivery,
        observe: Observe,
        before: SessionState,
        without: Collection[Address] = (),
    ) -> Transaction:
        """Take the next batch of the recipients that wait, except those in *without*."""
        if without or self._most_recipients or delivery.limit:
            limit = min(filter(None, (self._most_recipients, delivery.limit)), default=None)
            others = itertools.filterfalse(without.__contains__, delivery.waiting)
            batch = [*itertools.islice(others, limit)]
        else:
            batch = [*delivery.waiting]  # of most messages, 2 µs sooner
        self.begun += 1
        transaction = Transaction(
            self._dialogue,
            self.server,
            delivery,
            batch,
            observe,
            parameters=self.offer.parameters(delivery.job, batch),
            before=before,
        )
        if delivery.job.dsn is not None and "DSN" in self.offer:
            from .notifications import ask_for  # few accounts do

            ask_for(delivery.job.dsn, delivery.job.message_id, batch, transaction.commands)
        return transaction

    def _complete(self, transaction: Transaction, deliveries: Deliveries) -> None:
        """Complete a transaction whose commands are queued or sent."""
        if not (transaction.envelope() and transaction.data()):
            return
        delivery = self._following(transaction, deliveries)
        if not transaction.content():
            return
        following: Transaction | None = None
        if delivery is not None:
            # Of the same delivery, the recipients accepted now are not settled yet.
            taken = transaction.accepted if delivery is transaction.delivery else ()
            observe, ready = transaction.observe, SessionState.READY
            following = self._begin(delivery, observe, ready, without={*taken})
        try:
            transaction.end_of_data(following)
        except StreamError as error:
            self.abandon()
            # A further batch of the same delivery is settled together with this one.
            another = following is not None and following.delivery is not transaction.delivery
            if following is not None and another and isinstance(error, TimedOutError):
                following.break_off(error)
            raise
        finally:
            if following is not None:
                self._go_on(following)

    def _following(self, transaction: Transaction, deliveries: Deliveries) -> Delivery | None:
        """Return the delivery whose envelope may go with the end of this content: the rest of the
        same delivery, or else the next one, if that can be had without waiting."""
        if not self._dialogue.pipelining or self.chunking in _BDAT or self.begun >= self._most:
            return None
        delivery = transaction.delivery
        if len(delivery.waiting) > len(transaction.accepted):
            return delivery
        following = deliveries.following()
        if following is not None:
            self.offer.refuse_what_cannot_go(following, self.server)
        return following if following is not None and following.waiting else None

    def _go_on(self, following: Transaction) -> None:
        """Keep a transaction whose envelope is sent, or move it to a fresh connection."""
        if not self.usable:
            following.delivery.repeated = True
        elif following.delivery.waiting:
            self._ahead, self.state = following, SessionState.AHEAD
        else:
            # It is a further batch of a message that the server has refused meanwhile. The server
            # waits for its content, and might accept even an empty one.
            self.abandon()

    def _send_chunk(self, transaction: Transaction) -> None:
        """Send in one write if the server has shown that it can, and has refused nothing since;
        otherwise in two."""
        silent = time.monotonic() - self.heard
        proven = self.chunking is Chunking.PROVEN and not self._dialogue.refused
        if proven and silent <= _FRESH:
            # On a connection that is closed already the outcome would be unknown.
            self._dialogue.stream.check_quiet()
            chunk.in_one_flight(transaction)
        else:
            self._dialogue.refused = False
            chunk.in_two_flights(transaction)
            proven = transaction.phase is Phase.DONE and not self._dialogue.refused
            self.chunking = Chunking.PROVEN if proven else Chunking.UNPROVEN
        if transaction.state is TransactionState.NO_CHUNKS:
            self.chunking = Chunking.REFUSED

    def __repr__(self) -> str:
        state = "closed" if not self.usable else "idle" if self.idle else "in use"
        return f"<Session {self.server} {state}, {self.begun} begun>"
