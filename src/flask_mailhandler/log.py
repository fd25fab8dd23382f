"""What is logged about mail: never a secret, and of a mailbox only its beginning."""

from __future__ import annotations

import logging
import re

from .report import Report

logger: logging.Logger = logging.getLogger("flask_mailhandler")

# A quoted local part, or one that is no more than a word. Each begins where nothing of its kind
# stands before it, and is not tried again shorter: else a long text would take for ever.
_QUOTED = r'(?<!\\)("[^"\\]?)(?:[^"\\]|\\.)*+(")'
_WORD = r"(?<![^\s<>@,;:\"'])([^\s<>@,;:\"']{1,2})[^\s<>@,;:\"']*+"
_ADDRESS = re.compile(rf"(?:{_QUOTED}|{_WORD})@(?=[\w\[])", re.S)


def masked(text: str) -> str:
    """Shorten all local parts in *text*: ``ann@example.com`` -> ``an…@example.com``."""
    return _ADDRESS.sub(r"\1\3…\2@", text)


def log_report(report: Report, using: str) -> None:
    """Log one line about a message: what was accepted, or what went wrong."""
    total = len(report.outcomes)
    accepted = len(report.accepted)
    if not total:
        return  # stopped, and that has been logged
    if accepted == total:
        logger.info("%s via %s: accepted for %d recipients", report.message_id, using, total)
        return
    level = logging.WARNING if accepted else logging.ERROR
    logger.log(
        level,
        "%s via %s: accepted for %d of %d recipients: %s",
        report.message_id,
        using,
        accepted,
        total,
        masked(str(report.error)),
    )
