"""Values that must never be shown."""

from __future__ import annotations

import typing as t


class Secret:
    """A password, a token, or a line that has one in it. However you print it, it shows ``***``.

    .. code-block:: python

        password = Secret("correct horse")
        connection.login("shop", password.reveal())

    Pass the result of :meth:`reveal` on directly, as here. Do not assign it to a variable: a
    traceback that shows local variables would show it.

    :param value: The secret itself, or another :class:`Secret`.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str | bytes | Secret) -> None:
        self.__value: str | bytes = value.__value if isinstance(value, Secret) else value

    def reveal(self) -> str:
        """Return the secret as text."""
        return self.__value if isinstance(self.__value, str) else self.__value.decode()

    def octets(self) -> bytes:
        """Return the secret as octets (UTF-8)."""
        return self.__value if isinstance(self.__value, bytes) else self.__value.encode()

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.octets() == other.octets()

    __hash__: t.ClassVar[None] = None  # type: ignore[assignment]

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, t.Any]) -> Secret:
        return self

    def __reduce__(self) -> t.NoReturn:
        raise TypeError("a Secret cannot be pickled: build the handler again where you need it")
