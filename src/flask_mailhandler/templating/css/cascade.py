"""Which declarations can be moved into ``style=""`` so that each element looks as before.

A declaration in ``style=""`` overrides every rule, and ``!important`` overrides it. So a moved
declaration would also override a media query or ``:hover`` that used to override it. The rule that
stays then needs an ``!important``::

    .button       { background: blue }       moved
    .button:hover { background: navy }       stays, and gets !important

For each family of properties, the first of these is done that keeps the order of all declarations
that compete for an element: move them as they are; give those that stay an ``!important``; move
none.
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
    """Where a declaration is, and where it goes."""

    STAYS = enum.auto()
    MOVES = enum.auto()
    OWN = enum.auto()
    """It was in ``style=""`` from the start."""


class Contender(t.NamedTuple):
    """A declaration that applies to an element.

    :param weight: Its rank among those with an ``!important``, or among the others. The higher
        one wins.
    """

    declaration: Declaration
    origin: Origin
    weight: int


class Cascade:
    """The declarations that apply to elements with the same rules.

    :param found: The declarations of rules by their weight, then those of ``style=""``.
    """

    def __init__(self, found: Iterable[tuple[Declaration, Origin]]) -> None:
        every = [Contender(*one, weight) for weight, one in enumerate(found)]
        # False sorts before True, and sorting is stable.
        self.contenders: list[Contender] = sorted(every, key=lambda one: one.declaration.important)
        self.families: defaultdict[str, list[Contender]] = defaultdict(list)
        for one in self.contenders:
            self.families[one.declaration.family].append(one)


class Moves:
    """What happens to each declaration.

    :param cascades: All cascades of the document.
    """

    def __init__(self, cascades: Collection[Cascade]) -> None:
        self._unmoved: set[str] = set()
        # Those in the style sheet that override style="", because they have or get an !important.
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
                self._unmoved.add(family)

    def moved(self, declaration: Declaration) -> bool:
        """Whether it goes into ``style=""``."""
        return declaration.family not in self._unmoved

    def stays(self, declaration: Declaration) -> bool:
        """Whether it is in the style sheet, even if it also moves."""
        return not self.moved(declaration) or declaration in self._strong

    def important(self, declaration: Declaration) -> bool:
        """Whether it has an ``!important`` in the style sheet."""
        return declaration.important or declaration in self._strong

    def inline(self, cascade: Cascade) -> list[str]:
        """The declarations for ``style=""``, to be put before those that are there already."""
        inline = [
            (one, origin)
            for one, origin, _ in cascade.contenders
            if origin is Origin.OWN or (origin is Origin.MOVES and self.moved(one))
        ]
        return [
            declaration.written(declaration.important and declaration not in self._strong)
            for declaration, origin in _useful(inline)
            if origin is Origin.MOVES
        ]

    def raised(self, cascade: Cascade) -> Collection[Declaration]:
        """The declarations in ``style=""`` that need an ``!important`` to stay the strongest."""
        return [
            declaration
            for some in cascade.families.values()
            if _is_rising(some, self._strong)
            for declaration, origin, _ in some
            if origin is Origin.OWN and not declaration.important
        ]


def _useful(inline: Sequence[tuple[Declaration, Origin]]) -> list[tuple[Declaration, Origin]]:
    """Leave out declarations that a later one replaces in every client. A gradient does not
    replace a colour, as some clients do not support gradients. Nor does a property that occurs
    twice in one block (``display: block; display: flex``)."""
    useful: list[tuple[Declaration, Origin]] = []
    replaced: dict[str, object] = {}
    for one, origin in reversed(inline):
        if replaced.get(one.name, one.block) is one.block:
            useful.append((one, origin))
        if "(" not in one.value:
            replaced.setdefault(one.name, one.block)
    return useful[::-1]


def _strong(groups: Iterable[Sequence[Contender]]) -> set[Declaration]:
    """The declarations in the style sheet that must override ``style=""``: those that stay although
    a weaker one moves, and all that are stronger than these."""
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
    """Whether competing declarations keep their order."""
    return all(ranks == sorted(ranks) for ranks in (_ranks(some, strong) for some in groups))


def _ranks(some: Sequence[Contender], strong: Collection[Declaration]) -> list[tuple[int, int]]:
    """The new rank of each: 0 in a rule, 1 in ``style=""``, 2 and 3 with an ``!important``."""
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
