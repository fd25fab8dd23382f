"""npm's smtp-server, an independent server in another language."""

from __future__ import annotations

import base64
import json
import subprocess
import typing as t

from npm import NODE

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from .certificates import Certificates


class Received(t.NamedTuple):
    """A message that it received. *content* is without dot-stuffing."""

    sender: str
    recipients: list[str]
    content: bytes
    #: The id that it gave the connection.
    connection: str
    user: str | None
    secure: bool


class NodeSmtpServer:
    """Listens on 127.0.0.1 until the end of the ``with`` block, or until :meth:`stop`.

    :param mode: "plain", "starttls" (with logins, MAIL is refused without it), "tls".
    :param users: name to password, for PLAIN and LOGIN.
    :param tokens: name to token, for XOAUTH2. MAIL is refused without login if either is given.
    :param refused: recipient to reply code.
    :param pipelining: whether PIPELINING is offered.
    :param size: the limit that is offered, in octets.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        certificates: Certificates,
        mode: str = "plain",
        *,
        users: Mapping[str, str] | None = None,
        tokens: Mapping[str, str] | None = None,
        refused: Mapping[str, int] | None = None,
        pipelining: bool = True,
        size: int = 33_554_432,
    ) -> None:
        self.port = 0
        methods = (["PLAIN", "LOGIN"] if users else []) + (["XOAUTH2"] if tokens else [])
        self._options: dict[str, t.Any] = {
            "secure": mode == "tls",
            "hideSTARTTLS": mode != "starttls",
            "hidePIPELINING": not pipelining,
            "size": size,
            "authMethods": methods,
            "authOptional": not methods,
            "disabledCommands": [] if methods else ["AUTH"],
            "users": dict(users or {}),
            "tokens": dict(tokens or {}),
            "refused": dict(refused or {}),
        }
        if mode != "plain":
            self._options["cert"] = str(certificates.cert_file)
            self._options["key"] = str(certificates.key_file)
        self._process: subprocess.Popen[str] | None = None
        self._received: list[Received] = []

    def __repr__(self) -> str:
        state = "listening" if self._process else "stopped"
        return f"<NodeSmtpServer {self.host}:{self.port} {state}>"

    def __enter__(self) -> t.Self:
        self._process = subprocess.Popen(
            ["node", "serve.mjs", json.dumps(self._options)],
            cwd=NODE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.port = json.loads(self._process.stdout.readline())
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def stop(self) -> list[Received]:
        """Stop it, and return all messages that it has received, in order."""
        if self._process is not None:
            printed, _ = self._process.communicate(timeout=60)
            self._process = None
            for line in printed.splitlines():
                fields = json.loads(line)
                content = base64.b64decode(fields.pop("content"))
                self._received.append(Received(content=content, **fields))
        return self._received
