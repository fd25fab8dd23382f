"""Prints messages, for development."""

from __future__ import annotations

import sys
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator

from ..config import Option
from ..content import Content
from ..errors import ConfigurationError
from ..errors import MessageError
from ..phase import Phase
from ..report import DeferredError
from ..report import Job
from ..report import Observe
from ..report import RefusedError
from ..report import Report
from ..text.checks import shorten
from .base import accept
from .base import EmailHandler
from .failure import failed

if t.TYPE_CHECKING:
    from ..mime.reading import Leaf

_WIDTH = 78


def _stream(value: object, name: str) -> t.TextIO | None:
    if value is not None and not (hasattr(value, "write") and hasattr(value, "flush")):
        raise ConfigurationError(
            f"{name} takes a text file that is open for writing, not {shorten(value)}."
        )
    return t.cast("t.TextIO | None", value)


class ConsoleEmailHandler(EmailHandler):
    """Prints every message as a block of text, and sends nothing.

    .. code-block:: python

        ConsoleEmailHandler().send([message])
    """

    stream: Option[t.TextIO | None, t.TextIO | None] = Option(_stream, None)
    """The text file to print to. If it is left out: standard output, as it is at that time."""

    def seal(self, content: Content) -> Content:
        """Return the content unsigned, because it is not sent. So no key is needed."""
        return content

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        """Print the jobs."""
        for job in jobs:
            observe(Phase.END_OF_DATA, job)
            try:
                printed = block(job)
            except MessageError as error:  # an attached file that changed
                yield failed(job, RefusedError(str(error)))
                continue
            try:
                _print(printed, self.stream or sys.stdout)
            except (OSError, ValueError) as error:  # ValueError: the file is closed
                yield failed(job, DeferredError(f"The console cannot be written: {error}."))
                continue
            yield accept(job)


def _print(text: str, stream: t.TextIO) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    # One write, so that two threads do not mix their lines.
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def block(job: Job) -> str:
    """Return a message as text: the envelope with all recipients, the header, the text, and a line
    for each attachment. Control characters are shown, so the terminal does not obey them.

    :raises MessageError: if an attached file has changed.
    """
    from ..mime.reading import read_content  # it loads email, and most processes print no mail

    message = read_content(bytes(job.content))
    lines = [
        " mail ".center(_WIDTH, "="),
        f"Envelope from: {job.envelope.sender or '<>'}",
        f"Envelope to:   {', '.join(job.envelope.recipients)}",
        "-" * _WIDTH,
        *(f"{name}: {value}" for name, value in message.fields),
        "",
        *(message.text or message.html).rstrip().splitlines(),
        *_attached(leaf for leaf in message.leaves if not leaf.is_body),
        "=" * _WIDTH,
    ]
    return "\n".join(visible(line) for line in lines) + "\n"


def _attached(leaves: Iterable[Leaf]) -> Iterator[str]:
    before = [""]
    for leaf in leaves:
        yield from before
        before = []
        name = leaf.filename or leaf.cid or "no name"
        yield f"[{leaf.shown or 'part'}: {name}, {leaf.kind}, {len(leaf.data)} octets]"


def visible(text: str) -> str:
    """Make control characters visible, except TAB: an escape sequence in a mail must not reach a
    terminal."""
    return "".join(c if c == "\t" or c.isprintable() else ascii(c)[1:-1] for c in text)
