"""The previews as files, which a browser shows without the app: for a colleague or a CI job.

::

    index.html                     the list
    static/                        style sheets and scripts of the pages
    account-welcome-paid-de/       a sample
        index.html                 its page
        html-light-0.html ...      its HTML, in light and dark, with and without remote images
        mail.eml, part-1.2.pdf     its octets, and those of its parts

No file name is taken from a message.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
import typing as t
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path

from ...previews.preview import Preview
from ...previews.preview import Previews
from ...previews.preview import Sample
from ...previews.rendering import render
from ...previews.rendering import Rendered
from ...templating.package_files import package_file
from ..displayed import DisplayedMessage
from ..displayed import Part
from ..displayed import read_for_display
from ..framed import framed
from ..framed import Scheme
from ..panel import Panel
from ..shell import FRAME
from ..shell import FRAME_WITH_IMAGES
from ..shell import Shell
from .tree import rows

if t.TYPE_CHECKING:
    from flask.sansio.app import App

_STATIC = ("icon.svg", "mailbox.css", "mailbox.js", "previews.css", "theme.js")
_SCHEMES: tuple[Scheme, ...] = ("light", "dark")
# The suffixes of parts that a browser shows and does not run.
_ENDINGS = {
    "application/pdf": "pdf",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "text/calendar": "ics",
    "text/csv": "csv",
    "text/plain": "txt",
}


def export(app: App, previews: Previews, folder: Path) -> list[Rendered]:
    """Write all samples, and replace files that exist.

    :param folder: It is created if it does not exist.
    :return: The result for each sample.
    :raises OSError: if a file cannot be written.
    """
    made = [render(app, sample) for sample in previews.samples()]
    names = _names(made)
    (folder / "static").mkdir(parents=True, exist_ok=True)
    for name in _STATIC:
        source = package_file("pages", "static", name)
        (folder / "static" / name).write_bytes(source.read_bytes())
    gallery = _Gallery(previews, names, {rendered.sample.key: rendered for rendered in made})
    _write(folder / "index.html", gallery.page("", "previews.html", sample=None))
    for rendered in made:
        gallery.write(rendered, folder / names[rendered.sample.key])
    return made


class _StaticPanel(Panel):
    """A panel whose frame shows one of several files."""

    @property
    def chosen_frame(self) -> str:
        return _frame_name(self.scheme, self.images)

    @property
    def pattern(self) -> str:
        return "html-{scheme}-{images}.html"


@dataclasses.dataclass(frozen=True)
class _Gallery:
    """Writes the pages.

    :param names: The name of the folder of each sample, by its key.
    :param made: The rendered samples, by their keys.
    """

    previews: Previews
    names: Mapping[str, str]
    made: Mapping[str, Rendered]

    def write(self, rendered: Rendered, folder: Path) -> None:
        """Write the folder of one sample."""
        folder.mkdir(exist_ok=True)
        sample = rendered.sample
        if rendered.failure:
            page = self.page("../", "preview_failed.html", sample=sample, failure=rendered.failure)
            _write(folder / "index.html", page)
            return
        message = read_for_display(rendered.content)
        page = self.page(
            "../",
            "preview.html",
            sample=sample,
            message=message,
            origin=rendered.template,
            panel=_panel(message),
            findings=rendered.findings,
        )
        _write(folder / "index.html", page)
        (folder / "mail.eml").write_bytes(rendered.content)
        for scheme, images in itertools.product(_SCHEMES, (False, True)):
            html = framed(message, scheme, _policy(images))
            _write(folder / _frame_name(scheme, images), html)
        for part in message.parts:
            if part.leaf:
                (folder / _part_name(part)).write_bytes(part.leaf.data)

    def page(self, root: str, name: str, *, sample: Sample | None, **context: t.Any) -> str:
        """Return a page from which the gallery is at *root*."""
        return self._shell.render(
            name,
            section="Previews",
            sections=[],
            rows=[*rows(self.previews)],
            sample=sample,
            preview=sample and sample.preview,
            address=self._address(root),
            marks=self._marks,
            url_for=functools.partial(_url_for, root),
            **context,
        )

    @functools.cached_property
    def _shell(self) -> Shell:
        return Shell()

    @functools.cached_property
    def _marks(self) -> dict[str, str]:
        """The mark next to each preview in the list: ``failed``, or the number of findings."""
        marks = {}
        for preview in self.previews.values():
            made = [self.made[sample.key] for sample in preview.samples()]
            findings = sum(len(rendered.findings) for rendered in made)
            failed = any(rendered.failure for rendered in made)
            marks[preview.name] = "failed" if failed else str(findings or "")
        return marks

    def _address(self, root: str) -> Callable[..., str]:
        def address(preview: Preview, variant: str = "", locale: str = "") -> str:
            sample = self.previews.find(Sample(preview, variant, locale).key)
            assert sample is not None
            return f"{root}{self.names[sample.key]}/index.html"

        return address


def _names(made: list[Rendered]) -> dict[str, str]:
    """Return a name for each sample, of letters and digits, that differ on every file system."""
    names: dict[str, str] = {}
    taken = {"static"}
    for rendered in made:
        key = rendered.sample.key
        word = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")[:80] or "preview"
        numbered = (f"{word}-{number}" for number in itertools.count(2))
        names[key] = next(name for name in itertools.chain([word], numbered) if name not in taken)
        taken.add(names[key])
    return names


def _panel(message: DisplayedMessage) -> Panel:
    return _StaticPanel(
        message=message,
        tab="html" if message.html else "text",
        scheme="light",
        images=False,
        frame="",
        source="mail.eml",
        part=_part_name,
    )


def _policy(images: bool) -> str:
    """Return the policy of a frame as a meta element, because no server sends a header. Browsers
    ignore sandbox and frame-ancestors there, so they are left out; the iframe has the sandbox."""
    header = (FRAME_WITH_IMAGES if images else FRAME)["Content-Security-Policy"]
    directives = [
        part.strip() for part in header.split(";") if not re.match(r"\s*(?:sandbox|frame-a)", part)
    ]
    return f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(directives)}">'


def _frame_name(scheme: str, images: bool) -> str:
    return f"html-{scheme}-{images:d}.html"


def _part_name(part: Part) -> str:
    return f"part-{part.number}.{_ENDINGS.get(part.kind, 'bin')}"


def _url_for(root: str, endpoint: str, filename: str = "index.html") -> str:
    """Replace Flask's ``url_for`` in the templates: return the list, or a static file."""
    return f"{root}static/{filename}" if endpoint == ".static" else f"{root}index.html"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="replace")
