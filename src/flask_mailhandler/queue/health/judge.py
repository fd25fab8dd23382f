"""From what a store tells to findings: pure functions.

A worker leaves no trace while it has nothing to do. So whether one is alive is asked only while
mail is due: a worker would have claimed it, or written a result.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from ...config import Limits
from ..lease import LEASE
from ..process import is_dead
from ..row import PRIORITIES
from ..row import RowState
from ..sending.recovery import mark_of
from ..shared_rate_limit import take
from .options import Bounds
from .remedy import start_worker
from .result import QueueFinding
from .span import span

if t.TYPE_CHECKING:
    from ..stores.health_facts import AccountFacts
    from ..stores.health_facts import Claimed
    from ..stores.health_facts import HealthFacts

_BULK = len(PRIORITIES) - 1
_TAKEN_OVER = 30.0
"""Seconds after the end of a lease in which any living worker would have taken the rows over."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judge:
    """Judges what a store tells.

    :param facts: What the store tells.
    :param limits: The rate limits of each account.
    :param engine: The name of the engine.
    :param down: The accounts that are down as members of a group, and the error of each.
    :param members: The accounts to which an account passes its mail, each of which has a rate limit
        of its own.
    :param dead: Whether the process of a mark has ended.
    """

    facts: HealthFacts
    bounds: Bounds
    limits: Mapping[str, Limits]
    engine: str
    down: Mapping[str, str] = dataclasses.field(default_factory=dict)
    members: Mapping[str, Sequence[AccountFacts]] = dataclasses.field(default_factory=dict)
    dead: Callable[[str], bool] = is_dead

    def findings(self) -> list[QueueFinding]:
        """Return what is wrong, errors first."""
        found = [
            *self._tables(),
            *self._workers(),
            *self._ended_workers(),
            *(finding for account in self.facts.accounts for finding in self._account(account)),
            *self._down(),
            *self._strangers(),
            *self._settled(),
            *self._clocks(),
        ]
        return sorted(found, key=lambda finding: finding.severity != "error")

    def age(self) -> float:
        """Return how many seconds overdue the oldest due message is."""
        return max((self._overdue(account) for account in self.facts.accounts), default=0.0)

    # Workers

    def _workers(self) -> Iterator[QueueFinding]:
        """Yield a finding if mail is due and no worker has shown itself since."""
        waits = {one.name: self._stalled(one) for one in self.facts.accounts}
        stalled = [name for name, wait in waits.items() if wait > self.bounds.max_silence]
        if stalled:
            rung = any(one.rung_until for one in self.facts.accounts if one.name in stalled)
            yield QueueFinding(
                "no-worker",
                "error",
                f"Mail of {_named(stalled)} waits, and for"
                f" {span(max(waits[name] for name in stalled))} no worker has sent any."
                f" {start_worker(self.engine, rung=rung)}",
                stalled[0] if len(stalled) == 1 else None,
            )

    def _stalled(self, account: AccountFacts) -> float:
        """Return for how long a worker could have sent mail of an account, and none did."""
        if not account.due:
            return 0.0
        now = self.facts.now
        if any(not self._ended(claimed) for claimed in self.facts.claimed):
            return 0.0
        signs = [now if one > now else one for one in self.facts.changed.values()]
        possible = max(min(account.due.values()), account.paused_until, now + self._rest(account))
        return now - max([possible, *signs])

    def _rest(self, account: AccountFacts) -> float:
        """Return for how many seconds a rate limit may let no message pass; -inf if all do."""
        senders = self.members.get(account.name, [account])
        return max(map(self._wait, senders)) or float("-inf")

    def _wait(self, account: AccountFacts) -> float:
        limits = self.limits.get(account.name, ())
        try:
            return take(json.loads(account.rate), limits, self.facts.now, 0).wait
        except (ValueError, TypeError, AttributeError):  # the counters are damaged
            return 0.0

    def _ended(self, claimed: Claimed) -> bool:
        """Whether the worker of claimed rows has ended: see :func:`.recovery.lost`."""
        left = claimed.until - self.facts.now
        return not 0 <= left <= 2 * LEASE or self.dead(mark_of(claimed.owner))

    def _ended_workers(self) -> Iterator[QueueFinding]:
        ended = [one for one in self.facts.claimed if self._ended(one)]
        late = [one for one in ended if self._over(one) > _TAKEN_OVER]
        if late:
            rung = any(account.rung_until for account in self.facts.accounts)
            yield QueueFinding(
                "dead-worker",
                "error",
                f"{_who_ended(late)} No other worker has taken over for"
                f" {span(max(map(self._over, late)))}. {start_worker(self.engine, rung=rung)}",
            )
        if soon := [one for one in ended if one not in late]:
            text = f"{_who_ended(soon)} Another worker takes over within a minute."
            yield QueueFinding("dead-worker", "warning", text)

    def _over(self, claimed: Claimed) -> float:
        """Return for how many seconds a lease has been over."""
        return self.facts.now - claimed.until

    # Accounts

    def _account(self, account: AccountFacts) -> Iterator[QueueFinding]:
        name, paused = account.name, account.paused_until - self.facts.now
        if paused > 0:
            yield QueueFinding(
                "account-paused",
                "warning",
                f"The account {name!r} is paused for another {span(paused)}:"
                f" {_sentence(account.why)} When you have mended that, let it try at once:"
                f" flask mail queue retry --using {shlex.quote(name)} --state waiting",
                name,
            )
        if (overdue := self._overdue(account)) > self.bounds.max_age:
            why, severity = self._why_late(account)
            yield QueueFinding(
                "mail-late",
                severity,
                f"A message of the account {name!r} is overdue by {span(overdue)}, more than"
                f" {span(self.bounds.max_age)}. {why}",
                name,
            )

    def _overdue(self, account: AccountFacts) -> float:
        return max(0.0, self.facts.now - min(account.due.values(), default=self.facts.now))

    def _why_late(self, account: AccountFacts) -> tuple[str, t.Literal["error", "warning"]]:
        """Return what delays the mail of an account, and whether that is an error."""
        if account.paused_until > self.facts.now:
            return "The account is paused.", "error"
        if self._stalled(account) > self.bounds.max_silence:
            return "No worker is sending.", "error"
        if self._rest(account) > 0:
            return "MAIL_RATE_LIMIT of the account is reached.", "warning"
        late = self.facts.now - self.bounds.max_age
        urgent = any(due < late for priority, due in account.due.items() if priority < _BULK)
        if urgent:
            return (
                "The workers do not keep up: run more of them, and queue long lists with"
                " priority='bulk'.",
                "error",
            )
        return "It has the priority 'bulk', and workers are sending.", "warning"

    def _down(self) -> Iterator[QueueFinding]:
        for name, why in self.down.items():
            yield QueueFinding(
                "account-down",
                "warning",
                f"The account {name!r} is down, and others send its mail while they are up:"
                f" {_sentence(why)} One message tries it again from time to time.",
                name,
            )

    def _strangers(self) -> Iterator[QueueFinding]:
        for name in self.facts.strangers:
            yield QueueFinding(
                "account-unknown",
                "warning",
                f"Mail waits for the account {name!r}, which is not in MAIL_ACCOUNTS, so no worker"
                " sends it. Add the account, or cancel the mail: flask mail queue cancel --using"
                f" {shlex.quote(name)} --state waiting",
                name,
            )

    # The rest

    def _settled(self) -> Iterator[QueueFinding]:
        lately = f"in the last {span(self.bounds.recent)}"
        if held := self.facts.recent.get(RowState.HELD, 0):
            yield QueueFinding(
                "mail-held",
                "warning",
                f"{_messages(held)} {_was(held)} held {lately}, because it is unknown whether the"
                " server accepted them. Look at them with 'flask mail queue list --state held', and"
                " send them again with 'retry', or stop them with 'cancel'.",
            )
        lost = sum(self.facts.recent.get(state, 0) for state in (_FAILED, _EXPIRED))
        if lost > self.bounds.max_failed:
            yield QueueFinding(
                "mail-failed",
                "warning",
                f"{_messages(lost)} failed or expired {lately}, more than"
                f" {self.bounds.max_failed}. See why: flask mail queue list --state failed, and"
                " --state expired",
            )

    def _clocks(self) -> Iterator[QueueFinding]:
        if abs(self.facts.ahead) > self.bounds.max_clock:
            way = "behind" if self.facts.ahead > 0 else "ahead of"
            yield QueueFinding(
                "clocks-apart",
                "warning",
                f"The clock of this machine is {span(abs(self.facts.ahead))} {way} that of the"
                " database's server. The Date of mail, signatures and tokens are wrong on one of"
                " them: set both with NTP, such as chrony or systemd-timesyncd.",
            )

    def _tables(self) -> Iterator[QueueFinding]:
        if self.facts.lacking:
            yield QueueFinding(
                "wrong-tables",
                "warning",
                f"Mail is sent, but events and suppressed addresses cannot be stored:"
                f" {' and '.join(self.facts.lacking)} {_was(len(self.facts.lacking))} not created."
                " Run flask db migrate and flask db upgrade of Flask-Migrate, or db.create_all().",
            )


_FAILED, _EXPIRED = RowState.FAILED, RowState.EXPIRED


def _named(accounts: list[str]) -> str:
    if len(accounts) == 1:
        return f"the account {accounts[0]!r}"
    more = f" and {len(accounts) - 3} more" if len(accounts) > 3 else ""
    return f"the accounts {', '.join(map(repr, accounts[:3]))}{more}"


def _who_ended(workers: Sequence[Claimed]) -> str:
    """Return which workers ended: one by its process, if its name says it."""
    messages = _messages(sum(one.number for one in workers))
    if len(workers) > 1:
        return f"{len(workers)} workers ended while they sent {messages}."
    parts = mark_of(workers[0].owner).split(":")
    process = f" (process {parts[2]})" if len(parts) > 2 else ""
    return f"A worker{process} ended while it sent {messages}."


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _messages(number: int) -> str:
    return f"{number} message{'' if number == 1 else 's'}"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"
