"""Compare what the server has accepted with what was reported: every report must be true."""

from __future__ import annotations

import re
import threading
import typing as t
from collections import Counter

from flask_mailhandler.phase import Phase
from sending import ACCEPTED
from sending import UNKNOWN

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from flask_mailhandler.phase import State
    from flask_mailhandler.report import Job
    from flask_mailhandler.report import Report
    from servers import Accepted

#: A message and one of its recipients.
Copy: t.TypeAlias = tuple[str, str]

MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>]+>)", re.MULTILINE | re.IGNORECASE)


class Ledger:
    """All copies that were ever sent. Several threads may write it.

    Each copy is on the server at most once. A copy that was reported accepted is there, and one
    that was reported deferred or refused is not. Only a copy whose end of data was sent may be
    reported unknown.
    """

    def __init__(self) -> None:
        #: The state of each copy in its last report.
        self.reported: dict[Copy, State] = {}
        #: The messages whose end of data was sent.
        self.given: set[str] = set()
        self._arrived: Counter[Copy] = Counter()
        self._read = 0
        self._alone = threading.Lock()

    def observe(self, phase: Phase, job: Job) -> None:
        """For the handler: ``handler.send(messages, observe=ledger.observe)``."""
        if phase is Phase.END_OF_DATA:
            with self._alone:
                self.given.add(job.message_id)

    def note(self, reports: Iterable[Report]) -> None:
        """Record reports. A later report on the same copy, after a retry, replaces the first."""
        with self._alone:
            for report in reports:
                for outcome in report.outcomes:
                    self.reported[report.message_id, str(outcome.recipient)] = outcome.state

    def judge(self, accepted: list[Accepted]) -> None:
        """Compare the reports with all that a server has accepted since its start."""
        for one in accepted[self._read :]:
            self._read += 1
            found = MESSAGE_ID.search(one.content)
            assert found, one.content
            self._arrived.update((found[1].decode(), recipient) for recipient in one.recipients)
        with self._alone:
            twice = {copy for copy, times in self._arrived.items() if times > 1}
            untrue = {
                copy: state
                for copy, state in self.reported.items()
                if state is not UNKNOWN and (state is ACCEPTED) != (copy in self._arrived)
            }
            never_given = {
                copy
                for copy, state in self.reported.items()
                if state is UNKNOWN and copy[0] not in self.given
            }
        assert twice == set()
        assert untrue == {}
        assert never_given == set()
        assert self._arrived.keys() <= self.reported.keys()
