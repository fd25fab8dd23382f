"""The errors of this package, as a tree::

    MailError
    ├── ConfigurationError          a MAIL_* key or a handler's argument is wrong
    ├── MessageError (ValueError)   a message, an address or an attachment is wrong
    ├── DeliveryError               no recipient was accepted; has the report
    │   ├── DeferredError           not accepted now: sending it again later is safe
    │   │   ├── ConnectError        ─┐
    │   │   ├── TLSError             ├ no session could be opened; the message is not at fault
    │   │   └── LoginError          ─┘
    │   ├── RefusedError            will never be accepted as it is
    │   └── UnknownOutcomeError     may have been accepted: sending it again may deliver it twice
    ├── BatchError                  some messages of a list failed; has all reports
    └── QueueError                  the queue could not be used; nothing was put into it

    MailWarning (UserWarning)
    └── ConfigurationWarning        a MAIL_* key that looks misspelled, or should be set

Handlers return reports and never raise a :class:`.DeliveryError`; :meth:`.Mail.send` raises.
"""

# The errors that have a report are in report.py, because each class needs the other.

from __future__ import annotations


class MailError(Exception):
    """The base class of every error of this package."""


class ConfigurationError(MailError):
    """A ``MAIL_*`` key or a handler's argument cannot be used.

    The text names the key and says what to write instead.
    """


class MessageError(MailError, ValueError):
    """A message, an address or an attachment cannot be sent as it is.

    The error is raised where you set the value, before any connection. The text names the field
    and says what to write instead.
    """


class QueueError(MailError):
    """The queue's file or database could not be used.

    The message that you passed to ``send_later`` is not in the queue.
    """


class MailWarning(UserWarning):
    """The base class of every warning of this package."""


class ConfigurationWarning(MailWarning):
    """A ``MAIL_*`` key is unknown but looks like a known one, or should be set to be safe."""
