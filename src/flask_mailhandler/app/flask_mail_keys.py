"""The keys of other extensions, in their own meaning.

Flask-Mail's ``MAIL_USE_TLS`` is STARTTLS, and its ``MAIL_USE_SSL`` is TLS from the first octet.
(As handler arguments, ``use_tls`` and ``use_starttls`` have Email-Simplified's meaning.)
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from .. import config

# Flask-Mail and Flask-Mailman -> ours. What is written in our own way wins.
_SAME = {
    "server": "host",
    "default_sender": "default_from",
    "max_emails": "messages_per_connection",
    "file_path": "folder",
    "ssl_certfile": "tls_cert_file",
    "ssl_keyfile": "tls_key_file",
}
# Flask-Mailman's backends. Its "dummy" does nothing, which the memory handler does best.
_BACKENDS = {
    "smtp": "smtp",
    "console": "console",
    "file": "file",
    "locmem": "memory",
    "dummy": "memory",
}
# Ours -> those that decide it, the first one first.
_DECIDED_BY = {
    **{ours: (theirs,) for theirs, ours in _SAME.items()},
    "security": ("use_ssl", "use_tls"),
    "handler": ("suppress_send", "backend"),
    "testing_handler": ("suppress_send",),
}
KEYS = frozenset({*_SAME, "use_tls", "use_ssl", "suppress_send", "backend"})
# Known, and of no effect here.
_NO_EFFECT = frozenset({"debug", "ascii_attachments", "use_localtime", "fail_silently"})
IGNORED = KEYS | _NO_EFFECT
_OFF = ("false", "no", "off", "0", "")


def translate(values: Mapping[str, object]) -> dict[str, t.Any]:
    """Return the values with our own names only.

    :raises ConfigurationError: for a value that is wrong, naming its key.
    """
    own = {name: value for name, value in values.items() if name not in IGNORED}
    for theirs, ours in _SAME.items():
        if theirs in values:
            own.setdefault(ours, values[theirs])
    if (security := _security(values)) is not None:
        own.setdefault("security", security)
    if "suppress_send" in values:
        if config.boolean(values["suppress_send"], "MAIL_SUPPRESS_SEND"):
            own["suppress"] = True
        else:  # it was there to send from tests
            own.setdefault("testing_handler", "configured")
    if "backend" in values:
        own.setdefault("handler", _backend(values["backend"]))
    return own


def _backend(value: object) -> object:
    """The handler of a backend of Flask-Mailman: ``smtp``, ``flask_mailman.backends.smtp``, with
    ``.EmailBackend`` behind it, or that class. Others name a handler of ours."""
    named: object = value
    if isinstance(value, type):
        module = value.__module__
    else:
        named = text = config.text(value, "MAIL_BACKEND")
        module = text.removesuffix(".EmailBackend")
    if module in _BACKENDS or module.startswith("flask_mailman.backends."):
        return _BACKENDS.get(module.rpartition(".")[2], named)
    return named


def switches(values: Mapping[str, object]) -> dict[str, bool]:
    """Return which keys are there, and whether they are switched on; no value, which may be a
    password."""
    return {
        name: str(value).lower() not in _OFF for name, value in values.items() if value is not None
    }


def origin(name: str, values: Mapping[str, bool]) -> str:
    """Say by which key the own option *name* came out of :func:`translate`.

    :param values: What :func:`switches` says of the keys.
    """
    if name in values:
        return config.key(name)
    theirs = [other for other in _DECIDED_BY.get(name, ()) if other in values]
    # Of two that are there, one that is switched off has decided nothing.
    on = [other for other in theirs if values[other]]
    return config.key((on or theirs or [name])[0])


def _security(values: Mapping[str, object]) -> str | None:
    given = {
        name: config.boolean(values[name], config.key(name))
        for name in ("use_ssl", "use_tls")
        if name in values
    }
    if given.get("use_ssl"):
        return "tls"
    if given.get("use_tls"):
        return "starttls"
    # Both said to be off is Flask-Mail's plain connection; on port 465 that cannot be meant.
    return "none" if given and str(values.get("port")) != "465" else None
