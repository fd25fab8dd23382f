"""Reading any octets, as a console and a test see them."""

from __future__ import annotations

import warnings

from hypothesis import given
from hypothesis import strategies as st

from flask_mailhandler.mime.reading import as_read
from flask_mailhandler.mime.reading import read_content

PIECES = st.sampled_from(
    [
        *(b"Content-Type: ", b"multipart/mixed", b"multipart/signed", b"message/rfc822"),
        *(b"text/plain", b"text/html", b"message/delivery-status", b"message/partial"),
        *(b"; boundary=x", b"\r\n", b"\r\n\r\n", b"--x", b"--x--", b"; charset=idna"),
        *(b"; charset*=idna''%ff", b"; charset=a\0b", b"; boundary*=idna''%ff"),
        *(b"Content-Disposition: ", b"attachment", b"; filename*0*=undefined''%ff"),
        *(b"Content-Transfer-Encoding: ", b"base64", b"x-uuencode", b"quoted-printable"),
        *(b"Subject: ", b"=?idna?q?=FF?=", b"=?utf-8?b?", b"\xff", b"\0", b";", b'"', b"("),
        *(b"From: ", b"To: ", b"a@b.c", b"Message-ID: ", b"<[x@", b"\r\n ", b"Content-ID: "),
    ]
)
ASKED = ("subject", "from_addr", "reply_to", "to", "cc", "text", "html", "headers", "attachments")


@given(st.lists(PIECES, max_size=40).map(b"".join))
def test_nothing_raises(octets: bytes) -> None:
    """Any octets can be read, and none raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of odd charsets
        found = [read_content(octets), as_read(octets)]

        seen = [getattr(one, name) for one in found for name in ASKED]

    assert len(seen) == 2 * len(ASKED)
