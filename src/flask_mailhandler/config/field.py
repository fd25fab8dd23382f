"""A typed field: you may assign one type, and read another, to which it was converted."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable

from ..frozen import mark_as_frozen_dataclass

In = t.TypeVar("In")
Out = t.TypeVar("Out")


class Field(t.Generic[In, Out]):
    """A descriptor for the fields of a frozen dataclass.

    A wrong value raises an error on the line that gives it, and type checkers know both types.

    :param convert: Called with the value and the field's name.
    :param default: The value of a field that is left out.
    :param fresh: Whether the default is converted again for each object, such as the time.
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
        # Without an instance, the dataclass decorator asks for the default.
        return self.default if instance is None else instance.__dict__[self.name]

    def __set__(self, instance: object, value: In) -> None:
        instance.__dict__[self.name] = (
            self._converted
            if value is self.default and not self.fresh
            else self.convert(value, self.name)
        )


T = t.TypeVar("T")


@t.dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=False)
def filled_at_once(cls: type[T]) -> type[T]:
    """Make a frozen dataclass whose fields are all :class:`Field`.

    Its constructor fills ``__dict__``, from which the fields are read. The generated constructor
    would call a descriptor for every field, though most fields are left out.
    """
    mark_as_frozen_dataclass(cls, kw_only=True)
    fields: dict[str, Field[t.Any, t.Any]] = {
        field.name: vars(cls)[field.name]
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
    }
    left_out = {
        name: field.convert(field.default, name)
        for name, field in fields.items()
        if not field.fresh
    }
    fresh = fields.keys() - left_out.keys()

    def fill(self: t.Any, **given: t.Any) -> None:
        found = self.__dict__
        found.update(left_out)
        for name, value in given.items():
            found[name] = fields[name].convert(value, name)
        for name in fresh - given.keys():
            found[name] = fields[name].convert(fields[name].default, name)
        self.__post_init__()

    cls.__init__ = fill  # type: ignore[method-assign]
    for name in fields:
        delattr(cls, name)
    return cls
