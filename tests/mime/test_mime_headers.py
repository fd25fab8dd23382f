"""Header fields in wire form, and the last check of the header block."""

from __future__ import annotations

import contextlib
import datetime
import typing as t

import pytest

from flask_mailhandler import Address
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.mime import render
from flask_mailhandler.mime.encoded_words import encoded_words
from flask_mailhandler.mime.folding import fold
from flask_mailhandler.mime.header import address_field
from flask_mailhandler.mime.header import custom_field
from flask_mailhandler.mime.header import date_field
from flask_mailhandler.mime.header import text_field
from flask_mailhandler.mime.header_block import header_block
from flask_mailhandler.mime.parameters import with_parameters
from flask_mailhandler.mime.stdlib.address_list import all_addresses
from flask_mailhandler.mime.stdlib.address_list import Group
from flask_mailhandler.mime.stdlib.address_list import parse_list
from flask_mailhandler.text.decoding import decoded
from wire_form import judge

UTC = datetime.UTC


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("", "Subject:"),
        ("Hello", "Subject: Hello"),
        ("100 % = <b>?", "Subject: 100 % = <b>?"),
        ("=?", "Subject: =?utf-8?b?PT8=?="),
        ("two  spaces", "Subject: =?utf-8?q?two__spaces?="),
        (" edge", "Subject: =?utf-8?q?_edge?="),
        ("edge ", "Subject: =?utf-8?q?edge_?="),
        ("a\tb", "Subject: =?utf-8?b?YQli?="),
        ("Grüße", "Subject: =?utf-8?b?R3LDvMOfZQ==?="),
        ("Ein großes Ding", "Subject: =?utf-8?q?Ein_gro=C3=9Fes_Ding?="),
        ("日本語", "Subject: =?utf-8?b?5pel5pys6Kqe?="),
        ("word " * 14 + "word", f"Subject: {'word ' * 13}word\r\n word"),
        ("x" * 200, "Subject: " + "x" * 200),
    ],
)
def test_text(text: str, expect: str) -> None:
    """C-26, C-46: ASCII is written as it is, folded at spaces; other text in encoded words."""
    assert text_field("Subject", text) == expect


def test_a_word_too_long_for_a_line_is_encoded() -> None:
    """C-26: no line has more than 998 characters."""
    lines = text_field("Subject", "a " + "x" * 1500).split("\r\n")

    assert max(map(len, lines)) <= 78


@pytest.mark.parametrize(("length", "lines"), [(77, 1), (78, 1), (79, 2), (80, 2)])
def test_a_line_of_78(length: int, lines: int) -> None:
    """RFC 5322 2.1.1: a field of 78 characters with its name is one line, and one of 79 is
    folded."""
    text = ("ab " * 40)[: length - len("Subject: ") - 1] + "c"

    field = text_field("Subject", text)

    assert len("Subject: " + text) == length
    assert len(field.split("\r\n")) == lines
    assert field.replace("\r\n", "") == "Subject: " + text


@pytest.mark.parametrize(("length", "itself"), [(997, True), (998, True), (999, False)])
def test_a_word_of_998(length: int, itself: bool) -> None:
    """RFC 5322 2.1.1: a word is not encoded if it fits in a line of 998 with the field's name."""
    text = "a " + "x" * (length - len("Subject: "))

    field = text_field("Subject", text)

    assert (field.replace("\r\n", "") == f"Subject: {text}") is itself
    assert decoded(field.replace("\r\n", "")) == f"Subject: {text}"
    assert max(map(len, field.split("\r\n"))) <= 998


@pytest.mark.parametrize("text", ["é" * 400, "日" * 300, "a" + "\U0001f600" * 100, "é日 a" * 90])
@pytest.mark.parametrize("room", [75, 60, 30, 10])
def test_encoded_words(text: str, room: int) -> None:
    """C-46: an encoded word has at most 75 characters and splits no character."""
    words = encoded_words(text, room)

    assert len(words[0]) <= max(room, 75 if room < 24 else room)
    assert max(map(len, words)) <= 75
    # Each word is decoded separately.
    assert "".join(map(decoded, words)) == text


@pytest.mark.parametrize(
    ("wire", "expect"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?a_b?=", "a b"),
        ("=?UTF-8?Q?a?= =?UTF-8?B?Yg==?= c", "ab c"),
        ("a =?iso-8859-1?q?=E9?= b", "a é b"),
        ("=?utf-8*de?q?=C3?= =?utf-8*de?q?=BC?=", "ü"),
        ("=?utf-8?b?w7w?=", "ü"),
        ("=?utf-8?b?w?=", "=?utf-8?b?w?="),
        ("=?nonsense?q?a=FF?=", "a\ufffd"),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?a", "=?utf-8?q?a"),
    ],
)
def test_decoded(wire: str, expect: str) -> None:
    """Incorrect RFC 2047 of other writers is decoded if possible, else kept."""
    assert decoded(wire) == expect


