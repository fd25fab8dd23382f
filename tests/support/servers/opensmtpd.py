"""A separate OpenSMTPD, confined to a temporary folder, on a loopback port.

Debian's package ``opensmtpd`` cannot be installed next to Postfix, and all of its paths and users
are fixed. So it is unpacked into a folder, to which it is confined by chroot(8): its users exist
only there. This needs Debian 12, its package lists, and root.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from .dead_ends import free_port
from .debian import copy_libraries
from .debian import run
from .debian import unpack
from .refusing import Refusing
from .waiting import until

PACKAGES = ("opensmtpd", "libevent-2.1-7", "libdb5.3")
PROGRAMS = ("usr/sbin/smtpd", "usr/libexec/opensmtpd/mail.maildir", "bin/sh")
NOBODY = 65534
#: The files of the folder that it is confined to.
FILES = {
    "etc/passwd": f"""\
root:x:0:0::/root:/bin/sh
opensmtpd:x:901:901::/var/lib/opensmtpd/empty:/bin/false
opensmtpq:x:902:902::/var/lib/opensmtpd/empty:/bin/false
nobody:x:{NOBODY}:{NOBODY}::/mail:/bin/sh
""",
    "etc/group": f"root:x:0:\nopensmtpd:x:901:\nopensmtpq:x:902:\nnogroup:x:{NOBODY}:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "etc/resolv.conf": "",
    "etc/mailname": "opensmtpd.example\n",
    "etc/smtpd.conf": """\
bounce warn-interval 1s
queue ttl {ttl}
listen on 127.0.0.1 port {port} hostname opensmtpd.example
action "maildir" maildir "/mail" user nobody virtual {{ "@example.com" = nobody }}
action "alias" maildir "/mail" user nobody virtual {{ "alias" = "unknown-alias@status.example" }}
action "relay" relay host smtp://127.0.0.1:{refusing}
match from any for domain "example.com" action "maildir"
match from any for domain "alias.example" action "alias"
match from any for domain "status.example" action "relay"
""",
}


class OpenSMTPD:
    """An instance that runs from :meth:`start` to :meth:`stop`.

    Mail for example.com is delivered, mail for status.example is relayed to :class:`.Refusing`.
    ``alias@alias.example`` is ``unknown-alias@status.example``.

    :param ttl: How long it tries to deliver a message.
    """

    host = "127.0.0.1"

    def __init__(self, ttl: str = "4s") -> None:
        # Not pytest's folder, which other users may not enter.
        self.folder = Path(tempfile.mkdtemp(prefix="opensmtpd-"))
        self.port = 0
        self._ttl = ttl
        self._root = self.folder / "root"
        self._process: subprocess.Popen[bytes] | None = None
        self._refusing: Refusing | None = None

    def missing(self) -> str:
        """Unpack it if possible. Return why it cannot be started here, or ""."""
        if why := unpack(PACKAGES, self._root):
            return why
        self.folder.chmod(0o755)
        (self._root / "bin").mkdir(exist_ok=True)
        shutil.copy("/bin/sh", self._root / "bin" / "sh")
        for program in PROGRAMS:
            copy_libraries(self._root / program, self._root)
        for name in ("dev", "mail", "run", "tmp", "var/lib/opensmtpd/empty", "var/spool/smtpd"):
            (self._root / name).mkdir(parents=True, exist_ok=True)
        (self._root / "var" / "run").symlink_to("/run")
        (self._root / "var/spool/smtpd").chmod(0o711)
        (self._root / "tmp").chmod(0o1777)
        os.chown(self._root / "mail", NOBODY, NOBODY)
        try:
            os.mknod(self._root / "dev" / "null", 0o20666, os.makedev(1, 3))
            (self._root / "dev" / "null").chmod(0o666)
        except OSError as error:
            return f"no device can be made for it: {error.strerror}"
        self._write()
        done = run("chroot", str(self._root), "/usr/sbin/smtpd", "-n")
        return "" if done.returncode == 0 else f"it does not run: {done.stdout}{done.stderr}"

    def _write(self) -> None:
        self.port, self.refusing = free_port(), free_port()
        numbers = {"port": self.port, "refusing": self.refusing, "ttl": self._ttl}
        for name, text in FILES.items():
            conf = name == "etc/smtpd.conf"
            (self._root / name).write_text(text.format(**numbers) if conf else text)

    def start(self) -> None:
        """Start. When it returns, the port is open."""
        self._refusing = Refusing(self.refusing)
        self._refusing.start()
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["chroot", str(self._root), "/usr/sbin/smtpd", "-d", "-v"],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._is_listening, 60, "OpenSMTPD to listen")

    def _is_listening(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"OpenSMTPD has ended:\n{self.log()}")
        with socket.socket() as sock:
            return sock.connect_ex((self.host, self.port)) == 0

    def stop(self) -> None:
        """Stop, and delete everything."""
        try:
            if self._process is not None:
                os.killpg(self._process.pid, signal.SIGTERM)
                self._process.wait(60)
            if self._refusing is not None:
                self._refusing.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """What it has written into its log."""
        return (self.folder / "log").read_text(errors="replace")

    def delivered(self, sender: str) -> list[bytes]:
        """The messages that were delivered to an address."""
        found = [path.read_bytes() for path in self._root.glob("mail/new/*")]
        return [octets for octets in found if f"Delivered-To: {sender}".encode() in octets]
