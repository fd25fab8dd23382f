"""The octets of a message with its envelope in the header, for an API that takes no other.

The provider sends to all recipients of To, Cc and Bcc, and takes the Bcc out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ...address import Address
from ...content import Content
from ...errors import MessageError
from ...mime.header import address_field
from ...mime.header_block import header_block
from ...report import Job


def addressed(job: Job) -> Content:
    """Return the octets of a job with exactly its recipients in the header.

    A recipient of the header that gets nothing this time is left out, and one that is only in the
    envelope is Bcc. A field that need not change keeps its octets.

    These fields come first: Gmail does not read those after MIME-Version
    (https://github.com/googleworkspace/cli/issues/569). A To without an address is left out:
    Microsoft refuses it (https://github.com/SMTP2Graph/SMTP2Graph/issues/30).

    :raises MessageError: if a signature covers a field that has to change.
    """
    head = _head(job.content)
    fields = _fields(head)
    recipients = dict.fromkeys(job.envelope.recipients)
    shown: set[Address] = set()
    top: list[str] = []
    changed = False
    for name in ("To", "Cc"):
        for field in (one for one in fields if _name(one) == name.lower()):
            listed = _addresses(field)
            kept = [one for one in listed if one in recipients]
            changed = changed or kept != listed
            if kept:
                top.append(field if kept == listed else address_field(name, kept))
            shown |= {*kept}
    signed = any(_name(one) == "dkim-signature" for one in fields)
    if changed and signed:
        raise MessageError(
            "The message has a DKIM-Signature, and its To or Cc has others than its recipients. An"
            " API that sends to those in the header cannot leave them out: send it through an SMTP"
            " server, or without the signature."
        )
    if hidden := [one for one in recipients if one not in shown]:
        top.append(address_field("Bcc", hidden))
    others = [one for one in fields if _name(one) not in ("to", "cc", "bcc")]
    block = header_block([*top, *others], smtputf8=job.content.smtputf8)
    return Content(
        [block.removesuffix(b"\r\n"), _Rest(job.content, len(head))],
        eightbit=job.content.eightbit,
    )


@dataclasses.dataclass(frozen=True)
class _Rest:
    """A content without its first octets."""

    content: Content
    start: int

    @property
    def size(self) -> int:
        return self.content.size - self.start

    def __iter__(self) -> Iterator[bytes]:
        skip = self.start
        for octets in self.content:
            if left := octets[skip:]:
                yield left
            skip = max(skip - len(octets), 0)


def _head(content: Content) -> bytes:
    """Return the header fields, with the line end of the last one."""
    head = b""
    for octets in content:
        head += octets
        if (end := head.find(b"\r\n\r\n")) >= 0:
            return head[: end + 2]
    return head


def _fields(head: bytes) -> list[str]:
    """Return each field, folded, without its last line end."""
    fields: list[str] = []
    for line in head.decode(errors="surrogateescape").removesuffix("\r\n").split("\r\n"):
        if line[:1] in (" ", "\t") and fields:
            fields[-1] += f"\r\n{line}"
        else:
            fields.append(line)
    return fields


def _name(field: str) -> str:
    return field.partition(":")[0].strip().lower()


def _addresses(field: str) -> list[Address]:
    from ...mime.stdlib.address_list import all_addresses  # only providers that need it
    from ...mime.stdlib.header import addresses
    from ...mime.stdlib.source import read

    name, _, value = field.partition(":")
    return all_addresses(addresses(read(name, value)))
