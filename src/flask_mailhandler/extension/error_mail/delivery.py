"""Send the mail about errors, by the queue if the app has one."""

from __future__ import annotations

import contextlib
import hashlib
import time
import typing as t

from ...app.framework import current_app_object
from ...app.send_call import SendCall
from ...errors import QueueError
from ...queue.build import queue_of
from ...queue.send_later import options_of_call
from .composing import compose
from .composing import compose_briefly
from .counts import Parcel
from .options import Options
from .stderr import tell

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ...app.registration import Registration
    from ...message.message import Message
    from ...report import Report
    from ...templating.package_mail import PackageMail


def deliver(mine: Registration, options: Options, parcel: Parcel, mails: PackageMail) -> bool:
    """Put one mail into the queue, or send it.

    :return: Whether it was. False if another process has queued the same mail.
    :raises Exception: if it may be tried again.
    """
    app = mine.app
    # In a test, the request has a context already.
    context = contextlib.nullcontext()
    if current_app_object() is not app:
        context = mine.framework.app_context(app)  # type: ignore[assignment]
    with context:
        author = options.from_addr or mine.handler(options.using).default_from
        try:
            message = compose(parcel, options, app.name, app.config, author, mails)
        except Exception as error:
            # One error that cannot be written must not keep the others from being mailed.
            message = compose_briefly(parcel, options, app.name, type(error).__name__)
        if _has_queue(mine, app):
            try:
                return _queue(mine, options, parcel, message)
            except QueueError as error:
                tell(f"an error mail is sent without the queue: {error}")
        (report,) = SendCall(mine, options.using).send([message])
    _check(report)
    return True


def _has_queue(mine: Registration, app: App) -> bool:
    """Whether the app has a queue: a key says so, or a message was queued before."""
    if mine.sends_at_once:
        return True
    keys = app.config.get_namespace("MAIL_QUEUE")
    return any(value is not None for value in keys.values()) or queue_of(mine).store.begun


def _queue(mine: Registration, options: Options, parcel: Parcel, message: Message) -> bool:
    queue = queue_of(mine)
    wanted = options_of_call(
        mine, queue, None, None, None, _key(options, parcel), "normal", options.using
    )
    return queue.intake.add(message, wanted, mine.before).created


def _key(options: Options, parcel: Parcel) -> str | None:
    """Return the key of the first mail of a kind, which is the same in all processes of an app.

    Each process has its own digest.
    """
    if parcel.is_digest:
        return None
    about = repr((parcel.items[0].key, [*options.to]))
    kind = hashlib.sha256(about.encode("utf-8", "backslashreplace")).hexdigest()[:32]
    return f"error-mail:{kind}:{int(time.time() // options.digest_every)}"


def _check(report: Report) -> None:
    """Raise the error of a report if nothing can have been taken. Otherwise, say what happened."""
    if report.error is None or not report.failed:
        return
    if report.deferred and len(report.deferred) == len(report.outcomes):
        raise report.error
    tell(f"an error mail was sent, and is not sent again: {report.error}")
