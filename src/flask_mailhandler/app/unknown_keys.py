"""What to suggest for a key that does not exist."""

from __future__ import annotations

from collections.abc import Iterable

# Names that other software gives to an option, and names that users guess.
_SYNONYMS = {
    "from": "default_from",
    "from_addr": "default_from",
    "from_address": "default_from",
    "from_email": "default_from",
    "from_name": "default_from",
    "default_from_email": "default_from",
    "default_from_address": "default_from",
    "default_sender_name": "default_from",
    "sender": "default_from",
    "to": "default_to",
    "recipients": "default_to",
    "reply_to": "default_reply_to",
    "replyto": "default_reply_to",
    "smtp": "url",
    "smtp_url": "url",
    "server_url": "url",
    "connection": "url",
    "broker_url": "queue_engine",
    "broker": "queue_engine",
    "app_url": "base_url",
    "public_url": "base_url",
    "subject": "default_subject",
    "hostname": "host",
    "smtp_host": "host",
    "smtp_server": "host",
    "smtp_port": "port",
    "user": "username",
    "login": "username",
    "user_name": "username",
    "host_user": "username",
    "smtp_user": "username",
    "smtp_username": "username",
    "pass": "password",
    "passwd": "password",
    "host_password": "password",
    "smtp_password": "password",
    "token": "oauth_token",
    "encryption": "security",
    "scheme": "security",
    "tls": "security",
    "ssl": "security",
    "starttls": "security",
    "use_starttls": "security",
    "smtp_use_tls": "security",
    "queue_url": "queue",
    "queue_database": "queue",
    "database_url": "queue",
    "queue_backend": "queue_engine",
    "queue_broker": "queue_engine",
    "queue_worker": "queue_engine",
    "mailer": "handler",
    "transport": "handler",
    "engine": "handler",
    "dsn": "url",
    "uri": "url",
    "suppress": "suppress_send",
    "site_url": "base_url",
    "server_name": "base_url",
    "rate": "rate_limit",
    "max_rate": "rate_limit",
    "redirect": "redirect_to",
    "allow": "allow_to",
    "whitelist": "allow_to",
    "allowlist": "allow_to",
}


def suggest(name: str, known: Iterable[str]) -> str | None:
    """Return the option that the user probably meant: one with this name elsewhere, or one that is
    spelt alike.

    :param name: In lower case and without ``MAIL_``, like the known names.
    """
    import difflib

    names = {*known}
    if (bare := name.removeprefix("mail_")) in names:
        return bare
    if (other := _SYNONYMS.get(name)) in names:
        return other
    # Two of four letters exchanged, as in MAIL_PROT, leave three quarters alike.
    return next(iter(difflib.get_close_matches(name, sorted(names), 1, 0.75)), None)


def unknown_options_text(where: str, unknown: Iterable[str], known: Iterable[str]) -> str:
    """Return the error text for unknown options, with the ones that the user probably meant."""
    names, allowed = sorted(unknown), {*known}
    near = [found for name in names if (found := suggest(name, allowed))]
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    return (
        f"{where} has unknown options: {', '.join(names)}.{hint} Write them like the keys, in"
        " lower case and without MAIL_."
    )
