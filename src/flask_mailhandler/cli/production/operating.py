"""Items about what a team sees of the app: errors, pages, the log."""

from __future__ import annotations

import logging

from ...log import logger
from .deployment import Deployment
from .verdict import not_used
from .verdict import ok
from .verdict import to_do
from .verdict import Verdict

_ERROR_MAIL = "ErrorMailHandler"
_QUEUE_PAGE = "mail_queue"


def error_mail(deployment: Deployment) -> Verdict:
    """Whether errors of the app are mailed."""
    handlers = [*deployment.app.logger.handlers, *logging.getLogger().handlers]
    names = {cls.__name__ for one in handlers for cls in type(one).__mro__}
    if _ERROR_MAIL in names:
        return ok("By mail.error_handler.")
    if "SMTPHandler" in names:
        return to_do(
            "logging's SMTPHandler sends in the request, one mail for each error. Replace it with"
            " mail.error_handler(to=...)."
        )
    return not_used("Write app.logger.addHandler(mail.error_handler(to='ops@shop.example')).")


def pages(deployment: Deployment) -> Verdict:
    """Whether only you can read the mail on a page."""
    settings, app = deployment.settings, deployment.app
    if settings.remote_mailbox:
        return to_do(
            "MAIL_DANGEROUS_REMOTE_MAILBOX is set, so other machines can ask for the mailbox. Leave"
            " it out in production."
        )
    if settings.mailbox:
        return to_do(
            "MAIL_MAILBOX is on, and behind a proxy each request may come from this machine. Leave"
            " it out in production."
        )
    # In the app, it may have another name.
    if any(one.name == _QUEUE_PAGE for one in app.blueprints.values()):
        return ok("The page of the queue has the access check that you gave it.")
    return not_used(
        "The app has neither page. For the page of the queue, register mail.queue_page(access)."
    )


def log(deployment: Deployment) -> Verdict:
    """Whether what is logged is recorded."""
    if not logger.hasHandlers():
        return to_do(
            "Logging is not configured, so Python prints warnings only, without the time. Configure"
            " it with logging.config.dictConfig()."
        )
    if not logger.isEnabledFor(logging.INFO):
        return ok("Warnings and errors are. At level INFO, each message sent has a line.")
    return ok("At level INFO: each message sent has a line.")
