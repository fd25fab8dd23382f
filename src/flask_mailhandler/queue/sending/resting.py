"""What one worker knows about an account, besides what is in the store."""

from __future__ import annotations

import dataclasses

from .account_faults import Faults


@dataclasses.dataclass(slots=True)
class Resting:
    """What one worker knows about an account, besides what is in the store."""

    until: float = float("-inf")
    """When this worker tries the account again, by the monotonic clock. Most often its rate limit
    is used up until then."""
    faults: Faults = dataclasses.field(default_factory=Faults)
    seen: dict[str, tuple[float, int]] = dataclasses.field(default_factory=dict)
    """The end and the number of the pauses of the accounts of its group, as read last."""
