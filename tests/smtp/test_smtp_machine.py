"""Whatever a program does with a handler, and a server with its connections: a machine that
makes both up (hypothesis). More of it, for an hour or a night::

    pytest tests/smtp/test_smtp_machine.py --hypothesis-profile=thorough --timeout=0
"""

from __future__ import annotations

import threading
import typing as t

import pytest
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import rule
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import run_state_machine_as_test

from flask_mailhandler import ConnectError
from flask_mailhandler import Message
from flask_mailhandler.report import Report
from forking import in_child
from ledger import Ledger
from sending import DEFERRED
from sending import smtp
from sending import states
from servers import After
from servers import CLOSE_NOTIFY
from servers import DROP
from servers import drop_after
from servers import RESET
from servers import ScriptedServer
from servers import SILENCE
from servers import Taken
from servers import Then
from servers.plan import clients
from servers.plan import ESTABLISHED
from servers.plan import Fault
from servers.plan import Plan
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from servers.actions import Action
    from servers.certificates import Certificates
    from servers.connection import Connection

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow

BYE = "421 4.3.2 bye"
GONE: list[Action] = [DROP, RESET, Then(b"25", DROP), Then(BYE, DROP)]
CLOSING: list[Action] = [*GONE, BYE]
REFUSING: list[Action] = ["451 4.3.0 later", "550 5.7.1 no"]
WRONG: list[Action] = ["220 what", b"what\r\n", b"250-a\r\n550 b\r\n"]
# A wrong login would be remembered: 4yz alone.
OPENING: dict[str, list[Action]] = {
    "greeting": [*CLOSING, *REFUSING, b"what\r\n"],
    "EHLO": [*CLOSING, *REFUSING],
    "STARTTLS": [*CLOSING, "454 4.7.0 not now"],
    "handshake": [DROP, RESET, drop_after(100)],
    "AUTH": [*CLOSING, "454 4.7.0 not now"],
}
SENDING: dict[str, list[Action]] = {
    "RSET": [*CLOSING, *REFUSING],
    "MAIL": [*CLOSING, *REFUSING, "451 4.4.2 idle", "452 4.3.1 full"],
    # Who says 421 to RCPT is not to take the content that comes with it in one flight.
    "RCPT": [*GONE, *REFUSING, "452 4.5.3 too many", "552 5.5.3 too many", "452 4.2.2 full"],
    "DATA": [*CLOSING, *REFUSING],
    "content": [
        *(After(octets, action) for octets in (0, 1, 100) for action in (DROP, RESET, "550 no")),
        After(50, Then("451 4.3.0 later", DROP)),
        After(50, "421 4.3.2 bye"),
    ],
    "end of data": [
        *CLOSING,
        *REFUSING,
        Then("250 2.0.0 ok", DROP),
        Then("250 2.0.0 ok", RESET),
        # No other reply behind it: in a group it could not be told from the next one.
        b"250 ok\r\n421 4.3.2 bye\r\n",
        *(Taken(action) for action in (DROP, RESET, Then(b"25", DROP))),
    ],
}
# In a group, or an overlap, they may cost the message in front and the one behind.
CONFUSING: dict[str, list[Action]] = {
    step: [*WRONG, SILENCE] for step in ("MAIL", "RCPT", "DATA", "end of data")
}
LEAVING: dict[str, list[Action]] = {"QUIT": [*CLOSING, "500 what", SILENCE]}

TABLES = (SENDING, CONFUSING, OPENING, LEAVING)
WHAT_GOES_WRONG: list[Fault] = [
    Fault(step, each) for table in TABLES for step, actions in table.items() for each in actions
]
anything = st.lists(
    st.builds(
        lambda what, number: what._replace(number=number),
        st.sampled_from(WHAT_GOES_WRONG),
        st.sampled_from([1, 1, 2, 3]),
    ),
    min_size=1,
    max_size=3,
)
# There is no RSET where nothing was refused.
resets = st.sampled_from(SENDING["RSET"]).map(
    lambda action: [Fault("RCPT", "550 5.7.1 no"), Fault("RSET", action)]
)
faults = st.one_of(anything, anything, anything, resets)


