"""Where a message was sent from: the line of code that called this package."""

from __future__ import annotations

import contextlib
import os
import sys
import typing as t
from types import FrameType

from ..report import Job

if t.TYPE_CHECKING:
    from ..content import Content
    from ..envelope import DSN
    from ..envelope import Envelope
    from ..message.given import AnyMessage

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_LIBRARY = os.path.dirname(os.path.abspath(contextlib.__file__)) + os.sep


class TracedJob(Job):
    """A job with the time and the line of code at which its message was sent."""

    started: float = 0.0
    site: t.Mapping[str, object] | None = None

    def __init__(
        self,
        message: AnyMessage,
        message_id: str,
        envelope: Envelope,
        content: Content,
        timeout: float | None = None,
        dsn: DSN | None = None,
        started: float = 0.0,
        site: t.Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, message_id, envelope, content, timeout, dsn)
        object.__setattr__(self, "started", started)
        object.__setattr__(self, "site", site)


def call_site() -> dict[str, object] | None:
    """Return the line of code that sends: the nearest one outside this package and the standard
    library. None if there is none, as in the thread of ``send_async``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_PACKAGE, _LIBRARY)):
            return {"file": file, "line": frame.f_lineno or 0, "function": frame.f_code.co_name}
        frame = frame.f_back
    return None
