"""The providers by name, and what each needs to prove its requests."""

from __future__ import annotations

import importlib
import typing as t

from .call import Format

NAMES = ("resend", "postmark", "ses", "mailgun", "sendgrid", "brevo")


def format_of(name: str) -> Format:
    """Return the webhooks of a provider. Only those that an app uses are loaded.

    :param name: One of :data:`NAMES`.
    """
    assert name in NAMES
    return t.cast(Format, importlib.import_module(f".{name}", __package__))
