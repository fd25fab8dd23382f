"""Addresses: one in each string, read once, and sent as it was read."""

from __future__ import annotations

import copy
import pickle
import typing as t

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from flask_mailhandler import Address
from flask_mailhandler import MessageError
from flask_mailhandler.address import Addresses
from flask_mailhandler.address import parse_address
from flask_mailhandler.address import parse_addresses
from flask_mailhandler.address import unique
from flask_mailhandler.mime.header import address_field
from flask_mailhandler.text import common_form
from flask_mailhandler.text.checks import check_text
from flask_mailhandler.text.checks import shorten


class Lazy:
    """A lazy string of a translation library."""

    def __str__(self) -> str:
        return "Ann <ann@example.com>"

    encode = format = property(lambda self: None)


class Markup(str):
    """A subclass of str with its own __str__."""

    __slots__ = ()

    def __str__(self) -> str:
        return "other@example.com"


@pytest.mark.parametrize(
    ("value", "mailbox", "name"),
    [
        ("ann@example.com", "ann@example.com", ""),
        (" ann@example.com\t", "ann@example.com", ""),
        ("<ann@example.com>", "ann@example.com", ""),
        ("Ann <ann@example.com>", "ann@example.com", "Ann"),
        ("Ann<ann@example.com>", "ann@example.com", "Ann"),
        ("Ann Q. Lee <ann@example.com>", "ann@example.com", "Ann Q. Lee"),
        ("O'Brien  (no <ann@example.com>", None, ""),
        ('"Lee, Ann" <ann@example.com>', "ann@example.com", "Lee, Ann"),
        ('"a \\"b\\" \\\\" <ann@example.com>', "ann@example.com", 'a "b" \\'),
        ('"" <ann@example.com>', "ann@example.com", ""),
        ("Zoë <zoe@example.com>", "zoe@example.com", "Zoë"),
        ("Ann.Lee+tag@Example.COM", "Ann.Lee+tag@example.com", ""),
        ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com", ""),
        ('"a b"@example.com', '"a b"@example.com', ""),
        ('"a@b"@example.com', '"a@b"@example.com', ""),
        ('"a\\"b"@example.com', '"a\\"b"@example.com', ""),
        ('X <"a,b"@example.com>', '"a,b"@example.com', "X"),
        ("jörg@example.com", "jörg@example.com", ""),
        # Characters whose low octet is CR or LF stay unchanged.
        ("\u760d\u760a@example.com", "\u760d\u760a@example.com", ""),
        ("ann@faß.de", "ann@xn--fa-hia.de", ""),
        ("ann@BÜCHER.example", "ann@xn--bcher-kva.example", ""),
        ("ann@xn--fa-hia.de", "ann@xn--fa-hia.de", ""),
        ("ann@localhost", "ann@localhost", ""),
        ("ann@[192.0.2.1]", "ann@[192.0.2.1]", ""),
        ("ann@[IPv6:2001:DB8::1]", "ann@[IPv6:2001:db8::1]", ""),
        (f"{'a' * 64}@example.com", f"{'a' * 64}@example.com", ""),
        (f"a@{'b' * 63}.example", f"a@{'b' * 63}.example", ""),
    ],
)
def test_accepted(value: str, mailbox: str | None, name: str) -> None:
    """C-7, C-21, C-25: the local part stays as it is, the domain is lower-case ASCII."""
    if mailbox is None:
        with pytest.raises(MessageError):
            Address(value)
        return

    address = Address(value)

    assert (str(address), address.name) == (mailbox, name)
    assert f"{address.local}@{address.domain}" == mailbox
    assert address == mailbox


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("Ann <>", "is empty"),
        ("ann", "has no @"),
        ("ann at example.com", "has no @"),
        ("@example.com", "nothing before the @"),
        ("ann@", "no valid domain"),
        ("ann@.example.com", "no valid domain"),
        ("ann@example..com", "no valid domain"),
        ("ann@example.com.", "no valid domain"),
        ("ann@-example.com", "no valid domain"),
        ("ann@exa_mple.com", "no valid domain"),
        ("ann@example.com\u200b", "IDNA 2008"),
        ("ann@exa mple.com", "no valid domain"),
        ("ann@☃.example", "IDNA 2008"),
        (f"ann@{'é' * 60}.example", "IDNA 2008"),
        (f"ann@{'b' * 64}.example", "no valid domain"),
        (f"ann@{'b.' * 128}example", "longer than 255"),
        (f"{'a' * 65}@example.com", "more than 64 octets"),
        (f"{'é' * 33}@example.com", "more than 64 octets"),
        (f"{'a' * 64}@{('b' * 60 + '.') * 3}example", "longer than 254"),
        ("ann@[192.0.2.256]", "address literal"),
        ("ann@[IPv6:fe80::1%eth0]", "address literal"),
        ("ann@[x]", "address literal"),
        ("ann@[192.0.2.1", "address literal"),
        ("ann..lee@example.com", "one dot too many"),
        (".ann@example.com", "one dot too many"),
        ("ann.@example.com", "one dot too many"),
        ("ann lee@example.com", "must be in quotes"),
        ("ann\u00a0lee@example.com", "must be in quotes"),
        ("ann(comment)@example.com", "comment"),
        ("ann@example.com (Ann)", "no valid domain"),
        ("ann@example.com, bob@example.com", "several as a list"),
        ("ann@example.com;bob@example.com", "several as a list"),
        ("ann,bob@example.com", "several addresses"),
        ("Ann <ann@example.com>, Bob <bob@example.com>", "list"),
        ("friends: ann@example.com;", "not one address|group"),
        ("friends:ann@example.com", "group or a route"),
        ("<@relay.example:ann@example.com>", "nothing before the @"),
        ("ann@relay@example.com", "more than one @"),
        ("ann@@example.com", "more than one @"),
        ("ann@example.com@", "more than one @"),
        ("ann@example.com bob@example.com", "not one address"),
        ("ann@example.com <bob@example.com>", "unquoted name"),
        ("ann@example.com> <bob@example.com>", "unquoted name"),
        ("Ann <ann@example.com> Lee", "end at its '>'"),
        ("Ann <ann@example.com", "end at its '>'"),
        ("Ann <<ann@example.com>>", "."),
        ('"Ann" ann@example.com', "neither an @"),
        ('"ann@example.com', "must be in quotes"),
        ('"a"b@example.com', "neither an @"),
        ("ann\uff20example.com", "not the ASCII @"),
        ("=?utf-8?q?ann=40x?=@example.com", "encoded word"),
        ("ann@example.com\n", "control character"),
        ("ann\n@example.com", "control character"),
        ('"ann\r\n"@example.com', "control character"),
        ("Ann\r\nBcc: x@example.com <ann@example.com>", "control character"),
        ("Ann\x00 <ann@example.com>", "control character"),
        ("Ann\x85 <ann@example.com>", "control character"),
        ("Ann\u2028 <ann@example.com>", "control character"),
        ("Ann\ud800 <ann@example.com>", "control character"),
        ("ann@example.com\x7f", "control character"),
    ],
)
def test_refused(value: str, hint: str) -> None:
    """C-7, C-22, CVE-2023-27043, CVE-2025-13033: refused, with a hint that names the field."""
    with pytest.raises(MessageError, match=hint) as caught:
        Address(value, field="to")

    assert str(caught.value).startswith(("to ", "the name in to"))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "value",
    [
        sign * 100_000
        for sign in ('"', ",", "<", ">", "@", ".", "\\", "(", "a", "a.", "é", '"\\', "<@", "[", " ")
    ]
    + ["a" * 100_000 + "@example.com", "a@" + "b-" * 100_000, "x " * 100_000 + "<a@b.c"],
)  # fmt: skip
def test_linear(value: str) -> None:
    """Refusing a hundred thousand characters takes linear time: with
    quadratic time, the test would not end."""
    with pytest.raises(MessageError):
        Address(value)


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(
        st.text("ab1.@<> \"'(),;:\\[]-_+é\t\n=?A\u2028", max_size=30),
        st.builds(
            lambda name, local, domain, end: f"{name}<{local}@{domain}>{end}",
            st.text("ab1. \"'(),;\\-_é\t=?A", max_size=9),
            st.text('ab1. "\\-_+é=?A', max_size=66),
            st.text("ab1.-A", max_size=70),
            st.sampled_from(["", " ", "x"]),
        ),
        st.builds(
            lambda name, space: f'"{name}"{space}<ab@example.com>',
            st.text("ab1. '(),;<>@\\-_é\t=?A", max_size=9),
            st.sampled_from(["", " ", "  "]),
        ),
    )
)
def test_the_quick_way_is_as_strict(value: str) -> None:
    """The patterns for common addresses agree with the full parser, and so do the fields."""

    def read() -> tuple[str, str, str] | None:
        try:
            address = Address(value)
            first, other = parse_addresses([value, "b@example.com"])
            again, last = parse_addresses(["b@example.com", value])
        except MessageError:
            return None
        assert parse_addresses([value]) == [address] == [first] == [last]
        assert [other, again] == ["b@example.com"] * 2
        for one in (first, last):
            assert (address.name, address.written) == (one.name, one.written)
        return str.__str__(address), address.name, address_field("To", [address])

    quick = read()
    longest = common_form._SHORT
    try:
        common_form._SHORT = -1
        assert read() == quick
    finally:
        common_form._SHORT = longest


