"""Run Email-Simplified's own tests, the folder tests/ of its repository, over this package.

Write: python tests/tools/email_simplified_tests.py FOLDER

Its names are those of this package. Where docs/migrating.rst says to write something else, a class
here does what it says, and nothing more.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import typing as t
from collections.abc import Iterable
from collections.abc import MutableSequence
from email.message import EmailMessage
from pathlib import Path
from types import ModuleType

import pytest

import flask_mailhandler as ours
from flask_mail_tests import Counted
from flask_mailhandler.address import parse_address
from flask_mailhandler.address import parse_addresses
from flask_mailhandler.handlers import find

EXPECTED = 37
THEIR_ADDRESS = "from email.headerregistry import Address"


class _AnyAddress(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, ours.Address)


class Address(metaclass=_AnyAddress):
    """``Address(display_name, username, domain)``: ``Address("ann@example.com", "Ann")``."""

    def __new__(
        cls, display_name: str = "", username: str = "", domain: str = "", addr_spec: str = ""
    ) -> t.Any:
        return ours.Address(addr_spec or f"{username}@{domain}", display_name)


class AddressList(MutableSequence[t.Any]):
    """``to.append(address)``: ``[*to, address]``."""

    def __init__(self, value: Iterable[t.Any] = ()) -> None:
        self._new = parse_addresses([*value])

    def __getitem__(self, index: t.Any) -> t.Any:
        return self._new[index]

    def __len__(self) -> int:
        return len(self._new)

    def __setitem__(self, index: t.Any, value: t.Any) -> None:
        changed: list[t.Any] = [*self._new]
        changed[index] = value
        self._new = parse_addresses(changed)

    def __delitem__(self, index: t.Any) -> None:
        self[:] = [address for at, address in enumerate(self) if at != index]

    def insert(self, index: int, value: t.Any) -> None:
        self._new = parse_addresses([*self[:index], value, *self[index:]])

    def __eq__(self, other: object) -> bool:
        return self._new == other


class Message:
    """``message.subject = "a"``: ``message.replace(subject="a")``. What is left out is ``""`` here,
    and ``reply_to`` is several addresses."""

    def __init__(self, **fields: t.Any) -> None:
        self.__dict__["new"] = ours.Message(**fields)

    def __getattr__(self, name: str) -> t.Any:
        found = getattr(self.__dict__["new"], name)
        if name == "reply_to":
            return found[0] if found else None
        return None if found == "" else found

    def __setattr__(self, name: str, value: t.Any) -> None:
        self.__dict__["new"] = self.__dict__["new"].replace(**{name: value})

    @classmethod
    def from_mime(cls, message: EmailMessage) -> Message:
        made = cls()
        made.__dict__["new"] = ours.Message.from_mime(message)
        return made


def get_handler_class(name: t.Any) -> type[ours.EmailHandler]:
    """The handlers "smtp" and "test" are "smtp" and "memory"."""
    return find("memory" if name == "test" else name)


def modules() -> dict[str, ModuleType]:
    """Return the modules of Email-Simplified, with these names."""
    names = {
        "Address": Address,
        "AddressList": AddressList,
        "Attachment": ours.Attachment,
        "EmailHandler": ours.EmailHandler,
        "Message": Message,
        "SMTPEmailHandler": ours.SMTPEmailHandler,
        "TestEmailHandler": ours.MemoryEmailHandler,
        "get_handler_class": get_handler_class,
        "prepare_address": parse_address,
    }
    made = {}
    for name in ("", ".address", ".handlers", ".handlers.smtp"):
        made[f"email_simplified{name}"] = module = ModuleType(f"email_simplified{name}")
        vars(module).update(names, __path__=[])
    return made


def main(folder: str) -> int:
    """Run the tests in a folder, and list those that fail.

    :return: 0 if no other test fails than docs/migrating.rst says.
    """
    sys.modules.update(modules())
    counted = Counted()
    with tempfile.TemporaryDirectory() as scratch:
        tests = shutil.copytree(folder, f"{scratch}/tests")
        for path in Path(tests).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            text = text.replace(THEIR_ADDRESS, "from email_simplified.address import Address")
            path.write_text(text, encoding="utf-8")
        options = ["-ofilterwarnings=", "-q", "--tb=line", "-rf", "-pno:cacheprovider"]
        pytest.main([*options, f"--rootdir={scratch}", str(tests)], plugins=[counted])
    print(f"{counted.passed} of {counted.passed + counted.failed} passed")
    return counted.passed < EXPECTED


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
