"""Which declarations can be moved into ``style=""`` so that each element looks as before.

What stands in ``style=""`` beats every rule, and ``!important`` beats that. So what is moved would
also beat a media query or ``:hover`` that it lost to, if nothing was done::

    .button       { background: blue }       moved
    .button:hover { background: navy }       stays, and gets !important

For each family of properties the first way is taken in which all that competes for an element
comes in the same order as before.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t
from collections import defaultdict
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from .stylesheet import Declaration


class Origin(enum.Enum):
    """Where a declaration stands, and where it is to go."""

    STAYS = enum.auto()
    MOVES = enum.auto()
    OWN = enum.auto()
    """It has stood in ``style=""`` from the beginning."""


Contender: t.TypeAlias = "tuple[Declaration, Origin]"


@dataclasses.dataclass(frozen=True, eq=False)
class Cascade:
    """What is said about elements that are alike, the strongest last."""

    contenders: Sequence[Contender]

    @classmethod
    def of(cls, found: Iterable[Contender]) -> Cascade:
        """Bring into order what was found: the rules by their weight, and then what is the
        element's own."""
        every = [*found]
        normal = [one for one in every if not one[0].important]
        return cls([*normal, *(one for one in every if one[0].important)])

    def families(self) -> dict[str, list[Contender]]:
        """What competes with one another."""
        found = defaultdict(list)
        for contender in self.contenders:
            found[contender[0].family].append(contender)
        return found


class Moves:
    """What becomes of each declaration.

    :param cascades: All that there are in the document.
    """

    def __init__(self, cascades: Collection[Cascade]) -> None:
        self._left: set[str] = set()
        # What beats style="" from the style sheet, because it has an !important or gets one.
        self._strong: set[Declaration] = set()
        groups: dict[str, list[list[Contender]]] = defaultdict(list)
        for cascade in cascades:
            for family, some in cascade.families().items():
                groups[family].append(some)
        for family, every in groups.items():
            if _in_order(every, ()):
                continue
            strong = _strong(every)
            fixed = any(one.fixed and not one.important for one in strong)
            if not fixed and _in_order(every, strong):
                self._strong |= strong
            else:
                self._left.add(family)

    def moved(self, declaration: Declaration) -> bool:
        """Whether it goes into ``style=""``."""
        return declaration.family not in self._left

    def kept(self, declaration: Declaration) -> bool:
        """Whether it is in the style sheet, even if it is moved too."""
        return not self.moved(declaration) or declaration in self._strong

    def important(self, declaration: Declaration) -> bool:
        """Whether it has an ``!important`` in the style sheet."""
        return declaration.important or declaration in self._strong

    def inline(self, cascade: Cascade) -> list[str]:
        """What goes into ``style=""``, before what is there already."""
        shown = [
            one
            for one in cascade.contenders
            if one[1] is Origin.OWN or (one[1] is Origin.MOVES and self.moved(one[0]))
        ]
        return [
            declaration.written(declaration.important and declaration not in self._strong)
            for index, (declaration, origin) in enumerate(shown)
            if origin is Origin.MOVES and not _is_useless(declaration, shown[index + 1 :])
        ]

    def raised(self, cascade: Cascade) -> Collection[Declaration]:
        """What has stood in ``style=""``, and only with an ``!important`` stays the strongest."""
        return [
            declaration
            for some in cascade.families().values()
            if _is_rising(some, self._strong)
            for declaration, origin in some
            if origin is Origin.OWN and not declaration.important
        ]


def _is_useless(declaration: Declaration, later: Iterable[Contender]) -> bool:
    """Whether the same is said again later, in a way that every client understands: a gradient
    leaves the colour before it to those that do not know gradients."""
    return any(one.name == declaration.name and "(" not in one.value for one, _ in later)


def _strong(groups: Iterable[Sequence[Contender]]) -> set[Declaration]:
    """What must beat ``style=""`` from the style sheet: what stays though something weaker is
    moved, and whatever is stronger than that."""
    strong: set[Declaration] = set()
    before = -1
    while before != len(strong):
        before = len(strong)
        for some in groups:
            strong.update(_stronger(some, strong))
    return strong


def _stronger(some: Sequence[Contender], strong: Collection[Declaration]) -> Iterator[Declaration]:
    rules = [one for one in some if one[1] is not Origin.OWN]
    moved = rising = False
    for declaration, origin in rules:
        if not declaration.important:
            rising |= declaration in strong or (moved and origin is Origin.STAYS)
            moved |= origin is Origin.MOVES
            if rising:
                yield declaration
    important = [one for one in rules if one[0].important]
    if any(origin is Origin.STAYS for _, origin in important):
        yield from (declaration for declaration, _ in important)


def _is_rising(some: Iterable[Contender], strong: Collection[Declaration]) -> bool:
    return any(declaration in strong and not declaration.important for declaration, _ in some)


def _in_order(groups: Iterable[Sequence[Contender]], strong: Collection[Declaration]) -> bool:
    """Whether what competes comes in the order that it has come in before."""
    return all(levels == sorted(levels) for levels in (_levels(some, strong) for some in groups))


def _levels(some: Sequence[Contender], strong: Collection[Declaration]) -> list[int]:
    """How strong each will be: a rule 0, ``style=""`` 1, and with ``!important`` 2 and 3."""
    rising = _is_rising(some, strong)
    levels = []
    for declaration, origin in some:
        important = declaration.important
        if origin is Origin.STAYS or declaration in strong:
            levels.append(2 if important or declaration in strong else 0)
        else:
            levels.append(3 if important or (origin is Origin.OWN and rising) else 1)
    return levels
