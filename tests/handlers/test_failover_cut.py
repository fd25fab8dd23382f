"""Two servers, and the connection to the first is cut after every single octet."""

from __future__ import annotations

import pytest

from cutting import Cutter
from cutting import DOWN
from cutting import UP
from failing_over import health_of
from failing_over import two
from sending import ACCEPTED
from sending import letter
from sending import Scripted
from sending import states
from sending import UNKNOWN

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("direction", "extensions"), [(UP, ("PIPELINING",)), (DOWN, ())])
def test_cut_at_every_octet(
    scripted: Scripted, direction: str, extensions: tuple[str, ...]
) -> None:
    """Nothing is lost and nothing is doubled: a message that was cut before its end is sent by the
    second account, and one that the first may have taken is not."""
    first, second = scripted(extensions=extensions), scripted()
    with Cutter(first, direction, None) as whole, two(whole, second) as mail:
        mail.send(letter(text="."))
        mail.handler.close()
    whole_length = whole.passed[direction]
    assert whole_length > 100
    found = set()

    for limit in range(whole_length + 1):
        for server in (first, second):
            server.accepted.clear()
        with Cutter(first, direction, limit) as cutter, two(cutter, second) as mail:
            (report,) = mail.send_each([letter(text=".")])
            again = mail.send(letter(text="."))
            down = health_of(mail).is_down("default")
            mail.handler.close()
        first.settle()
        arrived = (len(first.accepted), len(second.accepted))

        (state,) = states(report)
        assert state in (ACCEPTED, UNKNOWN)
        # The next message goes where the account is up.
        assert again.account == ("backup" if down else "default")
        mine = (arrived[0] - (again.account == "default"), arrived[1] - (again.account == "backup"))
        if state is ACCEPTED:
            assert mine == ((1, 0) if report.account == "default" else (0, 1))
        else:
            assert report.account == "default"
            assert mine in ((0, 0), (1, 0))
        found.add((state, report.account))

    assert {(ACCEPTED, "default"), (ACCEPTED, "backup")} <= found
