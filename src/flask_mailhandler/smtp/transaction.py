"""One transaction: MAIL, RCPT for each recipient, DATA, the content and its end (RFC 5321 section
3.3). The meaning of each failure for the recipients::

    mail ── rcpt ── data ── content ── end of data ── done
    └──── no reply: deferred, safe ────┘└─ unknown ─┘
    └──── 4yz: deferred      5yz: refused ──────────┘

The first cause wins: a reply that settles a recipient is never overwritten by a later one.
"""

from __future__ import annotations

import itertools

from ..address import Address
from ..errors import MessageError
from ..phase import Phase
from ..phase import State
from ..report import Observe
from .delivery import Delivery
from .dialogue import Dialogue
from .endpoint import Endpoint
from .login_hints import login_missing
from .reply import Reply
from .states import LEGAL_STEPS
from .states import SessionState
from .states import STATE_AT
from .states import TransactionState
from .stream import LostError
from .stream import StreamError
from .stream import TimedOutError
from .stuffing import END
from .stuffing import SMALL
from .stuffing import stuffed
from .stuffing import stuffed_whole

# Reading these from their enums takes 0.2 µs each time up to Python 3.11.
_ENVELOPE, _IN_DOUBT = TransactionState.ENVELOPE, TransactionState.IN_DOUBT
_CONTENT, _END_OF_DATA = Phase.CONTENT, Phase.END_OF_DATA


