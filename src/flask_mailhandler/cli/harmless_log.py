"""The log of aiosmtpd, made safe to show."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from ..handlers.console import visible


@contextlib.contextmanager
def harmless_log() -> Iterator[None]:
    """Make control characters visible in aiosmtpd's log, which repeats what a client sent: on a
    terminal they could be obeyed."""

    def make_visible(record: logging.LogRecord) -> bool:
        record.msg, record.args = visible(record.getMessage()), None
        if record.exc_info:
            # A traceback would be printed as it is, so its last line goes into the message.
            record.msg += visible(f": {record.exc_info[1]!r}")
            record.exc_info = None
        return True

    log = logging.getLogger("mail.log")
    log.addFilter(make_visible)
    try:
        yield
    finally:
        log.removeFilter(make_visible)
