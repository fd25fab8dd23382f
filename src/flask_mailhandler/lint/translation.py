"""The rule for a message that should be in another language, and is not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from .examined import Examined
from .rule import Found

_URL = re.compile(r"https?://\S+")
_WORD = re.compile(r"[^\W\d_]{2,}")
# Names, and numbers and dates in the form of the language, differ or agree in any two languages.
_FEWEST = 3
_SAME = 0.8


def translation(message: Examined) -> Iterator[Found]:
    """Find another language in which the message has the same words."""
    ours = _words(message.subject, message.text or message.words)
    for locale, (subject, text) in message.others.items():
        theirs = _words(subject, text)
        most = max(ours.total(), theirs.total())
        if most >= _FEWEST and (ours & theirs).total() >= _SAME * most:
            yield Found("text", f"The words are those of the mail in {locale!r}.")


def _words(*texts: str) -> Counter[str]:
    return Counter(word for text in texts for word in _WORD.findall(_URL.sub(" ", text).lower()))
