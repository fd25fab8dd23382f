"""An error in telemetry is logged once, and the message is sent all the same."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

from ...log import logger

P = t.ParamSpec("P")


class Guard:
    """Runs what calls OpenTelemetry, where an exporter or a sampler of the app may raise."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def run(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call a function. Each kind of error is logged the first time: what fails for one message
        fails for the next as well."""
        try:
            function(*args, **kwargs)
        except Exception as error:
            self.note(function, error)

    def note(self, function: Callable[..., object], error: Exception) -> None:
        """Log an error of a function, the first time."""
        kind = f"{function.__qualname__} {type(error).__name__}"
        if kind not in self._told:
            self._told.add(kind)
            text = "Telemetry failed. This is logged once, and mail is still sent."
            logger.error(text, exc_info=error)
