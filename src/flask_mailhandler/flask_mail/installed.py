"""``install()``: packages that import ``flask_mail`` get the names of this one."""

from __future__ import annotations

import sys

_NAME = "flask_mail"
_OURS = __name__.rpartition(".")[0]


def install() -> None:
    """Make ``import flask_mail`` mean ``flask_mailhandler.flask_mail`` in this process. Call it
    before you import the packages that use Flask-Mail::

        import flask_mailhandler.flask_mail

        flask_mailhandler.flask_mail.install()

        import flask_appbuilder

    Flask-Mail may stay installed, as these packages require it. Nothing else calls this function.

    :raises RuntimeError: if ``flask_mail`` was imported already.
    """
    found = sys.modules.get(_NAME)
    ours = sys.modules[_OURS]
    if found is not None and found is not ours:
        raise RuntimeError(
            f"flask_mail is imported already, from {getattr(found, '__file__', None)}: call"
            " install() before you import the packages that use it."
        )
    sys.modules[_NAME] = ours
