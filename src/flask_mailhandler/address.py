"""Addresses: each string holds one, which is parsed once and sent as it was parsed.

The standard library's parser is not used: it recurses, and takes quadratic time for some addresses.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from collections.abc import Sequence

from .errors import MessageError
from .text.addr_spec import MAX_ADDR_SPEC
from .text.addr_spec import MAX_LOCAL
from .text.addr_spec import read_addr_spec
from .text.addr_spec import split_name
from .text.checks import check_text
from .text.checks import plain
from .text.checks import shorten
from .text.checks import unproxied
from .text.common_form import read_common
from .text.common_form import read_each

if t.TYPE_CHECKING:
    from email.header import Header
    from email.headerregistry import Address as RegistryAddress


class Address(str):
    """An address: the string ``local@domain``, with a :attr:`name`.

    Comparing, hashing and joining use the string, without the name.

    .. code-block:: python

        address = Address("Ann Lee <ann@example.com>")
        assert address == "ann@example.com"
        assert address.name == "Ann Lee"

    :param value: ``ann@example.com`` or ``Ann Lee <ann@example.com>``.
    :param name: The display name, if *value* has none.
    :raises MessageError: if it is not exactly one address.
    """

    __slots__ = ("name", "written")
    _is_sender: t.ClassVar[bool] = False
    name: str
    written: str
    """The address as it is written in a header, if it was passed in that form; otherwise ""."""

    def __new__(cls, value: str, name: str = "", *, field: str = "address") -> t.Self:
        if type(value) is cls and not name:
            return value
        if (split := _of_registry(value)) is not None and not name:
            name, value = split
        common = read_common(cls, value)
        if common is not None and not name:
            return common
        if common is not None and not common.name and type(name) is str:
            common.name = check_text(name, f"the name in {field}").strip(" \t")
            common.written = ""
            return common
        text = plain(value)
        if text is None:
            raise MessageError(f"{field} takes a string, not {shorten(value)}.")
        check_text(text, field)
        found, addr_spec = split_name(text.strip(" \t"), field)
        given = plain(name) if name else found
        if given is None:
            raise MessageError(f"{field} takes a string as the name, not {shorten(name)}.")
        if name and found:
            raise MessageError(f"{field} has two names, {shorten(found)} and {shorten(name)}.")
        self = super().__new__(cls, read_addr_spec(addr_spec, field, sender=cls._is_sender))
        self.name = check_text(given, f"the name in {field}").strip(" \t")
        self.written = ""
        return self

    @property
    def local(self) -> str:
        """The part before the ``@``, as you wrote it."""
        return self.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """The part after the ``@``, in lower case and in its ASCII form."""
        return self.rpartition("@")[2]

    @property
    def formatted(self) -> str:
        """The name and the address, to show to people: ``Ann Lee <ann@example.com>``."""
        return f"{self.name} <{self}>" if self.name else str.__str__(self)

    def __repr__(self) -> str:
        name = f", name={self.name!r}" if self.name else ""
        return f"{type(self).__name__}({str.__repr__(self)}{name})"

    def __reduce__(self) -> tuple[t.Any, ...]:
        return type(self), (str.__str__(self), self.name)


class EnvelopeSender(Address):
    """An address that bounces are sent to.

    Those of list managers and of SRS can have more than 64 octets before the @: the server decides.
    """

    __slots__ = ()
    _is_sender = True


class LocalizedAddress(Address):
    """The address of a person, with a language such as ``de_AT``; "" is that of the app."""

    __slots__ = ("locale",)
    locale: str

    def __reduce__(self) -> tuple[t.Any, ...]:
        return localized, (Address(str.__str__(self), self.name), self.locale)


def localized(address: Address, locale: object) -> LocalizedAddress:
    """Return a copy of an address, with a language."""
    self = str.__new__(LocalizedAddress, address)
    self.name, self.written = address.name, address.written
    self.locale = "" if locale is None else str(locale)
    return self


class Person(t.Protocol):
    """An object that may stand for its address, such as a user."""

    def __mail_address__(self) -> AddressInput: ...


AddressInput: t.TypeAlias = "str | tuple[str | Header, str] | RegistryAddress | Header | Person"
AddressesInput: t.TypeAlias = "AddressInput | Iterable[AddressInput] | None"


class Addresses(tuple[Address, ...]):
    """Addresses in order: a tuple that can also be equal to a list.

    So a test can say ``message.to == ["ann@example.com"]``.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, tuple(other) if isinstance(other, list) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return tuple.__hash__(self)

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """The addresses as ``(name, address)`` pairs. Comparing these compares the names too."""
        return tuple((address.name, str.__str__(address)) for address in self)


NOBODY = Addresses()


