"""The panel that shows one message, on all pages: ``panel.html``, the frame and the files."""

from __future__ import annotations

import dataclasses
import typing as t
import urllib.parse

from flask import abort
from flask import request

from .displayed import DisplayedMessage
from .displayed import Part
from .framed import framed
from .framed import has_dark
from .framed import has_remote
from .framed import Scheme
from .shell import DOWNLOAD
from .shell import FRAME
from .shell import FRAME_WITH_IMAGES
from .shell import Sealed
from .shell import sealed

TABS = ("html", "text", "source", "headers", "parts", "files", "lint")


@dataclasses.dataclass(frozen=True)
class Panel:
    """The values for ``panel.html``: a message, and the URLs of its pieces.

    :param tab: The tab that is open at first.
    :param frame: The URL of the HTML, which takes the arguments ``scheme`` and ``images``.
    :param part: Returns the URL of a part.
    :param source: The URL of the octets.
    """

    message: DisplayedMessage
    tab: str
    scheme: Scheme
    images: bool
    frame: str
    source: str
    part: t.Callable[[Part], str]

    @property
    def chosen_frame(self) -> str:
        """The URL of the HTML with the chosen scheme and images."""
        chosen = {"scheme": self.scheme, **({"images": "1"} if self.images else {})}
        return f"{self.frame}?{urllib.parse.urlencode(chosen)}"

    @property
    def has_dark(self) -> bool:
        return has_dark(self.message.html)

    @property
    def pattern(self) -> str:
        """The URL of the HTML, with placeholders for the script of the page."""
        return f"{self.frame}?scheme={{scheme}}&images={{images}}"

    @property
    def has_remote(self) -> bool:
        return has_remote(self.message.html)


def panel_of(
    message: DisplayedMessage, *, frame: str, source: str, part: t.Callable[[Part], str]
) -> Panel:
    """Return the panel that the query of the request selects."""
    tab = request.args.get("tab", "")
    if tab not in TABS:
        tab = "html" if message.html else "text"
    return Panel(
        message,
        tab,
        "dark" if request.args.get("scheme") == "dark" else "light",
        request.args.get("images") == "1",
        frame,
        source,
        part,
    )


def frame_of(message: DisplayedMessage) -> Sealed:
    """Return the document for the frame, as the query of the request selects it."""
    scheme: Scheme = "dark" if request.args.get("scheme") == "dark" else "light"
    seal = FRAME_WITH_IMAGES if request.args.get("images") == "1" else FRAME
    return sealed(framed(message, scheme), seal)


def part_of(message: DisplayedMessage, number: str) -> Sealed:
    """Return a part of a message as a download."""
    part = message.part(number)
    if part is None or part.leaf is None:
        abort(404)
    ending = ".eml" if part.kind == "message/rfc822" else ""
    return download(part.leaf.data, part.filename or f"part-{part.number}{ending}")


def download(octets: bytes, name: str) -> Sealed:
    """Return a download. Its name is the last part of the name in the message, made safe."""
    response = sealed(octets, DOWNLOAD, mimetype="application/octet-stream")
    plain = "".join(c if c.isprintable() else "_" for c in name).replace("\\", "/")
    name = plain.rpartition("/")[2].strip(". ")[:200] or "file"
    simple = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    response.headers["Content-Disposition"] = (
        f"attachment; filename=\"{simple}\"; filename*=UTF-8''{urllib.parse.quote(name, safe='')}"
    )
    return response
