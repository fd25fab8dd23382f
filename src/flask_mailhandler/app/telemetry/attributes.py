"""What spans and metrics say. The names are those of OpenTelemetry's semantic conventions 1.44.0
for messaging and servers where they have one, and begin with ``mailhandler.`` otherwise.

No address, no subject, no text of a server, and no text of an error is among them: a server may
repeat an address, or a secret, in any reply.
"""

from __future__ import annotations

import contextlib
import re
import typing as t
from collections.abc import Mapping

from ...handlers import BUILT_IN
from ...phase import Phase
from ...phase import State
from ...smtp.endpoint import Endpoint

if t.TYPE_CHECKING:
    from ...handlers.base import EmailHandler
    from ...handlers.providers.api import APIEmailHandler
    from ...report import Report

    Attributes: t.TypeAlias = dict[str, str | int | float]

ACCOUNT = "messaging.destination.name"
BATCH = "messaging.batch.message_count"
ERROR = "error.type"
EVENT = "mailhandler.event.kind"
MESSAGE_ID = "messaging.message.id"
OPERATION = "messaging.operation.name"
PHASE = "mailhandler.phase"
PROTOCOL = "network.protocol.name"
RECIPIENTS = "mailhandler.recipients"
ROW_STATE = "mailhandler.queue.state"
SENDER = "mailhandler.account"
STATE = "mailhandler.state"
SYSTEM = "messaging.system"
TYPE = "messaging.operation.type"

PHASES: dict[Phase, str] = {phase: phase.name.lower() for phase in Phase}
"""The names of the phases."""
PHASE_TIMES: dict[Phase, str] = {
    phase: f"mailhandler.phase.{name}.time" for phase, name in PHASES.items()
}
"""The attributes that say how long each phase took."""
ACCEPTED: str = State.ACCEPTED.value
_SYSTEMS = {place: name for name, place in reversed(BUILT_IN.items())}
_SYSTEMS["flask_mailhandler.handlers.failover.handler:FailoverEmailHandler"] = "failover"
_STATES = {state: state.value for state in State}
OWN_ID: re.Pattern[str] = re.compile(r"<[0-9a-f]{32}@", re.ASCII)
"""How a Message-ID begins that this package has made. One of the app may name a person."""
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)
# The gravest first: what a span says about a message whose recipients differ.
_GRAVEST = (State.UNKNOWN, State.DEFERRED, State.REFUSED)


class Sending(t.NamedTuple):
    """What is the same for each message that a handler sends for an account."""

    span: Attributes
    metric: Attributes
    transaction: str
    """What it does with a message over a connection."""
    server: Attributes


def sending(account: str, handler: EmailHandler) -> Sending:
    """Return the attributes of what a handler sends for an account."""
    system = next(
        (name for cls in type(handler).__mro__ if (name := _SYSTEMS.get(_place(cls)))),
        type(handler).__name__,
    )
    metric: Attributes = {SYSTEM: system, OPERATION: "send", ACCOUNT: account}
    server = _server(handler)
    does = {"smtp": "transaction", "http": "exchange"}.get(str(server.get(PROTOCOL)), "delivery")
    return Sending({**metric, TYPE: "send", **server}, metric, does, server)


def _place(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _server(handler: EmailHandler) -> Attributes:
    """Return the server that a handler connects to, as far as it says so."""
    with contextlib.suppress(Exception):  # a handler of an app may use these names for anything
        endpoint = getattr(handler, "server", None)
        if isinstance(endpoint, Endpoint):
            return _network(endpoint.host, endpoint.port, "smtp")
        if getattr(handler, "provider", None):
            url = t.cast("APIEmailHandler", handler).url("")
            return _network(url.hostname or "", url.port or 443, "http")
    return {}


def _network(host: str, port: int, protocol: str) -> Attributes:
    return {"server.address": host, "server.port": port, PROTOCOL: protocol}


def failure(error: BaseException | None) -> str:
    """Return the class of an error, for ``error.type``."""
    return "_OTHER" if error is None else type(error).__name__


def counts(report: Report) -> dict[str, int]:
    """Return the number of recipients in each state, without those that no recipient is in."""
    if len(report.outcomes) == 1:
        return {_STATES[report.outcomes[0].state]: 1}
    found: dict[str, int] = {}
    for outcome in report.outcomes:
        state = _STATES[outcome.state]
        found[state] = found.get(state, 0) + 1
    return found


def of_outcomes(report: Report, numbers: Mapping[str, int], into: Attributes) -> None:
    """Add how many recipients are in each state, and the reply code of the gravest failure."""
    for state, number in numbers.items():
        into[f"{RECIPIENTS}.{state}"] = number
    gravest = next((state for state in _GRAVEST if state in numbers), None)
    if gravest is None:
        return
    worst = next(outcome for outcome in report.outcomes if outcome.state is gravest)
    if isinstance(worst.code, int):
        into["mailhandler.reply.code"] = worst.code
    if worst.enhanced_code and _ENHANCED.fullmatch(worst.enhanced_code):
        into["mailhandler.reply.enhanced_code"] = worst.enhanced_code
    if worst.about is not None:
        into["mailhandler.about"] = worst.about.value
