"""One connection: transactions until it ends.

With PIPELINING a message takes two flights, its envelope and its content. In a list the end of
one content and the envelope of the next message are one write, so that each message costs one
round trip::

    envelope 1        ──>
                      <── 250 250 354
    content 1         ──>
    . + envelope 2    ──>
                      <── 250 | 250 250 354
    content 2         ──>
    .                 ──>
                      <── 250

Only one end of data is unanswered at any time: one break must not make several messages unknown.
"""

from __future__ import annotations

import contextlib
import itertools
import os
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
from .delivery import Delivery
from .delivery import Waiting
from .dialogue import Dialogue
from .endpoint import Server
from .offer import Offer
from .opening import Opening
from .reply import Reply
from .stream import StreamError
from .stream import TimedOutError
from .transaction import Transaction

# One flight is not risked when the server was last heard longer ago than this.
_FRESH = 2.0


class Session:
    """A connection that is ready to send.

    :param server: Whom to speak to.
    :param opening: Whose steps have been taken.
    :param chunking: Whether BDAT may be used; not after the host has refused it.
    """

    def __init__(self, server: Server, opening: Opening, *, chunking: bool = True) -> None:
        self.server = server
        self.offer: Offer = Offer(opening.extensions)
        self.begun: int = 0
        """Transactions. All but the last of them were brought to their end by replies."""
        self.chunking: bool = chunking
        """Whether BDAT may be used."""
        self._pid = os.getpid()
        self._chunk_taken = False
        self._reset = False
        self._said: Transaction | None = None
        self._most = self.offer.at_most("MAILMAX", server.messages_per_connection)
        self._dialogue = Dialogue(opening.stream, "PIPELINING" in self.offer, opening.echoes)

    @property
    def usable(self) -> bool:
        """Whether another transaction may begin. Not in a child of a fork: it is its parent's."""
        return self._dialogue.open and self._pid == os.getpid()

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, so that somebody else may use it."""
        return self.usable and not self._said and not self._dialogue.left

    @property
    def heard(self) -> float:
        """When the server was last heard, on the monotonic clock."""
        return self._dialogue.heard

    def is_quiet(self) -> bool:
        """Whether the server is still there, and has said nothing unasked, as far as can be seen
        without waiting."""
        try:
            self._dialogue.check_quiet()
        except StreamError:
            return False
        return True

    def send(self, waiting: Waiting, observe: Observe) -> Iterator[Delivery]:
        """Send what waits and is at hand, and give back each delivery when its recipients are
        settled.

        It ends early when this connection is of no more use; what then waits needs another.

        :raises LoginError: if the server wants a login before it takes any mail (530).
        :raises ConnectError: if it does not answer the first MAIL in time.
        """
        while self.usable and (delivery := waiting.at_hand()):
            if not self._said:
                self.offer.refuse_what_cannot_go(delivery, str(self.server))
            while delivery.waiting and self.usable:
                self._dialogue.deadline = delivery.deadline
                self._transact(delivery, waiting, observe)
            if delivery.waiting:
                return
            yield waiting.take()

    def probe(self, sender: str, recipient: Address, timeout: float) -> tuple[Reply, Reply | None]:
        """Ask whether the server would take a message: MAIL, RCPT and RSET, no content.

        :raises StreamError: if the connection breaks.
        """
        self._dialogue.deadline = Deadline(timeout)
        try:
            mail = self._ask(f"MAIL FROM:<{sender}>")
            rcpt = self._ask(f"RCPT TO:<{recipient}>") if mail.code // 10 == 25 else None
            if not (rcpt or mail).closing:
                self._ask("RSET")
        except BaseException:
            self.abandon()
            raise
        return mail, rcpt

    def _ask(self, command: str) -> Reply:
        self._dialogue.put([command])
        return self._dialogue.reply()

    def close(self) -> None:
        """Say QUIT if the connection is in order, without waiting for the answer, and close."""
        if self.idle:
            with contextlib.suppress(StreamError):
                self._dialogue.deadline = Deadline(1)
                self._dialogue.give(b"QUIT\r\n")
        self.abandon()

    def abandon(self) -> None:
        """Close the connection without a word."""
        self._said = None
        self._dialogue.close()

    def _transact(self, delivery: Delivery, waiting: Waiting, observe: Observe) -> None:
        said, self._said = self._said, None
        transaction = said or self._begin(delivery, observe)
        hangs = None
        try:
            if said is None:
                self._dialogue.rest()
                commands = transaction.commands(self.offer)
                if self._chunks and chunk.fits(transaction, commands):
                    self._chunk(transaction, commands)
                else:
                    transaction.announce(commands, "DATA")
                    self._complete(transaction, waiting)
            else:
                self._complete(transaction, waiting)
        except LoginError:  # the server said no, in good order
            raise
        except StreamError as error:
            self.abandon()
            if isinstance(error, TimedOutError) and self._is_new(transaction):
                hangs = str(error)
            else:
                transaction.break_off(error)
        except BaseException:
            # A KeyboardInterrupt, say, finds the stream in the middle of something: nobody may
            # use it again.
            self.abandon()
            transaction.break_off(StreamError("sending was interrupted"))
            raise
        if hangs is not None:
            # Nor would it answer the next message.
            raise ConnectError(f"{self.server} at {Phase.MAIL}: {hangs}.", phase=Phase.MAIL)
        if self._said is None:
            self._reset = transaction.open
        if self.usable:
            delivery.repeated = False
            if self._is_last() and not self._said:
                self.close()

    def _is_new(self, transaction: Transaction) -> bool:
        """Whether the server has answered nothing yet since the session was opened."""
        return self.begun == 1 and transaction.phase is Phase.MAIL and not transaction.whole

    def _begin(
        self, delivery: Delivery, observe: Observe, without: Collection[Address] = ()
    ) -> Transaction:
        """Take the next batch of those that wait, but for those *without* whom."""
        limits = (self.server.recipients_per_message, delivery.limit)
        others = itertools.filterfalse(without.__contains__, delivery.waiting)
        batch = [*itertools.islice(others, self.offer.at_most("RCPTMAX", *limits))]
        self.begun += 1
        return Transaction(
            self._dialogue,
            self.server,
            delivery,
            batch,
            observe,
            reset=self._reset,
            reused=self.begun > 1,
        )

    def _complete(self, transaction: Transaction, waiting: Waiting) -> None:
        """From the replies to the envelope to that to the end of data."""
        if not (transaction.agree() and transaction.data()):
            return
        delivery = self._following(transaction, waiting)
        if not transaction.content():
            return
        following: Transaction | None = None

        def announce_next() -> None:
            nonlocal following
            if delivery is not None:
                # Of the same delivery, those accepted now are not settled yet.
                taken = transaction.accepted if delivery is transaction.delivery else ()
                following = self._begin(delivery, transaction.observe, set(taken))
                following.announce(following.commands(self.offer), "DATA")

        self._reset = False  # what follows comes behind a reply to the end of data
        try:
            transaction.end(announce_next)
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

    def _go_on(self, following: Transaction) -> None:
        """Keep a transaction that has been said, or leave it to a fresh connection."""
        if not self.usable:
            following.delivery.repeated = True
        elif following.delivery.waiting:
            self._said = following
        else:
            # It was a further batch of a message that the server has refused meanwhile; it waits
            # for a content, and even an empty one might be taken.
            self.abandon()

    def _following(self, transaction: Transaction, waiting: Waiting) -> Delivery | None:
        """Whose envelope may go with the end of this content: what is left of the same delivery,
        or else the next one, if that can be had without waiting."""
        if not self._dialogue.pipelining or self._chunks or self._is_last():
            return None
        delivery = transaction.delivery
        if len(delivery.waiting) > len(transaction.accepted):
            return delivery
        following = waiting.following()
        if following is not None:
            self.offer.refuse_what_cannot_go(following, str(self.server))
        return following if following is not None and following.waiting else None

    def _is_last(self) -> bool:
        return self._most is not None and self.begun >= self._most

    # One flight (RFC 3030), for a relay of one's own

    @property
    def _chunks(self) -> bool:
        """Whether small messages go by BDAT here."""
        wanted = self.server.one_flight and self.chunking
        return wanted and self._dialogue.pipelining and "CHUNKING" in self.offer

    def _chunk(self, transaction: Transaction, commands: list[str]) -> None:
        """In one write if the server has shown that it can, and nothing has gone wrong since;
        else in two."""
        silent = time.monotonic() - self.heard
        if self._chunk_taken and not self._dialogue.refused and silent <= _FRESH:
            # On a connection that is closed already the outcome would be unknown.
            self._dialogue.check_quiet()
            chunk.in_one_flight(transaction, commands)
        else:
            self._dialogue.refused = False
            chunk.in_two_flights(transaction, commands)
            self._chunk_taken = transaction.phase is Phase.DONE and not self._dialogue.refused
        if transaction.chunk_refused:
            self.chunking = False

    def __repr__(self) -> str:
        state = "closed" if not self.usable else "idle" if self.idle else "in use"
        return f"<Session {self.server} {state}, {self.begun} begun>"
