"""The pages of the previews, in the mailbox's blueprint and with its access check."""

from __future__ import annotations

import typing as t

from flask import abort
from flask import Blueprint
from flask import url_for

from ...app.current import app_in_context
from ...app.current import registration
from ...previews.preview import Preview
from ...previews.preview import Previews
from ...previews.preview import previews_of
from ...previews.preview import Sample
from ...previews.rendering import render
from ...previews.rendering import Rendered
from ..displayed import DisplayedMessage
from ..displayed import read_for_display
from ..panel import download
from ..panel import frame_of
from ..panel import panel_of
from ..panel import part_of
from ..shell import Sealed
from ..shell import Shell
from .tree import rows


class PreviewPages:
    """The views. Each renders its sample anew, so that a reload shows a change."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the routes of the views."""
        get = blueprint.get
        get("/previews/", endpoint="previews")(self.index)
        get("/previews/<path:key>", endpoint="preview")(self.preview)
        get("/preview-html/<path:key>", endpoint="preview_frame")(self.frame)
        get("/preview-source/<path:key>", endpoint="preview_source")(self.source)
        get("/preview-part/<number>/<path:key>", endpoint="preview_part")(self.part)
        self._shell.add_section("Previews", ".previews")

    def index(self) -> Sealed:
        """Show the list of previews, or how to write the first one."""
        return self._page("previews.html", sample=None)

    def preview(self, key: str) -> Sealed:
        """Show one sample next to the list, or why it failed."""
        rendered = _rendered(key)
        if rendered.failure is not None:
            return self._page(
                "preview_failed.html", sample=rendered.sample, failure=rendered.failure
            )
        message = read_for_display(rendered.content)
        panel = panel_of(
            message,
            frame=url_for(".preview_frame", key=key),
            source=url_for(".preview_source", key=key),
            part=lambda part: url_for(".preview_part", key=key, number=part.number),
        )
        return self._page(
            "preview.html",
            sample=rendered.sample,
            message=message,
            origin=rendered.template,
            panel=panel,
            findings=rendered.findings,
        )

    def frame(self, key: str) -> Sealed:
        """Return the HTML of a sample, for its frame."""
        return frame_of(_opened(key))

    def source(self, key: str) -> Sealed:
        """Return the octets of a sample, as a file."""
        return download(_content(key), f"{key}.eml")

    def part(self, key: str, number: str) -> Sealed:
        """Return a part of a sample, as a file."""
        return part_of(_opened(key), number)

    def _page(self, name: str, *, sample: Sample | None, **context: t.Any) -> Sealed:
        return self._shell.page(
            name,
            section="Previews",
            rows=[*rows(_previews())],
            sample=sample,
            preview=sample and sample.preview,
            address=_address,
            marks={},  # they would require rendering every preview
            **context,
        )


def add(blueprint: Blueprint, shell: Shell) -> None:
    """Add the pages to the blueprint of a mailbox."""
    PreviewPages(shell).add_to(blueprint)


def _address(preview: Preview, variant: str = "", locale: str = "") -> str:
    return url_for(".preview", key=Sample(preview, variant, locale).key)


def _previews() -> Previews:
    return previews_of(registration())


def _rendered(key: str) -> Rendered:
    sample = _previews().find(key)
    return render(app_in_context(), sample) if sample else abort(404)


def _content(key: str) -> bytes:
    return _rendered(key).content or abort(404)


def _opened(key: str) -> DisplayedMessage:
    return read_for_display(_content(key))
