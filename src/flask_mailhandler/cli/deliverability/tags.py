"""Lists of ``tag=value``, as DKIM and DMARC records have them (RFC 6376 section 3.2)."""

from __future__ import annotations

import dataclasses

# RFC 6376 allows white space around each part. A TXT record has no other control characters.
_WHITE = " \t\r\n"


@dataclasses.dataclass(frozen=True)
class Tags:
    """The tags of a record, in their order. Tags and values keep their case."""

    values: dict[str, str]
    first: str
    """The first tag."""
    problems: tuple[str, ...]
    """What is not of this form, each as a clause."""
    repeated: tuple[str, ...]
    """The tags that are there twice, which makes a list invalid (RFC 6376 section 3.2)."""

    def get(self, tag: str, default: str = "") -> str:
        """Return the value of a tag, or *default* if it is not there."""
        return self.values.get(tag, default)


def read_tags(text: str) -> Tags:
    """Read a list. Each part that cannot be read is a problem, and is left out."""
    values: dict[str, str] = {}
    problems: list[str] = []
    repeated: list[str] = []
    first = ""
    for number, part in enumerate(text.split(";")):
        tag, equals, value = part.partition("=")
        tag = tag.strip(_WHITE)
        if not part.strip(_WHITE):
            continue
        first = first or (tag if number == 0 else "-")
        if not equals:
            problems.append(f"{shown(part)} is not tag=value")
        elif tag in values:
            repeated.append(tag)
        else:
            values[tag] = value.strip(_WHITE)
    return Tags(values, first, tuple(problems), tuple(repeated))


def shown(text: str, most: int = 40) -> str:
    """Return a text of a record to show in a sentence."""
    text = text.strip(_WHITE)
    return repr(text if len(text) <= most else text[:most] + "...")
