"""A preview sends nothing, and every part of the package can tell that one is being made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

SAMPLE: ContextVar[str] = ContextVar("flask_mailhandler.preview", default="")
"""The label of the sample that is being made, in this thread or task and in those it waits for."""


@contextlib.contextmanager
def nothing_is_sent(label: str) -> Iterator[None]:
    """Make :func:`refuse` raise in this context only. Other requests still send, and so does a
    thread that is started here."""
    token = SAMPLE.set(label)
    try:
        yield
    finally:
        SAMPLE.reset(token)


def is_preview() -> bool:
    """Whether a preview is being made. If so, the request is one of ours, too."""
    return bool(SAMPLE.get())


def refuse() -> None:
    """Refuse to send while a preview is being made.

    :raises RuntimeError: saying what to write.
    """
    if label := SAMPLE.get():
        raise RuntimeError(
            f"The preview {label!r} was about to send mail. A preview never sends: let its function"
            " return the message, built by the code that your app builds it with."
        )
