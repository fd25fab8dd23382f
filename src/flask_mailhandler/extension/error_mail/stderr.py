"""Where errors go that must not be mailed: a line, or a record, on stderr.

Nothing here raises. There may be no stderr, or it may be closed; and a record may be one that
cannot be written.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from contextvars import ContextVar

SENDING: ContextVar[bool] = ContextVar("flask_mailhandler.error_mail", default=False)
"""Whether this thread is counting or mailing an error. What it logs meanwhile is not mailed."""
_LONGEST = 10_000


def tell(text: str) -> None:
    """Write a line."""
    with contextlib.suppress(Exception):
        # Surrogates cannot be encoded.
        line = f"flask_mailhandler: {text}".encode("utf-8", "backslashreplace").decode()
        print(line, file=sys.stderr, flush=True)


def tell_of(record: logging.LogRecord, why: str) -> None:
    """Write a record, with the reason for which it is not mailed."""
    try:
        text = logging.Formatter("%(levelname)s in %(name)s: %(message)s").format(record)
    except Exception as error:
        text = f"a record of {record.pathname}, line {record.lineno} ({type(error).__name__})"
    tell(f"not mailed, {why}: {text[:_LONGEST]}")
