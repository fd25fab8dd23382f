"""The contract of a handler: complete, check, render once, and deliver.

::

    send(messages) ── prepare ─┬─ complete   defaults, subject prefix
                               ├─ before     functions that may change or stop it
                               ├─ guard      redirect, or only to some
                               └─ render     the octets, once
                    ── dispatch ── deliver   the one method that a handler writes
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from .. import config
from ..address import Address
from ..address import Addresses
from ..address import AddressesInput
from ..address import AddressInput
from ..address import NOBODY
from ..config import Option
from ..config import Reader
from ..errors import ConfigurationError
from ..phase import Phase
from ..phase import State
from ..report import About
from ..report import conclude
from ..report import DeferredError
from ..report import DeliveryError
from ..report import Job
from ..report import Observe
from ..report import Outcome
from ..report import Report
from ..report import report_on
from ..report import state_of
from ..report import UnknownOutcomeError
from .jobs import Jobs
from .prepare import AnyMessage
from .prepare import Before
from .prepare import check_ids
from .prepare import prepare
from .prepare import Prepared
from .prepare import several
from .unreported import Watch
from .unreported import with_withheld

T = t.TypeVar("T", bound=t.Sized)


def _guard(read: Reader[T]) -> Reader[T]:
    """A reader for a guard: one that guards nothing is a mistake that nobody would notice."""

    def reader(value: object, name: str) -> T:
        found = read(value, name)
        if not found:
            raise ConfigurationError(f"{name} is empty: write an address, or leave it out.")
        return found

    return reader


def unobserved(phase: Phase, job: Job) -> None:
    """Observe nothing."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class EmailHandler:
    """Sends messages, or stands in for something that does. A handler of your own derives from this
    class and writes :meth:`deliver`; its options are dataclass fields, an
    :class:`.config.Option` each, read from ``MAIL_*`` keys of the same names.

    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    default_from: Option[AddressInput | None, Address | None] = Option(config.address, None)
    """The From of a message that has none."""
    default_to: Option[AddressesInput, Addresses] = Option(config.addresses, NOBODY)
    """The To of a message that leaves it out. One that was given, be it ``[]``, stays."""
    default_cc: Option[AddressesInput, Addresses] = Option(config.addresses, NOBODY)
    """The Cc of a message that leaves it out."""
    default_bcc: Option[AddressesInput, Addresses] = Option(config.addresses, NOBODY)
    """The Bcc of a message that leaves it out: for an archive of all that is sent, say."""
    default_reply_to: Option[AddressesInput, Addresses] = Option(config.addresses, NOBODY)
    """The Reply-To of a message that has none."""
    default_subject: Option[str | None, str] = Option(config.text, "")
    """The subject of a message that has none."""
    subject_prefix: Option[str | None, str] = Option(config.text, "")
    """Stands before every subject, with one space between."""
    redirect_to: Option[AddressesInput, Addresses] = Option(_guard(config.addresses), NOBODY)
    """Everything goes to these addresses instead."""
    allow_to: Option[Iterable[str] | str | None, tuple[str, ...]] = Option(
        _guard(config.allowed), ()
    )
    """Only these addresses and ``@domains`` get mail; the others are reported refused. Nobody
    is kept out if it is empty."""

    @classmethod
    def from_config(
        cls, values: Mapping[str, object], label: Callable[[str], str] = config.key
    ) -> t.Self:
        """Make a handler from configuration; what it does not know it leaves alone.

        :param values: Option names, in lower case and without ``MAIL_``, to values.
        :param label: How the writer knows an option, for the errors.
        :raises ConfigurationError: naming the key whose value is wrong.
        """
        known = config.options(cls)
        if strangers := known.keys() - {field.name for field in dataclasses.fields(cls)}:
            raise ConfigurationError(
                f"{cls.__name__} has the option {min(strangers)!r} and is no dataclass: write"
                " @dataclass(frozen=True, kw_only=True, eq=False, repr=False) above it."
            )
        return cls(**config.read(known, values, label))

    def send(
        self,
        messages: Iterable[AnyMessage],
        *,
        recipients: AddressesInput = None,
        timeout: float | None = None,
        before: Sequence[Before] = (),
        observe: Observe = unobserved,
    ) -> list[Report]:
        """Send messages and report on each. All are checked before the first is sent.

        :param recipients: Who gets them this time, whatever their headers say.
        :param timeout: Seconds for each message all in all.
        :param before: Called with each completed message, in order; each returns the message,
            a changed copy, or None to stop it.
        :param observe: Told each phase of each message before it begins.
        :return: One report for each message, in their order. A delivery that fails is in its
            report and is not raised.
        :raises MessageError: if a message cannot be sent as it is.
        """
        prepared = [
            self.prepare(message, recipients=recipients, timeout=timeout, before=before)
            for message in several(messages, "send")
        ]
        check_ids(prepared)
        return [*self.dispatch(prepared, observe)]

    def prepare(
        self,
        message: AnyMessage,
        *,
        recipients: AddressesInput = None,
        timeout: float | None = None,
        before: Sequence[Before] = (),
    ) -> Prepared:
        """Complete, check and render one message, for :meth:`dispatch`.

        :raises MessageError: if it cannot be sent as it is.
        """
        return prepare(self, message, recipients, timeout, before)

    def dispatch(
        self,
        prepared: Iterable[Prepared],
        observe: Observe = unobserved,
        *,
        ready: Callable[[], bool] | None = None,
        connections: int = 1,
        left: Callable[[Report], None] | None = None,
    ) -> Iterator[Report]:
        """Deliver what :meth:`prepare` has made, lazily; one report for each, in order, whatever
        :meth:`deliver` does.

        :param ready: Whether the next can be had without waiting for anybody; if it is left out,
            what a list holds is ready.
        :param connections: How many to use at once; see :meth:`at_once`.
        :param left: Told the report of each message that a server has, or may have, taken, if the
            caller iterates no more or an exception ends the delivery, so that it cannot be yielded.
        :raises TypeError: if :meth:`deliver` reports more than it was given.
        """
        if connections > 1:
            from .parallel import dispatch  # few use it

            yield from dispatch(self, prepared, observe, connections, left)
            return
        # Those that deliver has been given, and those between that need no delivery.
        passed: collections.deque[Prepared] = collections.deque()
        watch = Watch(observe, passed, left)
        given = Jobs(prepared, passed.append, ready, watch.leave)
        name = f"{type(self).__name__}.deliver()"
        missing: DeliveryError = UnknownOutcomeError(f"{name} did not report what became of it.")
        try:
            for report in self.deliver(given, watch if left else observe):
                yield from _without_delivery(passed)
                if not passed:
                    raise TypeError(f"{name} reports more messages than it was given.")
                watch.reported(item := passed.popleft())
                yield with_withheld(item, report)
        except DeliveryError as error:  # it was to be reported, not raised
            missing = error
        except BaseException:
            watch.end()
            raise
        yield from _unreported(passed, missing)
        for _ in given:
            yield from _unreported(passed, DeferredError(f"{name} ended before it was tried."))
        given.check()

    def at_once(self, connections: int) -> int:
        """How many of so many connections the handler can use at once: one, unless it says
        otherwise.

        :raises ConfigurationError: if they are more than its options allow.
        """
        return 1

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        """Deliver jobs and report on each, in order. This is what a handler writes.

        A failure is reported (:func:`.conclude`), not raised. *jobs* may be read lazily.

        :param observe: To be told each phase before it begins, at the least
            :attr:`.Phase.END_OF_DATA` before a message may have been taken.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement deliver().")

    def close(self) -> None:
        """Let go of what the handler holds. It may be used again."""

    def __repr__(self) -> str:
        changed = (
            f"{name}={value!r}"
            for name, option in config.options(type(self)).items()
            if (value := getattr(self, name)) != option.default
        )
        return f"{type(self).__name__}({', '.join(changed)})"


def accept(job: Job) -> Report:
    """Report everybody accepted: for a handler whose taking is all there is."""
    return conclude(job, [Outcome(address, State.ACCEPTED) for address in job.envelope.recipients])


def _without_delivery(passed: collections.deque[Prepared]) -> Iterator[Report]:
    while passed and passed[0].job is None:
        item = passed.popleft()
        yield report_on(item.message, item.message_id, item.withheld)


def _unreported(passed: collections.deque[Prepared], error: DeliveryError) -> Iterator[Report]:
    """Report on those that deliver should have reported on, by an error that holds for them."""
    state = state_of(error)
    while passed:
        yield from _without_delivery(passed)
        if passed and (job := passed[0].job) is not None:
            own = type(error)(str(error), phase=error.phase, temporary=error.temporary)
            outcomes = [
                Outcome(a, state, text=str(error), about=About.ACCOUNT)
                for a in job.envelope.recipients
            ]
            yield with_withheld(passed.popleft(), conclude(job, outcomes, own))
