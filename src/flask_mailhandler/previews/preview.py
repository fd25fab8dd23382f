"""The previews that an app registers: a name, a function, and its arguments."""

from __future__ import annotations

import dataclasses
import inspect
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping

from ..app.current import NAME
from ..frozen import Frozen
from ..message.given import AnyMessage
from ..text.checks import shorten

if t.TYPE_CHECKING:
    from ..app.registration import Registration

F = t.TypeVar("F", bound=Callable[..., AnyMessage])
Variants: t.TypeAlias = "Mapping[str, Mapping[str, object]]"


class Sample(Frozen):
    """A preview with one variant and one locale, "" where it has none."""

    preview: Preview
    variant: str = ""
    locale: str = ""

    @property
    def label(self) -> str:
        """``Account/Welcome[paid, de]``, for display."""
        which = ", ".join(filter(None, [self.variant, self.locale]))
        return f"{self.preview.name}[{which}]" if which else self.preview.name

    @property
    def key(self) -> str:
        """``Account/Welcome:paid:de``, unique in the app."""
        return ":".join(filter(None, [self.preview.name, self.variant, self.locale]))

    @property
    def in_first_language(self) -> Sample | None:
        """The sample in the first locale of the preview, if it is in another language."""
        first = self.preview.locales[0] if self.preview.locales else ""
        if _language(first) == _language(self.locale):
            return None
        return dataclasses.replace(self, locale=first)

    def message(self) -> AnyMessage:
        """Call the function. :func:`.rendering.render` undoes its side effects."""
        return self.preview.function(**self.preview.arguments(self.variant, self.locale))


class Preview(Frozen):
    """A function that returns a message with sample data.

    :param name: With slashes between groups: ``Account/Welcome``.
    :param variants: The keyword arguments for each variant.
    :param locales: The function is called with each as ``locale=``.
    :param allow: The rules of :func:`.lint` that do not apply to it.
    """

    name: str
    function: Callable[..., AnyMessage]
    variants: Variants
    locales: tuple[str, ...]
    allow: frozenset[str]

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    @property
    def about(self) -> str:
        """The first paragraph of the function's docstring, as one line."""
        return " ".join((inspect.getdoc(self.function) or "").partition("\n\n")[0].split())

    @property
    def place(self) -> str:
        """The module and the line of the function, or only the module."""
        function = inspect.unwrap(self.function)
        code = getattr(function, "__code__", None)
        line = f", line {code.co_firstlineno}" if code else ""
        return f"{function.__module__}{line}"

    def samples(self) -> Iterator[Sample]:
        """Yield every variant in every locale."""
        for variant in self.variants or [""]:
            for locale in self.locales or [""]:
                yield Sample(self, variant, locale)

    def arguments(self, variant: str, locale: str) -> dict[str, object]:
        """Return the keyword arguments for the function."""
        return {**self.variants.get(variant, {}), **({"locale": locale} if locale else {})}


class Previews(Mapping[str, Preview]):
    """The previews of a :class:`.Mail` by name, in alphabetical order."""

    def __init__(self) -> None:
        self._found: dict[str, Preview] = {}

    def __getitem__(self, name: str) -> Preview:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._found, key=lambda name: name.casefold().split("/")))

    def __len__(self) -> int:
        return len(self._found)

    def samples(self) -> Iterator[Sample]:
        """Yield every variant of every preview in every locale."""
        for preview in self.values():
            yield from preview.samples()

    def find(self, key: str) -> Sample | None:
        """Return the sample with this key. The name of a preview is the key of its first sample."""
        name, _, _ = key.partition(":")
        samples = [*self._found[name].samples()] if name in self._found else []
        return next((one for one in samples if key in (one.key, name)), None)

    def adder(
        self,
        name: str,
        variants: Variants | None,
        locales: Collection[str],
        allow: Collection[str],
    ) -> Callable[[F], F]:
        """Return the decorator that adds a function.

        :raises ValueError: for a name that is taken or not valid, or an unknown rule.
        :raises TypeError: for an argument of the wrong type.
        """
        _check_name(name)
        if not isinstance(variants, Mapping | None):
            raise TypeError(
                "variants= takes a dict of names and arguments: {'paid': {'paid': True}}."
            )
        if isinstance(locales, str):
            raise TypeError(f"locales= takes a list, such as [{locales!r}].")
        for word in [*(variants or {}), *locales]:
            _check_word(word)
        if name in self._found:
            raise ValueError(
                f"There is a preview {name!r} already: choose another name. A preview in a function"
                " that creates the app is registered again for each app: move it into its own"
                " module, which that function imports."
            )
        if allow:
            from ..lint import check_names  # lint loads more than this module

            check_names(allow)

        def add(function: F) -> F:
            preview = Preview(name, function, variants or {}, tuple(locales), frozenset(allow))
            _check_arguments(preview)
            self._found[name] = preview
            return function

        return add


def _language(locale: str) -> str:
    return locale.replace("-", "_").partition("_")[0].lower()


def previews_of(mine: Registration) -> Previews:
    """Return the previews of an app."""
    previews: Previews = mine.app.extensions[NAME].previews
    return previews


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f'Write @mail.preview("Account/Welcome"): {shorten(name)} is not a name.')
    # Names are part of URLs, where "." and ".." lead elsewhere.
    wrong = [part for part in name.split("/") if part.strip(" .") == "" or part != part.strip()]
    if wrong or not name.isprintable() or ":" in name:
        raise ValueError(
            f"{name!r} cannot be the name of a preview: write words with a slash between groups,"
            ' such as "Account/Welcome".'
        )


def _check_word(word: object) -> None:
    if not isinstance(word, str) or not word.strip() or not word.isprintable() or ":" in word:
        raise ValueError(
            f"{shorten(word)} cannot be the name of a variant or a locale: write words without"
            " a colon."
        )


def _check_arguments(preview: Preview) -> None:
    """Check that the function takes its arguments, without calling it, so that the error points to
    the line of the decorator."""
    if inspect.iscoroutinefunction(preview.function):
        raise TypeError(
            f"The preview {preview.name!r} cannot be registered: write def, not async def."
        )
    signature = inspect.signature(preview.function)
    for sample in preview.samples():
        try:
            signature.bind(**preview.arguments(sample.variant, sample.locale))
        except TypeError as error:
            raise TypeError(
                f"The preview {sample.label!r} cannot be registered: {error}. Its function must"
                " take the arguments of each variant, and locale= if locales= is given."
            ) from None
