"""One attempt to deliver some rows of an account, which one worker has claimed.

::

    claimed rows ── prepared ──▶ handler.dispatch ──▶ report ── settle ──▶ waiting, sent, failed ...
                    one by one   │
                                 └ observe: "end of data" is written into the row before it is sent

If the attempt ends early, each row is in one of these states:

    left, not given to the handler             released: it waits, and the attempt does not count
    given to the handler, not announced        waits for another attempt
    given to the handler, announced            held, because it may have arrived
    reported                                   settled by its report

If a message can be announced without waiting for its server, the result of the one before it is
stored together with the announcement.
"""

from __future__ import annotations

import collections
import contextlib
import datetime
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

from ...errors import ConfigurationError
from ...errors import MailError
from ...errors import QueueError
from ...handlers.base import EmailHandler
from ...handlers.prepare import Prepared
from ...handlers.prepare import withhold
from ...log import logger
from ...phase import Phase
from ...phase import State
from ...report import Job
from ...report import Observe
from ...report import Report
from .. import outcomes
from .. import transition
from ..events.refusing import refused
from ..outcomes import Settled
from ..row import Row
from ..stored_message import job_of
from ..stored_message import read_options
from ..unreadable import DamagedRowError
from .account_faults import Faults
from .account_faults import is_of_account
from .account_faults import must_rest
from .begun import Begun
from .begun import begun_for
from .results import Results
from .results import Told
from .senders import OneSender
from .store_retry import retrying

if t.TYPE_CHECKING:
    from ..events.refusing import Entries
    from ..events.refusing import Screening
    from ..stores.base import Store


class LeaseLostError(Exception):
    """Another worker has claimed the row, so this one must not go on with it."""


