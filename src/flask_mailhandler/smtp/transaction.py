"""One transaction: MAIL, RCPT for each recipient, DATA, the content and its end (RFC 5321 section
3.3). What each failure means for the recipients::

    mail ── rcpt ── data ── content ── end of data ── done
    └──── no reply: deferred, safe ────┘└─ unknown ─┘
    └──── 4yz: deferred      5yz: refused ──────────┘

The first cause wins: a reply that settles a recipient is never overwritten by a later one.
"""

from __future__ import annotations

import typing as t

from ..address import Address
from ..errors import MessageError
from ..phase import Phase
from ..phase import State
from ..report import Observe
from .delivery import Delivery
from .dialogue import Dialogue
from .endpoint import Server
from .login_hints import login_missing
from .offer import Offer
from .reply import Reply
from .stream import LostError
from .stream import ProtocolError
from .stream import StreamError
from .stream import TimedOutError
from .stuffing import stuffed

_END = b".\r\n"


class Transaction:
    """A batch of a delivery's recipients, and how far the server has agreed.

    :param reset: Whether the transaction before was left open, so that RSET must come first.
    :param reused: Whether the connection has finished a transaction before.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        server: Server,
        delivery: Delivery,
        batch: list[Address],
        observe: Observe,
        *,
        reset: bool,
        reused: bool,
    ) -> None:
        self.dialogue = dialogue
        self.server = server
        self.delivery = delivery
        self.batch = batch
        self.accepted: list[Address] = []
        self.phase: Phase = Phase.MAIL
        self.open: bool = reset
        """Whether it must be ended by RSET, for no reply to an end of data has ended it."""
        self.whole: bool = False
        """Whether the server may have the whole content, so that no reply leaves it unknown."""
        self.bye: Reply | None = None
        """A 421 behind which there may be more replies."""
        self.chunk_refused: bool = False
        """Whether the server offers CHUNKING and does not know BDAT."""
        self.doubtful: list[Address] = self.accepted
        """Whom the server may have taken the message for, if it is whole."""
        self.observe = observe
        self._told = delivery.job
        self._reset = reset
        self._reused = reused

    def enter(self, phase: Phase) -> None:
        """Say, before it begins, which phase is next."""
        self.phase = phase
        if self.whole and phase < Phase.END_OF_DATA:
            return  # its commands went with the content, in one write
        self.whole = phase >= Phase.END_OF_DATA
        whom = self.doubtful if self.whole else self.batch
        if len(whom) != len(self._told.envelope.recipients):  # they become fewer, never others
            self._told = self.delivery.job_to(whom)
        self.observe(phase, self._told)

    def commands(self, offer: Offer) -> list[str]:
        """RSET if it must be, MAIL, and RCPT for each recipient."""
        parameters = offer.parameters(self.delivery.job, self.batch)
        return [
            *(["RSET"] if self._reset else []),
            f"MAIL FROM:<{self.delivery.job.envelope.sender}>{parameters}",
            *(f"RCPT TO:<{recipient}>" for recipient in self.batch),
        ]

    def announce(self, commands: list[str], *last: str) -> None:
        """Queue the commands.

        :param last: DATA, or what stands for it.
        """
        self.enter(Phase.MAIL)
        self.dialogue.put((*commands, *last))

    # The envelope

    def agree(self, last: int = 1) -> bool:
        """Ask for the replies up to RCPT. Whether anybody was accepted.

        :param last: Commands behind RCPT.
        :raises LoginError: if the server wants a login before it takes any mail (530).
        """
        if not self._mail():
            self._leave(Phase.MAIL)
        elif not self._recipients(last):
            self._leave(Phase.RCPT)
        return bool(self.accepted)

    def _mail(self) -> bool:
        if self._reset:
            reply = self.dialogue.reply()
            if reply.code // 10 != 25:
                raise LostError(f"the server answered RSET with {reply}")
        reply = self.dialogue.reply()
        # After a refusal, an open transaction is cheaper to assume than to be wrong about.
        self.open = True
        if reply.code // 10 == 25:
            return True
        if reply.code == 530:
            self._leave(Phase.MAIL)
            raise login_missing(self.server, reply)
        if reply.idle and self._may_move():
            self.dialogue.close()
        else:
            self.settle([*self.delivery.waiting], reply)
        return False

    def _recipients(self, last: int) -> bool:
        self.enter(Phase.RCPT)
        for recipient in self.batch:
            if self.dialogue.left == last:  # the others were not asked for
                break
            reply = self.dialogue.reply()
            if reply.code // 10 == 25:
                self.accepted.append(recipient)
            elif self.accepted and reply.too_many:
                # RFC 5321 section 4.5.3.1.10: the rest goes in further transactions.
                self.delivery.limit = len(self.accepted)
                self.dialogue.drop(keep=last)
            elif reply.code == 421 and self.whole:
                # The content is with the server: perhaps it is taken for the others all the same.
                self.bye = reply
                self.delivery.settle([recipient], reply, self.phase, State.DEFERRED)
            elif reply.closing:
                # Nothing was taken of those before, and nobody will take those behind.
                self.accepted.clear()
                self.settle([*self.delivery.waiting], reply)
                break
            else:
                self.settle([recipient], reply)
        self.doubtful = self.accepted
        return bool(self.accepted)

    def _leave(self, refused: Phase) -> None:
        """Read the replies to what was said already and does not matter any more."""
        self.dialogue.drop()
        try:
            while self.dialogue.open and self.dialogue.left:
                reply = self.dialogue.reply()
                if reply.closing:
                    self.dialogue.close()
                elif reply.code == 354:
                    self._decline(refused)
        except StreamError:
            self.dialogue.close()
        if self.whole:
            # A content followed that nobody was to get. Who knows what is made of it.
            self.dialogue.close()

    def _decline(self, refused: Phase) -> None:
        """The server waits for a content that nobody is to get (RFC 2920 section 3.1)."""
        if refused is Phase.MAIL:
            # An end of data might be taken for an empty message, under a sender of its own.
            self.dialogue.close()
            return
        self.dialogue.say(_END)
        if self.dialogue.reply().closing:
            self.dialogue.close()
        self.open = False

    # The content

    def data(self) -> bool:
        """Ask for the reply to DATA. Whether the content may be given."""
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
        self.delivery.leave_the_rest(reply, self.phase)
        return False

    def content(self) -> bool:
        """Give the content without its end. Whether the end may be given.

        :raises StreamError: if the connection breaks and the server has not said why.
        """
        self.enter(Phase.CONTENT)
        try:
            for octets in stuffed(self.delivery.job.content):
                self.dialogue.give(octets)
            # A server that has spoken or closed by now does not have the message.
            self.dialogue.check_quiet()
        except MessageError as error:
            self.spoilt(error)
            return False
        except StreamError as error:
            self.cut_short(error)
            return False
        if self.delivery.deadline.nearly_over:
            # A deferred message is better than an unknown one.
            raise TimedOutError("too little time was left to wait for the reply to the content")
        return True

    def end(self, following: t.Callable[[], None]) -> None:
        """Give the end of data and settle everybody by the reply to it.

        :param following: Queues the next transaction, whose first group goes in the same write.
        :raises StreamError: if there is no reply.
        """
        self.enter(Phase.END_OF_DATA)
        following()
        try:
            self.dialogue.say(_END)
        except StreamError as error:
            if error.given < len(_END):
                return self.not_whole(error)
            reply = self.dialogue.last_words()
            if reply is None:
                raise
        else:
            reply = self.dialogue.reply()
        self.conclude(reply)

    def conclude(self, reply: Reply) -> None:
        """Settle everybody by the reply to the end of data.

        :raises ProtocolError: if it is none.
        """
        self.phase = Phase.END_OF_DATA
        self.settle(self.accepted, reply)
        self.open = False
        if reply.code // 10 != 25:
            self.delivery.leave_the_rest(reply, self.phase)
        self.enter(Phase.DONE)
        if self.bye:
            self.dialogue.close()

    # What a reply, or its absence, means

    def settle(self, recipients: list[Address], reply: Reply) -> None:
        """Settle *recipients* by a reply to the phase in hand. From the end of data on, only 421,
        4yz and 5yz say no: a server that says 221 may have the message.

        :raises ProtocolError: if the reply is none that belongs there.
        """
        if reply.code == 421 or (reply.closing and not self.whole):
            self.delivery.settle(recipients, reply, self.phase, State.DEFERRED)
            self.dialogue.close()
        elif reply.code // 100 in (4, 5):
            too_many = self.phase is Phase.RCPT and reply.too_many
            state = State.DEFERRED if too_many else reply.state
            self.delivery.settle(recipients, reply, self.phase, state)
        elif reply.code // 10 == 25 and self.phase is Phase.END_OF_DATA:
            self.delivery.settle(recipients, reply, self.phase)
        else:
            raise ProtocolError(f"the server answered {self.phase} with {reply}")

    def break_off(self, error: StreamError) -> None:
        """Settle everybody who waits, for the connection has broken; or leave the transaction to
        a fresh connection, if that is safe."""
        self.dialogue.close()
        if isinstance(error, LostError) and self.phase < Phase.CONTENT and self._may_move():
            return
        reason = f"{self.server}: {error}"
        if self.whole:
            doubtful = [perhaps for perhaps in self.doubtful if perhaps in self.delivery.waiting]
            state = State.DEFERRED if self.bye else State.UNKNOWN
            self.delivery.settle(doubtful, self.bye or reason, self.phase, state)
            reason = f"not tried, for the outcome of an earlier batch is unknown ({error})"
        self.delivery.settle([*self.delivery.waiting], reason, self.phase, State.DEFERRED)

    def _may_move(self) -> bool:
        """Whether the transaction may be left to a fresh connection: this one has finished one
        before, nothing of the content was given, and it is the first time."""
        if self.whole or not self._reused or self.delivery.repeated:
            return False
        self.delivery.repeated = True
        return True

    def spoilt(self, error: MessageError) -> None:
        """A file has changed: the server must not get the end of what it may have a part of."""
        self.delivery.spoil(error)
        self.dialogue.close()

    def not_whole(self, error: StreamError) -> None:
        """The kernel did not take the last octets: the server cannot have the whole message."""
        self.phase, self.whole = Phase.CONTENT, False
        self.cut_short(error)

    def cut_short(self, error: StreamError) -> None:
        """The end of data was not given, for the server stopped taking the content. Often it
        has said why."""
        reply = self.dialogue.last_words()
        if reply is None or reply.code // 100 not in (4, 5):
            raise error
        self.delivery.settle(self.accepted, reply, self.phase)
        self.delivery.leave_the_rest(reply, self.phase)
