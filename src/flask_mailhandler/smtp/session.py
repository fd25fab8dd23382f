"""One connection: transactions until it ends.

A transaction is ``MAIL``, ``RCPT`` for each recipient, ``DATA``, the content and its end (RFC
5321 section 3.3). What each failure means for the recipients::

    mail ── rcpt ── data ── content ── end of data ── done
    └──── no reply: deferred, safe ────┘└─ unknown ─┘
    └──── 4yz: deferred      5yz: refused ──────────┘

The first cause wins: a reply that settles a recipient is never overwritten by a later one.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

from ..address import Address
from ..errors import LoginError
from ..errors import MessageError
from ..report import Job
from ..report import Observe
from ..report import Phase
from ..report import State
from .auth import login_missing
from .deadline import Deadline
from .delivery import Delivery
from .delivery import Waiting
from .offer import Offer
from .opening import Opening
from .reply import read_reply
from .reply import Reply
from .server import Server
from .stream import LostError
from .stream import ProtocolError
from .stream import StreamError
from .stream import TimedOutError
from .stuffing import stuffed

# The end of data is not given when less than this many seconds remain, or half of what was
# allowed: a deferred message is better than an unknown one.
_PATIENCE_AT_END = 10.0
# After a failed write, so long is waited for a reply that explains it.
_LAST_WORDS = 0.5


class Session:
    """A connection that is ready to send.

    :param server: Whom to speak to.
    :param opening: The steps that were taken, run by :meth:`open`.
    """

    def __init__(self, server: Server, opening: Opening) -> None:
        self.server = server
        self.opening = opening
        self._phase = Phase.MAIL
        self.usable: bool = True
        """Whether another transaction may begin."""
        self.begun: int = 0
        """Transactions. All but the last of them were brought to their end by replies."""
        self._clean = True
        self._stream = opening.run()
        self.offer: Offer = Offer(opening.extensions)

    @classmethod
    def open(cls, server: Server, delivery: Delivery, observe: Observe) -> Session:
        """Connect, greet, encrypt and log in, within the delivery's time.

        :raises DeferredError: if the session cannot be had.
        """
        deadline = delivery.deadline.within(server.connect_timeout)
        return cls(server, Opening(server, deadline, lambda phase: observe(phase, delivery.job)))

    def send(self, waiting: Waiting, observe: Observe) -> Iterator[Delivery]:
        """Send what waits and give back each delivery when its recipients are settled.

        It ends early when this connection is of no more use; what then waits needs another.

        :raises LoginError: if the server wants a login before it takes any mail (530).
        """
        while self.usable and (delivery := waiting.first()):
            self._stream.deadline = delivery.deadline
            self.offer.refuse_what_cannot_go(delivery, str(self.server))
            while delivery.waiting and self.usable:
                self._transact(delivery, observe)
            if delivery.waiting:
                return
            yield waiting.take()

    def probe(self, sender: str, recipient: Address, timeout: float) -> tuple[Reply, Reply | None]:
        """Ask whether the server would take a message: MAIL, RCPT and RSET, no content.

        :raises StreamError: if the connection breaks.
        """
        self._stream.deadline = Deadline(timeout)
        with self._closed_on_exception():
            mail = self._ask(f"MAIL FROM:<{sender}>")
            rcpt = self._ask(f"RCPT TO:<{recipient}>") if mail.code // 10 == 25 else None
            if not (rcpt or mail).closing:
                self._ask("RSET")
        return mail, rcpt

    def close(self) -> None:
        """Say QUIT if the connection is in order, without waiting for the answer, and close."""
        if self.usable:
            with contextlib.suppress(StreamError):
                self._stream.deadline = Deadline(1)
                self._stream.write(b"QUIT\r\n")
        self._abandon()

    def _abandon(self) -> None:
        self.usable = False
        self._stream.close()

    # What goes out, and what comes back

    def _ask(self, command: str) -> Reply:
        try:
            if self._phase is Phase.MAIL:
                # Between transactions a server may close, or say that it will.
                self._stream.check_quiet()
            elif self._stream.buffered:
                # It would be taken for the reply to this command.
                raise ProtocolError("the server said more than was asked")
            # Only a mailbox may be more than ASCII, and only where SMTPUTF8 was agreed on.
            self._stream.write(command.encode() + b"\r\n")
        except LostError:
            # Often the server has said why before it closed.
            reply = self._last_words()
            if reply and reply.closing:
                return reply
            raise
        return self._read()

    def _read(self) -> Reply:
        return read_reply(self._stream.read_line, self.opening.secrets)

    def _last_words(self) -> Reply | None:
        self._stream.deadline = Deadline(_LAST_WORDS)
        with contextlib.suppress(StreamError):
            return self._read()
        return None

    # One transaction

    def _transact(self, delivery: Delivery, observe: Observe) -> None:
        limits = (self.server.recipients_per_message, delivery.limit)
        batch = [*itertools.islice(delivery.waiting, self.offer.at_most("RCPTMAX", *limits))]
        accepted: list[Address] = []
        self._phase = Phase.MAIL
        self.begun += 1
        try:
            # An exception that is not ours, a KeyboardInterrupt among them, finds the stream in
            # the middle of something: nobody may use it again.
            with self._closed_on_exception():
                if self._mail(delivery, batch, observe):
                    self._ask_recipients(delivery, batch, accepted, observe)
                if accepted and self._data(delivery, accepted, observe):
                    self._give_content(delivery, accepted, observe)
        except StreamError as error:
            self._break_off(delivery, accepted, error)
        if self.usable:
            delivery.repeated = False
            if self.begun == self.offer.at_most("MAILMAX", self.server.messages_per_connection):
                self.close()

    @contextlib.contextmanager
    def _closed_on_exception(self) -> Iterator[None]:
        try:
            yield
        except LoginError:  # the server said no, in good order
            raise
        except BaseException:
            self._abandon()
            raise

    def _enter(self, phase: Phase, job: Job, observe: Observe) -> None:
        self._phase = phase
        observe(phase, job)

    def _mail(self, delivery: Delivery, batch: list[Address], observe: Observe) -> bool:
        """RSET if the last transaction was left open, and MAIL. Whether the server agreed."""
        self._enter(Phase.MAIL, delivery.job, observe)
        if not self._clean:
            reply = self._ask("RSET")
            if reply.code // 10 != 25:
                raise LostError(f"the server answered RSET with {reply}")
            self._clean = True
        sender = delivery.job.envelope.sender
        reply = self._ask(f"MAIL FROM:<{sender}>{self.offer.parameters(delivery.job, batch)}")
        if reply.code // 10 == 25:
            self._clean = False
            return True
        if reply.code == 530:
            raise login_missing(self.server, reply)
        if not (reply.idle and self._moved(delivery)):
            # An unclean state is cheaper to assume than to be wrong about.
            self._clean = False
            self._settle(delivery, [*delivery.waiting], reply)
        return False

    def _ask_recipients(
        self, delivery: Delivery, batch: list[Address], accepted: list[Address], observe: Observe
    ) -> None:
        self._enter(Phase.RCPT, delivery.job, observe)
        for recipient in batch:
            reply = self._ask(f"RCPT TO:<{recipient}>")
            if reply.code // 10 == 25:
                accepted.append(recipient)
            elif accepted and reply.too_many:
                # RFC 5321 section 4.5.3.1.10: the rest goes in further transactions.
                delivery.limit = len(accepted)
                return
            elif reply.closing:
                # Nothing was taken of those before, and nobody will take those behind.
                accepted.clear()
                self._settle(delivery, [*delivery.waiting], reply)
                return
            else:
                self._settle(delivery, [recipient], reply)

    def _data(self, delivery: Delivery, accepted: list[Address], observe: Observe) -> bool:
        self._enter(Phase.DATA, delivery.job, observe)
        reply = self._ask("DATA")
        if reply.code != 354:
            self._settle(delivery, accepted, reply)
            delivery.leave_the_rest(reply, self._phase)
        return reply.code == 354

    def _give_content(self, delivery: Delivery, accepted: list[Address], observe: Observe) -> None:
        self._enter(Phase.CONTENT, delivery.job, observe)
        try:
            for octets in stuffed(delivery.job.content):
                self._stream.write(octets)
            # A server that has spoken or closed by now does not have the message.
            self._stream.check_quiet()
        except MessageError as error:
            # A file that changed: the server has a part of the message and must not get its end.
            delivery.settle([*delivery.waiting], str(error), Phase.CONTENT, State.REFUSED)
            self._abandon()
            return
        except StreamError as error:
            self._cut_short(delivery, accepted, error)
            return
        left, allowed = delivery.deadline.remaining(), delivery.deadline.allowed
        if left < min(_PATIENCE_AT_END, allowed / 2):
            raise TimedOutError("too little time was left to wait for the reply to the content")
        self._end_data(delivery, accepted, observe)

    def _end_data(self, delivery: Delivery, accepted: list[Address], observe: Observe) -> None:
        self._enter(Phase.END_OF_DATA, delivery.job, observe)
        try:
            self._stream.write(b".\r\n")
        except StreamError as error:
            # The kernel did not take all of it, so the server cannot have the whole message.
            self._phase = Phase.CONTENT
            self._cut_short(delivery, accepted, error)
            return
        reply = self._read()
        self._settle(delivery, accepted, reply)
        self._clean = True
        if reply.code // 10 != 25:
            delivery.leave_the_rest(reply, self._phase)
        self._enter(Phase.DONE, delivery.job, observe)

    # What a reply, or its absence, means

    def _settle(self, delivery: Delivery, recipients: list[Address], reply: Reply) -> None:
        """Settle *recipients* by a reply to the phase in hand.

        :raises ProtocolError: if the reply is none that belongs there.
        """
        if reply.closing:
            delivery.settle(recipients, reply, self._phase, State.DEFERRED)
            self._abandon()
        elif reply.code // 100 in (4, 5):
            too_many = self._phase is Phase.RCPT and reply.too_many
            state = State.DEFERRED if too_many else reply.state
            delivery.settle(recipients, reply, self._phase, state)
        elif reply.code // 10 == 25 and self._phase is Phase.END_OF_DATA:
            delivery.settle(recipients, reply, self._phase)
        else:
            raise ProtocolError(f"the server answered {self._phase} with {reply}")

    def _break_off(self, delivery: Delivery, accepted: list[Address], error: StreamError) -> None:
        self._abandon()
        before_content = isinstance(error, LostError) and self._phase < Phase.CONTENT
        if before_content and self._moved(delivery):
            return
        reason = f"{self.server}: {error}"
        if self._phase is Phase.END_OF_DATA:
            delivery.settle(accepted, reason, self._phase, State.UNKNOWN)
            reason = f"not tried, for the outcome of an earlier batch is unknown ({error})"
        delivery.settle([*delivery.waiting], reason, self._phase, State.DEFERRED)

    def _cut_short(self, delivery: Delivery, accepted: list[Address], error: StreamError) -> None:
        """The end of data was not given, for the server stopped taking the content. Often it
        has said why."""
        reply = self._last_words()
        self._abandon()
        if reply is None or reply.code // 100 not in (4, 5):
            raise error
        delivery.settle(accepted, reply, self._phase)
        delivery.leave_the_rest(reply, self._phase)

    def _moved(self, delivery: Delivery) -> bool:
        """Leave the transaction to a fresh connection, if that is safe and new: this one has
        finished one before, nothing of the content was written, and it is the first time."""
        if self.begun == 1 or delivery.repeated:
            return False
        delivery.repeated = True
        self._abandon()
        return True

    def __repr__(self) -> str:
        state = "usable" if self.usable else "closed"
        return f"<Session {self.server} {state}, {self.begun} begun, {self._phase}>"
