"""How far a session has come, and the outcome for each recipient."""

from __future__ import annotations

import enum
import typing as t

from .frozen import Frozen
from .frozen import slotted

if t.TYPE_CHECKING:
    from .address import Address


class State(enum.StrEnum):
    """The result of sending one message, for one recipient."""

    ACCEPTED = "accepted"
    """The server replied 2yz to the end of data: it is responsible for the message now."""
    DEFERRED = "deferred"
    """The server replied 4yz, or did not reply before the end of data: it has accepted nothing,
    and trying again later is safe."""
    REFUSED = "refused"
    """The server replied 5yz, or the message was refused before any connection: trying again is
    useless."""
    UNKNOWN = "unknown"
    """The end of data was sent and no valid reply came: the server may have accepted the
    message."""


class Phase(enum.IntEnum):
    """How far a session has come.

    The phase decides what may be repeated: anything up to :attr:`CONTENT`, and nothing from
    :attr:`END_OF_DATA` on.
    """

    CONNECT = 1
    GREETING = 2
    EHLO = 3
    TLS = 4
    AUTH = 5
    MAIL = 6
    RCPT = 7
    DATA = 8
    CONTENT = 9
    END_OF_DATA = 10
    DONE = 11

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class About(enum.StrEnum):
    """What a failure is about: only the recipient, or something that affects others too."""

    RECIPIENT = "recipient"
    """This address: it is unknown, full or blocked. The other recipients are not affected."""
    SENDER = "sender"
    """The From or the envelope sender: it is not verified, or not allowed for this login."""
    ACCOUNT = "account"
    """The login, its quota, or the server, which would refuse every message."""
    CONTENT = "content"
    """The content of the message, or its size."""


@slotted
class Outcome(Frozen):
    """The result for one recipient.

    .. code-block:: python

        Outcome(recipient, State.REFUSED, 550, "5.1.1", "No such user")
    """

    recipient: Address
    state: State
    code: int | None = None
    """The reply code (RFC 5321 section 4.2), or None if the state does not come from a reply."""
    enhanced_code: str | None = None
    """The enhanced code (RFC 3463), such as ``5.1.1``."""
    text: str = ""
    """The server's text, escaped and shortened, or our own reason if the state does not come from a
    reply."""
    about: About | None = None
    """What the failure is about: the recipient if you leave it out. None if the recipient was
    accepted. Only a failure about the recipient says anything about the address."""
    provider_id: str = ""
    """The identifier that a provider's API returned for the message to this recipient, for its
    later notifications. "" if there is none, as with SMTP."""
    account: str = ""
    """The account that this outcome is from, if it is not :attr:`.Report.account`: another one got
    the message for the other recipients."""

    def __init__(
        self,
        recipient: Address,
        state: State,
        code: int | None = None,
        enhanced_code: str | None = None,
        text: str = "",
        about: About | None = None,
        provider_id: str = "",
        account: str = "",
    ) -> None:
        put = object.__setattr__
        put(self, "recipient", recipient)
        put(self, "state", state)
        put(self, "code", code)
        put(self, "enhanced_code", enhanced_code)
        put(self, "text", text)
        put(self, "about", None if state is State.ACCEPTED else about or About.RECIPIENT)
        put(self, "provider_id", provider_id)
        put(self, "account", account)

    def __str__(self) -> str:
        reply = " ".join(filter(None, (str(self.code or ""), self.enhanced_code, self.text)))
        return f"{self.recipient} {self.state}" + (f": {reply}" if reply else "")
