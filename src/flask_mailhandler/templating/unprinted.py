"""Blocks that no template prints, mostly because their name is misspelt."""

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
    environment: Environment, name: str, known: Collection[str], layout: str, *, silent: bool
) -> None:
    """Check that all blocks of a template, and of the templates it extends, are printed.

    Templates that are only known during rendering (``{% extends layout %}``) are not checked.

    :param known: Blocks that are read from the template by name.
    :param layout: What ``{% extends mail_layout %}`` extends; "" if that is not known.
    :param silent: Whether the template consists of such blocks only.
    :raises MessageError: for the first block that is not printed.
    """
    chain = _chain(environment, name, layout)
    if not chain:
        return
    *derived, (_, root) = chain
    printed = {*known, *_called(chain)}
    if derived or not silent:
        # A template that extends nothing prints its own blocks.
        printed.update(_blocks(root))
        chain = derived
    for file, tree in reversed(chain):
        for block in _outermost(tree):
            if block not in printed:
                raise MessageError(_unprinted(file, block, printed))
        printed.update(_blocks(tree))


def _chain(environment: Environment, name: str, layout: str) -> list[tuple[str, nodes.Template]]:
    """A template and those it extends; empty if they are not known before rendering."""
    chain: dict[str, nodes.Template] = {}
    parent: str | None = name
    while parent is not None:
        if not parent or parent in chain or environment.loader is None:
            return []
        source, filename, _ = environment.loader.get_source(environment, parent)
        chain[parent] = environment.parse(source, parent, filename)
        parent = _extended(chain[parent], layout)
    return [*chain.items()]


def _extended(tree: nodes.Template, layout: str) -> str | None:
    """The name of the extended template; None if it extends nothing, "" if that is not known."""
    match [*tree.find_all(nodes.Extends)]:
        case []:
            return None
        case [nodes.Extends(template=nodes.Const(value=str(name))) as extends] if (
            extends in tree.body
        ):
            return name
        case [nodes.Extends(template=nodes.Name(name="mail_layout")) as extends] if (
            extends in tree.body
        ):
            return layout
    return ""


def _blocks(tree: nodes.Template) -> Iterator[str]:
    for block in tree.find_all(nodes.Block):
        yield block.name


def _outermost(tree: nodes.Template) -> Iterator[str]:
    """The blocks that are not inside another block, which would print them."""
    todo: list[nodes.Node] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, nodes.Block):
            yield node.name
        else:
            todo += node.iter_child_nodes()


def _called(chain: Collection[tuple[str, nodes.Template]]) -> Iterator[str]:
    """The blocks that are printed as ``self.title()``."""
    for _, tree in chain:
        for found in tree.find_all(nodes.Getattr):
            if isinstance(found.node, nodes.Name) and found.node.name == "self":
                yield found.attr


def _unprinted(file: str, block: str, printed: Collection[str]) -> str:
    close = difflib.get_close_matches(block, printed, 1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"{file}: no template prints the block {block!r}.{meant} The blocks are"
        f" {', '.join(sorted(printed))}."
    )