def parse_address(value: object, field: str = "address", kind: type[Address] = Address) -> Address:
    """Read one address.

    :param value: A string, a ``(name, address)`` pair, an :class:`Address`, an address of the
        standard library, or an object with ``__mail_address__()``.
    :param kind: The class of the result.
    :raises MessageError: if the value is not an address.
    """
    if type(value) is str:
        # Without the steps of the constructor, it takes 0.8 µs less.
        return read_common(kind, value) or kind(value, field=field)
    value = value if issubclass(type(value), Address) else unproxied(value)
    if isinstance(value, Address):
        return value
    if hasattr(type(value), "__mail_address__"):
        return _of_person(value, field, kind)
    if len(within := _of_field(value) or ()) == 1:  # a From of the standard library
        (value,) = within
    value = _of_registry(value) or value
    if isinstance(value, tuple | list) and len(value) == 2:
        name, addr_spec = value
        # A list of two addresses is not a pair, though the first could be a name.
        if isinstance(value, list) and "@" in (plain(name) or ""):
            raise MessageError(f"{field} takes one address, not {shorten(value)}.")
        return kind(addr_spec, "" if name is None else name, field=field)
    if plain(value) is None:
        raise MessageError(
            f"{field} takes strings and (name, address) pairs, not {shorten(value)}.{_hint(value)}"
        )
    return kind(t.cast(str, value), field=field)


def parse_envelope_sender(value: object, field: str = "envelope_sender") -> Address:
    """Read an address that bounces are sent to. It may have a longer local part than others.

    :raises MessageError: if the value is not an address.
    """
    found = parse_address(value, field, EnvelopeSender)
    other = type(found) is not Address and len(found.local.encode()) <= MAX_LOCAL
    within = other and len(found.encode()) <= MAX_ADDR_SPEC
    return Address(str.__str__(found), found.name, field=field) if within else found


def parse_addresses(value: object, field: str = "address") -> Addresses:
    """Read one address or several. None means no addresses, and a string is one address.

    A tuple of two strings is a ``(name, address)`` pair unless the first is an address itself.

    :raises MessageError: if one of them is not an address.
    """
    if value is None:
        return NOBODY
    if type(value) is str:
        return Addresses((parse_address(value, field),))
    if type(value) is Addresses:
        return value
    value = value if type(value) is list else unproxied(value)
    if type(value) is list:
        return Addresses(read_each(Address, value, field, parse_address)) if value else NOBODY
    if hasattr(type(value), "__mail_address__"):
        return Addresses((parse_address(value, field),))
    if (within := _of_field(value)) is not None:
        return Addresses([parse_address(item, field) for item in within])
    if plain(value) is not None or _is_pair(value) or _of_registry(value):
        return Addresses((parse_address(value, field),))
    if isinstance(value, bytes | bytearray | dict) or not isinstance(value, Iterable):
        raise MessageError(
            f"{field} takes addresses, not {shorten(value)}: write 'ann@example.com', the pair"
            f" ('Ann', 'ann@example.com'), or a list of these.{_hint(value)}"
        )
    return Addresses(parse_address(item, field) for item in value)


def _of_person(value: t.Any, field: str, kind: type[Address]) -> Address:
    person = type(value)
    made = unproxied(person.__mail_address__(value))
    if made is None or hasattr(type(made), "__mail_address__"):
        why = f"__mail_address__() returned {shorten(made)}"
        raise MessageError(f"{field} has a {person.__name__} without an address: {why}.")
    address = parse_address(made, field, kind)
    if not hasattr(person, "__mail_locale__"):
        return address
    return localized(address, person.__mail_locale__(value))


def _hint(value: object) -> str:
    name = "" if type(value).__module__ == "builtins" else type(value).__name__
    return name and f" Write mail.address_of({name}, function), or give it a __mail_address__()."


def _of_registry(value: object) -> tuple[str, str] | None:
    """Return the name and the addr-spec of an address of ``email.headerregistry``."""
    if isinstance(value, str) or (addr_spec := getattr(value, "addr_spec", None)) is None:
        return None
    return getattr(value, "display_name", None) or "", str(addr_spec)


def _of_field(value: object) -> Sequence[object] | None:
    """Return the addresses in a field or a group of ``email.headerregistry``."""
    found = getattr(value, "addresses", None)
    return found if type(found) is tuple else None  # not the relationship of a model


def unique(addresses: Iterable[Address]) -> Addresses:
    """Return the addresses in order, each once. Of two with the same string, the first is kept."""
    return Addresses(dict.fromkeys(addresses))


def _is_pair(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) != 2 or isinstance(value, Addresses):
        return False
    name, addr_spec = value
    if isinstance(name, Address) or plain(addr_spec) is None:
        return False
    text = plain(name)
    return name is None or (text is not None and "@" not in text)
