"""The settings of an app, under Flask-Mail's names."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from .sanitizing import AddressInput


class MailSettings:
    """The settings of an app.

    ``default_sender``, ``suppress`` and ``ascii_attachments`` may be set, and hold from then on.
    The others show the ``MAIL_*`` keys.

    :param config: The configuration of the app.
    """

    def __init__(self, config: Mapping[str, t.Any], debug: bool | int = False) -> None:
        get = config.get
        self._config = config
        self._default_sender: AddressInput | None = None
        self._sender_is_set = False
        self.server: str = get("MAIL_SERVER", "127.0.0.1")
        self.port: int = get("MAIL_PORT", 25)
        self.username: str | None = get("MAIL_USERNAME")
        self.password: str | None = get("MAIL_PASSWORD")
        self.use_tls: bool = get("MAIL_USE_TLS", False)
        self.use_ssl: bool = get("MAIL_USE_SSL", False)
        self.debug: bool | int = get("MAIL_DEBUG", debug)
        self.max_emails: int | None = get("MAIL_MAX_EMAILS")
        self.ascii_attachments: bool = get("MAIL_ASCII_ATTACHMENTS", False)
        self.suppresses: bool = False
        """Whether ``suppress`` was set: then nothing reaches a handler. ``TESTING`` chooses the
        handler for tests instead."""

    @property
    def default_sender(self) -> AddressInput | None:
        """The sender of messages that have none."""
        if self._sender_is_set:
            return self._default_sender
        get = self._config.get
        return t.cast("AddressInput | None", get("MAIL_DEFAULT_SENDER", get("MAIL_DEFAULT_FROM")))

    @default_sender.setter
    def default_sender(self, value: AddressInput | None) -> None:
        self._default_sender, self._sender_is_set = value, True

    @property
    def suppress(self) -> bool:
        """Whether messages are recorded and told, and not sent."""
        get = self._config.get
        return self.suppresses or bool(get("MAIL_SUPPRESS_SEND", get("TESTING")))

    @suppress.setter
    def suppress(self, value: bool) -> None:
        self.suppresses = value
