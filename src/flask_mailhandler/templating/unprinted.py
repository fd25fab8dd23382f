"""Blocks that are written and printed nowhere: most often their name is misspelt."""

from __future__ import annotations

import difflib
import typing as t
from collections.abc import Collection
from collections.abc import Iterator

from jinja2 import nodes

from ..errors import MessageError

if t.TYPE_CHECKING:
    from jinja2 import Environment


def check_blocks(
    environment: Environment, name: str, known: Collection[str], *, silent: bool
) -> None:
    """Look whether all blocks of a template, and of those that it extends, are printed.

    What only shows when it is rendered (``{% extends layout %}``) is not looked at.

    :param known: Blocks that are taken out of the template by their name.
    :param silent: Whether it is nothing but blocks.
    :raises MessageError: naming the first that is not.
    """
    chain = _chain(environment, name)
    if not chain:
        return
    *derived, (_, root) = chain
    printed = {*known, *_called(chain)}
    if derived or not silent:
        # It has no other to print its blocks, and does that itself.
        printed.update(_blocks(root))
        chain = derived
    for file, tree in reversed(chain):
        for block in _outermost(tree):
            if block not in printed:
                raise MessageError(_unprinted(file, block, printed))
        printed.update(_blocks(tree))


def _chain(environment: Environment, name: str) -> list[tuple[str, nodes.Template]]:
    """A template and what it extends; nothing if that is not known before it is rendered."""
    chain: dict[str, nodes.Template] = {}
    parent: str | None = name
    while parent is not None:
        if not parent or parent in chain or environment.loader is None:
            return []
        source, filename, _ = environment.loader.get_source(environment, parent)
        chain[parent] = environment.parse(source, parent, filename)
        parent = _extended(chain[parent])
    return [*chain.items()]


def _extended(tree: nodes.Template) -> str | None:
    """The name of what a template extends, None if it extends nothing, "" if that is not known."""
    match [*tree.find_all(nodes.Extends)]:
        case []:
            return None
        case [nodes.Extends(template=nodes.Const(value=str(name))) as extends] if (
            extends in tree.body
        ):
            return name
    return ""


def _blocks(tree: nodes.Template) -> Iterator[str]:
    for block in tree.find_all(nodes.Block):
        yield block.name


def _outermost(tree: nodes.Template) -> Iterator[str]:
    """The blocks that stand in no other block, which would print them."""
    todo: list[nodes.Node] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, nodes.Block):
            yield node.name
        else:
            todo += node.iter_child_nodes()


def _called(chain: Collection[tuple[str, nodes.Template]]) -> Iterator[str]:
    """The blocks that are printed by ``self.title()``."""
    for _, tree in chain:
        for found in tree.find_all(nodes.Getattr):
            if isinstance(found.node, nodes.Name) and found.node.name == "self":
                yield found.attr


def _unprinted(file: str, block: str, printed: Collection[str]) -> str:
    close = difflib.get_close_matches(block, printed, 1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"{file}: the block {block!r} is printed nowhere.{meant} There are"
        f" {', '.join(sorted(printed))}."
    )
