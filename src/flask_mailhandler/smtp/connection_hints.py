"""What to do if there is no connection, or it cannot be encrypted. Each hint reads the
configuration, so that none says to set a key that is set, and names the place where the user wrote
an option, such as MAIL_URL."""

from __future__ import annotations

import errno
import socket

from .endpoint import Endpoint

_PLAIN_SPEAKER = {
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "UNKNOWN_PROTOCOL",
    "HTTP_REQUEST",
}
# Of OpenSSL's x509_vfy.h: no known certificate can verify this one.
_NO_AUTHORITY = {2, 18, 19, 20, 21}
_FIRST_STRICT = 78


def connect_hint(error: OSError, server: Endpoint) -> str:
    """Return the likely reason for a failed connection, and what to do."""
    return server.as_written(_connect_hint(error, server))


def _connect_hint(error: OSError, server: Endpoint) -> str:
    if server.source_address and (
        error.errno in (errno.EADDRNOTAVAIL, errno.EINVAL) or not error.errno
    ):
        return " Check MAIL_SOURCE_ADDRESS: it must be an address of this machine."
    if isinstance(error, socket.gaierror):
        return " Check MAIL_HOST." if error.errno == socket.EAI_NONAME else ""
    if isinstance(error, TimeoutError):
        return " A firewall may block the port; providers accept mail on 587 or 465."
    return " Check MAIL_HOST and MAIL_PORT."


def tls_hint(error: BaseException, server: Endpoint, *, after_handshake: bool = False) -> str:
    """Return cause and remedy for a handshake that failed, or for an error just after it."""
    return server.as_written(_tls_hint(error, server, after_handshake))


def _tls_hint(error: BaseException, server: Endpoint, after_handshake: bool) -> str:
    reason = str(getattr(error, "reason", "") or "").upper().replace(" ", "_")
    if getattr(error, "verify_message", ""):
        return _certificate_hint(error, server)
    if server.security == "tls" and reason in _PLAIN_SPEAKER:
        return (
            " The server speaks plain SMTP first: set MAIL_SECURITY = 'starttls', or use port 465."
        )
    return _client_hint(server) if after_handshake or "HANDSHAKE_FAILURE" in reason else ""


def _client_hint(server: Endpoint) -> str:
    if server.own_tls_context:
        return " It may want a client certificate: load one into MAIL_TLS_CONTEXT."
    if server.tls_cert_file:
        return f" It may not accept the client certificate of {server.tls_cert_file!r}."
    return " It may want a client certificate: set MAIL_TLS_CERT_FILE and MAIL_TLS_KEY_FILE."


def _certificate_hint(error: BaseException, server: Endpoint) -> str:
    said = str(getattr(error, "verify_message", "")).lower()
    code = int(getattr(error, "verify_code", 0) or 0)
    if "mismatch" in said or "not valid for" in said:
        if server.tls_server_name:
            hint = " Set MAIL_TLS_SERVER_NAME to a name in the certificate."
        else:
            hint = (
                " Set MAIL_HOST to the name in the certificate. If it is reached by another name,"
                " set MAIL_TLS_SERVER_NAME."
            )
        return f"{hint} Names in its subjectAltName count, a common name does not (RFC 9525)."
    if "expired" in said:
        return " The server needs a new certificate."
    if code >= _FIRST_STRICT:
        return _strict_hint(server)
    if server.own_tls_context:
        return " If it comes from a private authority, load its certificate into MAIL_TLS_CONTEXT."
    if server.tls_ca_file and code in _NO_AUTHORITY:
        return (
            f" The authority in MAIL_TLS_CA_FILE = {server.tls_ca_file!r} has not issued it: set"
            " MAIL_TLS_CA_FILE to its issuer's certificate."
        )
    if server.tls_ca_file:
        return f" It was verified by MAIL_TLS_CA_FILE = {server.tls_ca_file!r}."
    return " If it comes from a private authority, set MAIL_TLS_CA_FILE to its certificate."


def _strict_hint(server: Endpoint) -> str:
    """Python 3.13 and newer set OpenSSL's flag ``X509_STRICT``."""
    meanwhile = (
        "take ssl.VERIFY_X509_STRICT out of its verify_flags"
        if server.own_tls_context
        else "set MAIL_TLS_CONTEXT to a context without ssl.VERIFY_X509_STRICT in its verify_flags"
    )
    return (
        " Python 3.13 and newer require certificates to follow RFC 5280: the server's needs an"
        " authority key identifier, and that of its authority needs critical basic constraints and"
        f" a key usage. Have them issued anew. Until then, {meanwhile}."
    )
