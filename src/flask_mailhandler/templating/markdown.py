"""Markdown to HTML, by markdown-it, the extra ``markdown``.

What the template's writer wrote is Markdown, and what a variable brings is not::

    Dear {{ name }},                 name = "*Ann* [win](https://evil.example)"
      |
      | hide        the punctuation of the value becomes private characters
      v
    Dear ␀Ann␀ ␀win␀␀https␀...
      |
      | convert     so to Markdown the value is one long word, in code and in a link too
      v
    <p>Dear *Ann* [win](https://evil.example)</p>       show
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
# lines and blocks; in a plane that is nobody's, of which nothing else gets through.
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
# What these make is safe in HTML, which is not to be safe here.
_MAKING = ("tojson", "xmlattr")
_GETTEXT = ("gettext", "ngettext", "pgettext", "npgettext")


def hide(value: object) -> Markup:
    """A value of a variable, as a word that means nothing to Markdown. ``Markup`` is taken as
    Markdown: what a macro or ``super()`` brings, or was marked ``|safe``."""
    return value if isinstance(value, Markup) else Markup(str(value).translate(_HIDE))


def filters(shared: Mapping[str, t.Any]) -> dict[str, Callable[..., t.Any]]:
    """Those of Jinja's filters that escape for HTML, to escape for Markdown.

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
    """Hide what will be put into a text. A number stays one, for ``%d``."""
    return value if isinstance(value, numbers.Number) else hide(value)


def _hide_all(values: Mapping[str, object]) -> dict[str, t.Any]:
    return {name: _hide_word(value) for name, value in values.items()}


def gettext(globals_: Mapping[str, t.Any], newstyle: bool) -> dict[str, Callable[..., t.Any]]:
    """The functions of ``{% trans %}`` and ``_()``, whose text is Markdown, and whose variables
    are values.

    :param newstyle: Whether the app's own put the variables into the text.
    """

    def hiding(function: t.Any) -> Callable[..., t.Any]:
        @pass_context
        def translate(context: Context, /, *texts: t.Any, **variables: t.Any) -> Markup:
            hidden = _hide_all(variables)
            if newstyle:
                return Markup(context.call(function, *texts, **hidden))
            # The last one of ngettext's is the number.
            if isinstance(number := [*texts][-1], int):
                hidden.setdefault("num", number)
            text = Markup(context.call(function, *texts))
            # Without variables it may be for a filter to put them in.
            return text % hidden if hidden else text.replace("%%", "%")

        return translate

    return {name: hiding(globals_[name]) for name in _GETTEXT if name in globals_}


def converter() -> Callable[[str], Markup]:
    """Return a function that makes HTML of Markdown. HTML in it is shown as it is written.

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
            # Every link of a mail is looked at, whatever it was written in.
            return True

    parser = Markdown("commonmark", {"html": False}).enable("table")
    # As the layout knows tables of data.
    parser.add_render_rule("table_open", lambda *_: '<table class="data">\n')
    return lambda text: Markup(parser.render(text).translate(_SHOW_ESCAPED))
