"""What can be done with a message.

=========  =================================  ============================================
name       class                              what it does
=========  =================================  ============================================
smtp       :class:`.SMTPEmailHandler`         sends it
console    :class:`.ConsoleEmailHandler`      prints it (also called ``dummy``)
memory     :class:`.MemoryEmailHandler`       keeps it in a list (also called ``test``)
file       :class:`.FileEmailHandler`         writes it into a folder
mailbox    :class:`.MailboxEmailHandler`      writes it into a folder that a page shows
=========  =================================  ============================================

All of them complete, check and render a message in the same way: what SMTP would refuse fails
in a test too.
"""

from __future__ import annotations

import typing as t

from ..config import SET_MAIL_URL
from ..config.named_class import Kind

if t.TYPE_CHECKING:
    from .base import EmailHandler

BUILT_IN = {
    "smtp": "flask_mailhandler.handlers.smtp:SMTPEmailHandler",
    "console": "flask_mailhandler.handlers.console:ConsoleEmailHandler",
    "dummy": "flask_mailhandler.handlers.console:ConsoleEmailHandler",
    "memory": "flask_mailhandler.handlers.memory:MemoryEmailHandler",
    "test": "flask_mailhandler.handlers.memory:MemoryEmailHandler",
    "file": "flask_mailhandler.handlers.file:FileEmailHandler",
    "mailbox": "flask_mailhandler.handlers.mailbox:MailboxEmailHandler",
}
SILENT = frozenset({"console", "dummy", "memory", "test", "file", "mailbox"})
"""Those that send nothing."""

_KIND = Kind("handler", BUILT_IN, "flask_mailhandler.handlers", SET_MAIL_URL)


def find(wanted: object, name: str = "MAIL_HANDLER") -> type[EmailHandler]:
    """Find a handler class by its name, its entry point, its place ``pkg.mod:Class``, or take
    the class itself.

    :raises ConfigurationError: if there is none, or it is no :class:`.EmailHandler`.
    """
    from .base import EmailHandler

    return _KIND.find(wanted, name, EmailHandler)