@pytest.mark.parametrize(
    ("name", "expect"),
    [
        ("", "ann@example.com"),
        ("Ann", "Ann <ann@example.com>"),
        ("Ann Lee-Smith", "Ann Lee-Smith <ann@example.com>"),
        ("Lee, Ann", '"Lee, Ann" <ann@example.com>'),
        ("Ann Q. Lee", '"Ann Q. Lee" <ann@example.com>'),
        ('"Ann" \\', '"\\"Ann\\" \\\\" <ann@example.com>'),
        ("ann@example.org", '"ann@example.org" <ann@example.com>'),
        ("Why?", '"Why?" <ann@example.com>'),
        ("=?utf-8?q?a?=", "=?utf-8?b?PT91dGYtOD9xP2E/PQ==?= <ann@example.com>"),
        ("Ann  Lee", "=?utf-8?q?Ann__Lee?= <ann@example.com>"),
        ("Jörg", "=?utf-8?b?SsO2cmc=?= <ann@example.com>"),
    ],
)
def test_name(name: str, expect: str) -> None:
    """C-35: a name is atoms, a quoted-string, or encoded words, never a mix of them."""
    assert address_field("To", [Address("ann@example.com", name)]) == f"To: {expect}"


@pytest.mark.parametrize(
    "name", ["x" * 300, "Ann " * 60 + "Lee", "Lee, " * 60 + "Ann", "é " * 99 + "é", "日" * 100]
)
def test_long_names_fold(name: str) -> None:
    """C-26, C-28: an address with a long name is folded, and read back unchanged."""
    field = address_field("To", [Address("a@example.com", name), Address("b@example.com", name)])

    unfolded = field.replace("\r\n", "").removeprefix("To:")
    assert [(decoded(one.name), str(one)) for one in all_addresses(parse_list(unfolded, "To"))] == [
        (name, "a@example.com"),
        (name, "b@example.com"),
    ]
    assert max(map(len, field.split("\r\n"))) <= (78 if " " in name or name[0] > "\x7f" else 310)


def test_many_addresses_fold_between_them() -> None:
    """C-26: addresses are folded between each other, in lines of up to 78 characters."""
    addresses = [Address(f"person.number{n}@example.com", f"Person {n}") for n in range(50)]

    field = address_field("To", addresses)

    assert max(map(len, field.split("\r\n"))) <= 78
    assert all(line.endswith(",") for line in field.split("\r\n")[:-1])


@pytest.mark.parametrize(
    ("date", "expect"),
    [
        (datetime.datetime(2026, 1, 5, 3, 4, 5, tzinfo=UTC), "Mon, 05 Jan 2026 03:04:05 +0000"),
        (
            datetime.datetime(
                2026, 12, 31, tzinfo=datetime.timezone(-datetime.timedelta(hours=3, minutes=30))
            ),
            "Thu, 31 Dec 2026 00:00:00 -0330",
        ),
        (
            datetime.datetime(2026, 6, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=14))),
            "Mon, 01 Jun 2026 00:00:00 +1400",
        ),
        (
            datetime.datetime(
                1900, 1, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(seconds=3599))
            ),
            "Mon, 01 Jan 1900 11:00:01 +0000",
        ),
    ],
)
def test_date(date: datetime.datetime, expect: str) -> None:
    """C-31: a date has English names and a numeric zone of whole minutes, never -0000."""
    assert date_field("Date", date) == f"Date: {expect}"


@pytest.mark.parametrize(
    ("name", "value", "expect"),
    [
        ("References", "<a@b>  <c@d>", "References: <a@b> <c@d>"),
        ("In-Reply-To", "<a@b>", "In-Reply-To: <a@b>"),
        ("Sender", "Jörg <a@example.com>", "Sender: =?utf-8?b?SsO2cmc=?= <a@example.com>"),
        (
            "List-Unsubscribe",
            "<https://example.com/?a=b&c>,<mailto:x@example.com>",
            "List-Unsubscribe: <https://example.com/?a=b&c>, <mailto:x@example.com>",
        ),
        ("List-Id", "News <news.example.com>", "List-Id: News <news.example.com>"),
        (
            "List-Id",
            "Grüße <news.example.com>",
            "List-Id: =?utf-8?b?R3LDvMOfZQ==?= <news.example.com>",
        ),
        ("Auto-Submitted", "auto-generated", "Auto-Submitted: auto-generated"),
        ("X-Empty", "", "X-Empty:"),
    ],
)
def test_structured_fields(name: str, value: str, expect: str) -> None:
    """C-33, C-76, C-80: structured fields are folded between words and not encoded."""
    assert custom_field(name, value) == expect


