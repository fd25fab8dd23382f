"""Parts of a template, rendered on their own."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping

from jinja2 import Template
from jinja2.runtime import Context

_Block: t.TypeAlias = "Callable[[Context], Iterator[str]]"


class _Silent(dict[str, "list[_Block]"]):
    """The blocks of a context, those with these names saying nothing where they stand.

    A template adds the blocks of what it extends to its own, behind them, when it comes to
    ``{% extends %}``: so what says nothing stands before them all.

    :param names: None for all.
    """

    def __init__(self, blocks: Mapping[str, list[_Block]], names: Collection[str] | None) -> None:
        super().__init__()
        self._names = names
        for name, found in blocks.items():
            self.setdefault(name, []).extend(found)

    def setdefault(self, name: str, default: t.Any = None) -> list[_Block]:
        silent = self._names is None or name in self._names
        return super().setdefault(name, [_nothing] if silent else [])

    def loud(self) -> dict[str, list[_Block]]:
        """The blocks themselves."""
        return {name: found[1:] if found[0] is _nothing else found for name, found in self.items()}


def _nothing(context: Context) -> Iterator[str]:
    return iter(())


class Rendered:
    """A template, rendered, and the blocks of all that it extends.

    :param variables: All that it may name, globals included. Not changed.
    :param silent: The blocks that say nothing where they stand; None for all of them, for a
        template that is nothing but blocks. What it sets and imports at its top is there for each.
    """

    def __init__(
        self,
        template: Template,
        variables: dict[str, t.Any],
        silent: Collection[str] | None = (),
    ) -> None:
        self._template = template
        self._context = template.new_context(variables, shared=True)
        if silent is None or silent:
            blocks = _Silent(self._context.blocks, silent)
            self._context.blocks = blocks
            self.text: str = self._render(template.root_render_func)
            self._context.blocks = blocks.loud()
        else:
            self.text = self._render(template.root_render_func)

    def __contains__(self, block: str) -> bool:
        return block in self._context.blocks

    def block(self, name: str) -> str:
        """One block, as the last template to write it does; "" if there is none."""
        found = self._context.blocks.get(name)
        return self._render(found[0]) if found else ""

    def variable(self, name: str) -> t.Any:
        """What ``{% set %}`` at the top of the template says, or None."""
        return self._context.vars.get(name)

    def _render(self, block: _Block) -> str:
        try:
            return "".join(block(self._context))
        except Exception:
            # It puts the lines of the template into the traceback, and raises.
            self._template.environment.handle_exception()
