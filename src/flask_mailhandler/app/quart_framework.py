"""The calls that an app of Quart needs. This module is loaded for such an app only.

Contexts, context processors and handlers of signals are asynchronous in Quart. Our own code is not:
it waits for the mail server in a thread. So this module runs each coroutine to its end, in an event
loop of its own. It does not use the server's loop, which may be the caller or in another thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import re
import typing as t
import warnings
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Iterator
from collections.abc import Mapping
from concurrent.futures import Executor
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import click
import quart
from quart.cli import ScriptInfo
from quart.globals import app_ctx
from quart.testing import QuartClient

from ..errors import ConfigurationError
from ..errors import MailWarning
from ..testing.one_click import post_octets
from ..testing.one_click import post_one_click
from .flask_framework import AT_REQUESTS
from .flask_framework import Framework
from .flask_framework import Function
from .other_extension import outside

if t.TYPE_CHECKING:
    from blinker import NamedSignal
    from quart import Quart
    from quart.ctx import AppContext
    from quart.ctx import RequestContext
    from werkzeug.sansio.response import Response

T = t.TypeVar("T")
Ts = t.TypeVarTuple("Ts")
_UNSET = object()
# With the name of a command after it: a path of the user may have these words too.
_COMMAND = re.compile(r"(?<![\w/\\.-])flask mail(?= [a-z])")


class QuartFramework(Framework):
    """The calls in which Flask and Quart differ, as Quart needs them."""

    to_see_mail = "run 'quart mail catch'"
    on_loop = True

    def wording(self, text: str) -> str:
        text = _COMMAND.sub("quart mail", text)
        return text.replace("FLASK_MAIL_", "QUART_MAIL_")

    def at_requests(self, app: Quart, function: Callable[[], bool]) -> None:
        app.extensions[AT_REQUESTS] = function
        quart.request_started.connect(_request_starts, app)

    @property
    def context_ends(self) -> NamedSignal:
        return quart.appcontext_tearing_down

    def has_mailbox(self, asked: bool) -> bool:
        if asked:
            raise ConfigurationError(
                "MAIL_MAILBOX: only an app of Flask can have the page. Remove the key, run"
                " 'quart mail catch', and view the mail of this app there."
            )
        return False

    def at_shutdown(self, app: Quart, function: Callable[[], None]) -> None:
        # Uvicorn ends its process by the signal that it got: no hook of atexit runs.
        async def end() -> None:
            await asyncio.to_thread(function)

        app.after_serving(end)

    def app_context(self, app: Quart) -> AbstractContextManager[object]:
        return _pushed(app.app_context())

    def request_context(self, app: Quart, base_url: str | None) -> AbstractContextManager[object]:
        scheme, _, host = (base_url or "").rstrip("/").partition("://")
        headers = {"Host": host} if host else {}
        return _pushed(app.test_request_context("/", headers=headers, scheme=scheme or "http"))

    def add_variables(self, app: Quart, variables: dict[str, t.Any]) -> None:
        update: Function = app.update_template_context
        # Since 0.23 Quart's own has two parameters, and the context is the first.
        if len(inspect.signature(update).parameters) > 1:
            update = functools.partial(update, app_ctx._get_current_object())
        complete(update(variables), contextvars.copy_context())

    def with_app_context(self, function: Function) -> Function:
        # Quart's own runs the function on an event loop, and then nothing in it may start another.
        @click.pass_context
        def run(ctx: click.Context, /, *arguments: t.Any, **options: t.Any) -> t.Any:
            app = ctx.ensure_object(ScriptInfo).load_app()
            with self.app_context(app):
                return ctx.invoke(function, *arguments, **options)

        return functools.update_wrapper(run, function)

    def post(self, app: Quart, base_url: str, path: str) -> Response:
        client = QuartClient(app, use_cookies=False)
        return complete(post_one_click(client, base_url, path), contextvars.copy_context())

    def post_octets(
        self, app: Quart, base_url: str, path: str, octets: bytes, headers: Mapping[str, str]
    ) -> Response:
        client = QuartClient(app, use_cookies=False)
        work = post_octets(client, base_url, path, octets, headers)
        return complete(work, contextvars.copy_context())

    def check_blocking(self, app: Quart) -> None:
        if not _is_on_loop():
            return
        # Quart runs the commands of an app on a loop too. Nothing else waits for that one.
        serves = quart.has_request_context() or quart.has_websocket_context()
        if serves or hasattr(app, "shutdown_event"):
            warnings.warn(
                "This call waits for the mail server, and meanwhile the event loop of the app"
                " handles no other request. Write 'await mail.send_async(...)' instead of"
                " mail.send(...), and iterate over mail.send_each(...) in a function that"
                " asyncio.to_thread() calls.",
                MailWarning,
                stacklevel=outside(),
            )


QUART = QuartFramework()


def complete(work: Coroutine[t.Any, t.Any, T], context: contextvars.Context) -> T:
    """Run a coroutine to its end, and return its result. Its variables are those of *context*."""

    def run() -> T:
        # With a factory, the loop does not become the current one of the thread.
        with asyncio.Runner(loop_factory=_OneThreadLoop) as runner:
            return runner.run(work, context=context)

    if not _is_on_loop():
        return run()
    # A thread has one running loop at most.
    with ThreadPoolExecutor(1, "mail-quart") as thread:
        return thread.submit(run).result()


# See flask_framework. Quart would call an ordinary function in a thread, and the request would wait
# for one.
async def _request_starts(sender: Quart, **extra: object) -> None:
    if sender.extensions[AT_REQUESTS]():
        quart.request_started.disconnect(_request_starts, sender)


class _OneThreadLoop(asyncio.SelectorEventLoop):
    """Calls functions that are not async in its own thread, where nothing else waits for it. Quart
    passes them to an executor, which cannot start a thread while the interpreter ends, when the
    queue sends what is due."""

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[t.Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()
        # The function may run a loop of its own. Since 3.14 Python counts the tasks of a thread and
        # not those of a loop, so this one must be left.
        task = asyncio.current_task(self)
        assert task is not None
        asyncio.tasks._leave_task(self, task)
        asyncio._set_running_loop(None)
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        finally:
            asyncio._set_running_loop(self)
            asyncio.tasks._enter_task(self, task)
        return done


def _is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextlib.contextmanager
def _pushed(context: AppContext | RequestContext) -> Iterator[None]:
    """Push a context of Quart in this thread, as Flask's contexts do themselves."""
    inside = contextvars.copy_context()
    complete(context.push(), inside)
    changed = [
        (variable, variable.set(value))
        for variable, value in inside.items()
        if variable.get(_UNSET) is not value
    ]
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        for variable, token in reversed(changed):
            variable.reset(token)
        complete(context.pop(error), inside)