class Transaction:
    """The transaction of a batch of recipients; see the table of :class:`.TransactionState`.

    :param parameters: Of MAIL.
    :param before: The state of the session between the transaction before and this one.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        server: Endpoint,
        delivery: Delivery,
        batch: list[Address],
        observe: Observe,
        *,
        parameters: str = "",
        before: SessionState = SessionState.FRESH,
    ) -> None:
        assert before not in (SessionState.BUSY, SessionState.AHEAD)
        self.dialogue = dialogue
        self.server = server
        self.delivery = delivery
        self.batch = batch
        self.accepted: list[Address] = []
        """The recipients whose RCPT was accepted."""
        self.doubtful: list[Address] = self.accepted
        """The recipients whose outcome is unknown if the transaction breaks while IN_DOUBT."""
        self.phase: Phase = Phase.MAIL
        """What the next reply is about."""
        self.state: TransactionState = _ENVELOPE
        self.closing_reply: Reply | None = None
        """A 421 to RCPT in one flight. A server that replies to more may also take the content."""
        self._said: Reply | None = None  # last, to RCPT
        self.observe = observe
        self.before = before
        mail = f"MAIL FROM:<{delivery.job.envelope.sender}>{parameters}"
        # Not an f-string, which takes twice as long with an Address.
        self.commands: list[str] = [mail, *["RCPT TO:<" + recipient + ">" for recipient in batch]]
        if before is SessionState.LEFT_OPEN:
            self.commands.insert(0, "RSET")
        self._observed = delivery.job
        self._end = END  # and before it, a small content

    def step(self, state: TransactionState) -> None:
        """Take one of the legal steps."""
        assert state in LEGAL_STEPS[self.state], f"{self.state} to {state}"
        self.state = state

    def enter(self, phase: Phase) -> None:
        """Report, before it begins, which phase is next."""
        self.phase = phase
        if self.state is _IN_DOUBT and phase < _END_OF_DATA:
            return  # in one flight; its commands were written with the content
        if phase >= _CONTENT:
            self.step(STATE_AT[phase])
        recipients = self.doubtful if phase >= _END_OF_DATA else self.batch
        if len(recipients) != len(self._observed.envelope.recipients):  # fewer, never others
            self._observed = self.delivery.job_to(recipients)
        self.observe(phase, self._observed)

    def start(self, *last: str) -> None:
        """Queue the commands, and DATA or the command that stands for it."""
        self.enter(Phase.MAIL)
        self.dialogue.queue((*self.commands, *last))

    # The envelope

    def envelope(self, after: int = 1) -> bool:
        """Read the replies up to those to RCPT, and return whether any recipient was accepted.

        :param after: The number of commands queued after RCPT.
        :raises LoginError: if the server wants a login before it takes any mail (530).
        """
        if not self._mail():
            self._skip(Phase.MAIL)
        elif not self._rcpt(after):
            self._skip(Phase.RCPT)
        return bool(self.accepted)

    def _mail(self) -> bool:
        if self.before is SessionState.LEFT_OPEN:
            reply = self.dialogue.reply()
            if reply.code // 10 != 25:
                raise LostError(f"the server answered RSET with {reply}")
        reply = self.dialogue.reply()
        if reply.code // 10 == 25:
            return True
        if reply.code == 530:
            self._skip(Phase.MAIL)
            raise login_missing(self.server, reply)
        if (reply.idle or (reply.full and self.before is SessionState.READY)) and self._may_move():
            self.dialogue.close()
        else:
            self.settle([*self.delivery.waiting], reply)
        return False

    def _rcpt(self, after: int) -> bool:
        self.enter(Phase.RCPT)
        batch = iter(self.batch)
        for recipient in batch:
            if self.dialogue.pending == after:  # RCPT for the others was cancelled
                break
            self._said = reply = self.dialogue.reply()
            if reply.code // 10 == 25:
                self.accepted.append(recipient)
                if len(self.batch) > 1:  # most replies are alike: 0.1 µs for each, instead of 1.5
                    self.accepted += itertools.islice(batch, self.dialogue.skip_alike(keep=after))
            elif self.accepted and reply.too_many:
                # RFC 5321 section 4.5.3.1.10: the rest goes in further transactions.
                self.delivery.limit = len(self.accepted)
                self.dialogue.cancel(keep=after)
            elif reply.code == 421 and self.state is _IN_DOUBT:
                # The server has the content, and may still accept it for the others.
                self.closing_reply = reply
                self.delivery.settle([recipient], reply, self.phase, State.DEFERRED)
            elif reply.closing:
                # It accepts the message for no recipient, not for those before either.
                self.accepted.clear()
                self.settle([*self.delivery.waiting], reply)
                break
            else:
                self.settle([recipient], reply)
        self.doubtful = self.accepted
        return bool(self.accepted)

    def _skip(self, refused: Phase) -> None:
        """Read the outstanding replies, which no longer matter. What is queued is not sent."""
        in_one_flight = self.state is _IN_DOUBT
        if not in_one_flight:
            # After a refused MAIL, an open transaction is cheaper to assume than to be wrong about.
            self.step(TransactionState.LEFT_OPEN)
        self.dialogue.cancel()
        try:
            while self.dialogue.open and self.dialogue.pending:
                reply = self.dialogue.reply()
                if reply.closing:
                    self.dialogue.close()
                elif reply.code == 354 and refused is Phase.MAIL:
                    # An end of data might be taken for an empty message, from another sender.
                    self.dialogue.close()
                elif reply.code == 354 and self.state is not TransactionState.ENDED:
                    # The server waits for a content for no recipient (RFC 2920 section 3.1).
                    self.dialogue.write_group(END)
                    self.step(TransactionState.ENDED)
        except StreamError:
            self.dialogue.close()
        if in_one_flight:
            # A content without recipients followed, and it is not known what becomes of it.
            self.dialogue.close()

    # The content

    def data(self) -> bool:
        """Read the reply to DATA, and return whether the content may be written."""
        self.enter(Phase.DATA)
        reply = self.dialogue.reply()
        if reply.code == 354:
            try:
                self.dialogue.check_nothing_more()
            except StreamError as error:
                self.cut_short(error)
                return False
            return True
        self.settle(self.accepted, reply)
        self.delivery.defer_rest(reply, self.phase)
        self.step(TransactionState.LEFT_OPEN)
        return False

    def content(self) -> bool:
        """Write the content, unless it goes with its end; return whether the end may be written.

        :raises StreamError: if the connection breaks and the server has not said why.
        """
        self.enter(_CONTENT)
        content, stream = self.delivery.job.content, self.dialogue.stream
        try:
            if content.size <= SMALL:
                self._end = stuffed_whole(b"".join(content))
            else:
                for octets in stuffed(content):
                    stream.write(octets)
            # A server that has replied or closed by now does not have the message.
            stream.check_quiet()
        except MessageError as error:
            self.content_changed(error)
            return False
        except StreamError as error:
            self.cut_short(error)
            return False
        if self.delivery.deadline.nearly_over:
            # A deferred message is better than an unknown one.
            raise TimedOutError("too little time was left to wait for the reply to the content")
        return True

    def end_of_data(self, following: Transaction | None = None) -> None:
        """Write the end of data, after a small content; settle the recipients by the reply.

        :param following: The next transaction, whose first group goes in the same write.
        :raises StreamError: if there is no reply.
        """
        self.enter(_END_OF_DATA)
        if following is not None:
            following.start("DATA")
        try:
            self.dialogue.write_group(self._end)
        except StreamError as error:
            if error.given < len(self._end):
                return self.end_not_written(error)
            reply = self.dialogue.last_reply()
            if reply is None:
                raise
        else:
            reply = self.dialogue.reply()
        self.conclude(reply)

    def conclude(self, reply: Reply) -> None:
        """Settle the recipients by the reply to the end of data.

        :raises ProtocolError: if it is not such a reply.
        """
        self.phase = _END_OF_DATA
        self.settle(self.accepted, reply)
        if reply.code // 10 != 25:
            self.delivery.defer_rest(reply, self.phase)
        self.enter(Phase.DONE)
        if self.closing_reply:
            self.dialogue.close()

    # The meaning of a reply, or of its absence

    def settle(self, recipients: list[Address], reply: Reply) -> None:
        """Settle *recipients* by a reply to the current phase; see :meth:`.Reply.failure`."""
        if self.phase is _END_OF_DATA and reply.code // 10 == 25:
            return self.delivery.settle(recipients, reply, self.phase, State.ACCEPTED)
        state = reply.failure(self.phase, in_doubt=self.state is _IN_DOUBT)
        self.delivery.settle(recipients, reply, self.phase, state)
        if reply.closing:
            self.dialogue.close()

    def break_off(self, error: StreamError) -> None:
        """Settle all that wait, because the connection has broken, or move, if that is safe."""
        self.dialogue.close()
        if isinstance(error, LostError) and self._may_move():
            return
        reason = f"{self.server}: {error}"
        if self.state is _IN_DOUBT:
            doubtful = [perhaps for perhaps in self.doubtful if perhaps in self.delivery.waiting]
            closed = self.closing_reply if self.closing_reply is self._said else None
            state = State.DEFERRED if closed else State.UNKNOWN
            self.delivery.settle(doubtful, closed or reason, self.phase, state)
            reason = f"not tried, because the outcome of an earlier batch is unknown ({error})"
        self.delivery.settle([*self.delivery.waiting], reason, self.phase, State.DEFERRED)

    def _may_move(self) -> bool:
        """Return whether the transaction may move to a fresh connection, and note that it does: it
        is not the first on this one, no content was written, and it has not moved before."""
        moves = self.before is not SessionState.FRESH and self.state is _ENVELOPE
        moves = moves and not self.delivery.repeated
        self.delivery.repeated |= moves
        return moves

    def content_changed(self, error: MessageError) -> None:
        """Refuse a content that has changed. The server must not get the end of data."""
        self.delivery.refuse_content(error)
        self.dialogue.close()

    def end_not_written(self, error: StreamError) -> None:
        """Record that the kernel did not take the last octets, so the server does not have them."""
        self.phase = _CONTENT
        self.step(TransactionState.CONTENT)
        self.cut_short(error)

    def cut_short(self, error: StreamError) -> None:
        """Settle the recipients by what the server said as it stopped reading, or raise *error*."""
        reply = self.dialogue.last_reply()
        if reply is None or reply.code // 100 not in (4, 5):
            raise error
        self.delivery.settle(self.accepted, reply, self.phase)
        self.delivery.defer_rest(reply, self.phase)
