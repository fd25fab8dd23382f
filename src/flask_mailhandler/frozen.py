"""Values that do not change: dataclasses for which Python writes no code at import.

``@dataclass(frozen=True, slots=True)`` compiles six methods for each class, which takes 0.5 ms of
each start of an app. :class:`Frozen` has these methods once, for all classes. To describe the
fields of a class takes 0.1 ms more, and is done when :mod:`dataclasses` first asks for them.

A class whose fields convert what they are given has a :class:`Field` for each.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping

T = t.TypeVar("T")


class _Described:
    """An attribute that :mod:`dataclasses` adds to a class. It is added when it is first read."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, cls: type) -> t.Any:
        # Two threads may come here at once, and describe the class twice in the same way.
        for base in cls.__mro__:
            if Frozen in base.__bases__:
                if self.name not in vars(base):
                    mark_as_frozen_dataclass(base)
                return getattr(cls, self.name)
        raise AttributeError(f"type object {cls.__name__!r} has no attribute {self.name!r}")


@t.dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class Frozen:
    """The base of a frozen dataclass. A direct subclass has annotated fields, and no decorator.

    :mod:`dataclasses` takes it for a dataclass, so ``replace()`` and ``fields()`` work. Objects are
    equal if their class and their fields are.

    A class of which many objects are made writes its own ``__init__``, whose parameters are the
    fields in their order, and has ``__slots__`` or is :func:`slotted`.
    """

    __slots__ = ()

    if t.TYPE_CHECKING:
        __dataclass_fields__: t.ClassVar[dict[str, dataclasses.Field[t.Any]]]
    else:
        __dataclass_fields__ = _Described()
        __dataclass_params__ = _Described()
        __match_args__ = _Described()

    def __init_subclass__(cls, **arguments: t.Any) -> None:
        super().__init_subclass__(**arguments)
        # Only our own classes. A class that a user derives from one of them is a dataclass if it
        # has the decorator.
        if Frozen in cls.__bases__ and any(
            isinstance(value, dataclasses.Field) for value in vars(cls).values()
        ):
            mark_as_frozen_dataclass(cls)  # which puts the default in the place of the field

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

    # Python 3.13 adds it to a dataclass, and copy.replace() asks a class that may not be described.
    def __replace__(self, /, **changes: t.Any) -> t.Self:
        return dataclasses.replace(self, **changes)

    # Without them, an object with slots would be unpickled and copied through __setattr__.
    def __getstate__(self) -> list[object]:
        return [getattr(self, field.name) for field in _fields(type(self))]

    def __setstate__(self, state: list[object]) -> None:
        for field, value in zip(_fields(type(self)), state, strict=True):
            object.__setattr__(self, field.name, value)


def slotted(cls: type[T]) -> type[T]:
    """Give a class slots for its fields, which may have defaults."""
    with_slots = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    t.cast(t.Any, with_slots).__dataclass_params__.frozen = True
    return with_slots


def mark_as_dataclass(cls: t.Any, *, kw_only: bool = False) -> None:
    """Make :mod:`dataclasses` take a class for a dataclass, without adding a method."""
    bases: t.Any = filter(dataclasses.is_dataclass, cls.__mro__[1:])
    frozen = any(base.__dataclass_params__.frozen for base in bases)  # then it must be one too
    dataclasses.dataclass(init=False, repr=False, eq=False, frozen=frozen, kw_only=kw_only)(cls)
    if frozen:
        # The decorator, if the class has it too, refuses to overwrite these two.
        del cls.__setattr__, cls.__delattr__


def mark_as_frozen_dataclass(cls: t.Any, *, kw_only: bool = False) -> None:
    """Make :mod:`dataclasses` take a class for a frozen dataclass, without adding a method."""
    mark_as_dataclass(cls, kw_only=kw_only)
    # With frozen=True, each class would take 0.2 ms more, for two methods that are not needed.
    cls.__dataclass_params__.frozen = True


def _fields(cls: type[Frozen]) -> tuple[dataclasses.Field[t.Any], ...]:
    return dataclasses.fields(cls)


def _compared(value: object) -> tuple[object, ...]:
    fields = _fields(t.cast("type[Frozen]", type(value)))
    return tuple([getattr(value, field.name) for field in fields if field.compare])


class FrozenMapping(Mapping[str, T]):
    """A mapping that does not change, in the order in which it was written."""

    __slots__ = ("_found",)

    def __init__(self, found: Mapping[str, T]) -> None:
        object.__setattr__(self, "_found", dict(found))

    def __setattr__(self, name: str, value: object) -> t.NoReturn:
        raise AttributeError("It does not change: write message = message.replace(...)")

    def __getitem__(self, name: str) -> T:
        found: T = self._found[name]  # type: ignore[attr-defined]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return len(self._found)  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(frozenset(self.items()))

    def __repr__(self) -> str:
        return repr(self._found)  # type: ignore[attr-defined]

    def __reduce__(self) -> tuple[t.Any, ...]:
        return type(self), (self._found,)  # type: ignore[attr-defined]


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


@t.dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=False)
def filled_at_once(cls: type[T]) -> type[T]:
    """Make a frozen dataclass whose fields are all :class:`Field`.

    Its constructor fills ``__dict__``, from which the fields are read. The generated constructor
    would call a descriptor for every field, though most fields are left out. ``_filled()``
    gets the arguments.
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
    fresh = [name for name in fields if name not in left_out]
    convert = {name: field.convert for name, field in fields.items()}

    def fill(self: t.Any, **given: t.Any) -> None:
        found = self.__dict__
        found.update(left_out)
        for name, value in given.items():
            found[name] = convert[name](value, name)
        for name in fresh:
            if name not in given:
                found[name] = convert[name](fields[name].default, name)
        self._filled(given)

    cls.__init__ = fill  # type: ignore[method-assign]
    for name in fields:
        delattr(cls, name)
    return cls
