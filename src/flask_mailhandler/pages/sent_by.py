"""Which template a message was rendered from, and which line of code sent it, for display."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping


def sent_by(facts: Mapping[str, t.Any]) -> Iterator[tuple[str, str]]:
    """Yield what is known of the two, each as a label and a text.

    :param facts: What the sending process stored, as ``template`` and ``site``.
    """
    if template := facts.get("template"):
        yield "Template", str(template)
    if isinstance(site := facts.get("site"), dict):
        yield (
            "Sent by",
            f"{site.get('function')}, {_short(str(site.get('file')))}:{site.get('line')}",
        )


def _short(path: str) -> str:
    """Return a path relative to the working folder, if it is inside."""
    return os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path
