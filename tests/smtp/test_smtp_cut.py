"""The connection is cut after every single octet, in each direction.

A proxy stands between client and server and closes both sides when so many octets have passed.
Whatever the place, these hold of every message: the server took it at the most once; who is
reported accepted has it; who is reported deferred has it not; unknown is only what was given
whole.
"""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from cutting import Cutter
from cutting import DOWN
from cutting import UP
from flask_mailhandler.phase import Phase
from flask_mailhandler.report import Job
from sending import ACCEPTED
from sending import DEFERRED
from sending import job
from sending import Scripted
from sending import smtp
from sending import states
from sending import UNKNOWN

if t.TYPE_CHECKING:
    from servers import ScriptedServer

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow

#: The octets are spread over so many tests, for several workers.
PARTS = 4


#: Small, and with a dot to double.
CONTENT = b"Subject: x\r\n\r\n.\r\n"
TO = ["r1@example.com", "r2@example.com", "r3@example.com"]


@dataclasses.dataclass(frozen=True)
class Way:
    """How two messages, or three, go over one connection."""

    extensions: tuple[str, ...] = ()
    number: int = 2
    #: Whether they are given to the handler as one list.
    together: bool = False
    one_flight: bool = False


WAYS = {
    "lock-step": Way(together=True),
    "pipelined": Way(("PIPELINING",)),
    "overlapped": Way(("PIPELINING",), together=True),
    # The first message goes in two flights, to see whether the server knows BDAT.
    "one flight": Way(("PIPELINING", "CHUNKING"), number=3, one_flight=True),
}


def session(server: ScriptedServer, way: Way, direction: str, limit: int | None) -> Cutter:
    """Send messages through a cutter, and judge the outcomes."""
    given: list[str] = []

    def observe(phase: Phase, job: Job) -> None:
        if phase is Phase.END_OF_DATA:
            given.extend(job.envelope.recipients)

    server.accepted.clear()
    jobs = [job(CONTENT, [to]) for to in TO[: way.number]]
    with Cutter(server, direction, limit) as cutter:
        handler = smtp(cutter, one_flight=way.one_flight)
        lists = [jobs] if way.together else [[each] for each in jobs]
        reports = [report for each in lists for report in handler.deliver(each, observe)]
        found = [states(report)[0] for report in reports]
        handler.close()
    server.settle()

    arrived = [accepted.recipients[0] for accepted in server.accepted]
    assert len(arrived) == len(set(arrived))
    for to, state in zip(TO, found, strict=False):
        assert state is UNKNOWN or (state is ACCEPTED) == (to in arrived)
        assert state is not UNKNOWN or to in given
    # A connection that is cut while it is opened costs all of a list, and later one at the most.
    lost = [state for state in found if state is not ACCEPTED]
    assert len(lost) <= 1 or (way.together and lost == [DEFERRED, DEFERRED])
    return cutter


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("direction", [UP, DOWN])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_cut(scripted: Scripted, way: Way, direction: str, part: int) -> None:
    """F-22, F-28, F-37, F-45, F-46, F-53, F-55, F-57, F-76: after every octet."""
    server = scripted(extensions=way.extensions)
    octets = session(server, way, direction, None).passed[direction]
    assert octets > 150

    for limit in range(part, octets + 1, PARTS):
        session(server, way, direction, limit)
