"""The names in the files of a new mail, from ``account/welcome``."""

from __future__ import annotations

import dataclasses
import keyword
import re

import click

from ..handlers.console import visible

_PART = re.compile(r"(?!test)[a-z][a-z0-9_]*")
# The files use these names for something else.
_USED = frozenset({"annotations", "app", "current_mail", "mail", "message"})
OF_MAILER = frozenset(
    {
        *("folder", "layout", "from_addr", "reply_to", "using", "priority", "tags"),
        *("metadata", "track_opens", "track_clicks", "stream", "provider_options"),
        *("mail", "render", "send", "send_later", "send_later_each"),
    }
)
"""The attributes of a ``Mailer``, which no method may replace."""


@dataclasses.dataclass(frozen=True)
class Names:
    """The names of a mail.

    :param group: ``account``; "" for a mail without a group.
    :param function: ``welcome``, the function or the method that returns the message.
    """

    group: str
    function: str
    template: str
    folder: str
    module: str
    previews: str
    mailer: str
    test: str

    @property
    def title(self) -> str:
        """``Password reset``, the subject of the mail until its author changes it."""
        return self.function.replace("_", " ").capitalize()

    @property
    def preview(self) -> str:
        """The name of its preview: ``Account/Password reset``."""
        parts = self.folder.split("/")[1:]
        return "/".join([part.replace("_", " ").capitalize() for part in parts] + [self.title])

    @property
    def imported(self) -> str:
        """The name to import from its module."""
        return self.module if self.group else self.function

    @property
    def call(self) -> str:
        """How the code calls it."""
        return f"{self.module}.{self.function}" if self.group else self.function


def read_name(name: str, mail: str) -> Names:
    """Read the argument of ``flask mail new``.

    :param mail: The name of the app's ``Mail``.
    :raises ClickException: if it cannot be the name of a mail.
    """
    parts = name.lower().replace("-", "_").split("/")
    *groups, function = parts
    if not all(_PART.fullmatch(part) for part in parts):
        raise click.ClickException(
            f"{visible(name)!r} cannot be the name of a mail. Write words of ASCII letters, digits"
            " and _ that do not begin with 'test', and a slash after each group, such as"
            " 'account/welcome'."
        )
    used = _USED | {mail} | (OF_MAILER if groups else set())
    if keyword.iskeyword(function) or function in used:
        raise click.ClickException(
            f"{function!r} cannot be the name of a mail, because the code uses it for something"
            f" else. Write '{name}_mail', for example."
        )
    group = "_".join(groups)
    words = "".join(word.capitalize() for word in group.split("_"))
    return Names(
        group=group,
        function=function,
        template="/".join(["mail", *parts]),
        folder="/".join(["mail", *groups]),
        module=f"{group}_mails" if group else f"{function}_mail",
        previews=f"{group}_mail_previews" if group else f"{function}_mail_previews",
        mailer=f"{words}Mailer",
        test=f"test_{'_'.join(parts)}_mail",
    )
