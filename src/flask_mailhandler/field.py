"""A typed field: takes what a writer may give, reads as what it was converted to."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

In = t.TypeVar("In")
Out = t.TypeVar("Out")


class Field(t.Generic[In, Out]):
    """A descriptor for the fields of a frozen dataclass. A wrong value raises on the writer's
    line, and type checkers know both types.

    :param convert: Called with the value and the field's name.
    :param default: The value of an object that leaves the field out.
    :param fresh: Whether the default is converted anew for each object, such as the time.
    """

    def __init__(
        self, convert: Callable[[t.Any, str], Out], default: In, *, fresh: bool = False
    ) -> None:
        self.convert = convert
        self.default = default
        self.fresh = fresh

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        # Most fields of most objects are left out.
        self._converted = None if self.fresh else self.convert(self.default, name)

    @t.overload
    def __get__(self, instance: None, owner: t.Any) -> In: ...
    @t.overload
    def __get__(self, instance: object, owner: t.Any) -> Out: ...
    def __get__(self, instance: object | None, owner: t.Any) -> In | Out:
        # Without an instance it is the dataclass machinery that asks for the default.
        return self.default if instance is None else instance.__dict__[self.name]

    def __set__(self, instance: object, value: In) -> None:
        instance.__dict__[self.name] = (
            self._converted
            if value is self.default and not self.fresh
            else self.convert(value, self.name)
        )
