"""Colours of CSS, and the contrast between two."""

from __future__ import annotations

import typing as t


class RGB(t.NamedTuple):
    """A colour: red, green and blue, each from 0 to 255."""

    red: int
    green: int
    blue: int

    @classmethod
    def read(cls, text: str) -> RGB:
        """Read ``#rgb`` or ``#rrggbb``."""
        digits = text.lstrip("#")
        if len(digits) == 3:
            digits = "".join(digit * 2 for digit in digits)
        return cls(*bytes.fromhex(digits))

    @property
    def css(self) -> str:
        """The colour as ``#rrggbb``."""
        return f"#{bytes(self).hex()}"

    def mixed(self, other: RGB, share: float) -> RGB:
        """Mix a share of another colour into this one."""
        return RGB(*(round(a + (b - a) * share) for a, b in zip(self, other, strict=True)))

    @property
    def luminance(self) -> float:
        """The relative luminance, from 0 for black to 1 for white."""
        red, green, blue = (_linear(part / 255) for part in self)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: RGB, other: RGB) -> float:
    """Return the contrast of two colours, from 1 to 21.

    https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
    """
    low, high = sorted((one.luminance, other.luminance))
    return (high + 0.05) / (low + 0.05)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