class Attempt:
    """Delivers rows and stores the result of each.

    :param owner: The claim that the rows belong to.
    :param faults: Counts how often the account was at fault.
    :param timeout: Seconds for each message in all.
    :param retry_unknown: Whether to try a recipient again that may have got the message.
    :param observe: Called with the phase and the job before each phase begins.
    :param told: Called after each row is written.
    :param screen: Refuses suppressed recipients, if the app has any.
    :param heard: Whether functions of the app hear of each message. They may be slow, so each
        result is stored at once.
    :param stopped: Called before each row. Once it returns true, the other rows are given back.
    """

    def __init__(
        self,
        store: Store,
        handler: EmailHandler,
        owner: str,
        faults: Faults,
        *,
        retry_unknown: bool,
        timeout: float,
        observe: Observe,
        told: Told,
        stopped: Callable[[], bool],
        heard: bool = False,
        screen: Screening | None = None,
        senders: OneSender | None = None,
    ) -> None:
        self._store = store
        self._handler = handler
        self._senders = senders or OneSender(handler)
        self._owner = owner
        self._results = Results(store, owner, told)
        self._faults = faults
        self._timeout = timeout
        self._retry_unknown = retry_unknown
        self._observers = observe
        self._stopped = stopped
        self._heard = heard
        self._knows_waits = False
        self._screen = screen
        self._suppressed: Entries = {}
        self._sending: collections.deque[Begun] = collections.deque()
        self.error: MailError | None = None
        """The error for which the account must pause."""

    def run(self, rows: Sequence[Row]) -> None:
        """Try the rows. Whatever happens, none of them stays claimed.

        :raises QueueError: if the results cannot be stored. The leases run out then.
        """
        left = collections.deque(rows)
        try:
            if self._screen is not None and not self._look_up(self._screen, rows):
                return
            # While a row is left, the handler may send its envelope with the end of data before it.
            for report in self._handler.dispatch(
                self._prepared(left),
                self._observe,
                ready=lambda: bool(left),
                before_wait=self._before_wait,
            ):
                self._settle(self._sending.popleft(), report)
        except ConfigurationError as error:
            self.error = error
            self._release(sending.row for sending in self._sending if not sending.announced)
            self._interrupted(
                str(error), [sending for sending in self._sending if sending.announced]
            )
        except LeaseLostError as error:
            logger.warning("%s", error)
            self._interrupted(str(error), self._sending)
        except Exception as error:
            logger.exception("%s raised.", type(self._handler).__name__)
            self._interrupted(f"{type(error).__name__}: {error}", self._sending)
        except BaseException:
            self._interrupted("The worker was stopped.", self._sending)
            raise
        finally:
            self._release(left)

    def _look_up(self, screen: Screening, rows: Sequence[Row]) -> bool:
        """Look up which recipients are suppressed. Return false if that is not possible.

        Queued mail can wait, so the account pauses then, and its pause says why.
        """
        recipients = [*_recipients(rows), *self._handler.redirect_to]
        try:
            self._suppressed = retrying(lambda: screen.entries(recipients))
        except QueueError as error:
            self.error = error
        return self.error is None

    def _prepared(self, left: collections.deque[Row]) -> Iterator[Prepared]:
        while left and not (self._stopped() or self.error):
            row, now = left[0], self._store.now()
            sending = None
            try:
                if row.expires > now:
                    sending = self._prepare(row)
                else:
                    self._results.write(transition.expired(row, now))
                if sending is not None and not self._assign(sending):
                    return
            except DamagedRowError as error:
                self._results.write(transition.damaged(row, error, now))
                sending = None
            left.popleft()
            if sending is not None:
                self._sending.append(sending)
                yield sending.prepared

    def _prepare(self, row: Row) -> Begun | None:
        """Prepare the message of a row for the recipients that are left.

        The staging guard of this worker applies, because the row may come from a copy of
        production's database.

        :return: None if it must not be tried again.
        :raises DamagedRowError: if the row cannot be read.
        """
        now, knows = self._store.now(), self._senders.recognizes
        recipients = outcomes.unsafe(
            outcomes.from_json(row.recipients),
            lambda one: knows(one.known_to, row.message_id) and transition.is_recognized(one, now),
        )
        open_states = {None, State.DEFERRED} | ({State.UNKNOWN} if self._retry_unknown else set())
        # The server recognizes a repeat to the same recipients only, so the others wait for it.
        to = outcomes.perhaps_reached(recipients) or tuple(
            item.recipient for item in recipients if item.state in open_states
        )
        if not to:
            self._results.write(self._after(transition.tried, row, recipients, row.error))
            return None
        redirect = self._handler.redirect_to
        redirected = bool(redirect) and not {*to} <= {*redirect}
        if redirected:
            to, recipients = tuple(redirect), outcomes.waiting(redirect)
        group = outcomes.perhaps_reached(recipients)
        octets = retrying(lambda: self._store.content(row.id))
        job = job_of(row, octets, to, self._timeout, redirected=redirected, repeats=bool(group))
        prepared = withhold(self._handler, job)
        if self._suppressed:
            prepared = refused(prepared, self._suppressed, str(read_options(row).get("list", "")))
        if group and (prepared.job is None or group != (*prepared.job.envelope.recipients,)):
            known = outcomes.unsafe(recipients)
            self._results.write(self._after(transition.tried, row, known, row.error))
            return None
        return Begun(row, recipients, prepared)

    def _assign(self, sending: Begun) -> bool:
        """Choose the account of a message that is to be sent. Any other would use up a rate limit,
        or the chance to try an account that was down. False if none may be begun now."""
        known_to = outcomes.known_to(sending.recipients)
        prepared = self._senders.assign(sending.prepared, sending.row, known_to)
        if prepared is not None:
            sending.prepared = prepared
        return prepared is not None

    def _observe(self, phase: Phase, job: Job) -> None:
        if phase is Phase.END_OF_DATA:
            self._announce(job)
        self._observers(phase, job)

    def _announce(self, job: Job) -> None:
        """Record in the row that the end of data is about to be sent.

        :raises LeaseLostError: if another worker has the row.
        """
        sending = begun_for(job, self._sending)
        announced = sending.announced | dict.fromkeys(map(str.__str__, job.envelope.recipients))
        until, (known, seconds) = None, self._senders.repeatable(job.account, job.message_id)
        if seconds is not None and not sending.is_by_another(known, job):
            until = datetime.datetime.fromtimestamp(self._store.now() + seconds, datetime.UTC)
        note = outcomes.note_to_json(announced, until, known)
        if not self._results.announce(sending.row.id, note):
            raise LeaseLostError(
                f"Row {sending.row.id} was taken over by another worker, because this one did not"
                " renew its lease in time. This worker has not sent it."
            )
        sending.announced, sending.safe_until, sending.known_to = announced, until, known

    def _before_wait(self) -> None:
        self._knows_waits = True
        self._results.write_kept()

    def _settle(self, sending: Begun, report: Report) -> None:
        self._senders.share()
        others = self._senders.others_are_up
        if self._faults.judge(report) and not others:
            self.error = report.error
        put_off = is_of_account(report)
        # After a refusal, another message comes first when the pause is over. This one may be the
        # only one with a wrong From, and would pause the account forever.
        step = transition.not_tried if must_rest(report) and not others else transition.tried
        account = "" if report.account == sending.row.account else report.account
        recipients = outcomes.merged(
            sending.recipients,
            report.outcomes,
            announced=sending.announced,
            put_off=put_off,
            safe_until=report.safe_until,
            known_to=self._senders.repeatable(report.account, sending.row.message_id)[0],
            account=account,
        )
        row = self._after(step, sending.row, recipients, str(report.error or ""))
        if self._sending and self._knows_waits and not self._heard:
            self._results.keep(row, report)
        else:
            self._results.write(row, report)

    def _after(self, step: t.Any, row: Row, recipients: Sequence[Settled], why: str) -> Row:
        new: Row = step(row, recipients, why, self._store.now(), retry_unknown=self._retry_unknown)
        return new

    def _interrupted(self, why: str, rows: t.Iterable[Begun]) -> None:
        self._results.write_kept()
        for sending in rows:
            after = transition.interrupted(
                sending.row,
                sending.recipients,
                sending.announced,
                why,
                self._store.now(),
                retry_unknown=self._retry_unknown,
                safe_until=sending.safe_until,
                known_to=sending.known_to,
            )
            self._results.write(after)

    def _release(self, rows: t.Iterable[Row]) -> None:
        if ids := [row.id for row in rows]:
            retrying(lambda: self._store.release(ids, self._owner))


def _recipients(rows: Sequence[Row]) -> list[str]:
    """Return all recipients of some rows, as far as they can be read."""
    found: list[str] = []
    for row in rows:
        with contextlib.suppress(DamagedRowError):
            found += [item.recipient for item in outcomes.from_json(row.recipients)]
    return found