@pytest.mark.parametrize(
    ("value", "expect"),
    [
        (("Ann", "ann@example.com"), ("Ann", "ann@example.com")),
        (["Ann", "ann@example.com"], ("Ann", "ann@example.com")),
        (("Lee, Ann <x>", "ann@example.com"), ("Lee, Ann <x>", "ann@example.com")),
        ((None, "ann@example.com"), ("", "ann@example.com")),
        (("", "ann@example.com"), ("", "ann@example.com")),
        (("", "Ann <ann@example.com>"), ("Ann", "ann@example.com")),
        (Address("ann@example.com", "Ann"), ("Ann", "ann@example.com")),
        (Lazy(), ("Ann", "ann@example.com")),
        (Markup("ann@example.com"), ("", "ann@example.com")),
    ],
)
def test_forms(value: object, expect: tuple[str, str]) -> None:
    """An address is a string, a (name, address) pair, or an Address; a lazy string becomes one."""
    address = parse_address(value)

    assert (address.name, str(address)) == expect


@pytest.mark.parametrize(
    "value",
    [None, 1, b"ann@example.com", ("Ann",), ("A", "B", "c@example.com"), (1, "a@example.com"),
     ("Bob", "Ann <ann@example.com>"), ("Ann", 1), {"a@example.com"}],
)  # fmt: skip
def test_wrong_forms(value: object) -> None:
    """Any other value is refused on the line that sets it, with the name of the field."""
    with pytest.raises(MessageError, match="reply_to"):
        parse_address(value, "reply_to")


