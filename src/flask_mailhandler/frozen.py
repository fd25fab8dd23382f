"""Values that do not change: dataclasses for which Python writes no code at import.

``@dataclass(frozen=True, slots=True)`` compiles six methods for each class, which takes 0.5 ms of
each start of an app. :class:`Frozen` has these methods once, for all classes.
"""

from __future__ import annotations

import dataclasses
import typing as t


@t.dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class Frozen:
    """The base of a frozen dataclass. A subclass has annotated fields, and needs no decorator.

    :mod:`dataclasses` takes it for a dataclass, so ``replace()`` and ``fields()`` work. Objects are
    equal if their class and their fields are.

    A class of which many objects are made writes its own ``__init__``, whose parameters are the
    fields in their order, and has ``__slots__``: that is quicker than the general one here.
    """

    __slots__ = ()

    if t.TYPE_CHECKING:
        __dataclass_fields__: t.ClassVar[dict[str, dataclasses.Field[t.Any]]]

    def __init_subclass__(cls, **arguments: t.Any) -> None:
        super().__init_subclass__(**arguments)
        if "__dataclass_fields__" in vars(cls):
            return  # the decorator makes a class with slots a second time
        mark_as_frozen_dataclass(cls)
        # A subclass with the decorator may leave out what has a default.
        if defaults := getattr(cls.__init__, "__defaults__", None):
            for field, default in zip(_fields(cls)[::-1], defaults[::-1], strict=False):
                field.default = default

    if not t.TYPE_CHECKING:

        def __init__(self, *given: object, **named: object) -> None:
            fields = _fields(type(self))
            values = dict(zip((field.name for field in fields), given, strict=False))
            if len(given) > len(fields) or values.keys() & named.keys():
                raise TypeError(f"{type(self).__name__}() takes each of its fields once.")
            values |= named
            for field in fields:
                value = values.pop(field.name, field.default)
                if value is dataclasses.MISSING and field.default_factory is not value:
                    value = field.default_factory()
                if value is dataclasses.MISSING:
                    raise TypeError(f"{type(self).__name__}() needs {field.name}=.")
                object.__setattr__(self, field.name, value)
            if values:
                raise TypeError(f"{type(self).__name__}() has no field {min(values)!r}.")

        def __setattr__(self, name: str, value: object) -> None:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

        def __delattr__(self, name: str) -> None:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return _compared(self) == _compared(other)

    def __hash__(self) -> int:
        return hash(_compared(self))

    def __repr__(self) -> str:
        shown = [field.name for field in _fields(type(self)) if field.repr]
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({fields})"

    # Without them, an object with slots would be unpickled and copied through __setattr__.
    def __getstate__(self) -> list[object]:
        return [getattr(self, field.name) for field in _fields(type(self))]

    def __setstate__(self, state: list[object]) -> None:
        for field, value in zip(_fields(type(self)), state, strict=True):
            object.__setattr__(self, field.name, value)


def mark_as_frozen_dataclass(cls: t.Any, *, kw_only: bool = False) -> None:
    """Make :mod:`dataclasses` take a class for a frozen dataclass, without adding a method."""
    frozen = hasattr(cls, "__dataclass_fields__")  # its base is one, so it must be one too
    dataclasses.dataclass(init=False, repr=False, eq=False, frozen=frozen, kw_only=kw_only)(cls)
    if frozen:
        # The decorator, if the class has it too, refuses to overwrite these two.
        del cls.__setattr__, cls.__delattr__
    # With frozen=True, each class would take 0.2 ms more, for these two alone.
    cls.__dataclass_params__.frozen = True


def _fields(cls: type[Frozen]) -> tuple[dataclasses.Field[t.Any], ...]:
    return dataclasses.fields(cls)


def _compared(value: object) -> tuple[object, ...]:
    fields = _fields(t.cast("type[Frozen]", type(value)))
    return tuple([getattr(value, field.name) for field in fields if field.compare])
