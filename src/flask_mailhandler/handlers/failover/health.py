"""Which accounts are down, and when each of them is tried again.

::

    up ── its account is at fault ──▶ down ── the pause is over: one message tries it ──▶ up
                                       ▲                   │
                                       └── twice as long ◀─┘

The message that tries an account moves the end of the pause first, so no other message tries it at
the same time, and none has to be told if this one never returns.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
import typing as t
from collections.abc import Collection

from ...log import logger
from ...log import masked
from . import rules
from .choice import Choice

if t.TYPE_CHECKING:
    from ...report import Report
    from .plan import Plan
    from .plan import Turns


@dataclasses.dataclass(frozen=True, slots=True)
class Down:
    """An account that is down. The times are those of the monotonic clock."""

    failed: float
    """When it failed last."""
    until: float
    """When a message tries it again."""
    times: int
    """How often it was tried in a row, and failed."""
    why: str

    def __str__(self) -> str:
        left = max(self.until - time.monotonic(), 0.0)
        return f"down, next try in {left:.0f} s: {self.why}"


class _Known:
    """What one process knows."""

    def __init__(self) -> None:
        self.pid: int = os.getpid()
        # Reentrant, because the handler of a signal may send mail in the same thread.
        self.lock = threading.RLock()
        self.down: dict[str, Down] = {}
        self.changed: set[str] = set()
        """The accounts whose state was changed here and not shared yet."""
        self.turns: Turns = {}


class Health:
    """The state of an app's accounts in this process. Safe with threads; a child of a fork begins
    anew, because its parent's lock may be taken."""

    def __init__(self) -> None:
        self._known = _Known()

    def _here(self) -> _Known:
        known = self._known
        if known.pid != os.getpid():
            own = _Known()
            # In one step, so that two threads of a child take the same.
            if self._known is known:
                self._known = own
        return self._known

    def choose(
        self, plan: Plan, tried: Collection[str] = (), *, probed: bool = False
    ) -> Choice | None:
        """Return the account for a message.

        That is the first that is up, or whose pause is over. If all are down, it is the one that
        failed longest ago. A message tries at most one account that is down.

        :param tried: The accounts that the message has tried.
        :param probed: Whether one of them was down already.
        :return: None if there is no other account to try.
        """
        known = self._here()
        if not known.down and not tried and plan.first is not None:
            return plan.first  # most messages
        with known.lock:
            now, down = time.monotonic(), known.down
            left = [name for name in plan.names if name not in tried]
            if any(name not in down for name in left):
                due = {name for name in left if name not in down or down[name].until <= now}
                usable = {name for name in due if name not in down} if probed else due
                found = plan.pick(usable.__contains__, known.turns)
            elif probed or not left:
                return None
            else:
                found = min(left, key=lambda name: down[name].failed)
            assert found is not None
            if (state := down.get(found)) is None:
                return Choice(found)
            if state.until > now:  # all are down
                return Choice(found, was_down=True)
            until = now + rules.pause(state.times + 1)
            down[found] = dataclasses.replace(state, until=until)
            known.changed.add(found)
            return Choice(found, was_down=True, probe=True)

    def note(self, choice: Choice, report: Report) -> None:
        """Record what a report says about the account that was chosen."""
        known, name = self._here(), choice.account
        if report.error is None and not known.down:
            return  # most messages
        if not rules.is_down(report):
            if name in known.down and rules.has_replied(report):
                self._up(known, name)
            else:
                self.give_back(choice)
            return
        now = time.monotonic()
        with known.lock:
            before = known.down.get(name)
            if before is not None and not choice.probe:
                # Several messages found it down at the same time, or all accounts are down.
                known.down[name] = dataclasses.replace(before, failed=now)
                return
            times = 1 if before is None else before.times + 1
            seconds = max(rules.pause(times), rules.retry_after(report))
            why = masked(rules.reason(report))
            known.down[name] = Down(now, now + seconds, times, why)
            known.changed.add(name)
        if times == 1:
            logger.warning(
                "The account %s is down; it is tried again in %.0f s: %s", name, seconds, why
            )

    def give_back(self, choice: Choice) -> None:
        """Let the next message try an account that was down, because this one did not."""
        known, name = self._here(), choice.account
        if not choice.probe:
            return
        with known.lock:
            if (state := known.down.get(name)) is not None:
                known.down[name] = dataclasses.replace(state, until=time.monotonic())
                known.changed.add(name)

    def _up(self, known: _Known, name: str) -> None:
        with known.lock:
            if known.down.pop(name, None) is not None:
                known.changed.add(name)
                logger.warning("The account %s is up again.", name)

    def is_down(self, name: str) -> bool:
        """Whether an account is down."""
        return name in self._here().down

    def states(self) -> dict[str, Down]:
        """Return the accounts that are down."""
        return {**self._here().down}

    # For the workers of a queue, which share what they know

    def take_changes(self) -> dict[str, Down | None]:
        """Return what was changed since the last call: by account, its state or None."""
        known = self._here()
        if not known.changed:
            return {}
        with known.lock:
            names, known.changed = known.changed, set()
            return {name: known.down.get(name) for name in names}

    def learn(self, name: str, state: Down | None) -> None:
        """Take over what another process has found out."""
        known = self._here()
        with known.lock:
            if state is not None:
                known.down[name] = state
            else:
                known.down.pop(name, None)
