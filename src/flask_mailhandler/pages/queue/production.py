"""The pages of the queue outside debug mode, behind the app's own login."""

from __future__ import annotations

import functools
import inspect
import typing as t
from collections.abc import Callable

from flask import abort
from flask import Blueprint
from flask import request

from ...app.framework import framework_of
from ...errors import ConfigurationError
from ..access import is_of_this_site
from ..csrf import exempt
from ..shell import close
from ..shell import Shell
from ..static_files import static_file
from .rights import Rights
from .rights import token_in_session
from .views import QueueViews

if t.TYPE_CHECKING:
    from flask.sansio.blueprints import BlueprintSetupState

View: t.TypeAlias = Callable[..., t.Any]
NAME = "mail_queue"
"""The name of the blueprint."""
PREFIX = "/mail-queue"
"""Where the pages are, unless the app says otherwise."""
_SECONDS = 15


def queue_page(
    access: Callable[[View], View],
    may_change: Callable[[], bool] | None,
    may_read: Callable[[], bool] | None,
) -> Blueprint:
    """Return a blueprint with the pages. See :meth:`.Mail.queue_page`."""
    _check_access(access)
    rights = Rights(
        token=token_in_session,
        may_change=_asked(may_change, "may_change"),
        may_read=_asked(may_read, "may_read"),
        purges=False,
        seconds=_SECONDS,
    )
    blueprint = Blueprint(NAME, __name__, url_prefix=PREFIX)
    blueprint.record(_check_app)
    exempt(blueprint)
    blueprint.after_request(close)

    def guarded(view: View) -> View:
        return access(_of_this_site(view))

    blueprint.add_url_rule("/static/<filename>", "static", guarded(static_file))
    QueueViews(Shell(home=".queue"), rights).add_to(blueprint, "", guarded)
    return blueprint


def _check_access(access: t.Any) -> None:
    """Refuse what does not check access, or could not.

    :raises TypeError: if it is not a decorator of views.
    """

    def view() -> str:
        return ""

    if not callable(access):
        raise TypeError(_wrong(access))
    try:
        checked: t.Any = access(view)
        # A decorator that still needs its arguments returns another decorator, which needs one too.
        inspect.signature(checked).bind()
    except Exception as error:  # whatever it does with a view, or one without a signature
        raise TypeError(_wrong(access)) from error
    if checked is view:
        raise TypeError(f"{_wrong(access)} This one returns the view unchanged.")


def _wrong(access: object) -> str:
    return (
        "mail.queue_page() needs a decorator of views that lets only some users pass, such as"
        f" login_required, or roles_required('admin') with its arguments, not {access!r}."
    )


def _asked(function: Callable[[], bool] | None, name: str) -> Callable[[], bool]:
    """Return a function that returns exactly True or False.

    :raises TypeError: if it is not a function without parameters.
    """
    if function is None:
        return lambda: False
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise TypeError(
            f"{name}= must be a function without parameters that returns True for a user who may,"
            f" such as lambda: current_user.is_admin, not {function!r}."
        ) from error
    if inspect.iscoroutinefunction(function):  # a coroutine is always true
        raise TypeError(f"{name}= must not be an async function.")

    def asked() -> bool:
        found: object = function()
        if inspect.iscoroutine(found):
            found.close()
        elif not callable(found):
            return bool(found)
        raise TypeError(  # it would be true for every user
            f"{name}= returned a {type(found).__name__}, not True or False: it must call what it"
            " asks, which must not be async."
        )

    return asked


def _of_this_site(view: View) -> View:
    """Refuse requests from pages of other sites, except for links."""

    @functools.wraps(view)
    def answer(**arguments: t.Any) -> t.Any:
        # A POST has its own check, with a token.
        if request.method in ("GET", "HEAD") and not is_of_this_site(request):
            abort(403)
        return view(**arguments)

    return answer


def _check_app(state: BlueprintSetupState) -> None:
    if framework_of(state.app).on_loop:
        raise ConfigurationError(
            "mail.queue_page(): only an app of Flask can have the page. In an app of Quart, use"
            " 'quart mail queue' and mail.queue."
        )
