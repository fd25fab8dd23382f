"""The TLS context of a handler that connects to a server."""

from __future__ import annotations

import typing as t

from ..errors import ConfigurationError

if t.TYPE_CHECKING:
    import ssl


class TLSContext:
    """Makes the TLS context at the first call, and keeps it, because making it takes 20 ms of
    CPU."""

    def __init__(
        self,
        own: ssl.SSLContext | None,
        ca_file: str | None,
        cert_file: str | None,
        key_file: str | None,
    ) -> None:
        self._context = own
        self._files = (ca_file, cert_file, key_file)

    def __call__(self) -> ssl.SSLContext:
        # No lock: a forked child could find it locked for ever.
        if self._context is None:
            self._context = self._make()
        return self._context

    def _make(self) -> ssl.SSLContext:
        import ssl  # it takes 10 ms, and a handler that does not encrypt does not need it

        ca_file, cert_file, key_file = self._files
        try:
            context = ssl.create_default_context(cafile=ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            # https://www.rfc-editor.org/rfc/rfc9525#section-6.3: only a subjectAltName counts
            context.hostname_checks_common_name = False
            if cert_file:
                context.load_cert_chain(cert_file, key_file)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigurationError(
                "MAIL_TLS_CA_FILE, MAIL_TLS_CERT_FILE or MAIL_TLS_KEY_FILE cannot be used:"
                f" {error.strerror or error}."
            ) from error
        return context
