"""Which template files a message is made from."""

from __future__ import annotations

import dataclasses
import difflib
import re
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence

from jinja2 import TemplatesNotFound

from ..errors import MessageError

_ENDINGS = {"single": ".mail", "html": ".html", "text": ".txt", "markdown": ".md"}
# Some editors want these after the ending. They do not change the part.
_SUFFIXES = ("", ".j2", ".jinja", ".jinja2")
_ENDING = re.compile(r"\.(?:mail|html|txt|md)(?:\.j2|\.jinja2?)?\Z")


@dataclasses.dataclass(frozen=True)
class Files:
    """The names of a message's templates; "" for a part without one."""

    single: str = ""
    """One file with a block for each part."""
    html: str = ""
    text: str = ""
    markdown: str = ""

    @property
    def written(self) -> list[str]:
        """The templates that exist, the one with the most parts first."""
        return [name for name in (self.single, self.html, self.markdown, self.text) if name]


def find(
    name: str,
    locales: Sequence[str],
    exists: Callable[[str], bool],
    known: Callable[[], Iterable[str]] = tuple,
) -> Files:
    """Find ``mail/welcome.html``, ``.txt``, ``.md`` or ``.mail``.

    All of them are in one language, the first of *locales* that has any template: a message in two
    languages would be worse than a text made from the HTML.

    :param locales: From the most specific to "", which means the file without a locale.
    :param known: Returns the names of all templates, for the error.
    :raises TemplatesNotFound: if there is no template.
    :raises MessageError: if two templates contain the same part.
    """
    for locale in locales:
        stem = f"{name}.{locale}" if locale else name
        found = {
            part: _first([f"{stem}{ending}{suffix}" for suffix in _SUFFIXES], exists)
            for part, ending in _ENDINGS.items()
        }
        if any(found.values()):
            return _one_of_each(Files(**found), name)
    raise TemplatesNotFound([name], _not_found(name, locales[0], known()))


def _first(names: Iterable[str], exists: Callable[[str], bool]) -> str:
    return next(filter(exists, names), "")


def _one_of_each(files: Files, name: str) -> Files:
    others = [file for file in (files.html, files.text, files.markdown) if file]
    if files.single and others:
        raise MessageError(
            f"The mail {name!r} is in both {files.single} and {others[0]}. Write one file, or one"
            " file for each part."
        )
    if files.html and files.markdown:
        raise MessageError(
            f"The HTML of the mail {name!r} is in both {files.html} and {files.markdown}. Keep one"
            " of them."
        )
    return files


def _not_found(name: str, locale: str, known: Iterable[str]) -> str:
    *_, last = name.split("/")
    if "." in last:
        stem = name[: len(name) - len(last)] + last.partition(".")[0]
        return f"There is no mail template {name!r}. Leave out the ending: render({stem!r})."
    mails = [file for file in known if _ENDING.search(file)]
    others = sorted(file for file in mails if file.startswith(f"{name}."))
    if others:
        fallback = _in_language(others[0], name, "")
        if not locale:
            return (
                f"There is no mail template {name!r} without a language, only {', '.join(others)}."
                f" Pass locale=, or write {fallback}."
            )
        return (
            f"There is no mail template {name!r} in the language {locale!r}, only"
            f" {', '.join(others)}. Write {_in_language(others[0], name, locale)}, or {fallback}"
            " for all other languages."
        )
    stems = {_ENDING.sub("", file) for file in mails}
    close = difflib.get_close_matches(name, stems, 1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    wanted = ", ".join(f"{name}{ending}" for ending in _ENDINGS.values())
    return f"There is no mail template {name!r}: no template folder contains {wanted}.{meant}"


def _in_language(file: str, name: str, locale: str) -> str:
    ending = t.cast("re.Match[str]", _ENDING.search(file))[0]
    return f"{name}.{locale}{ending}" if locale else f"{name}{ending}"
