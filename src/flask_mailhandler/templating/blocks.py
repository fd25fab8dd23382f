"""Blocks of a template, each rendered by itself."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping

from jinja2 import Template
from jinja2.runtime import Context

from .undefined import check_for_a_cycle
from .undefined import name_the_line

_Block: t.TypeAlias = "Callable[[Context], Iterator[str]]"


class _Silent(dict[str, "list[_Block]"]):
    """The blocks of a context. Those with the given names print nothing in their place.

    At ``{% extends %}``, a template appends the blocks of its parent to the lists of its own. So an
    empty block at the start of a list comes before all of them.

    :param names: None for all blocks.
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
        """The blocks without the empty ones."""
        return {name: found[1:] if found[0] is _nothing else found for name, found in self.items()}


def _nothing(context: Context) -> Iterator[str]:
    return iter(())


class Rendered:
    """A rendered template, and its blocks with those of the templates it extends.

    :param variables: All variables, globals included. The dict is not changed.
    :param silent: The blocks that print nothing in their place. None means all of them, for a
        template that consists of blocks only; each of them sees the variables and imports at its
        top.
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
        """Render a block, as the most derived template defines it; "" if there is none."""
        found = self._context.blocks.get(name)
        return self._render(found[0]) if found else ""

    def variable(self, name: str) -> t.Any:
        """The value of a ``{% set %}`` at the top of the template, or None."""
        return self._context.vars.get(name)

    def _render(self, block: _Block) -> str:
        try:
            return "".join(block(self._context))
        except Exception as error:
            if isinstance(error, RecursionError):
                check_for_a_cycle(error, self._context.get("mail_layout"))
            name_the_line(error, self._context.get_all())
            # It raises the error again, with the template's lines in the traceback.
            self._template.environment.handle_exception()
