"""A worker: it looks for accounts whose mail is due, and gives each a lane of its own.

Any number of workers may be at work on one store, in threads, processes and machines.
"""

from __future__ import annotations

# A connection needs it. Were it loaded by the thread of a worker, a process that forks meanwhile
# would leave its child with the lock of a module that nobody finishes, and the child's requests,
# which need it too, would wait for ever.
import encodings.idna  # noqa: F401
import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

from ..errors import QueueError
from ..log import logger
from ..report import Report
from .bell import Bell
from .lane import Lane
from .lane import names
from .lane import Resting
from .lanes import Lanes
from .row import Row
from .upkeep import EVERY
from .upkeep import Upkeep

if t.TYPE_CHECKING:
    from .mail_queue import MailQueue

POLL = 5.0
"""Seconds after which to look for what nobody has rung for."""
LONGEST_WAIT = 60.0
"""Seconds for which a worker that is to end waits for a rate limit."""
_SLOW = 1.0


class Worker:
    """Delivers what is due in the queue of an app.

    :param bell: Wakes it; and ends it, after the messages in hand.
    :param progress: Called with each row whenever something has become of it.
    """

    def __init__(
        self,
        queue: MailQueue,
        bell: Bell | None = None,
        progress: Callable[[Row], None] | None = None,
    ) -> None:
        self._queue = queue
        self._store = queue.store
        self.bell: Bell = bell or Bell()
        self._progress = progress
        self.owner: str = self._store.new_owner()
        """Unique to this worker, so that its leases are never mistaken for those of another."""
        self._names = names(self.owner)
        self._resting: dict[str, Resting] = {}
        self._begun: dict[str, float] = {}
        self._end = self._quiet_until = float("-inf")
        self._turn_of: object | None = None
        self.lanes: Lanes = Lanes(queue.settings.queue_threads, self.bell.ring)
        self.upkeep: Upkeep = Upkeep(queue, self._tell, lambda: self.bell.stopped)

    def run(self, drained: Callable[[], None] = lambda: None) -> None:
        """Deliver until the bell ends it. Trouble with the store is logged, and waited out.

        :param drained: Called whenever nothing waits, now or for later.
        """
        self._end = float("inf")
        # The app is not to go in the middle of a round, and may between two of them.
        while not self.bell.stopped and (app := self._queue.hold()):
            last = self.bell.finishing
            try:
                pause = self._round(drained)
            except Exception as error:
                pause = self._note(error)
            if last and self._is_done():
                break
            del app
            self._wait(pause)
        self.lanes.end(self.bell.grace)

    def _wait(self, seconds: float) -> None:
        """Wait until the bell is rung, the time is over, or a dead worker has left something."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.bell.wait(min(left, EVERY)):
            app = self._queue.hold()
            try:
                if app is None or self.upkeep.run():
                    return
            except Exception as error:
                self._note(error)
                return
            del app

    def _round(self, drained: Callable[[], None]) -> float:
        """Start what is due. Seconds until something may be due that is not now."""
        if error := self.lanes.take_error():
            return self._note(error)
        if (quiet := self._quiet_until - time.monotonic()) > 0:
            return quiet
        self.upkeep.run()
        self._start()
        self.upkeep.sweep(idle=not self.lanes.accounts)
        if self.lanes.full:  # until one ends, which rings the bell
            return POLL
        waits = [*self.waits()]
        if not waits and not self.lanes.accounts:
            drained()
        return max(min([POLL, *waits]), 0.0)

    def _note(self, error: Exception) -> float:
        """Log what has gone wrong, and leave the store alone for a moment: for so many seconds."""
        if isinstance(error, QueueError):
            logger.error("%s", error)
        else:
            logger.error(
                "Unexpected error in a worker of the queue, which continues.", exc_info=error
            )
        self._quiet_until = time.monotonic() + POLL
        return POLL

    def run_once(self, seconds: float = float("inf")) -> int:
        """Deliver everything that is due now: in this thread, if the app has one account, else in a
        thread of each.

        :param seconds: After them no message is begun any more.
        :return: The number of messages that were taken in hand.
        :raises QueueError: if the store cannot be used.
        """
        self.upkeep.recover()
        if len(self._queue.accounts) > 1:
            return self._turn(seconds, float("inf"), patient=False)
        self._end = time.monotonic() + seconds
        taken = 0
        for account in [*self._next_accounts()]:
            lane = self._lane(account)
            lane.run()
            taken += lane.taken
        return taken

    def turn(self, seconds: float, stay: float = float("inf")) -> int:
        """Deliver for a moment what is most urgent, as a job does beside other jobs. While one
        server hangs the others are served, and a rate limit is waited for that ends in time.

        Of several threads that share this worker one has the turn. Another one leaves it to that
        thread, or takes it over when its time is over.

        :param seconds: After them no message is begun any more, unless another account's server is
            slow.
        :param stay: Seconds after which a message in hand is left to its thread.
        :return: The number of messages that were taken in hand.
        :raises QueueError: if the store cannot be used.
        """
        self.upkeep.recover()
        if self._turn_of is not None and time.monotonic() < self._end - _SLOW / 4:
            self.bell.ring()
            return 0
        return self._turn(seconds, stay, patient=True)

    def _turn(self, seconds: float, stay: float, *, patient: bool) -> int:
        before = self.lanes.taken
        self._turn_of = mine = object()
        self._end = time.monotonic() + seconds
        try:
            self._deliver_until_end(mine, stay, patient)
        except BaseException:
            # The time limit of a broker, say: what is in hand is finished, and no more begun.
            self._end = float("-inf")
            self.lanes.end(self.bell.grace)
            raise
        finally:
            if self._turn_of is mine:
                self._turn_of = None
        if self.bell.stopped:
            self.lanes.end(self.bell.grace)
        return self.lanes.taken - before

    def _deliver_until_end(self, mine: object, stay: float, patient: bool) -> None:
        began = time.monotonic()
        while not self.bell.stopped and self._turn_of is mine:
            if error := self.lanes.take_error():
                raise error
            now = time.monotonic()
            if patient and now - began < stay and self.lanes.is_slow(_SLOW):
                # This job has to wait for that server anyway.
                self._end = max(self._end, now + _SLOW)
            # One that ends at this moment may have left something; one that hung before this turn
            # is not waited for.
            busy = self.lanes.is_at_work(stay)
            if not self._is_over():
                self._start()
            busy = busy or self.lanes.is_at_work(stay)
            rest = self._rate_rest() if patient else float("inf")
            if not busy and not rest < self._end - time.monotonic():
                return
            self.bell.wait(min(rest, _SLOW / 4))

    def left(self) -> Iterator[tuple[str, float]]:
        """The accounts that still have mail which is due and may be sent, and the seconds until it
        may.

        :raises QueueError: if the store cannot be used.
        """
        now = self._store.now()
        for account in self._awake(now):
            if any(due <= now for _, due in self._due(account)):
                yield account, max(0.0, self._rest(account).until - time.monotonic())

    # Which accounts

    def _start(self) -> None:
        for account in [*self._next_accounts()]:
            if self.lanes.full:
                return
            self._begun[account] = time.monotonic()
            self.lanes.start(self._lane(account, self._is_crowded))

    def _lane(self, account: str, yields: Callable[[], bool] = lambda: False) -> Lane:
        rest = self._rest(account)
        return Lane(self._queue, account, rest, self._names, self._has_ended, self._tell, yields)

    def _is_crowded(self) -> bool:
        """Whether another account may wait for a lane."""
        return self.lanes.full and len(self._queue.accounts) > self._queue.settings.queue_threads

    def _has_ended(self) -> bool:
        return self.bell.stopped or self._is_over()

    def _is_over(self) -> bool:
        """Whether the time is over in which messages are begun."""
        return time.monotonic() > self._end

    def _next_accounts(self) -> Iterator[str]:
        """The accounts without a lane that have something due: that of the highest priority
        first, and in turn where there are not enough lanes."""
        now = self._store.now()
        candidates = [
            (priority, self._begun.get(account, 0.0), due, account)
            for account in self._awake(now)
            if self._rest(account).until <= time.monotonic()
            for priority, due in self._due(account)
            if due <= now
        ]
        yield from dict.fromkeys(account for *_, account in sorted(candidates))

    def _awake(self, now: float) -> Iterator[str]:
        for account in self._queue.accounts:
            if account not in self.lanes.accounts and self._store.pause(account).until <= now:
                yield account

    def _due(self, account: str) -> list[tuple[int, float]]:
        return self._store.due(account, self._queue.origin(account))

    def _rest(self, account: str) -> Resting:
        return self._resting.setdefault(account, Resting())

    def waits(self) -> Iterator[float]:
        """For each account with mail that waits, the seconds until it may be sent.

        :raises QueueError: if the store cannot be used.
        """
        now = self._store.now()
        for account in self._queue.accounts:
            if account not in self.lanes.accounts and (found := self._due(account)):
                yield max(
                    min(due for _, due in found) - now,
                    self._store.pause(account).until - now,
                    self._rest(account).until - time.monotonic(),
                )

    def _rate_rest(self) -> float:
        """Seconds until the first account may send again that has to wait for its rate limit."""
        now = time.monotonic()
        rests = (rest.until - now for rest in self._resting.values() if rest.until > now)
        return min(rests, default=float("inf"))

    def _is_done(self) -> bool:
        """Whether nothing is in hand, and nothing more is due but what has to wait for long."""
        try:
            return not self.lanes.accounts and all(wait > LONGEST_WAIT for _, wait in self.left())
        except QueueError:
            return True

    def _tell(self, row: Row, report: Report | None) -> None:
        self._queue.tell(row, report)
        if self._progress is not None:
            self._progress(row)

    def __repr__(self) -> str:
        return f"<Worker {self.owner}>"