class Sending(RuleBasedStateMachine):
    """One handler, one server, and a ledger of all that was sent."""

    def __init__(self, certificates: Certificates, mode: str) -> None:
        super().__init__()
        self.certificates = certificates
        self.mode = mode
        self.ledger = Ledger()
        self.most = 0
        self.number = 0
        self.partly: list[Report] = []

    @initialize(
        extensions=st.sampled_from([[], ["PIPELINING"], ["PIPELINING", "CHUNKING"]]),
        login=st.booleans(),
        pool_size=st.integers(1, 3),
        pool_idle=st.sampled_from([5.0, 0.001]),
        one_flight=st.booleans(),
        messages_per_connection=st.sampled_from([100, 3, 1]),
        recipients_per_message=st.sampled_from([None, 2]),
    )
    def begin(self, extensions: list[str], login: bool, **options: t.Any) -> None:
        """Start the server and make the handler; both last until the end."""
        secure: dict[str, t.Any] = {}
        if self.mode != "plain":
            options |= {"security": self.mode, "tls_context": self.certificates.client()}
            secure = {self.mode: self.certificates.valid, "require_tls": True}
        if login:
            options |= {"username": "ann", "password": "secret"}
            secure["users"] = {"ann": "secret"}
        self.pool_size = options["pool_size"]
        self.server = ScriptedServer(extensions=[*extensions, "SIZE 100000"], **secure).start()
        self.plan = Plan(self.count)
        self.server.script = self.plan
        self.handler = smtp(self.server, **options)

    def count(self) -> None:
        self.most = max(self.most, clients(self.server.port))

    # What a program does

    @rule(number=st.integers(1, 3))
    def send(self, number: int) -> None:
        """One message or several, and all goes well."""
        self._judged(self._messages(number, 1), [])

    @rule(faults=faults)
    def send_one(self, faults: list[Fault]) -> None:
        """One message, while something goes wrong."""
        self._judged(self._messages(1, 2), faults)

    @rule(number=st.integers(2, 5), recipients=st.integers(1, 4), faults=faults)
    def send_several(self, number: int, recipients: int, faults: list[Fault]) -> None:
        """Several messages, while something goes wrong."""
        self._judged(self._messages(number, recipients), faults)

    @rule(number=st.integers(2, 8), connections=st.integers(2, 4), faults=faults)
    def send_over_several(self, number: int, connections: int, faults: list[Fault]) -> None:
        """Several messages over several connections at once, while something goes wrong."""
        self._judged(self._messages(number, 1), faults, connections=connections)

    @rule(faults=faults)
    def retry(self, faults: list[Fault]) -> None:
        """The same message once more, to the deferred recipients."""
        # No precondition: what came before may come out in two ways, and the machine must not.
        if not self.partly:
            return
        report = self.partly.pop()
        assert isinstance(report.message, Message)
        self._judged([report.message], faults, recipients=report.deferred)

    @rule(threads=st.integers(2, 4), recipients=st.integers(1, 2))
    def send_at_once(self, threads: int, recipients: int) -> None:
        """Several threads, one handler."""
        self.plan.expect([])
        reports: list[Report] = []

        def send(message: Message) -> None:
            reports.extend(self.handler.send([message], observe=self.ledger.observe))

        workers = [
            threading.Thread(target=send, args=(message,))
            for message in self._messages(threads, recipients)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.ledger.note(reports)
        assert [report.error for report in reports] == [None] * threads

    @rule(number=st.integers(1, 3), closes=st.booleans())
    def fork(self, number: int, closes: bool) -> None:
        """A child sends, and its parent's connections are as they were."""
        self.plan.expect([])
        self._quiet()
        before = self._open()
        messages = self._messages(number, 1)
        reports, given = in_child(lambda: self._sent_by_child(messages, closes))
        self.ledger.given |= given
        self.ledger.note(reports)

        assert [report.error for report in reports] == [None] * number
        assert all(connection.closed_by is None for connection in before)

    @rule()
    def close(self) -> None:
        """All connections end; the handler may be used again."""
        self.plan.expect([])
        self.handler.close()
        self.server.settle()

        assert clients(self.server.port) == 0

    # What a server does

    @rule(action=st.sampled_from([*CLOSING, CLOSE_NOTIFY, "250 what", "421 4.4.2 idle too long"]))
    def speak_while_idle(self, action: Action) -> None:
        """All connections end, or receive something unasked, while they are idle."""
        self._quiet()
        for connection in self._open():
            connection.do(action)

    @rule()
    def restart(self) -> None:
        """The server ends and another begins at the same port."""
        self.server.stop()
        self.server.start()

    @rule(number=st.integers(1, 2))
    def send_to_nobody(self, number: int) -> None:
        """The server is down meanwhile."""
        self.server.stop()
        reports = self.handler.send(self._messages(number, 1), observe=self.ledger.observe)
        self.server.start()
        self.ledger.note(reports)

        for report in reports:
            assert states(report) == [DEFERRED] and isinstance(report.error, ConnectError)

    # What holds

    @invariant()
    def is_true(self) -> None:
        """No report is wrong, no recipient got a message twice, and no rule of the standards was
        broken."""
        if not hasattr(self, "server"):
            return
        self.ledger.judge(self.server.accepted)
        assert self.server.breaches == []
        assert self.most <= self.pool_size

    def teardown(self) -> None:
        if not hasattr(self, "server"):
            return
        try:
            self.close()
            self.is_true()
        finally:
            self.server.leave()

    # The parts of it

    def _messages(self, number: int, recipients: int) -> list[Message]:
        self.number += number
        return [
            Message(
                subject=f"{count}",
                text=".Hello.\n" * 3,
                from_addr="a@example.com",
                to=[f"r{recipient}@example.com" for recipient in range(recipients)],
            )
            for count in range(self.number - number, self.number)
        ]

    def _judged(
        self,
        messages: list[Message],
        faults: list[Fault],
        *,
        connections: int = 1,
        recipients: Sequence[str] | None = None,
    ) -> None:
        """Send, and check that a fault affects no other message."""
        self.plan.expect(faults)
        patient = all(fault.action is not SILENCE for fault in faults)
        timeout = None if patient else 0.4
        prepared = [
            self.handler.prepare(message, recipients=recipients, timeout=timeout)
            for message in messages
        ]
        observe = self.ledger.observe
        reports = [*self.handler.dispatch(prepared, observe, connections=connections)]
        self.ledger.note(reports)
        fired = [fault for fault in self.plan.fired if fault.step != "QUIT"]
        failed = [report for report in reports if not report.ok]
        self.partly += [report for report in failed if report.deferred]

        # Where no session could be had nobody got anything.
        if patient and not any(fault.step in OPENING for fault in fired):
            cost = sum(2 if fault.action in WRONG else 1 for fault in fired)
            assert len(failed) <= cost, failed

    def _sent_by_child(
        self, messages: list[Message], closes: bool
    ) -> tuple[list[Report], set[str]]:
        ledger = Ledger()
        reports = self.handler.send(messages, observe=ledger.observe)
        if closes:
            self.handler.close()
        return reports, ledger.given

    def _open(self) -> list[Connection]:
        return [one for one in self.server.connections if one.closed_by is None]

    def _quiet(self) -> None:
        """Wait until the server has seen what the client has closed."""
        until(
            lambda: len(self._open()) <= clients(self.server.port, ESTABLISHED),
            60,
            "the server to see what was closed",
        )


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("mode", ["plain", "starttls", "tls"])
def test_machine(certificates: Certificates, mode: str, no_leaks: None) -> None:
    """F-36, F-46, F-53, F-57, F-66, F-68 ... F-72, F-76, F-77, F-94, F-95, C-96: whatever happens
    in whatever order, every report is true, and no message is lost or delivered twice."""
    run_state_machine_as_test(
        t.cast("t.Any", lambda: Sending(certificates, mode)),
        settings=settings(
            max_examples=settings().max_examples // 4,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