def test_a_name_with_control_characters() -> None:
    """A line break in a name is refused, because the name may come from a form."""
    with pytest.raises(MessageError, match="the name in address has the control character"):
        Address("ann@example.com", "Ann\r\nBcc: x@example.com")


@pytest.mark.parametrize(
    ("value", "expect"),
    [
        (None, []),
        ([], []),
        ("ann@example.com", ["ann@example.com"]),
        (["a@example.com", "b@example.com"], ["a@example.com", "b@example.com"]),
        (("a@example.com", "b@example.com"), ["a@example.com", "b@example.com"]),
        (("Ann", "a@example.com"), ["a@example.com"]),
        ([("Ann", "a@example.com"), "b@example.com"], ["a@example.com", "b@example.com"]),
        ((Address("a@example.com"), Address("b@example.com")), ["a@example.com", "b@example.com"]),
        ((address for address in ["a@example.com"]), ["a@example.com"]),
        (Lazy(), ["ann@example.com"]),
        (Addresses([Address("a@example.com")]), ["a@example.com"]),
    ],
)
def test_several(value: object, expect: list[str]) -> None:
    """A field takes one address or several; a string is one address, not a list of letters."""
    assert parse_addresses(value) == expect


@pytest.mark.parametrize(
    "odd",
    [
        "a@example.com\nb@example.com",
        "a@example.com\n",
        "\na@example.com",
        "",
        " ",
        "a@",
        "@example.com",
        "a@example.com.",
        "a b@example.com",
        "A@Example.COM",
        '"a b"@example.com',
        "jörg@example.com",
        f"{'a' * 64}@example.com",
        f"{'a' * 65}@example.com",
        "Ann <ann@example.com>",
        Address("Ann <ann@example.com>"),
        Markup("ann@example.com"),
        ("Ann", "ann@example.com"),
        None,
        1,
        b"a@example.com",
    ],
    ids=repr,
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_odd_one_in_a_list(odd: t.Any, place: int) -> None:
    """Each value of a list is read as if it stood alone, and nothing of one is read as another."""
    values: list[t.Any] = ["a@example.com", "b@example.com"]
    values.insert(place, odd)

    def read(each: t.Callable[[], t.Iterable[Address]]) -> object:
        try:
            return [(type(one), one.name, str(one), one.written) for one in each()]
        except MessageError as error:
            return str(error)

    assert read(lambda: parse_addresses(values)) == read(lambda: map(parse_address, values))


@pytest.mark.parametrize("value", [1, b"a@example.com", {"a@example.com": "Ann"}, [None], [""]])
def test_wrong_several(value: object) -> None:
    """A value that is not a list of addresses is refused."""
    with pytest.raises(MessageError, match="bcc"):
        parse_addresses(value, "bcc")


def test_it_is_a_string() -> None:
    """An Address is the string local@domain; the name is an attribute."""
    address = Address("Ann <ann@Example.com>")

    assert address == "ann@example.com"
    assert hash(address) == hash("ann@example.com")
    assert ", ".join([address]) == "ann@example.com"
    assert address.formatted == "Ann <ann@example.com>"
    assert Address("ann@example.com").formatted == "ann@example.com"
    assert repr(address) == "Address('ann@example.com', name='Ann')"
    assert Address(address) is address


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))]
)
def test_copies(again: t.Callable[[t.Any], t.Any]) -> None:
    """A copy of an address keeps its name."""
    found = again(Addresses([Address("ann@example.com", "Ann")]))

    assert found.named == (("Ann", "ann@example.com"),)


def test_addresses_compare_with_lists() -> None:
    """Addresses are equal to a list: message.to == ["ann@example.com"]."""
    addresses = parse_addresses(["Ann <ann@example.com>", "bob@example.com"])

    assert addresses == ["ann@example.com", "bob@example.com"]
    assert addresses == ("ann@example.com", "bob@example.com")
    assert addresses != ["bob@example.com", "ann@example.com"]
    assert hash(addresses) == hash(("ann@example.com", "bob@example.com"))


def test_unique() -> None:
    """Each recipient is kept once, ignoring the case of the domain; the first spelling counts."""
    addresses = parse_addresses(["Ann <a@EXAMPLE.com>", "A@example.com", "Bob <a@example.com>"])

    assert unique(addresses).named == (("Ann", "a@example.com"), ("", "A@example.com"))


def test_shorten() -> None:
    """A value in the text of an error is escaped and cut."""
    assert shorten("a\nb") == "'a\\nb'"
    assert len(shorten("x" * 10**6)) == 80
    assert shorten(b"x" * 100).endswith("...")


def test_tab_is_text() -> None:
    """TAB is the only control character that text may have."""
    assert check_text("a\tb", "subject") == "a\tb"
