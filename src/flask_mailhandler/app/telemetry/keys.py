"""The key ``MAIL_TELEMETRY``, read and checked."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ... import config
from ...errors import ConfigurationError
from ...frozen import Frozen
from ...text.checks import shorten

if t.TYPE_CHECKING:
    from .api import MeterProvider
    from .api import TracerProvider

_METHODS = {"tracer_provider": "get_tracer", "meter_provider": "get_meter"}
_EXAMPLE = 'True, False, or {"tracer_provider": provider, "meter_provider": provider}'


class Providers(Frozen):
    """Where the spans and the metrics of an app go."""

    tracer_provider: TracerProvider | None = None
    """None is the global one, as it is when a span begins."""
    meter_provider: MeterProvider | None = None


def read_telemetry(value: object, name: str) -> Providers | None:
    """Read a yes or no, or the providers by name. None is no.

    :raises ConfigurationError: for anything else, or without OpenTelemetry.
    """
    given: Mapping[str, t.Any] = {}
    if isinstance(value, Mapping):
        given = value
    else:
        try:
            wanted = config.boolean(value, name)
        except ConfigurationError:
            raise _wrong(name, shorten(value)) from None
        if not wanted:
            return None
    if unknown := sorted(map(str, given.keys() - _METHODS)):
        raise _wrong(name, ", ".join(map(repr, unknown)))
    for option, method in _METHODS.items():
        if given.get(option) is not None and not callable(getattr(given[option], method, None)):
            kind = type(given[option]).__name__
            raise ConfigurationError(
                f"{name}[{option!r}] must have a method {method}(), as those of the OpenTelemetry"
                f" SDK do, which {kind} has not."
            )
    try:
        from . import api  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        raise ConfigurationError(
            f"{name} needs the API of OpenTelemetry: pip install 'Flask-MailHandler[telemetry]',"
            " or leave the key out."
        ) from None
    return Providers(**given)


def _wrong(name: str, found: str) -> ConfigurationError:
    return ConfigurationError(f"{name} must be {_EXAMPLE}, not {found}.")
