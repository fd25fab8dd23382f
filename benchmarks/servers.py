"""The servers: our own sink, Postfix and its smtp-sink, and proxies to them that add delay.

Postfix and smtp-sink are started as the tests start them.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import os
import socket
import ssl
import statistics
import sys
import tempfile
import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

from .program import python

if t.TYPE_CHECKING:
    from servers.certificates import Certificates

_SUPPORT = Path(__file__).parents[1] / "tests" / "support"
USER, PASSWORD = "ann@example.com", "a password"


class Missing(Exception):
    """A server cannot be started; ``str()`` says why and what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """Where to send, and how. An encrypted site requires a login."""

    port: int
    security: str = "none"
    host: str = "127.0.0.1"

    @property
    def login(self) -> tuple[str, str] | None:
        return None if self.security == "none" else (USER, PASSWORD)


class Sink:
    """Our own sink. A context manager.

    :param certificates: The certificates of the sink.
    """

    def __init__(self, certificates: Certificates) -> None:
        files = (str(certificates.cert_file), str(certificates.key_file))
        self._program = python("sink", *files)

    def __enter__(self) -> t.Self:
        self._program.__enter__()
        self.sites = {
            security: Site(port, security)
            for security, port in self._program.ask(None)["ports"].items()
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._program.__exit__()

    def taken(self) -> tuple[int, int]:
        """Return how many messages it has accepted, and over how many connections."""
        found = self._program.ask(None)
        return found["messages"], found["connections"]

    def last(self) -> bytes:
        """Return the last message."""
        return base64.b64decode(self._program.ask(None)["last"])


@contextlib.contextmanager
def certificates() -> Iterator[Certificates]:
    """Yield certificates that every library trusts while the context is open, in addition to the
    system's. Loading those is part of opening a connection, unless it is done beforehand."""
    from servers.certificates import make

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        Path(folder).chmod(0o755)
        made = make(Path(folder))
        system = ssl.get_default_verify_paths().cafile
        both = [Path(path).read_text() for path in (system, made.ca_file) if path]
        made.ca_file.write_text("".join(both))
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = str(made.ca_file)
        stack.callback(_restore, "SSL_CERT_FILE", before)
        yield made


def _restore(name: str, before: str | None) -> None:
    if before is None:
        del os.environ[name]
    else:
        os.environ[name] = before


@contextlib.contextmanager
def delayed(site: Site, milliseconds: float) -> Iterator[Site]:
    """Yield the same server behind a proxy with this round-trip time."""
    with python("delay", str(milliseconds), str(site.port)) as program:
        (port,) = program.ask(None)
        yield dataclasses.replace(site, port=port)


def round_trip(site: Site) -> float:
    """Return the seconds of a command and its reply, including the server's own time."""
    found = []
    with (
        socket.create_connection((site.host, site.port)) as sock,
        sock.makefile("rb") as lines,
    ):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines.readline()
        for _ in range(20):
            start = time.perf_counter()
            sock.sendall(b"NOOP\r\n")
            lines.readline()
            found.append(time.perf_counter() - start)
        sock.sendall(b"QUIT\r\n")
    return statistics.median(found)


@contextlib.contextmanager
def smtp_sink() -> Iterator[Site]:
    """Run Postfix's own sink, a program in C.

    :raises Missing: if it cannot be started.
    """
    from servers.smtp_sink import missing
    from servers.smtp_sink import SmtpSink

    if why := missing():
        raise Missing(why)
    with SmtpSink() as sink:
        yield Site(sink.port)


@contextlib.contextmanager
def postfix(certificates: Certificates) -> Iterator[tuple[Site, Callable[[], object]]]:
    """Run Postfix, which queues the mail, and yield a function that waits until the queue is empty.

    :raises Missing: if it cannot be started.
    """
    from servers.postfix import missing
    from servers.postfix import Postfix
    from servers.waiting import until

    if why := missing():
        raise Missing(why)
    server = Postfix(certificates)
    queue = server.folder / "queue"
    folders = ("maildrop", "incoming", "active")

    def is_empty() -> bool:
        return not any(any((queue / folder).iterdir()) for folder in folders)

    try:
        server.start()
        yield Site(server.ports["plain"]), lambda: until(is_empty, 60, "Postfix to be done")
    finally:
        server.stop()


if str(_SUPPORT) not in sys.path:
    sys.path.append(str(_SUPPORT))
