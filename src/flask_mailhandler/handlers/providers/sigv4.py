"""The signature of a request to AWS, version 4
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)."""

from __future__ import annotations

import datetime
import hashlib
import hmac
from collections.abc import Mapping

from ...frozen import Frozen
from ...secret import Secret

_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(Frozen):
    """The credentials of an AWS account."""

    key: str
    """The access key ID, which is not secret."""
    secret: Secret
    token: Secret | None = None
    """The session token of temporary credentials."""


def signed(
    credentials: Credentials,
    region: str,
    service: str,
    host: str,
    path: str,
    body: bytes,
    now: datetime.datetime,
) -> Mapping[str, str | Secret]:
    """Return the header fields of a POST request in JSON, other than Host, with its signature.

    :param path: Without a query and without characters that have to be escaped.
    :param now: In UTC.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers: dict[str, str | Secret] = {
        "Content-Type": "application/json",
        "X-Amz-Date": stamp,
    }
    if credentials.token is not None:
        headers["X-Amz-Security-Token"] = credentials.token
    fields = {"host": host.encode()}
    fields |= {name.lower(): Secret(value).octets() for name, value in headers.items()}
    names = ";".join(sorted(fields)).encode()
    canonical = Secret(
        b"\n".join(
            [
                b"POST",
                path.encode(),
                b"",
                *(b"%s:%s" % (name.encode(), fields[name]) for name in sorted(fields)),
                b"",
                names,
                hashlib.sha256(body).hexdigest().encode(),
            ]
        )
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.octets()).hexdigest()
    to_sign = "\n".join([_ALGORITHM, stamp, scope, digest])
    key = Secret(b"AWS4" + credentials.secret.octets())
    for part in scope.split("/"):
        key = Secret(hmac.digest(key.octets(), part.encode(), "sha256"))
    signature = hmac.digest(key.octets(), to_sign.encode(), "sha256").hex()
    headers["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.key}/{scope}, SignedHeaders={names.decode()},"
        f" Signature={signature}"
    )
    return headers
