"""What the server has taken, held against what was reported: the promise of every report."""

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
    """All copies that were ever sent. May be written by several threads.

    Each is on the server at the most once. Who is reported accepted is there, who is reported
    deferred or refused is not; unknown is only what was given whole.
    """

    def __init__(self) -> None:
        #: What the last report on a copy said.
        self.reported: dict[Copy, State] = {}
        #: The messages whose end of data was given.
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
        """What was reported. A later report on the same copy, of a retry, counts."""
        with self._alone:
            for report in reports:
                for outcome in report.outcomes:
                    self.reported[report.message_id, str(outcome.recipient)] = outcome.state

    def judge(self, accepted: list[Accepted]) -> None:
        """Hold the reports against all that a server has accepted since its beginning."""
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
