"""The files that a mail is made of."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable
from collections.abc import Iterable

from jinja2 import TemplatesNotFound

from ..errors import MessageError

_ENDINGS = {"single": ".mail", "html": ".html", "text": ".txt", "markdown": ".md"}
# What editors want to see behind the ending. It says nothing about the part.
_SUFFIXES = ("", ".j2", ".jinja", ".jinja2")


@dataclasses.dataclass(frozen=True)
class Files:
    """The names of a mail's templates; "" where there is none."""

    single: str = ""
    """One file with a block for each part."""
    html: str = ""
    text: str = ""
    markdown: str = ""

    @property
    def written(self) -> list[str]:
        """Those that are there, the one that says most first."""
        return [name for name in (self.single, self.html, self.markdown, self.text) if name]


def find(name: str, locales: Iterable[str], exists: Callable[[str], bool]) -> Files:
    """Find ``mail/welcome.html``, ``.txt``, ``.md`` or ``.mail``.

    All of them are of one language, the first of *locales* for which there is any: half a mail in
    another language is worse than a text made from the HTML.

    :param locales: From the most exact to "", which is the file without a locale.
    :raises TemplatesNotFound: if there is none.
    :raises MessageError: if two of them say the same.
    """
    for locale in locales:
        stem = f"{name}.{locale}" if locale else name
        found = {
            part: _first([f"{stem}{ending}{suffix}" for suffix in _SUFFIXES], exists)
            for part, ending in _ENDINGS.items()
        }
        if any(found.values()):
            return _one_of_each(Files(**found), name)
    raise TemplatesNotFound([name], _not_found(name))


def _first(names: Iterable[str], exists: Callable[[str], bool]) -> str:
    return next(filter(exists, names), "")


def _one_of_each(files: Files, name: str) -> Files:
    others = [file for file in (files.html, files.text, files.markdown) if file]
    if files.single and others:
        raise MessageError(
            f"The mail {name!r} is in {files.single} and in {others[0]}: write it in one file, or"
            " in one for each part."
        )
    if files.html and files.markdown:
        raise MessageError(
            f"The mail {name!r} has its HTML in {files.html} and in {files.markdown}: write one."
        )
    return files


def _not_found(name: str) -> str:
    *_, last = name.split("/")
    if "." in last:
        stem = name[: len(name) - len(last)] + last.partition(".")[0]
        return f"There is no mail template {name!r}. Leave out the ending: render({stem!r})."
    wanted = ", ".join(t.cast("Iterable[str]", _ENDINGS.values()))
    return f"There is no mail template {name!r}: none of {wanted}, in no template folder."
