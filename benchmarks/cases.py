"""The mails that are written."""

from __future__ import annotations

import dataclasses
import random


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    filename: str
    mimetype: str
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One mail, as the arguments for every library. Addresses are strings such as
    ``Ann <ann@example.com>``."""

    name: str
    subject: str
    text: str
    html: str = ""
    sender: str = "Example Shop <shop@example.com>"
    recipients: tuple[str, ...] = ("Ann Archer <ann@example.org>",)
    files: tuple[File, ...] = ()
    bcc: tuple[str, ...] = ()


_LINE = "Your order has left our house and will be with you in two or three days.\n"
_TEXT = "Hello Ann,\n\n" + _LINE * 13
_HTML = (
    '<!doctype html>\n<html lang="en">\n<body style="font-family: sans-serif">\n'
    + "<p>Your order has <b>left our house</b> and will be with you in two days.</p>\n" * 18
    + '<p><a href="https://shop.example.com/orders/1742">Look at your order</a></p>\n'
    + "</body>\n</html>\n"
)

SMALL = Case("small text", "Your order", "Hello Ann,\n\n" + _LINE, recipients=("ann@example.org",))
BOTH = Case("text and HTML, 2.5 kB", "Your order has been sent", _TEXT, _HTML)
UNICODE = Case(
    "unicode subject and names",
    "Ihre Bestellung ist unterwegs: Grüße aus Köln – 感謝",
    _TEXT,
    _HTML,
    "Jürgen Groß <shop@example.com>",
    ("Zoë Ångström <zoe@example.org>", "Søren Østergård <soren@example.net>"),
)
MANY = Case(
    "20 recipients with names",
    "Minutes of the meeting",
    _TEXT,
    _HTML,
    recipients=tuple(f"Member Number{n} <member{n}@example.org>" for n in range(20)),
)
SHORT = (SMALL, BOTH, UNICODE, MANY)


def attached(megabytes: int) -> Case:
    """Return a short mail with one file of this many MB (10**6 octets), the same in each run."""
    data = random.Random(megabytes).randbytes(megabytes * 10**6)
    return Case(
        f"{megabytes} MB attachment",
        "Your report",
        "It is attached.\n",
        files=(File("report.pdf", "application/pdf", data),),
    )
