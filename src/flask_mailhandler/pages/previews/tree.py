"""The list of previews as a tree, split at the slashes in their names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ...previews.preview import Preview
from ...previews.preview import Previews


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the tree.

    :param depth: The number of groups above it.
    :param word: The last part of the name.
    :param preview: None for a group.
    """

    depth: int
    word: str
    preview: Preview | None


def rows(previews: Previews) -> Iterator[Row]:
    """Yield the groups, each once and before its members, and the previews."""
    shown: tuple[str, ...] = ()
    for name, preview in previews.items():
        *groups, word = name.split("/")
        for depth, group in enumerate(groups):
            if shown[: depth + 1] != tuple(groups[: depth + 1]):
                yield Row(depth, group, None)
                shown = tuple(groups[: depth + 1])
        yield Row(len(groups), word, preview)
        shown = (*groups, word)
