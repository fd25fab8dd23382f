"""The keys of other extensions, with the meaning that they have there.

Flask-Mail's ``MAIL_USE_TLS`` is STARTTLS, and its ``MAIL_USE_SSL`` is TLS from the first octet.
(As handler arguments, ``use_tls`` and ``use_starttls`` have Email-Simplified's meaning.)
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from .. import config

# Flask-Mail and Flask-Mailman -> ours. If both are set, our own key wins.
_SAME = {
    "server": "host",
    "default_sender": "default_from",
    "max_emails": "messages_per_connection",
    "file_path": "folder",
    "ssl_certfile": "tls_cert_file",
    "ssl_keyfile": "tls_key_file",
}
# Flask-Mailman's backends. Its "dummy" sends nothing; the memory handler comes closest.
_BACKENDS = {
    "smtp": "smtp",
    "console": "console",
    "file": "file",
    "locmem": "memory",
    "dummy": "memory",
}
# Ours -> the keys that decide it; the first one has precedence.
_DECIDED_BY = {
    **{ours: (theirs,) for theirs, ours in _SAME.items()},
    "security": ("use_ssl", "use_tls"),
    "handler": ("suppress_send", "backend"),
    "testing_handler": ("suppress_send",),
}
TRANSLATED = frozenset({*_SAME, "use_tls", "use_ssl", "suppress_send", "backend"})
# Known, but without effect here.
_NO_EFFECT = frozenset({"debug", "ascii_attachments", "use_localtime", "fail_silently"})
ALL = TRANSLATED | _NO_EFFECT
"""Every key of Flask-Mail and Flask-Mailman that does not have the name of one of ours."""
_OURS = f"{__name__.partition('.')[0]}.flask_mailman"
_OFF = ("false", "no", "off", "0", "")


def translate(values: Mapping[str, object]) -> dict[str, t.Any]:
    """Return the values under our own names only.

    :raises ConfigurationError: for a value that is wrong, naming its key.
    """
    own = {name: value for name, value in values.items() if name not in ALL}
    for theirs, ours in _SAME.items():
        if theirs in values:
            own.setdefault(ours, values[theirs])
    if (security := _security(values)) is not None:
        own.setdefault("security", security)
    if "suppress_send" in values:
        if config.boolean(values["suppress_send"], "MAIL_SUPPRESS_SEND"):
            own["suppress"] = True
        else:  # in Flask-Mail, this lets tests send
            own.setdefault("testing_handler", "configured")
    if "backend" in values and not is_our_backend(values["backend"]):
        own.setdefault("handler", _backend(values["backend"]))
    return own


def _backend(value: object) -> object:
    """Return the handler for a backend of Flask-Mailman: ``smtp``, ``flask_mailman.backends.smtp``,
    with or without ``.EmailBackend``, or that class. Any other value names a handler of ours."""
    named: object = value
    if isinstance(value, type):
        module = value.__module__
    else:
        named = text = config.text(value, "MAIL_BACKEND")
        module = text.removesuffix(".EmailBackend")
    if module in _BACKENDS or module.startswith("flask_mailman.backends."):
        return _BACKENDS.get(module.rpartition(".")[2], named)
    return named


def is_our_backend(value: object) -> bool:
    """Return whether Flask-Mailman sends through this package. Then ``MAIL_BACKEND`` says nothing
    of our handler."""
    named = value.__module__ if isinstance(value, type) else str(value)
    return named.startswith(_OURS)


def switches(values: Mapping[str, object]) -> dict[str, bool]:
    """Return which keys are set, and whether each is switched on. The values are left out, because
    one may be a password."""
    return {
        name: str(value).lower() not in _OFF for name, value in values.items() if value is not None
    }


def written_key(name: str, switched: Mapping[str, bool]) -> str:
    """Return the key from which :func:`translate` made our option *name*.

    :param switched: What :func:`switches` returned for the keys.
    """
    if name in switched:
        return config.key(name)
    theirs = [other for other in _DECIDED_BY.get(name, ()) if other in switched]
    # Of two keys, one that is switched off decided nothing.
    on = [other for other in theirs if switched[other]]
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
    # Both switched off means a plain connection in Flask-Mail; on port 465 that cannot be meant.
    return "none" if given and str(values.get("port")) != "465" else None
