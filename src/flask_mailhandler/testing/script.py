"""What is to go wrong at a server, with whom, and how often."""

from __future__ import annotations

import re
import threading
import typing as t
from collections.abc import Iterable

from ..address import Address
from .criteria import Criterion
from .criteria import is_given
from .criteria import is_recipient
from .criteria import shown

Kind: t.TypeAlias = t.Literal["refused", "deferred", "unknown", "connect"]
Step: t.TypeAlias = t.Literal[
    "connect", "greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "end of data"
]

# Those at which the recipients, or some of them, are known.
_OF_RECIPIENTS = ("RCPT", "DATA", "end of data")
# https://www.rfc-editor.org/rfc/rfc5321#section-4.2: lines of one code, a hyphen on all but the
# last.
_REPLY = re.compile(r"([2-5][0-9]{2})(?:-[ -~]*\n\1)*(?: [ -~]*)?")
# At which step each kind fails, with which code if with any, and what that may begin with.
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
    """Something that a server says instead of yes, until :meth:`end` or the end of its ``with``
    block."""

    def __init__(
        self, script: Script, step: Step, reply: str | None, to: Criterion, times: int | None
    ) -> None:
        self._script = script
        self.step: Step = step
        """At which step."""
        self.reply: str | None = reply
        """What is said; None hangs up."""
        self.to = to
        self.times = times
        self.met: int = 0
        """How many messages, or connections, have met it so far."""

    @property
    def left(self) -> bool:
        """Whether it may be met once more."""
        return self.times is None or self.met < self.times

    def end(self) -> None:
        """Let it hold no longer."""
        self._script.remove(self)

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()

    def __repr__(self) -> str:
        to = "" if self.to is None else f" to={shown(self.to)}"
        times = "" if self.times is None else f" of {self.times}"
        return f"<Scripted {self.step}: {self.reply or 'hangs up'}{to}, met {self.met}{times}>"


class Script:
    """All that is to go wrong, for the threads of a server."""

    def __init__(self) -> None:
        self._all: list[Scripted] = []
        self._lock = threading.Lock()

    @property
    def pending(self) -> bool:
        """Whether anything may still go wrong."""
        with self._lock:
            return any(scripted.left for scripted in self._all)

    def fail(self, kind: Kind, *, to: Criterion, code: int | None, times: int | None) -> Scripted:
        """As :meth:`.Outbox.fail`."""
        if kind not in _STEPS:
            raise ValueError(f"fail({kind!r}) is not known; there are {', '.join(_STEPS)}.")
        step, default, classes = _STEPS[kind]
        if is_given("to", to) and kind == "connect":
            raise ValueError(
                "fail('connect') knows no recipient yet: leave out to=, or write"
                " fail('deferred', to=...)."
            )
        if kind == "unknown" and code is not None:
            raise ValueError(
                "fail('unknown') means that no reply comes: leave out code=, or write"
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
        """Let a server say *reply* at a step.

        :raises ValueError: for what cannot be.
        """
        if step not in t.get_args(Step):
            raise ValueError(f"{step!r} is no step; there are {', '.join(t.get_args(Step))}.")
        if reply is not None and not _REPLY.fullmatch(reply):
            raise ValueError(f"{reply!r} is no reply: write one like '451 4.3.0 Try again later'.")
        if to is not None and step not in _OF_RECIPIENTS:
            raise ValueError(f"No recipient is known at {step}: leave out to=.")
        if times is not None and times < 1:
            raise ValueError(
                f"times must be 1 or more, or be left out for any number, not {times}."
            )
        scripted = Scripted(self, step, reply, to, times)
        with self._lock:
            self._all.append(scripted)
        return scripted

    def remove(self, scripted: Scripted) -> None:
        """Forget one of them; it may be gone already."""
        with self._lock:
            self._all = [other for other in self._all if other is not scripted]

    def take(
        self, step: Step, recipients: Iterable[Address] = (), begun: set[Scripted] | None = None
    ) -> Scripted | None:
        """What is to be said at a step.

        :param recipients: Of whom the step is.
        :param begun: What this message, or connection, has met: that is not counted again.
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
    return f"{code} {_TEXTS.get(code, f'{code // 100}.0.0 As the test has it')}"
