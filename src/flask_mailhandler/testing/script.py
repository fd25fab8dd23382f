"""The script of a server: which steps fail, for which recipients, and how often."""

from __future__ import annotations

import re
import threading
import typing as t
from collections.abc import Iterable

from ..address import Address
from .criteria import Criterion
from .criteria import described
from .criteria import is_given
from .criteria import is_recipient

Kind: t.TypeAlias = t.Literal["refused", "deferred", "unknown", "connect"]
Step: t.TypeAlias = t.Literal[
    "connect", "greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "end of data"
]

# The steps at which the server knows recipients.
_OF_RECIPIENTS = ("RCPT", "DATA", "end of data")
# https://www.rfc-editor.org/rfc/rfc5321#section-4.2: all lines have the same code, followed by a
# hyphen except on the last line.
_REPLY = re.compile(r"([2-5][0-9]{2})(?:-[ -~]*\n\1)*(?: [ -~]*)?")
# For each kind: the step that fails, the default code, and the allowed first digits of a code.
_STEPS: dict[Kind, tuple[Step, int | None, tuple[int, ...]]] = {
    "refused": ("RCPT", 550, (5,)),
    "deferred": ("RCPT", 451, (4,)),
    "unknown": ("end of data", None, ()),
    "connect": ("connect", None, (4, 5)),
}
_TEXTS = {
    421: "4.3.2 Closing the connection",
    450: "4.2.1 Mailbox busy, try again later",
    451: "4.3.0 Try again later",
    452: "4.5.3 Too many recipients",
    550: "5.1.1 No such user here",
    552: "5.2.2 Mailbox full",
    553: "5.1.3 No such mailbox name",
    554: "5.7.1 Not wanted here",
}


class Scripted:
    """A failure that was set with :meth:`.Outbox.fail` or :meth:`.SMTPServer.reply`. It lasts
    until :meth:`end`, or until the end of its ``with`` block::

        with outbox.fail("connect") as failure:
            client.post("/login", data={"email": "ann@example.com"})

        assert failure.met == 1
    """

    def __init__(
        self, script: Script, step: Step, reply: str | None, to: Criterion, times: int | None
    ) -> None:
        self._script = script
        self.step: Step = step
        """The step that fails."""
        self.reply: str | None = reply
        """The server's reply; None if it closes the connection."""
        self.to = to
        self.times = times
        self.met: int = 0
        """How many messages or connections it has affected so far."""

    @property
    def left(self) -> bool:
        """Whether it can affect another message or connection."""
        return self.times is None or self.met < self.times

    def end(self) -> None:
        """End the failure."""
        self._script.remove(self)

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()

    def __repr__(self) -> str:
        to = "" if self.to is None else f" to={described(self.to)}"
        times = "" if self.times is None else f" of {self.times}"
        reply = self.reply or "closes the connection"
        return f"<Scripted {self.step}: {reply}{to}, met {self.met}{times}>"


class Script:
    """The failures of a server. Its threads share them."""

    def __init__(self) -> None:
        self._all: list[Scripted] = []
        self._lock = threading.Lock()

    @property
    def pending(self) -> bool:
        """Whether a failure can still affect anything."""
        with self._lock:
            return any(scripted.left for scripted in self._all)

    def fail(self, kind: Kind, *, to: Criterion, code: int | None, times: int | None) -> Scripted:
        """Add a failure, as :meth:`.Outbox.fail` describes."""
        if kind not in _STEPS:
            raise ValueError(
                f"fail({kind!r}) is not a known failure. Write one of {', '.join(_STEPS)}."
            )
        step, default, classes = _STEPS[kind]
        if is_given("to", to) and kind == "connect":
            raise ValueError(
                "fail('connect') comes before any recipient: leave out to=, or write"
                " fail('deferred', to=...)."
            )
        if kind == "unknown" and code is not None:
            raise ValueError(
                "fail('unknown') means that the server sends no reply: leave out code=, or write"
                " fail('refused', code=...)."
            )
        code = default if code is None else code
        if code is not None and code // 100 not in classes:
            allowed = " or ".join(f"{digit}00 to {digit}99" for digit in classes)
            raise ValueError(f"fail({kind!r}) needs a code from {allowed}, not {code}.")
        if kind == "connect" and code is not None:
            step = "greeting"
        return self.add(step, None if code is None else _line(code), to, times)

    def add(self, step: Step, reply: str | None, to: Criterion, times: int | None) -> Scripted:
        """Add a reply to a step.

        :raises ValueError: if the step does not exist or cannot have this reply.
        """
        if step not in t.get_args(Step):
            raise ValueError(f"{step!r} is not a step. Write one of {', '.join(t.get_args(Step))}.")
        if reply is not None and not _REPLY.fullmatch(reply):
            raise ValueError(
                f"{reply!r} is not a reply: write one like '451 4.3.0 Try again later'."
            )
        if to is not None and step not in _OF_RECIPIENTS:
            raise ValueError(f"The server knows no recipient at {step}: leave out to=.")
        if times is not None and times < 1:
            raise ValueError(f"times must be 1 or more, not {times}. Leave it out for any number.")
        scripted = Scripted(self, step, reply, to, times)
        with self._lock:
            self._all.append(scripted)
        return scripted

    def remove(self, scripted: Scripted) -> None:
        """Remove a failure. It may have been removed already."""
        with self._lock:
            self._all = [other for other in self._all if other is not scripted]

    def take(
        self, step: Step, recipients: Iterable[Address] = (), begun: set[Scripted] | None = None
    ) -> Scripted | None:
        """Return the failure that applies to a step, and count it.

        :param recipients: The recipients of the step.
        :param begun: The failures that have affected this message or connection already. They are
            not counted again.
        """
        with self._lock:
            for scripted in sorted(self._all, key=lambda scripted: scripted.to is None):
                if scripted.step != step or not _is_for(scripted.to, recipients):
                    continue
                if begun and scripted in begun:
                    return scripted
                if scripted.left:
                    scripted.met += 1
                    if begun is not None:
                        begun.add(scripted)
                    return scripted
        return None


def _is_for(to: Criterion, recipients: Iterable[Address]) -> bool:
    return to is None or any(is_recipient(recipient, to) for recipient in recipients)


def _line(code: int) -> str:
    return f"{code} {_TEXTS.get(code, f'{code // 100}.0.0 Set by the test')}"
