"""What only the sending app knew of a message, for display: the template it was rendered from, the
line of code that sent it, and what it has for a provider."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping


def sent_by(facts: Mapping[str, t.Any]) -> Iterator[tuple[str, str]]:
    """Yield what is known of them, each as a label and a text.

    :param facts: What the sending process stored, as ``template``, ``site`` and ``for_provider``.
    """
    if template := facts.get("template"):
        yield "Template", str(template)
    if isinstance(site := facts.get("site"), dict):
        yield (
            "Sent by",
            f"{site.get('function')}, {_short(str(site.get('file')))}:{site.get('line')}",
        )
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        for name, value in json.loads(facts.get("for_provider", "{}")).items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield name.replace("_", " ").capitalize(), text


def _short(path: str) -> str:
    """Return a path relative to the working folder, if it is inside."""
    return os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path
