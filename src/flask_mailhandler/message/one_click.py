"""What a message knows of one-click unsubscribe before it is sent: a place for its link.

The link names the recipient and the Message-ID. A template is rendered before both are known, so
``{{ unsubscribe_url }}`` is a placeholder, which the link replaces when the message is prepared.
"""

from __future__ import annotations

PLACEHOLDER = "https://unsubscribe.invalid/link"
"""The value of ``unsubscribe_url``. The domain does not exist (RFC 6761 section 6.4)."""
LOCALE = r"(?:[A-Za-z]{2,8}(?:_[A-Za-z0-9]{1,8})*)?\Z"
"""The language of a message, in the form ``de_AT``, or ""."""
PATH = "mail/unsubscribe/"
"""Where the page of the link is in the app. The token follows."""
