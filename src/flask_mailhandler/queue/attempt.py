"""One attempt at some rows of an account, which one worker has claimed.

::

    claimed rows ── prepared ──▶ handler.dispatch ──▶ report ── settle ──▶ waiting, sent, failed ...
                    one by one   │
                                 └ observe: "end of data" is noted before it is given
"""

from __future__ import annotations

import collections
import dataclasses
import json
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

from ..errors import ConfigurationError
from ..errors import MailError
from ..handlers.base import EmailHandler
from ..handlers.prepare import Prepared
from ..handlers.prepare import withhold
from ..log import logger
from ..phase import Phase
from ..phase import State
from ..report import Job
from ..report import Report
from . import outcomes
from . import transition
from .faults import Faults
from .faults import had_no_session
from .faults import is_of_account
from .outcomes import DamagedRowError
from .outcomes import Settled
from .patience import patiently
from .row import Row
from .row import RowState
from .stored import job_of

if t.TYPE_CHECKING:
    from .stores.base import Store

Told: t.TypeAlias = "Callable[[Row, Report | None], None]"
"""Is told what a row has become after an attempt, and the attempt's report, if there is one."""


class LeaseLostError(Exception):
    """Another worker has the row: this one must not go on with it."""


@dataclasses.dataclass(slots=True)
class _Drawn:
    """A row that was given to the handler and not reported on yet."""

    row: Row
    recipients: tuple[Settled, ...]
    prepared: Prepared
    announced: dict[str, None] = dataclasses.field(default_factory=dict)


class Attempt:
    """Delivers rows, and writes down what becomes of each.

    :param owner: Who has claimed them.
    :param faults: Counts what the account was at fault for.
    :param patience: Seconds for each message all in all.
    :param retry_unknown: Whether to try again those of whom nobody knows.
    :param told: Called after each row is written.
    :param stopped: Asked before each row; once it is true the rest is given back.
    """

    def __init__(
        self,
        store: Store,
        handler: EmailHandler,
        owner: str,
        faults: Faults,
        *,
        retry_unknown: bool,
        patience: float,
        told: Told,
        stopped: Callable[[], bool],
    ) -> None:
        self._store = store
        self._handler = handler
        self._owner = owner
        self._faults = faults
        self._patience = patience
        self._retry_unknown = retry_unknown
        self._told = told
        self._stopped = stopped
        self._drawn: collections.deque[_Drawn] = collections.deque()
        self.error: MailError | None = None
        """Why the account has to rest."""

    def run(self, rows: Sequence[Row]) -> None:
        """Try the rows. Whatever happens, none of them is left claimed.

        :raises QueueError: if that cannot be written down; then their leases run out.
        """
        left = collections.deque(rows)
        try:
            # The next row is at hand: its envelope may go with the end of the content before it.
            for report in self._handler.dispatch(
                self._prepared(left), self._observe, ready=lambda: bool(left)
            ):
                self._settle(self._drawn.popleft(), report)
        except ConfigurationError as error:
            self.error = error
            self._release(drawn.row for drawn in self._drawn if not drawn.announced)
            self._interrupted(str(error), [drawn for drawn in self._drawn if drawn.announced])
        except LeaseLostError as error:
            logger.warning("%s", error)
            self._interrupted(str(error), self._drawn)
        except Exception as error:
            logger.exception("%s raised.", type(self._handler).__name__)
            self._interrupted(f"{type(error).__name__}: {error}", self._drawn)
        except BaseException:
            self._interrupted("The worker was stopped.", self._drawn)
            raise
        finally:
            self._release(left)

    def _prepared(self, left: collections.deque[Row]) -> Iterator[Prepared]:
        while left and not (self._stopped() or self.error):
            row, now = left[0], self._store.now()
            drawn = None
            try:
                if row.expires > now:
                    drawn = self._draw(row)
                else:
                    self._write(transition.expired(row, now))
            except DamagedRowError as error:
                self._write(transition.damaged(row, str(error), now))
            left.popleft()
            if drawn is not None:
                self._drawn.append(drawn)
                yield drawn.prepared

    def _draw(self, row: Row) -> _Drawn:
        """Make ready what is to be sent of a row, under the staging guard of this worker: the
        row may come from another system, as in a copy of its database.

        :raises DamagedRowError: if it cannot be read.
        """
        recipients = outcomes.from_json(row.recipients)
        open_states = {None, State.DEFERRED} | ({State.UNKNOWN} if self._retry_unknown else set())
        to = tuple(item.recipient for item in recipients if item.state in open_states)
        redirect = self._handler.redirect_to
        if redirect and not {*to} <= {*redirect}:
            to, recipients = tuple(redirect), outcomes.waiting(redirect)
        octets = patiently(lambda: self._store.content(row.id))
        job = job_of(row, octets, to, self._patience)
        return _Drawn(row, recipients, withhold(self._handler, job))

    def _observe(self, phase: Phase, job: Job) -> None:
        if phase is not Phase.END_OF_DATA:
            return
        drawn = self._drawn_for(job)
        announced = drawn.announced | dict.fromkeys(map(str.__str__, job.envelope.recipients))
        note = json.dumps([*announced], ensure_ascii=False)
        if not self._store.announce(drawn.row.id, self._owner, note):
            raise LeaseLostError(
                f"Row {drawn.row.id} has another worker now, for this one was away too long. It was"
                " not sent here."
            )
        drawn.announced = announced

    def _drawn_for(self, job: Job) -> _Drawn:
        """The row of a job. A handler may have made another job of the one it was given, and even
        another message; the same mail may be there twice, but not before the other is settled."""
        for one in self._drawn:
            if one.prepared.message is job.message:
                return one
        for one in self._drawn:
            if one.prepared.message_id == job.message_id:
                return one
        raise LookupError(f"The handler sends {job.message_id}, which it was not given.")

    def _settle(self, drawn: _Drawn, report: Report) -> None:
        rest = self._faults.judge(report)
        if rest:
            self.error = report.error
        put_off = is_of_account(report)
        # After a refusal another message comes first when the account has rested: this one may be
        # the only one whose From is wrong, and would have it rest for ever.
        step = transition.not_tried if had_no_session(report) else transition.tried
        recipients = outcomes.merged(
            drawn.recipients, report.outcomes, put_off=put_off, safe_until=report.safe_until
        )
        why, now = str(report.error or ""), self._store.now()
        self._write(
            step(drawn.row, recipients, why, now, retry_unknown=self._retry_unknown), report
        )

    def _interrupted(self, why: str, rows: t.Iterable[_Drawn]) -> None:
        for drawn in rows:
            after = transition.interrupted(
                drawn.row,
                drawn.recipients,
                drawn.announced,
                why,
                self._store.now(),
                retry_unknown=self._retry_unknown,
            )
            self._write(after)

    def _write(self, row: Row, report: Report | None = None) -> None:
        drop = row.state is RowState.SENT
        if not patiently(
            lambda: self._store.settle(row, self._owner, drop=drop),
            lambda: self._is_written(row),
        ):
            logger.warning("Row %d has another worker now; its result here is not kept.", row.id)
            return
        self._told(row, report)

    def _is_written(self, row: Row) -> bool | None:
        """Whether a row is as it was to be written; None if it is not."""
        found = self._store.get(row.id)
        # When it was, to the millionth of a second, nobody else can have written.
        same = found is not None and (found.state, found.changed) == (row.state, row.changed)
        return same or None

    def _release(self, rows: t.Iterable[Row]) -> None:
        if ids := [row.id for row in rows]:
            patiently(lambda: self._store.release(ids, self._owner))
