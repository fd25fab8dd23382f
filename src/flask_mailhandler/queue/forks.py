"""Close what is open before the process forks."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable


def around_forks(
    before: Callable[[], None], in_parent: Callable[[], None], in_child: Callable[[], None]
) -> None:
    """Call methods at every fork, for as long as their object exists.

    The references are weak, because ``os.register_at_fork`` cannot be undone.
    """
    first, parent, child = (
        _weakly(weakref.WeakMethod(one)) for one in (before, in_parent, in_child)
    )
    os.register_at_fork(before=first, after_in_parent=parent, after_in_child=child)


def in_each_child(method: Callable[[], None]) -> None:
    """Call a method in the child of every fork, for as long as its object exists."""
    os.register_at_fork(after_in_child=_weakly(weakref.WeakMethod(method)))


def _weakly(method: weakref.WeakMethod[Callable[[], None]]) -> Callable[[], None]:
    def call() -> None:
        found = method()
        if found is not None:
            found()

    return call
