"""The DNS tree walk of DMARC (RFC 9989 section 4.10), which replaces the public suffix list."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Sequence

from .answer import Answer
from .answer import Ask
from .tags import read_tags
from .tags import Tags

# Section 4.10: a domain with 8 labels or more is asked for as it is, and then by its last 7.
_LABELS = 7
# The value is case-sensitive, and v is the first tag.
_IS_DMARC = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)", re.A)


@dataclasses.dataclass(frozen=True)
class Step:
    """A domain on the way up."""

    domain: str
    answer: Answer

    @functools.cached_property
    def texts(self) -> Sequence[str]:
        """Those TXT records that are DMARC records."""
        return [text for text in self.answer.values if _IS_DMARC.match(text)]

    @functools.cached_property
    def record(self) -> Tags | None:
        """The record; None if there are several, because receivers then ignore them all."""
        return read_tags(self.texts[0]) if len(self.texts) == 1 else None

    @property
    def psd(self) -> str:
        """Whether the domain says that it is a public suffix: ``y``, ``n`` or ``u``."""
        return self.record.get("psd", "u").lower() if self.record else "u"


@dataclasses.dataclass(frozen=True)
class Walk:
    """A domain and those above it, up to a record that ends the walk."""

    domain: str
    steps: Sequence[Step]

    @property
    def trouble(self) -> Answer | None:
        """An answer that did not come, so that nothing is certain."""
        return next((step.answer for step in self.steps if not step.answer.known), None)

    @property
    def organization(self) -> str:
        """The organizational domain (section 4.10.2)."""
        with_record = [step for step in self.steps if step.record is not None]
        for step in with_record:
            if step.psd == "n":
                return step.domain
            if step.psd == "y" and step.domain != self.domain:
                return _below(self.domain, step.domain)
        return with_record[-1].domain if with_record else self.domain

    @property
    def policy(self) -> Step | None:
        """The step whose record applies to mail from the domain (section 4.10.1)."""
        with_record = {step.domain: step for step in self.steps if step.record is not None}
        suffix = next((step for step in with_record.values() if step.psd == "y"), None)
        return with_record.get(self.domain) or with_record.get(self.organization) or suffix


def walk(domain: str, ask: Ask) -> Walk:
    """Ask for the DMARC record of a domain and of those above it: at most 8 questions."""
    labels = domain.split(".")
    below = min(len(labels) - 1, _LABELS)
    names = [domain, *(".".join(labels[-count:]) for count in range(below, 0, -1))]
    steps: list[Step] = []
    for name in names:
        step = Step(name, ask(f"_dmarc.{name}", "TXT"))
        steps.append(step)
        if step.psd in ("y", "n") or not step.answer.known:
            break
    return Walk(domain, steps)


def _below(domain: str, suffix: str) -> str:
    """Return the domain one label below a suffix."""
    count = suffix.count(".") + 2
    return ".".join(domain.split(".")[-count:])
