"""A health check: reads the store in a thread, so that a caller waits for a bounded time.

A driver may wait for minutes for a server that does not answer, and none of them has the same
options against it. A thread that still waits is not joined by a second one, so probes of a web
server do not pile up.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
import typing as t
from collections.abc import Callable
from collections.abc import Collection

from ...app.framework import framework_of
from ...app.queue_keys import duration
from ...errors import ConfigurationError
from ...errors import QueueError
from .. import threads
from ..components import Components
from ..sending.shared_health import SHARED
from ..stores.base import TablesError
from .judge import Judge
from .options import BoundOptions
from .options import Bounds
from .options import bounds_of
from .result import FINDINGS
from .result import QueueFinding
from .result import QueueHealth

if t.TYPE_CHECKING:
    from ..stores.health_facts import HealthFacts

    Look: t.TypeAlias = Callable[[], HealthFacts | None]


class Checkup:
    """The health checks of one app's queue. No engine is started, and nothing is written."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self._app_access = components.app_access
        # By process id, because the child of a fork does not have the thread.
        self._hanging: dict[int, threading.Thread] = {}

    def run(
        self,
        *,
        using: str | None = None,
        only: Collection[str] = (),
        timeout: float = 5.0,
        **bounds: t.Unpack[BoundOptions],
    ) -> QueueHealth:
        """Return what is wrong with the queue.

        :param using: The account to look at; all of the app if None.
        :param only: The names of the findings to report; all if there are none.
        :param timeout: How many seconds the store may take to answer.
        :raises ConfigurationError: if there is no such account or finding, or if a number is wrong.
        """
        only = [only] if isinstance(only, str) else [*only]
        for name in only:
            if name not in FINDINGS:
                raise ConfigurationError(
                    f"There is no finding {name!r}. The names are {', '.join(FINDINGS)}."
                )
        names = self._app_access.account_names([] if using is None else [using])
        timeout, wanted = duration(timeout, "timeout"), bounds_of(bounds)
        store = self._components.store
        figures: dict[str, t.Any] = {}
        findings: list[QueueFinding] = []
        try:
            asked = [*dict.fromkeys((*names, *self._members(names)))]
            facts = self._look(lambda: store.health_facts(asked, wanted.recent), timeout)
        except TimeoutError:
            findings = [_unreachable(_no_answer(str(store), timeout))]
        except TablesError as error:
            findings = [QueueFinding("wrong-tables", "error", str(error))]
        except QueueError as error:
            findings = [_unreachable(str(error))]
        else:
            if facts is not None:
                judge = self._judge(facts, names, wanted)
                findings = judge.findings()
                figures = {
                    "age": judge.age(),
                    "claimed": sum(one.number for one in facts.claimed),
                    "clock": facts.ahead,
                }
        return QueueHealth(
            findings=tuple(map(self._worded, _chosen(findings, using, only))),
            store=str(store),
            engine=self._engine(),
            **figures,
        )

    def _look(self, look: Look, timeout: float) -> HealthFacts | None:
        """Call *look*, but do not wait for it forever.

        :raises TimeoutError: if it takes too long.
        """
        end = time.monotonic() + timeout
        hanging = self._hanging.get(os.getpid())
        if hanging is not None:
            hanging.join(timeout)
            if hanging.is_alive():
                raise TimeoutError
        call = _Call(look)
        thread = threads.start(call.run, "mail-queue-health")
        if thread is None:  # the interpreter is ending
            return look()
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            self._hanging = {os.getpid(): thread}
            raise TimeoutError
        return call.result()

    def _members(self, names: Collection[str]) -> list[str]:
        """Return the accounts to which these pass their mail, and under which names the store has
        their state."""
        groups = [self._app_access.accounts[name].group for name in names]
        members = dict.fromkeys(one for group in groups if group for one in group.names)
        return [name for one in members for name in (one, SHARED + one)]

    def _judge(self, facts: HealthFacts, names: Collection[str], bounds: Bounds) -> Judge:
        accounts = self._app_access.accounts
        found = {one.name: one for one in facts.accounts}
        return Judge(
            facts=dataclasses.replace(facts, accounts=[found[name] for name in names]),
            bounds=bounds,
            limits={name: account.rate_limit or () for name, account in accounts.items()},
            engine=self._engine(),
            down={
                name.removeprefix(SHARED): one.why
                for name, one in found.items()
                if name.startswith(SHARED) and one.pauses
            },
            members={
                name: [found[one] for one in group.names]
                for name in names
                if (group := accounts[name].group) is not None
            },
        )

    def _engine(self) -> str:
        found = self._app_access.settings.queue_engine
        return found if isinstance(found, str) else f"{found.__module__}:{found.__qualname__}"

    def _worded(self, finding: QueueFinding) -> QueueFinding:
        """Return a finding in the words of the app's framework: ``quart mail``, for Quart."""
        text = framework_of(self._app_access.app).wording(finding.text)
        return dataclasses.replace(finding, text=text)


class _Call:
    """A call whose result or error is read in another thread."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._found: HealthFacts | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Make the call."""
        try:
            self._found = self._look()
        except BaseException as error:
            self._error = error

    def result(self) -> HealthFacts | None:
        """Return its result, or raise its error."""
        if self._error is not None:
            raise self._error
        return self._found


def _no_answer(store: str, timeout: float) -> str:
    text = f"The queue in {store} did not answer within {timeout:g} s."
    if "://" not in store or store.startswith("sqlite"):
        return f"{text} See whether its disk is slow, or on a network."
    return (
        f"{text} See whether the database's server can be reached from this machine, whether a"
        " firewall drops the connection, and whether another transaction locks the table"
        " mail_queue."
    )


def _unreachable(text: str) -> QueueFinding:
    return QueueFinding("store-unreachable", "error", text)


def _chosen(
    findings: Collection[QueueFinding], using: str | None, only: Collection[str]
) -> list[QueueFinding]:
    # Of one account, mail for others does not matter.
    skipped = set() if using is None else {"account-unknown"}
    return [one for one in findings if one.name not in skipped and (not only or one.name in only)]