def test_ids_and_urls_fold_between_them() -> None:
    """C-32, C-33: an identifier is one line."""
    ids = " ".join(f"<{'x' * 60}{n}@example.com>" for n in range(9))

    lines = custom_field("References", ids).split("\r\n")

    assert [line.removeprefix("References:").strip() for line in lines] == ids.split()


@pytest.mark.parametrize(
    ("parameter", "expect"),
    [
        ("plain.txt", "filename=plain.txt"),
        ("two words.txt", 'filename="two words.txt"'),
        ("semi;colon,comma.txt", 'filename="semi;colon,comma.txt"'),
        ('quo"te.txt', "filename*=utf-8''quo%22te.txt"),
        ("100%.txt", 'filename="100%.txt"'),
        ("=?.txt", "filename*=utf-8''%3D%3F.txt"),
        ("two  spaces", "filename*=utf-8''two%20%20spaces"),
        ("märz.txt", "filename*=utf-8''m%C3%A4rz.txt"),
    ],
)
def test_parameters(parameter: str, expect: str) -> None:
    """C-47: a parameter has the simplest form that every reader reads the same way."""
    written = with_parameters("Content-Disposition", "attachment", [("filename", parameter)])

    assert written == f"Content-Disposition: attachment; {expect}"


def test_long_parameters_have_sections() -> None:
    """C-47: *0*, *1* ... each fit in a line, and no character is split."""
    written = with_parameters("Content-Disposition", "inline", [("filename", "é日" * 40)])

    lines = written.split("\r\n")
    assert max(map(len, lines)) <= 78
    assert lines[1].startswith(" filename*0*=utf-8''%C3%A9%E6%97%A5")
    assert lines[2].startswith((" filename*1*=%C3%A9", " filename*1*=%E6%97%A5"))


def test_fold_refuses_what_no_line_can_hold() -> None:
    """C-26: a word that is longer than a line is refused."""
    with pytest.raises(MessageError, match="References has a word that does not fit"):
        fold("References", ["x" * 1000])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (["A: b\r\nBcc: c"], "a field too many or too few"),
        (["A: b", "C: d\r\n\r\nevil"], "a field too many or too few"),
        (["A: b\r\n \r\n c"], "an empty line"),
        (["A: b\r\n\t"], "an empty line"),
        (["A: b\nBcc: c"], "a control character"),
        (["A: b\rBcc: c"], "a control character"),
        (["A: b\r c\n"], "a control character"),
        (["A: b\x00"], "a control character"),
        (["A: \x1b[0m"], "a control character"),
        (["A: \x7f"], "a control character"),
        (["A: \x1f"], "a control character"),
        (["A: ~\x7f~"], "a control character"),
        (["A: é"], "raw 8-bit"),
        (["A: \ud800"], "raw 8-bit"),
        (["A: " + "x" * 996], "a line that is too long"),
        (["A: b\r\n\r\n c"], "a field too many or too few"),
        (["", "A: b"], "an empty line"),
        ([" A: b"], "an empty line"),
        (["A: b\r\nBcc: c", " D: e"], "an empty line"),
        (["A: b\r\n c", "D: " + "x" * 996], "a line that is too long"),
    ],
)
def test_guard(fields: list[str], reason: str) -> None:
    """The last check refuses a header block that does not have the intended fields."""
    with pytest.raises(MessageError, match=reason):
        header_block(fields)


def test_guard_lets_pass_what_is_right() -> None:
    """A header block ends with its only blank line."""
    assert header_block(["A: b\r\n c", "D:\te"]) == b"A: b\r\n c\r\nD:\te\r\n\r\n"
    assert header_block(["A: é"], smtputf8=True) == "A: é\r\n\r\n".encode()


