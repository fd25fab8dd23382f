"""The contract of a handler: a subclass implements :meth:`EmailHandler.deliver`.

::

    send(messages) ── prepare ─┬─ complete   defaults, subject prefix
                               ├─ before     functions that may change or stop the message
                               ├─ redirect   the staging guard: to other addresses
                               ├─ with_links the link to unsubscribe, in the header and the text
                               ├─ render     the octets, once
                               ├─ withhold   the staging guard: not to these recipients
                               └─ check      whether this handler can send it as it is
                   ── dispatch ─┬─ seal      the last change of the octets: a signature
                                └─ deliver   the one method that a handler implements
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from ..address import AddressesInput
from ..address import AddressInput
from ..config.url import only_options
from ..config.url import URL
from ..phase import State
from ..report import conclude
from ..report import Job
from ..report import Observe
from ..report import Outcome
from ..report import Report
from .defaults import Defaults
from .jobs import report_each

if t.TYPE_CHECKING:
    from ..content import Content
    from ..message.given import AnyMessage
    from ..message.given import Before
    from .prepare import Prepared


class EmailHandler(Defaults, abstract=True):
    """Sends messages, or stands in for something that does.

    A handler of your own derives from this class and implements :meth:`deliver`. Its options are
    annotated fields, each an :class:`.config.Option`, and are read from ``MAIL_*`` keys of the same
    names. It does not need a decorator.

    .. code-block:: python

        class NullEmailHandler(EmailHandler):
            def deliver(self, jobs, observe):
                for job in jobs:
                    observe(Phase.END_OF_DATA, job)
                    recipients = job.envelope.recipients
                    yield conclude(job, [Outcome(to, State.ACCEPTED) for to in recipients])

    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    repeatable: t.ClassVar[float | None] = None
    """The seconds during which a job that may have been accepted can be delivered again without
    doubling it, because the server recognizes it. None if it does not, as with SMTP."""

    def check(self, job: Job) -> None:
        """Check that the handler can deliver a message as it is written; the default does nothing.

        It is called on the line that sends or queues the message. Override it if your handler
        cannot express all that a message may have.

        .. code-block:: python

            def check(self, job):
                if job.content.size > 50_000:
                    raise MessageError("A pigeon carries 50 kB: leave out the attachments.")

        :raises MessageError: saying what to write instead.
        """

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        """Deliver jobs and report on each, in order. A handler implements this method.

        Report a failure (:func:`.conclude`) instead of raising it. You may read *jobs* lazily.

        :param observe: Call it with each phase before the phase begins, at least with
            :attr:`.Phase.END_OF_DATA` before a message may have been accepted.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement deliver().")

    def seal(self, content: Content) -> Content:
        """Return the octets to deliver: signed with DKIM if the handler has ``dkim_keys``, and
        otherwise unchanged.

        Override it to sign in another way. It is called once for each job, between the staging
        guard and :meth:`deliver`, for a :class:`.Message` and for a message of the standard
        library. A queued message is stored before this step, so each attempt is signed again. The
        content can be read more than once: first to hash it, then to send it.

        .. code-block:: python

            def seal(self, content):
                return Content(self._signature(content) + bytes(content), smtputf8=content.smtputf8)

        Keep the marks ``smtputf8`` and ``eightbit`` if they still apply. Leave out ``rewrite``, so
        that the signed octets are not changed. A handler that sends nothing may return the content
        itself.

        :raises MessageError: if the content cannot be signed. The message is then refused, and
            the next one is tried.
        """
        if not self.dkim_keys:
            return content
        from ..mime.dkim import sign  # most accounts have a provider that signs

        return sign(content, self.dkim_keys.loaded, self.dkim_domain)

    def with_handlers(self, handler_for: Callable[[str], EmailHandler]) -> t.Self:
        """Return the handler that an app uses; the default returns itself.

        Override it in a handler that passes messages on to the handlers of other accounts, and
        keep *handler_for* in a field. Call it each time you need a handler.

        .. code-block:: python

            handler_for: Callable[[str], EmailHandler] | None = None

            def with_handlers(self, handler_for):
                return dataclasses.replace(self, handler_for=handler_for)

        :param handler_for: Returns the handler in force for an account, by its name. It raises
            a :class:`.ConfigurationError` if there is no such account, or if accounts pass
            messages on in a circle.
        """
        return self

    def known_by(self, message_id: str) -> str:
        """Return what names the server that recognizes a repeat of a message, or "" if it does not
        recognize one; the default is the name of the class.

        The queue stores it, and repeats a message that may have been accepted only if it is the
        same. Override it if the server recognizes a repeat for each account. It must not show a
        key.
        """
        return "" if self.repeatable is None else type(self).__name__

    @classmethod
    def options_of_url(cls, url: URL) -> dict[str, object]:
        """Return the options that a URL of this handler gives, without its query. The default
        takes a query alone: ``console:?subject_prefix=...``.

        Override it to take a host, a login or a path. Do not show the URL in an error, because it
        may hold a password.

        .. code-block:: python

            @classmethod
            def options_of_url(cls, url):  # pigeon://KEY@loft.example.com
                return {"pigeon_key": url.username, "loft": url.host}

        :return: Option names to values; None leaves an option out.
        :raises ConfigurationError: naming ``url.setting``.
        """
        return only_options(url)

    def at_once(self, connections: int) -> int:
        """Return how many of *connections* the handler can use at the same time. The default is
        one.

        :raises ConfigurationError: if its options do not allow that many.
        """
        return 1

    def close(self) -> None:
        """Close everything that the handler holds open. It may be used again."""

    def send(
        self,
        messages: Iterable[AnyMessage],
        *,
        recipients: AddressesInput = None,
        timeout: float | None = None,
        before: Sequence[Before] = (),
        observe: Observe | None = None,
    ) -> list[Report]:
        """Send messages and report on each. All are checked before the first is sent.

        .. code-block:: python

            (report,) = handler.send([message])

        :param recipients: The recipients of this attempt, instead of those in the header.
        :param timeout: The total time for each message in seconds.
        :param before: Called with each completed message, in order; each returns the message,
            a changed copy, or None to stop it.
        :param observe: Called with each phase of each message before it begins.
        :return: One report for each message, in their order. A failed delivery is in its report and
            does not raise an error.
        :raises MessageError: if a message cannot be sent as it is.
        """
        from ..message.given import several
        from .prepare import check_ids

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
        envelope_sender: AddressInput | None = None,
        timeout: float | None = None,
        before: Sequence[Before] = (),
    ) -> Prepared:
        """Complete, check and render one message, for :meth:`dispatch`.

        :param envelope_sender: The address for bounces of a message of the standard library.
        :raises MessageError: if it cannot be sent as it is.
        """
        # A message and its octets are half of all that a handler loads. An app has loaded them when
        # it is registered.
        from .prepare import prepare

        prepared = prepare(self, message, recipients, envelope_sender, timeout, before)
        if prepared.job is not None:
            self.check(prepared.job)
        return prepared

    def dispatch(
        self,
        prepared: Iterable[Prepared],
        observe: Observe | None = None,
        *,
        ready: Callable[[], bool] | None = None,
        before_wait: Callable[[], object] = lambda: None,
        connections: int = 1,
        left: Callable[[Report], None] | None = None,
    ) -> Iterator[Report]:
        """Deliver what :meth:`prepare` has made, lazily; one report for each, in order, whatever
        :meth:`deliver` does.

        :param ready: Returns whether the next one is available without waiting. If it is left out,
            the items of a list are ready.
        :param before_wait: Called before each wait for a server, if the handler does so.
        :param connections: How many connections to use at the same time; see :meth:`at_once`.
        :param left: Called with the report of each message that a server has accepted, or may
            have, if the caller stops iterating or an exception ends the delivery, so that the
            report cannot be yielded.
        :raises TypeError: if :meth:`deliver` reports more than it was given.
        """
        if connections > 1:
            from .parallel import in_parallel  # few use it

            return in_parallel(self.dispatch, prepared, observe, connections, left)
        return report_each(self, prepared, ready, observe, left, before_wait)


def accept(job: Job) -> Report:
    """Report every recipient as accepted, for a handler that is done once it has the message."""
    return conclude(job, [Outcome(address, State.ACCEPTED) for address in job.envelope.recipients])
