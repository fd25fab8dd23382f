"""What is logged about mail: never a secret, and of a mailbox only its beginning."""

from __future__ import annotations

import logging
import re

from .report import Report

logger: logging.Logger = logging.getLogger("flask_mailhandler")

_MAILBOX = re.compile(r"([^\s<>@,;:\"']{1,2})[^\s<>@,;:\"']*@(?=[\w\[])")


def masked(text: str) -> str:
    """Shorten all local parts in *text*: ``ann@example.com`` -> ``an…@example.com``."""
    return _MAILBOX.sub(r"\1…@", text)


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
