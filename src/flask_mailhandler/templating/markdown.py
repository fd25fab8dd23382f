"""Markdown to HTML, by markdown-it: the extra ``markdown``.

The text of a template is Markdown, and the value of a variable is not::

    Dear {{ name }},                 name = "*Ann* [win](https://evil.example)"
      |
      | hide        replaces punctuation in the value by private characters
      v
    Dear ␀Ann␀ ␀win␀␀https␀...
      |
      | convert     to Markdown the value is one long word, also in code and links
      v
    <p>Dear *Ann* [win](https://evil.example)</p>
"""

from __future__ import annotations

import numbers
import typing as t
from collections.abc import Callable
from collections.abc import Mapping

from jinja2 import pass_context
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from markupsafe import escape
from markupsafe import Markup

from ..errors import ConfigurationError

# https://spec.commonmark.org/0.31.2/#ascii-punctuation-character, and the white space that makes
# lines and blocks, move to a private plane of Unicode. Its characters in a value are replaced.
_PRIVATE = 0xF0000
_ASCII = [code for code in range(1, 0x80) if not chr(code).isalnum()]
_HIDE = {
    0: "\N{REPLACEMENT CHARACTER}",
    **{_PRIVATE + code: "\N{REPLACEMENT CHARACTER}" for code in range(0x80)},
    **{code: chr(_PRIVATE + code) for code in _ASCII},
}
_SHOW = {_PRIVATE + code: chr(code) for code in _ASCII}
_SHOW_ESCAPED = {_PRIVATE + code: str(escape(chr(code))) for code in _ASCII}
_ESCAPING = ("e", "escape", "forceescape", "urlize")
# The result of these is safe in HTML, but not in Markdown.
_MAKING = ("tojson", "xmlattr")
_GETTEXT = ("gettext", "ngettext", "pgettext", "npgettext")


def hide(value: object) -> Markup:
    """Return the value of a variable as a word without a meaning in Markdown. ``Markup`` stays
    Markdown: the result of a macro or ``super()``, or a value marked ``|safe``."""
    return value if isinstance(value, Markup) else Markup(str(value).translate(_HIDE))


def filters(shared: Mapping[str, t.Any]) -> dict[str, Callable[..., t.Any]]:
    """Return replacements for the filters that escape for HTML. They escape for Markdown.

    :param shared: The app's filters.
    """

    def hiding(function: t.Any) -> Callable[..., t.Any]:
        @pass_eval_context
        def made(context: EvalContext, /, *arguments: t.Any, **named: t.Any) -> Markup:
            return hide(str.__str__(function(context, *arguments, **named)))

        return made

    return {
        **{name: lambda value, *_, **__: hide(value) for name in _ESCAPING},
        **{name: hiding(shared[name]) for name in _MAKING if name in shared},
        "format": _format,
    }


def _format(value: object, /, *arguments: t.Any, **named: t.Any) -> str:
    if not isinstance(value, Markup):
        return str(value) % (named or arguments)
    return value % (_hide_all(named) or tuple(map(_hide_word, arguments)))


def _hide_word(value: object) -> object:
    """Hide a value that will be inserted into a text. A number stays a number, for ``%d``."""
    return value if isinstance(value, numbers.Number) else hide(value)


def _hide_all(values: Mapping[str, object]) -> dict[str, t.Any]:
    return {name: _hide_word(value) for name, value in values.items()}


def gettext(globals_: Mapping[str, t.Any], newstyle: bool) -> dict[str, Callable[..., t.Any]]:
    """Return the functions of ``{% trans %}`` and ``_()``, for texts in Markdown with variables
    that are not.

    :param newstyle: Whether the app's functions insert the variables into the text.
    """

    def hiding(function: t.Any) -> Callable[..., t.Any]:
        @pass_context
        def translate(context: Context, /, *texts: t.Any, **variables: t.Any) -> Markup:
            hidden = _hide_all(variables)
            if newstyle:
                return Markup(context.call(function, *texts, **hidden))
            # The last argument of ngettext is the number.
            if isinstance(number := [*texts][-1], int):
                hidden.setdefault("num", number)
            text = Markup(context.call(function, *texts))
            # Without variables, a filter may insert them later.
            return text % hidden if hidden else text.replace("%%", "%")

        return translate

    return {name: hiding(globals_[name]) for name in _GETTEXT if name in globals_}


def _open_link(
    renderer: t.Any, tokens: t.Any, index: int, options: t.Any, environment: t.Any
) -> str:
    """Write a link, which is a button if its title is "button"."""
    token = tokens[index]
    if token.attrs.get("title") == "button":
        del token.attrs["title"]
        token.attrs["class"] = "button"
    return str(renderer.renderToken(tokens, index, options, environment))


def converter() -> Callable[[str], Markup]:
    """Return a function that converts Markdown to HTML. It escapes HTML in the Markdown.

    :raises ConfigurationError: if markdown-it-py is not installed.
    """
    try:
        from markdown_it import MarkdownIt
    except ModuleNotFoundError:
        raise ConfigurationError(
            "A template in Markdown needs markdown-it-py:"
            " pip install 'Flask-MailHandler[markdown]'."
        ) from None

    class Markdown(MarkdownIt):
        def normalizeLink(self, url: str) -> str:
            return super().normalizeLink(url.translate(_SHOW))

        def validateLink(self, url: str) -> bool:
            # dead_links checks every link of a message, also in HTML.
            return True

    parser = Markdown("commonmark", {"html": False}).enable("table")
    # The class that the layout has for tables of data.
    parser.add_render_rule("table_open", lambda *_: '<table class="data">\n')
    parser.add_render_rule("link_open", _open_link)
    return lambda text: Markup(parser.render(text).translate(_SHOW_ESCAPED))
