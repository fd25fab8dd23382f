"""The parts of one message, rendered from its templates."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping

from markupsafe import Markup

from ..errors import MessageError
from .blocks import Rendered
from .environments import Environments
from .environments import Escaping
from .lookup import Files

# Blocks about the message. A template's file contains them, but its rendered text does not.
ABOUT = frozenset({"subject", "preheader"})
IN_ONE_FILE = ABOUT | {"html", "text"}
# https://www.unicode.org/standard/reports/tr13/tr13-5.html: everything that ends a line in some
# program. A no-break space stays, because it was written on purpose.
_SPACE = re.compile("[ \t\n\x0b\x0c\r\x1c-\x1f\x85\u2028\u2029]+")
_PROLOGUE = re.compile(
    r"\s*(?:<!doctype[^>]*>\s*)?(?:<html\b[^>]*>\s*)?(?:<head\b.*?</head>\s*)?", re.I | re.S
)
_BODY = re.compile(r"<body\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>", re.I)


def one_line(text: str) -> str:
    """Return a text as a subject: each run of spaces and line ends becomes one space."""
    return _SPACE.sub(" ", text).strip()


class Parts:
    """The parts of a message.

    :param convert: Converts Markdown to HTML.
    :param subject: The subject that the caller passed, or None.
    """

    def __init__(
        self,
        environments: Environments,
        convert: Callable[[str], Markup],
        files: Files,
        variables: Mapping[str, t.Any],
        subject: str | None,
    ) -> None:
        self._environments = environments
        self._convert = convert
        self._files = files
        self._variables = {**variables, "mail_subject": self.subject}
        self._subject = subject
        self._unescaped_files: dict[str, Rendered] = {}

    def subject(self) -> str:
        """The subject of the caller, or of the block; "" if there is none."""
        if self._subject is None:
            blocks = (self._unescaped(name) for name in self._files.written)
            found = next((file for file in blocks if "subject" in file), None)
            self._subject = one_line(found.block("subject")) if found else ""
        return self._subject

    def text(self) -> str:
        """The text of the templates; "" if there is none."""
        files = self._files
        text = ""
        if files.single:
            text = self._unescaped(files.single).block("text")
        elif files.text:
            text = self._render(self._environments.text, files.text, ABOUT).text
        text = re.sub(r"\A\s*\n", "", text).rstrip()
        return f"{text}\n" if text else ""

    def html(self) -> str:
        """The HTML with its preheader, which mail clients show after the subject in a list."""
        html, preheader = self._page()
        return _with_preheader(html, preheader) if html.strip() else ""

    def _page(self) -> tuple[str, str]:
        files = self._files
        if files.single:
            page = self._render(self._environments.html, files.single, None)
            if "html" not in page and "text" not in page:
                raise MessageError(f"{files.single} has neither a block html nor a block text.")
            return page.block("html"), page.block("preheader")
        if files.html:
            page = self._render(self._environments.html, files.html)
            return page.text, page.block("preheader")
        return self._from_markdown(files.markdown) if files.markdown else ("", "")

    def _from_markdown(self, name: str) -> tuple[str, str]:
        written = self._render(self._environments.markdown, name, ABOUT)
        variables = {
            **self._variables,
            "mail_content": self._convert(written.text),
            "mail_layout": written.variable("layout") or self._variables["mail_layout"],
        }
        if accent := written.variable("accent"):
            variables["accent"] = accent
        page = self._environments.html.render("mailhandler/markdown.html", variables)
        if "preheader" not in written:
            return page.text, ""
        return page.text, self._render(self._environments.html, name, None).block("preheader")

    def _unescaped(self, name: str) -> Rendered:
        """A template rendered without escaping, for its blocks."""
        found = self._unescaped_files.get(name)
        if found is None:
            found = self._unescaped_files[name] = self._render(self._environments.text, name, None)
        return found

    def _render(
        self, escaping: Escaping, name: str, silent: Collection[str] | None = ()
    ) -> Rendered:
        return escaping.render(name, self._variables, silent)


def _with_preheader(html: str, preheader: str) -> str:
    """Insert the preheader, hidden, at the start of the body, unless the layout contains it."""
    preheader = preheader.strip()
    if not preheader or preheader in html:
        return html
    start = _BODY.match(html, html.lower().find("<body")) or _PROLOGUE.match(html)
    place = start.end() if start else 0
    hidden = (
        f'<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">{preheader}</div>'
    )
    return f"{html[:place]}{hidden}{html[place:]}"
