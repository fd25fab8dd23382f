"""A sample rendered as the message that would be sent, or the error."""

from __future__ import annotations

import dataclasses
import os
import sysconfig
import traceback
import typing as t
from collections.abc import Mapping
from email.message import Message as MIMEMessage

from ..app.current import registration_of
from ..app.framework import framework_of
from ..app.no_sending import nothing_is_sent
from ..errors import MessageError
from ..handlers.base import EmailHandler
from ..handlers.memory import MemoryEmailHandler
from ..lint import Finding
from ..lint import lint
from ..message.message import Message
from ..message.template_name import origin_of
from ..text.checks import shorten
from .database import rolled_back
from .preview import Sample

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..app.registration import Registration

# The addresses if neither the message nor the defaults name any.
_SENDER, _RECIPIENT = "sender@example.com", "recipient@example.com"


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why there is no message.

    :param kind: The name of the exception.
    :param place: The file and the line of the app that raised it.
    :param lines: The traceback, without values of variables.
    """

    kind: str
    text: str
    place: str
    lines: str

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Describe an exception."""
        start = error.__traceback__
        here = os.path.dirname(__file__) + os.sep
        while start and start.tb_next and start.tb_frame.f_code.co_filename.startswith(here):
            start = start.tb_next  # our own frames lead only to the function
        own = [frame for frame in traceback.extract_tb(start) if _is_the_apps(frame.filename)]
        place = f"{own[-1].filename}, line {own[-1].lineno}" if own else ""
        # Unlike str(), this works even if the exception's own __str__ raises.
        described = traceback.TracebackException(type(error), error, start)
        return cls(type(error).__name__, str(described), place, "".join(described.format()))


def _is_the_apps(filename: str) -> bool:
    """Whether a file belongs to neither this package nor a library."""
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = sysconfig.get_paths()
    libraries = (ours, paths["stdlib"], paths["purelib"], paths["platlib"], "<")
    return not filename.startswith(libraries)


@dataclasses.dataclass(frozen=True)
class Rendered:
    """The result for a sample.

    :param content: The octets that would be sent; empty if it failed.
    :param template: The template it was rendered from, if known.
    """

    sample: Sample
    content: bytes = b""
    findings: tuple[Finding, ...] = ()
    template: str = ""
    failure: Failure | None = None


def render(app: App, sample: Sample) -> Rendered:
    """Render the message of a sample as it would be sent: with the app's defaults, and after its
    ``before_send`` functions. Nothing is sent or stored, and an exception is in the result.

    The function is called in its own app context and request. For a sample in another language
    than the first, it is also called for the first, because lint compares their words.
    """
    first = sample.in_first_language
    others: dict[str, bytes] = {}
    if first is not None and "translation" not in sample.preview.allow:
        others[first.locale] = _render(app, first, {}).content
    return _render(app, sample, others)


def _render(app: App, sample: Sample, others: Mapping[str, bytes]) -> Rendered:
    framework = framework_of(app)
    try:
        with (
            framework.app_context(app),
            framework.request_context(app, _base_url(app)),
            nothing_is_sent(sample.label),
            rolled_back(app),
        ):
            return _rendered(app, sample, others)
    except Exception as error:
        return Rendered(sample, failure=Failure.of(error))


def _base_url(app: App) -> str | None:
    """Return the URL of the request, if Flask's default host is not one of TRUSTED_HOSTS."""
    trusted = app.config.get("TRUSTED_HOSTS")
    if not trusted or app.config["SERVER_NAME"]:
        return None
    return f"{app.config['PREFERRED_URL_SCHEME']}://{str(trusted[0]).lstrip('.')}/"


def _rendered(app: App, sample: Sample, others: Mapping[str, bytes]) -> Rendered:
    mine = registration_of(app)
    message = sample.message()
    if not isinstance(message, Message | MIMEMessage):
        raise TypeError(
            f"The function of the preview {sample.preview.name!r} returned {shorten(message)}, not"
            " a Message: return the message that it builds."
        )
    handler = _handler(mine)
    defaults = (handler.default_to, handler.default_cc, handler.default_bcc)
    if isinstance(message, Message) and not any((message.to, message.cc, message.bcc, *defaults)):
        message = message.completed(to=_RECIPIENT)
    ready = handler.prepare(message, before=mine.before)
    if ready.job is None:
        raise MessageError("A before_send function stopped the message: it would not be sent.")
    content = bytes(ready.job.content)
    placeholders = mine.settings.placeholders
    findings = tuple(
        lint(content, allow=sample.preview.allow, placeholders=placeholders, others=others)
    )
    template = origin_of(message) if isinstance(message, Message) else None
    return Rendered(sample, content, findings, template or "")


def _handler(mine: Registration) -> EmailHandler:
    """Return a handler with the app's defaults but without its staging guard: a preview shows what
    a recipient would get."""
    account = mine.settings.account(None)
    guard = ("redirect_to", "allow_to")
    options = {name: value for name, value in account.options.items() if name not in guard}
    return MemoryEmailHandler.from_config({"default_from": _SENDER} | options, account.label)
