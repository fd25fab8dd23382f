"""A separate Dovecot, in a temporary folder on loopback ports, that serves Maildirs by IMAP.

Debian's package ``dovecot-imapd`` is needed, and root to start it. The system's own instance, if
there is one, is neither used nor touched.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import typing as t
from pathlib import Path

from .dead_ends import free_port
from .waiting import until

if t.TYPE_CHECKING:
    from .certificates import Certificates

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
#: The user who owns the mail and runs the processes.
NOBODY = 65534

CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
instance_name = mailhandler-test
ssl_cert = <{cert_file}
ssl_key = <{key_file}
disable_plaintext_auth = yes
auth_mechanisms = plain login
auth_failure_delay = 0
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
first_valid_gid = 1
mail_access_groups =
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
default_client_limit = 100
default_process_limit = 20
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={nobody} gid={nobody} home={folder}/mail/%u
}}
service anvil {{
  chroot =
  client_limit = 400
  # Wrong logins are not answered more slowly.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  client_limit = 400
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
"""


def missing() -> str:
    """Why Dovecot cannot be started here, or ""."""
    if not (shutil.which("dovecot", path=PATH) and Path("/usr/lib/dovecot/imap").exists()):
        return "no dovecot; apt-get install dovecot-imapd"
    return "" if os.geteuid() == 0 else "only root can start Dovecot"


class Dovecot:
    """An instance that runs from :meth:`start` to :meth:`stop`. Each user has a mailbox and the
    same password.

    Ports: ``imaps`` (TLS from the first octet) and ``imap`` (STARTTLS required before the login).
    """

    host = "localhost"
    password = "pä:ss@w/rd"

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        # Not pytest's folder, which other users may not enter.
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start. When it returns, the ports are open."""
        self.folder.chmod(0o755)
        self.ports = {"imaps": free_port(), "imap": free_port()}
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "mail", NOBODY, NOBODY)
        (self.folder / "dovecot.conf").write_text(
            CONFIGURATION.format(
                folder=self.folder,
                cert_file=self._certificates.cert_file,
                key_file=self._certificates.key_file,
                password=self.password,
                nobody=NOBODY,
                **self.ports,
            )
        )
        with (self.folder / "errors").open("wb") as errors:
            self._process = subprocess.Popen(
                ["dovecot", "-F", "-c", self.folder / "dovecot.conf"],
                env={"PATH": PATH},
                stdout=errors,
                stderr=errors,
            )
        until(self._is_listening, 60, "Dovecot to listen")

    def _is_listening(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"Dovecot has ended:\n{self.log()}")
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.ports["imaps"])) == 0

    def stop(self) -> None:
        """Stop, and delete everything."""
        try:
            if self._process is not None:
                self._process.terminate()
                self._process.wait(60)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """What it has written into its logs."""
        files = [*self.folder.glob("log"), *self.folder.glob("errors")]
        return "\n".join(path.read_text(errors="replace") for path in files)

    def deliver(self, user: str, octets: bytes, folder: str = "") -> None:
        """Put a message into a user's mailbox, or into another of the user's folders.

        :param folder: Such as ``.Bounces``.
        """
        maildir = self.folder / "mail" / user / folder
        for name in ("tmp", "new", "cur"):
            (maildir / name).mkdir(parents=True, exist_ok=True)
        number = len([*maildir.glob("new/*"), *maildir.glob("cur/*")])
        (maildir / "new" / f"{number:03}.test").write_bytes(octets)
        for path in [maildir, *maildir.parents, *maildir.rglob("*")]:
            if self.folder / "mail" in path.parents:
                os.chown(path, NOBODY, NOBODY)

    def seen(self, user: str, folder: str = "") -> list[bool]:
        """Whether each message of a user is marked as seen, in the order of delivery."""
        maildir = self.folder / "mail" / user / folder
        found = [*maildir.glob("new/*"), *maildir.glob("cur/*")]
        return [
            "S" in path.name.partition(":2,")[2] for path in sorted(found, key=lambda p: p.name)
        ]
