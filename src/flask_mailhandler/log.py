"""Logging: never a secret, and only the beginning of an address."""

from __future__ import annotations

import logging
import re

from .report import Report

logger: logging.Logger = logging.getLogger("flask_mailhandler")

# A quoted local part, or one that is a word. Each begins only where no character of its kind comes
# before it, and never backtracks: otherwise a long text would take quadratic time.
_QUOTED = r'(?<!\\)("[^"\\]?)(?:[^"\\]|\\.)*+(")'
_WORD = r"(?<![^\s<>@,;:\"'])([^\s<>@,;:\"']{1,2})[^\s<>@,;:\"']*+"
_ADDRESS = rf"(?s:(?:{_QUOTED}|{_WORD})@(?=[\w\[]))"


def masked(text: str) -> str:
    """Shorten every local part in *text*: ``ann@example.com`` becomes ``an…@example.com``.

    A handler may have a text that UTF-8 cannot express: it is escaped.
    """
    return re.sub(_ADDRESS, r"\1\3…\2@", text.encode(errors="backslashreplace").decode())


def log_report(report: Report, using: str) -> None:
    """Log one line about a message: for how many recipients it was accepted, and what went wrong.

    :param using: The account.
    """
    total = len(report.outcomes)
    accepted = len(report.accepted)
    if not total:
        return  # a before_send function stopped it, which was logged then
    if accepted == total:
        what = "recipient" if total == 1 else "recipients"
        logger.info("%s via %s: accepted for %d %s", report.message_id, using, total, what)
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
