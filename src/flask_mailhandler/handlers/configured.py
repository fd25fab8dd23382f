"""A class with options: keyword arguments, ``MAIL_*`` keys and ``repr``, without a decorator."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable
from collections.abc import Mapping

from .. import config
from ..errors import ConfigurationError
from ..frozen import mark_as_dataclass

if t.TYPE_CHECKING:
    import abc

    # Only type checkers see a metaclass. With a decorator instead, mypy would read an option of a
    # subclass as the type that its argument takes, and not as the type it is converted to.
    @t.dataclass_transform(
        kw_only_default=True,
        frozen_default=True,
        eq_default=False,
        field_specifiers=(dataclasses.field,),
    )
    class Options(abc.ABCMeta):
        """The metaclass of a class with options, for type checkers."""

else:
    Options = type


_OURS = __name__.partition(".")[0] + "."


class Configured:
    """Makes each subclass a dataclass: frozen, with keyword arguments only, compared by identity.
    A subclass that has the decorator too works as well."""

    if t.TYPE_CHECKING:
        __dataclass_fields__: t.ClassVar[dict[str, dataclasses.Field[t.Any]]]
    else:

        def __setattr__(self, name: str, value: object) -> None:
            raise _frozen(self, name)

        def __delattr__(self, name: str) -> None:
            raise _frozen(self, name)

        def __init__(self, **options: object) -> None:
            # The caller may be the constructor of a class that derives from it.
            abstract = next(
                cls
                for cls in type(self).__mro__
                if issubclass(cls, Configured) and "__init__" not in vars(cls)
            )
            _complete(abstract)
            abstract.__init__(self, **options)

    def __init_subclass__(cls, *, abstract: bool = False, **arguments: t.Any) -> None:
        """Make the class a dataclass.

        :param abstract: Whether the class is there to derive from. Its constructor is then written
            if it is called nevertheless, because that takes a millisecond for each class.
        """
        super().__init_subclass__(**arguments)
        if abstract:
            mark_as_dataclass(cls, kw_only=True)
            if not cls.__module__.startswith(_OURS):
                _freeze(cls)
        else:
            _complete(cls)

    @classmethod
    def from_config(
        cls, values: Mapping[str, object], label: Callable[[str], str] = config.key
    ) -> t.Self:
        """Make a handler from configuration. Values that are not its options are ignored.

        .. code-block:: python

            SMTPEmailHandler.from_config({"host": "mail.example.com", "port": "465"})

        :param values: Option names, in lower case and without ``MAIL_``, to values.
        :param label: Returns the name under which the user wrote an option, for errors.
        :raises ConfigurationError: naming the key whose value is wrong.
        """
        known = config.options(cls)
        if untyped := known.keys() - {field.name for field in dataclasses.fields(cls)}:
            name = min(untyped)
            raise ConfigurationError(
                f"The option {name!r} of {cls.__name__} has no type. Write it with one:"
                f" {name}: Option[str | None, str] = Option(...)."
            )
        return cls(**config.read(known, values, label))

    def __repr__(self) -> str:
        changed = (
            f"{name}={value!r}"
            for name, option in config.options(type(self)).items()
            if (value := getattr(self, name)) != option.default
        )
        return f"{type(self).__name__}({', '.join(changed)})"


def _complete(cls: type[Configured]) -> None:
    """Write the constructor of a class."""
    written = dict(vars(cls))
    _freeze(cls)
    dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)(cls)
    # The decorator, if the class has it too, finds what the author wrote, and raises if it
    # finds these two.
    del cls.__setattr__, cls.__delattr__
    for name, value in written.items():
        if isinstance(value, dataclasses.Field):
            setattr(cls, name, value)


def _freeze(cls: type[Configured]) -> None:
    """Let :mod:`dataclasses` take a class and its bases for frozen, as its decorator needs it.

    Ours are not before that: to derive a class from a frozen one takes 0.2 ms more.
    """
    for base in filter(dataclasses.is_dataclass, cls.__mro__):
        t.cast(t.Any, base).__dataclass_params__.frozen = True


def _frozen(handler: Configured, name: str) -> dataclasses.FrozenInstanceError:
    return dataclasses.FrozenInstanceError(
        f"A {type(handler).__name__} does not change, so {name!r} cannot be set. Use"
        " dataclasses.replace() for another option, and a field for what the handler holds:"
        " sent: list[str] = dataclasses.field(default_factory=list)."
    )
