"""The relaxed forms of DKIM: RFC 6376 section 3.4."""

from __future__ import annotations

import base64
import hashlib
import itertools

import dkim.canonicalization as peer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_mailhandler.mime.dkim.canonical import relaxed_field
from flask_mailhandler.mime.dkim.canonical import RelaxedBody

EMPTY = hashlib.sha256(b"").digest()


def digest(*pieces: bytes) -> bytes:
    body = RelaxedBody()
    for piece in pieces:
        body.update(piece)
    return body.digest()


@pytest.mark.parametrize(
    ("field", "relaxed"),
    [
        (b"A: X", b"a:X"),
        (b"B : Y\t\r\n\tZ  ", b"b:Y Z"),
        (b"Subject: \r\n folded \r\n\t twice", b"subject:folded twice"),
        (b"X-Empty:", b"x-empty:"),
        (b"X-Blank:  \t ", b"x-blank:"),
        (b"Subject:tab\tand  two", b"subject:tab and two"),
        ("From: Zoë <zoë@example.com>".encode(), "from:Zoë <zoë@example.com>".encode()),
    ],
)
def test_fields(field: bytes, relaxed: bytes) -> None:
    """A field is unfolded, its name is in lower case, and its white space is reduced (the first two
    are those of section 3.4.5)."""
    assert relaxed_field(field) == relaxed


@pytest.mark.parametrize(
    ("body", "relaxed"),
    [
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
        (b"a  b\t\tc   \r\n", b"a b c\r\n"),
        (b"no line end", b"no line end\r\n"),
        (b"a\r\n \r\n\t\r\nb\r\n", b"a\r\n\r\n\r\nb\r\n"),
        (b"a\r\n \t \r\n \r\n", b"a\r\n"),
        (b"\r\n\r\na\r\n", b"\r\n\r\na\r\n"),
        (b"a\rb\nc\r\n", b"a\rb\nc\r\n"),
        (b"a\r\n\r\r\n\r\n", b"a\r\n\r\r\n"),
    ],
)
def test_bodies(body: bytes, relaxed: bytes) -> None:
    """White space is reduced and removed at the ends of lines, and empty lines at the end do not
    count, wherever the body is cut into pieces (the first is that of section 3.4.5)."""
    wanted = hashlib.sha256(relaxed).digest()

    assert digest(body) == wanted
    assert all(digest(body[:cut], body[cut:]) == wanted for cut in range(len(body)))
    assert digest(*(body[index : index + 1] for index in range(len(body)))) == wanted


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n", b" \r\n\t\r\n", b"  "])
def test_empty_bodies(body: bytes) -> None:
    """The relaxed form of a body without text has no octets."""
    assert digest(body) == EMPTY
    assert base64.b64encode(EMPTY) == b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


LINES = st.lists(
    st.text(alphabet="ab. \t", max_size=12).map(lambda line: line.encode() + b"\r\n"), max_size=40
).map(b"".join)


@given(LINES, st.lists(st.integers(0, 400), max_size=6))
def test_as_dkimpy(body: bytes, cuts: list[int]) -> None:
    """Any body in CRLF lines, cut anywhere, has the hash that dkimpy finds."""
    relaxed = peer.Relaxed.canonicalize_body(body)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[one:other] for one, other in itertools.pairwise(edges)]

    assert digest(*pieces) == hashlib.sha256(relaxed).digest()


@pytest.mark.parametrize("white", [b" ", b"\t ", b"\r\n", b" \r\n"])
def test_long_runs(white: bytes) -> None:
    """Millions of octets of white space are counted, not kept, whatever follows them."""
    run = white * 300_000
    inside, outside = b"a" + run + b"b\r\n", b"a\r\n" + run
    text = b"a" + (b"\r\n" * 300_000 if b"\r" in white else b" ") + b"b\r\n"

    body = RelaxedBody()
    for start in range(0, len(outside), 1000):
        body.update(outside[start : start + 1000])
        assert len(body._kept) <= 1 << 14

    assert body.digest() == hashlib.sha256(b"a\r\n").digest()
    assert digest(inside) == hashlib.sha256(text).digest()
    assert digest(*(inside[at : at + 777] for at in range(0, len(inside), 777))) == digest(inside)
