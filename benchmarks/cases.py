"""A mail, as the arguments for every library."""

from __future__ import annotations

import base64
import dataclasses
import random
import typing as t


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """An attachment.

    :param cid: The Content-ID of an image in the HTML, without angle brackets.
    """

    filename: str
    mimetype: str
    data: bytes
    cid: str = ""


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
    images: tuple[File, ...] = ()
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
BOTH = Case("text and HTML", "Your order has been sent", _TEXT, _HTML)


def attached(megabytes: int) -> Case:
    """Return a short mail with one file of this many MB (10**6 octets), the same in each run."""
    data = random.Random(megabytes).randbytes(megabytes * 10**6)
    return Case(
        f"{megabytes} MB attachment",
        "Your report",
        "It is attached.\n",
        files=(File("report.pdf", "application/pdf", data),),
    )


def to_json(case: Case) -> dict[str, t.Any]:
    """Return the fields for another process."""
    fields = dataclasses.asdict(case)
    for file in (*fields["files"], *fields["images"]):
        file["data"] = base64.b64encode(file["data"]).decode("ascii")
    return fields


def from_json(fields: dict[str, t.Any]) -> Case:
    """Return the case that another process made :func:`to_json` from."""
    made = {
        name: tuple(
            File(**{**file, "data": base64.b64decode(file["data"])}) for file in fields[name]
        )
        for name in ("files", "images")
    }
    lists = {name: tuple(fields[name]) for name in ("recipients", "bcc")}
    return Case(**{**fields, **made, **lists})
