"""Which declarations can be moved into ``style=""`` so that each element looks as before.

What stands in ``style=""`` beats every rule, and ``!important`` beats that. So what is moved would
also beat a media query or ``:hover`` that it lost to, if nothing was done::

    .button       { background: blue }       moved
    .button:hover { background: navy }       stays, and gets !important

For each family of properties the first way is taken in which all that competes for an element
comes in the same order as before.
"""

from __future__ import annotations

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


class Contender(t.NamedTuple):
    """A declaration that holds for an element.

    :param weight: The greater the stronger, of those with an ``!important`` and of the others.
    """

    declaration: Declaration
    origin: Origin
    weight: int


class Cascade:
    """What is said about elements that are alike.

    :param found: The rules by their weight, and then what is the element's own.
    """

    def __init__(self, found: Iterable[tuple[Declaration, Origin]]) -> None:
        every = [Contender(*one, weight) for weight, one in enumerate(found)]
        # False is sorted before True, and the others stay in their order.
        self.contenders: list[Contender] = sorted(every, key=lambda one: one.declaration.important)
        self.families: defaultdict[str, list[Contender]] = defaultdict(list)
        for one in self.contenders:
            self.families[one.declaration.family].append(one)


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
            for family, some in cascade.families.items():
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
            (one, origin)
            for one, origin, _ in cascade.contenders
            if origin is Origin.OWN or (origin is Origin.MOVES and self.moved(one))
        ]
        return [
            declaration.written(declaration.important and declaration not in self._strong)
            for declaration, origin in _useful(shown)
            if origin is Origin.MOVES
        ]

    def raised(self, cascade: Cascade) -> Collection[Declaration]:
        """What has stood in ``style=""``, and only with an ``!important`` stays the strongest."""
        return [
            declaration
            for some in cascade.families.values()
            if _is_rising(some, self._strong)
            for declaration, origin, _ in some
            if origin is Origin.OWN and not declaration.important
        ]


def _useful(shown: Sequence[tuple[Declaration, Origin]]) -> list[tuple[Declaration, Origin]]:
    """Leave out what is said again later, in a way that every client understands: a gradient
    leaves the colour before it to those that do not know gradients, and so does whatever stands
    twice in one block (``display: block; display: flex``)."""
    useful: list[tuple[Declaration, Origin]] = []
    said: dict[str, object] = {}
    for one, origin in reversed(shown):
        if said.get(one.name, one.block) is one.block:
            useful.append((one, origin))
        if "(" not in one.value:
            said.setdefault(one.name, one.block)
    return useful[::-1]


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


def _stronger(some: Iterable[Contender], strong: Collection[Declaration]) -> Iterator[Declaration]:
    rules = [one for one in some if one.origin is not Origin.OWN]
    moved = rising = False
    for declaration, origin, _ in rules:
        if not declaration.important:
            rising |= declaration in strong or (moved and origin is Origin.STAYS)
            moved |= origin is Origin.MOVES
            if rising:
                yield declaration
    important = [one for one in rules if one.declaration.important]
    if any(one.origin is Origin.STAYS for one in important):
        yield from (one.declaration for one in important)


def _is_rising(some: Iterable[Contender], strong: Collection[Declaration]) -> bool:
    return any(one in strong and not one.important for one, _, _ in some)


def _in_order(groups: Iterable[Sequence[Contender]], strong: Collection[Declaration]) -> bool:
    """Whether what competes comes in the order that it has come in before."""
    return all(ranks == sorted(ranks) for ranks in (_ranks(some, strong) for some in groups))


def _ranks(some: Sequence[Contender], strong: Collection[Declaration]) -> list[tuple[int, int]]:
    """How strong each will be: a rule 0, ``style=""`` 1, and with an ``!important`` 2 and 3."""
    rising = _is_rising(some, strong)
    ranks = []
    for place, (declaration, origin, weight) in enumerate(some):
        important = declaration.important
        if declaration in strong or (origin is Origin.STAYS and important):
            ranks.append((2, weight))
        elif origin is Origin.STAYS:
            ranks.append((0, place))
        else:
            raised = important or (origin is Origin.OWN and rising)
            ranks.append((3 if raised else 1, place))
    return ranks
