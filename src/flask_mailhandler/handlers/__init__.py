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

from ..config import refuse_url
from ..errors import ConfigurationError

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
ENTRY_POINTS = "flask_mailhandler.handlers"


def find(wanted: object, name: str = "MAIL_HANDLER") -> type[EmailHandler]:
    """Find a handler class by its name, its entry point, its place ``pkg.mod:Class``, or take
    the class itself.

    :raises ConfigurationError: if there is none, or it is no :class:`.EmailHandler`.
    """
    refuse_url(wanted, name, "the name of a handler")
    if isinstance(wanted, str):
        place = BUILT_IN.get(wanted, wanted)
        found = _load(place, name) if ":" in place else _entry_point(wanted, name)
    else:
        found = wanted
    from .base import EmailHandler

    if not isinstance(found, type) or not issubclass(found, EmailHandler):
        raise ConfigurationError(
            f"{name} must be one of {', '.join(map(repr, BUILT_IN))}, the name of an installed"
            f" handler, 'package.module:Class', or a class derived from EmailHandler, not"
            f" {found!r}."
        )
    return found


def _load(place: str, name: str) -> object:
    import importlib

    module, _, attribute = place.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{name} = {place!r} cannot be imported: {error}.") from error


def _entry_point(wanted: str, name: str) -> object:
    from importlib.metadata import entry_points

    for entry in entry_points(group=ENTRY_POINTS, name=wanted):
        return _load(entry.value, name)
    raise ConfigurationError(
        f"{name} = {wanted!r} is no handler. There are {', '.join(map(repr, BUILT_IN))}; others are"
        f" installed with an entry point {ENTRY_POINTS!r}, or written 'package.module:Class'."
    )