@pytest.mark.parametrize(
    "subject",
    [
        "é =?UTF-8?Q?=0A?=Bcc: x@example.com",
        "=?utf-8?b?DQpCY2M6IHhAZXhhbXBsZS5jb20=?=",
        "Subject: Subject: =",
    ],
)
def test_encoded_attacks_arrive_as_text(subject: str) -> None:
    """Text that looks like an encoded word is encoded, so that decoding returns it."""
    parsed = judge(render(Message(subject=subject, from_addr="a@example.com", to="b@example.com")))

    assert parsed["Subject"] == subject
    assert parsed.keys().count("Bcc") == 0


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("", []),
        (" , ,", []),
        ("a@example.com", ["a@example.com"]),
        ("a@example.com,b@example.com,", ["a@example.com", "b@example.com"]),
        ('"Lee, Ann" <a@example.com>, B <b@example.com>', ["a@example.com", "b@example.com"]),
        ("Ann (home, (sweet) home) <a@example.com> (x)", ["a@example.com"]),
        ("a@example.com (Ann \\) Lee)", ["a@example.com"]),
        ('"a,b"@example.com', ['"a,b"@example.com']),
        ('"<x@example.org>" <a@example.com>', ["a@example.com"]),
        ("a@[192.0.2.1]", ["a@[192.0.2.1]"]),
        ("Us: a@example.com, b@example.com;, c@example.com", [f"{c}@example.com" for c in "abc"]),
        ("=?utf-8?q?x=40y=2C?= <a@example.com>", ["a@example.com"]),
    ],
)
def test_address_list(text: str, expect: list[str]) -> None:
    """RFC 5322 section 3.4: lists with comments, quotes, groups and empty entries."""
    assert all_addresses(parse_list(text, "To")) == expect


def test_groups() -> None:
    """A group keeps its name; an empty one has no addresses."""
    assert parse_list("undisclosed-recipients:;", "To") == [Group("undisclosed-recipients", ())]
    assert parse_list('"A, B": a@example.com;', "To") == [
        Group("A, B", (Address("a@example.com"),))
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a@example.com b@example.com",
        "a@example.com <b@example.com>",
        "<a@example.com> b@example.com",
        "<a@example.com",
        "a@example.com>",
        "<<a@example.com>>",
        "<a@example.com, b@example.com>",
        "<@x.org:a@example.com>",
        "a @example.com",
        "a@ example.com",
        "a(comment)@example.com",
        "a@example.com(comment)org",
        '"a"b@example.com',
        '"a@example.com',
        "(a@example.com",
        "a@example.com)",
        "a@example.com;",
        "x:y:a@example.com;;",
        "x: a@example.com",
        "a\\@example.com",
        "a@b@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com\x00",
        "=?utf-8?q?a=40b?=@example.com",
        "a@[192.0.2.1",
        "plain",
    ],
)
def test_hostile_address_lists(text: str) -> None:
    """CVE-2023-27043 and similar: lists that readers read differently are refused."""
    with pytest.raises(MessageError):
        parse_list(text, "To")


@pytest.mark.parametrize(
    "text",
    [
        '"' * 100_000,
        "," * 100_000,
        "<" * 100_000,
        "(" * 100_000,
        "(" * 50_000 + ")" * 50_000,
        ":" * 100_000,
        "a," * 50_000,
        "a <b, " * 20_000,
        "\\" * 100_000,
        '"\\' * 50_000,
        "=?utf-8?q?" * 10_000,
        # Words of one charset are one text, of 5 MB here.
        f"=?utf-8?q?{'a' * 45}?= " * 120_000,
        f"=?utf-8?b?{'YWFh' * 12}?=\t" * 120_000,
        f"=?utf-8?q?{'a' * 45}?==?utf-16?q?a?=" * 50_000,
        "a@example.com " * 10_000,
        "@" * 100_000,
        "[" * 100_000,
    ],
)
@pytest.mark.usefixtures("untraced")
@pytest.mark.slow
def test_linear(text: str) -> None:
    """Hostile lists and encoded words are read in linear time and without recursion."""
    decoded(text)

    with contextlib.suppress(MessageError):
        parse_list(text, "To")


@pytest.mark.parametrize("text", ["x " * 50_000, "é" * 100_000, "=?" * 50_000, "\t" * 100_000])
@pytest.mark.usefixtures("untraced")
def test_long_text_is_written_at_once(text: str) -> None:
    """A subject of a megabyte is folded quickly, and no line is too long."""
    fields: t.Any = {"from_addr": ("x" + text.strip(), "a@example.com"), "to": "b@example.com"}

    octets = bytes(render(Message(subject=text, **fields)))

    assert max(map(len, octets.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("name", ["", "Ann", "Ann Archer", "Ann B. Archer", "Bö", "a  b", "Why=?"])
def test_an_address_is_written_in_one_way(name: str) -> None:
    """An address given as text and one given as a pair have the same octets."""
    text = Address(f"{name} <ann@example.com>" if name else "ann@example.com")
    pair = Address("ann@example.com", name)

    assert address_field("To", [text, pair]) == address_field("To", [pair, text])
    assert address_field("To", [text]) == address_field("To", [pair])
