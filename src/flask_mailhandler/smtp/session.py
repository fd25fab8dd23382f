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
from ..content import Content
from ..errors import LoginError
from ..errors import MessageError
from ..report import Job
from ..report import Observe
from ..report import Phase
from ..report import State
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

# The end of data is not given when less than this many seconds remain, or half of what was
# allowed: a deferred message is better than an unknown one.
_PATIENCE_AT_END = 10.0
# So much of the content is doubled and written at once.
_PIECE = 1 << 18
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
        self._stream = opening.run()
        self.offer = Offer(opening.extensions)
        self._phase = Phase.MAIL
        self.usable = True
        """Whether another transaction may begin."""
        self.finished = 0
        """Transactions that ended with a reply to the end of data."""
        self._clean = True

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
        mail = self._ask(f"MAIL FROM:<{sender}>")
        rcpt = self._ask(f"RCPT TO:<{recipient}>") if mail.code // 10 == 25 else None
        self._ask("RSET")
        return mail, rcpt

    def close(self) -> None:
        """Say QUIT if the connection is in order, without waiting for the answer, and close."""
        if self.usable and not self._stream.closed:
            with contextlib.suppress(StreamError):
                self._stream.deadline = Deadline(1)
                self._stream.write(b"QUIT\r\n")
        self._abandon()

    def _abandon(self) -> None:
        self.usable = False
        self._stream.close()

    # What goes out, and what comes back

    def _ask(self, command: str) -> Reply:
        # Only a mailbox may be more than ASCII, and only where SMTPUTF8 was agreed on.
        self._stream.write(command.encode() + b"\r\n")
        return self._read()

    def _read(self) -> Reply:
        return read_reply(self._stream.read_line)

    # One transaction

    def _transact(self, delivery: Delivery, observe: Observe) -> None:
        batch = [*itertools.islice(delivery.waiting, self._batch_size(delivery))]
        accepted: list[Address] = []
        self._phase = Phase.MAIL
        try:
            # An exception that is not ours, a KeyboardInterrupt among them, finds the stream in
            # the middle of something: nobody may use it again.
            with self._closed_on_exception():
                if self._mail(delivery, batch, observe):
                    self._ask_recipients(delivery, batch, accepted, observe)
                if accepted and self._data(delivery, accepted, observe):
                    self._give_content(delivery, accepted, observe)
        except StreamError as error:
            self._settle_broken(delivery, accepted, error)
        if self.finished and self.finished == self._most_messages():
            self.close()

    @contextlib.contextmanager
    def _closed_on_exception(self) -> Iterator[None]:
        try:
            yield
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
        if reply.idle and self._may_move(delivery):
            self._move(delivery)
        elif reply.code == 530:
            raise self._need_login(reply)
        else:
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
        if reply.code == 354:
            return True
        self._settle(delivery, accepted, reply)
        self._leave_the_rest(delivery, reply)
        return False

    def _give_content(self, delivery: Delivery, accepted: list[Address], observe: Observe) -> None:
        self._enter(Phase.CONTENT, delivery.job, observe)
        try:
            ended = self._write_content(delivery.job.content)
        except MessageError as error:
            # A file that changed: the server has a part of the message and must not get its end.
            delivery.settle([*delivery.waiting], str(error), Phase.CONTENT, State.REFUSED)
            self._abandon()
            return
        except StreamError as error:
            self._settle_last_words(delivery, accepted, error)
            return
        left, allowed = delivery.deadline.remaining(), delivery.deadline.allowed
        if left < min(_PATIENCE_AT_END, allowed / 2):
            raise TimedOutError("too little time was left to wait for the reply to the content")
        self._end_data(delivery, accepted, ended, observe)

    def _write_content(self, content: Content) -> bool:
        """Write the content with its dots doubled (RFC 5321 section 4.5.2); whether it ended
        with a line end."""
        tail = b"\r\n"
        for piece in content:
            for start in range(0, len(piece), _PIECE):
                # A line's dot and the line end before it may stand in different pieces.
                octets = tail + piece[start : start + _PIECE]
                self._stream.write(octets.replace(b"\r\n.", b"\r\n..")[len(tail) :])
                tail = octets[-2:]
        return tail == b"\r\n"

    def _end_data(
        self, delivery: Delivery, accepted: list[Address], ended: bool, observe: Observe
    ) -> None:
        self._enter(Phase.END_OF_DATA, delivery.job, observe)
        try:
            self._stream.write(b".\r\n" if ended else b"\r\n.\r\n")
        except StreamError as error:
            # The kernel did not take all of it, so the server cannot have the whole message.
            self._phase = Phase.CONTENT
            self._settle_last_words(delivery, accepted, error)
            return
        reply = self._read()
        self._settle(delivery, accepted, reply)
        self._phase = Phase.DONE
        self._clean = True
        self.finished += 1
        delivery.repeated = False
        observe(Phase.DONE, delivery.job)
        if reply.code // 10 != 25:
            self._leave_the_rest(delivery, reply)

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

    def _leave_the_rest(self, delivery: Delivery, reply: Reply) -> None:
        """No further batch of a message whose content was not taken: it would fare the same."""
        reason = f"not tried, for an earlier batch got: {reply}"
        delivery.settle([*delivery.waiting], reason, self._phase, State.DEFERRED)

    def _settle_broken(
        self, delivery: Delivery, accepted: list[Address], error: StreamError
    ) -> None:
        self._abandon()
        if (
            isinstance(error, LostError)
            and self._phase < Phase.CONTENT
            and self._may_move(delivery)
        ):
            self._move(delivery)
            return
        reason = f"{self.server}: {error}"
        if self._phase is Phase.END_OF_DATA:
            delivery.settle(accepted, reason, self._phase, State.UNKNOWN)
            reason = f"not tried, for the outcome of an earlier batch is unknown ({error})"
        delivery.settle([*delivery.waiting], reason, self._phase, State.DEFERRED)

    def _settle_last_words(
        self, delivery: Delivery, accepted: list[Address], error: StreamError
    ) -> None:
        """A write failed. Often the server has said why before it closed: read that first."""
        reply = None
        with contextlib.suppress(StreamError):
            self._stream.deadline = Deadline(_LAST_WORDS)
            reply = self._read()
        self._abandon()
        if reply is None or reply.code // 100 not in (4, 5):
            raise error
        delivery.settle(accepted, reply, self._phase)

    def _may_move(self, delivery: Delivery) -> bool:
        """Whether the transaction may be repeated on a fresh connection: this one has finished
        one before, nothing of the content was written, and it is the first time."""
        return self.finished > 0 and not delivery.repeated

    def _move(self, delivery: Delivery) -> None:
        delivery.repeated = True
        self._abandon()

    def _need_login(self, reply: Reply) -> LoginError:
        what = "set MAIL_USERNAME and MAIL_PASSWORD"
        if self.server.security == "none" and "TLS" in reply.text.upper():
            what = "set MAIL_SECURITY = 'starttls'"
        return LoginError(
            f"{self.server} takes no mail from this session: {reply}. Probably {what}.",
            phase=Phase.MAIL,
            temporary=False,
        )

    # How much at once

    def _batch_size(self, delivery: Delivery) -> int:
        limits = (self.server.recipients_per_message, delivery.limit, self.offer.limit("RCPTMAX"))
        return min((limit for limit in limits if limit), default=len(delivery.waiting))

    def _most_messages(self) -> int | None:
        limits = (self.server.messages_per_connection, self.offer.limit("MAILMAX"))
        return min((limit for limit in limits if limit), default=None)

    def __repr__(self) -> str:
        state = "usable" if self.usable else "closed"
        return f"<Session {self.server} {state}, {self.finished} sent, {self._phase}>"
