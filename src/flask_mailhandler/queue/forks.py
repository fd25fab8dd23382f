"""What is open around a fork of the process."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable


def around_forks(
    before: Callable[[], None], in_parent: Callable[[], None], in_child: Callable[[], None]
) -> None:
    """Call methods at every fork, as long as their object is there: what runs at a fork cannot be
    taken back."""
    first, parent, child = (
        _weakly(weakref.WeakMethod(one)) for one in (before, in_parent, in_child)
    )
    os.register_at_fork(before=first, after_in_parent=parent, after_in_child=child)


def _weakly(method: weakref.WeakMethod[Callable[[], None]]) -> Callable[[], None]:
    def call() -> None:
        found = method()
        if found is not None:
            found()

    return call
