"""Importing aiosmtpd, with errors that say what to install, and making its log safe to show."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator

from ..errors import ConfigurationError
from ..handlers.console import visible


@contextlib.contextmanager
def importing_aiosmtpd(needing: str) -> Iterator[None]:
    """Import aiosmtpd in the block. Version 1.4.6 imports ``typing.ByteString``, of which Python
    3.15 warns and which 3.17 removes.

    :param needing: What needs aiosmtpd, for the error.
    :raises ConfigurationError: if it is missing, or does not run on this Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'typing.ByteString'", DeprecationWarning)
            yield
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{needing} needs aiosmtpd: pip install 'Flask-MailHandler[catch]'"
        ) from error
    except ImportError as error:
        version = ".".join(map(str, sys.version_info[:2]))
        raise ConfigurationError(
            f"{needing} needs an aiosmtpd that runs on Python {version} ({error}): install a newer"
            " aiosmtpd, or use an older Python."
        ) from error


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
