"""The contract of a handler: complete, check, render once, and deliver.

::

    send(messages) ── prepare ─┬─ complete   defaults, subject prefix
                               ├─ before     functions that may change or stop it
                               ├─ guard      redirect, or only to some
                               └─ render     the octets, once
                    ── dispatch ── deliver   the one method that a handler writes
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from .. import config
from ..address import Address
from ..address import Addresses
from ..address import AddressesInput
from ..address import AddressInput
from ..config import Option
from ..report import conclude
from ..report import Job
from ..report import Observe
from ..report import Outcome
from ..report import Phase
from ..report import Report
from ..report import report_on
from ..report import State
from .prepare import AnyMessage
from .prepare import Before
from .prepare import prepare
from .prepare import Prepared

NOBODY = Addresses()


def unobserved(phase: Phase, job: Job) -> None:
    """Observe nothing."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class EmailHandler:
    """Something that sends messages, or does as if. A handler of your own derives from this
    class and writes :meth:`deliver`; its options are dataclass fields, an
    :class:`.config.Option` each, read from ``MAIL_*`` keys of the same names.

    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    default_from: Option[AddressInput | None, Address | None] = Option(config.address, None)
    """The From of a message that has none."""
    default_to: Option[AddressesInput, Addresses] = Option(config.addresses, NOBODY)
    """The recipients of a message that has no To, Cc and Bcc at all."""
    default_cc: Option[AddressesInput, Addresses] = Option(config.addresses, NOBODY)
    """The Cc of a message that has no To, Cc and Bcc at all."""
    default_bcc: Option[AddressesInput, Addresses] = Option(config.addresses, NOBODY)
    """The Bcc of a message that has no To, Cc and Bcc at all."""
    default_reply_to: Option[AddressesInput, Addresses] = Option(config.addresses, NOBODY)
    """The Reply-To of a message that has none."""
    default_subject: Option[str | None, str] = Option(config.text, "")
    """The subject of a message that has none."""
    subject_prefix: Option[str | None, str] = Option(config.text, "")
    """Stands before every subject, with one space between."""
    redirect_to: Option[AddressesInput, Addresses] = Option(config.addresses, NOBODY)
    """Everything goes to these addresses instead."""
    allow_to: Option[Iterable[str] | str | None, tuple[str, ...]] = Option(config.allowed, ())
    """Only these addresses and ``@domains`` get mail; the others are reported refused. Nobody
    is kept out if it is empty."""

    @classmethod
    def from_config(cls, values: Mapping[str, object]) -> t.Self:
        """Make a handler from configuration; what it does not know it leaves alone.

        :param values: Option names, in lower case and without ``MAIL_``, to values.
        :raises ConfigurationError: naming the key whose value is wrong.
        """
        return cls(**config.read(config.options(cls), values, config.key))

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
            for message in messages
        ]
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
        self, prepared: Iterable[Prepared], observe: Observe = unobserved
    ) -> Iterator[Report]:
        """Deliver what :meth:`prepare` has made, lazily; one report for each, in order."""
        passed: list[Prepared] = []  # those that deliver has been given or that need no delivery

        def jobs() -> Iterator[Job]:
            for item in prepared:
                passed.append(item)
                if item.job is not None:
                    yield item.job

        delivered = self.deliver(jobs(), observe)
        for report in delivered:
            yield from _without_delivery(passed)
            yield _with_withheld(passed.pop(0), report)
        yield from _without_delivery(passed)

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        """Deliver jobs and report on each, in order. This is what a handler writes.

        A failure is reported (:func:`.conclude`), not raised. *jobs* may be read lazily.

        :param observe: To be told each phase before it begins, at the least
            :attr:`.Phase.END_OF_DATA` before a message may have been taken.
        """
        raise NotImplementedError(f"{type(self).__name__} does not write deliver().")

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


def _without_delivery(passed: list[Prepared]) -> Iterator[Report]:
    while passed and passed[0].job is None:
        item = passed.pop(0)
        yield report_on(item.message, item.message_id, item.withheld)


def _with_withheld(item: Prepared, report: Report) -> Report:
    if not item.withheld:
        return report
    assert item.job is not None
    return conclude(item.job, (*report.outcomes, *item.withheld), report.error)
