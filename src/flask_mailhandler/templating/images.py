"""``mail_image``: a static file of the app as an image in the message."""

from __future__ import annotations

import contextlib
import hashlib
import os
import typing as t
from collections.abc import Iterator
from contextvars import ContextVar

from werkzeug.security import safe_join

from ..attachment import Attachment
from ..attachment import File
from ..errors import MessageError
from ..text.checks import shorten

if t.TYPE_CHECKING:
    from flask.sansio.app import App

_COLLECTED: ContextVar[Images] = ContextVar("mail_image")


class Images:
    """The images of one message, each of them once."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._by_name: dict[str, Attachment] = {}

    def url(self, name: str) -> str:
        """Return the ``cid:`` URL of an image, for the ``src`` of an ``<img>``::

            <img src="{{ mail_image('logo.png') }}" alt="Shop">

        :param name: The path of the image in the static folder of the app.
        :raises MessageError: if there is no such image.
        """
        image = self._by_name.get(name)
        if image is None:
            image = self._by_name[name] = self._read(name)
        return f"cid:{image.cid}"

    def shown_in(self, html: str) -> list[Attachment]:
        """The images that the HTML uses."""
        return [image for image in self._by_name.values() if f"cid:{image.cid}" in html]

    def _read(self, name: str) -> Attachment:
        folder = self._app.static_folder
        path = folder and safe_join(folder, str(name))
        if not path or not os.path.isfile(path):
            raise MessageError(
                f"mail_image({shorten(name)}) takes the path of an image in the static folder of"
                f" the app, which is {folder!r}. There is no such file."
            )
        # Its octets, not its path: the message may be sent after the next release is installed.
        data = b"".join(File.pin(path).read())
        # The same image has the same id, so that the same message has the same octets.
        cid = f"{hashlib.sha256(data).hexdigest()[:32]}@inline"
        found = Attachment(data, filename=path, cid=cid)
        if not found.mimetype.startswith("image/"):
            raise MessageError(
                f"mail_image({shorten(name)}): the file is {found.mimetype}, not an image. Pass it"
                " in attachments=."
            )
        return found


def mail_image(name: str) -> str:
    """The function for templates; see :meth:`Images.url`."""
    return _COLLECTED.get().url(name)


@contextlib.contextmanager
def collecting(app: App) -> Iterator[Images]:
    """Collect the images that :func:`mail_image` is called with, in this thread or task."""
    images = Images(app)
    token = _COLLECTED.set(images)
    try:
        yield images
    finally:
        _COLLECTED.reset(token)
