"""The rule for a message that should be in another language, and is not."""

from __future__ import annotations

import re
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
        most = max(len(ours), len(theirs))
        if most >= _FEWEST and len(ours & theirs) >= _SAME * most:
            yield Found("text", f"The words are those of the mail in {locale!r}.")


def _words(*texts: str) -> set[str]:
    """Return each word once: the sample data may repeat one in every row of a table."""
    return {word for text in texts for word in _WORD.findall(_URL.sub(" ", text).lower())}
