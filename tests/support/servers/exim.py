"""A separate Exim, in a temporary folder on a loopback port, that delivers into a Maildir.

Debian's package ``exim4-daemon-light`` cannot be installed next to Postfix. So it is downloaded
with the libraries that other packages do not bring, and unpacked into the folder. This needs
Debian 12, its package lists, and root to start it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from .dead_ends import free_port
from .debian import run
from .debian import unpack
from .refusing import Refusing
from .waiting import until

PACKAGES = (
    *("exim4-daemon-light", "libidn12", "libgnutls-dane0", "libunbound8", "libevent-2.1-7"),
    *("libnsl2", "libtirpc3", "libdb5.3", "libhogweed6", "libnettle8", "libnghttp2-14"),
    "libnss-wrapper",
)
# The user that the package would create is nobody here. Only Exim itself sees it.
NOBODY = 65534
PASSWD = f"root:x:0:0::/root:/bin/sh\nDebian-exim:x:{NOBODY}:{NOBODY}::/:/bin/false\n"
GROUP = f"root:x:0:\nmail:x:8:\nDebian-exim:x:{NOBODY}:\n"

CONFIGURATION = """\
primary_hostname = exim.example
exim_path = {folder}/exim/usr/sbin/exim4
keep_environment = LD_LIBRARY_PATH : LD_PRELOAD : ^NSS_WRAPPER_
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/spool/exim.pid
local_interfaces = 127.0.0.1
deliver_drop_privilege = true
never_users =
host_lookup =
rfc1413_hosts =
tls_advertise_hosts =
smtputf8_advertise_hosts = *
accept_8bitmime = true
dsn_advertise_hosts = *
delay_warning = 1s
acl_smtp_rcpt = accepted
acl_smtp_data = accepted

begin acl
accepted:
  accept

begin routers
# As in docs/bounces.rst.
bounces:
  driver = accept
  domains = lmtp.example
  local_parts = bounces
  local_part_suffix = +*
  transport = bounces_lmtp

# The next server refuses or accepts.
status:
  driver = manualroute
  domains = status.example : delayed.example
  route_list = * 127.0.0.1
  self = send
  transport = next_server

alias:
  driver = redirect
  domains = alias.example
  data = unknown-alias@status.example

full:
  driver = accept
  domains = full.example
  transport = full

everything:
  driver = accept
  domains = ! nowhere.example
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  return_path_add
  envelope_to_add

full:
  driver = appendfile
  directory = {folder}/full
  maildir_format
  quota = 1
  quota_is_inclusive

next_server:
  driver = smtp
  port = {refusing}
  allow_localhost

bounces_lmtp:
  driver = smtp
  protocol = lmtp
  hosts = 127.0.0.1
  port = {lmtp}
  allow_localhost
  rcpt_include_affixes

begin retry
# Mail for other domains bounces if it cannot be delivered at once.
delayed.example * F,1d,1h
"""


class Exim:
    """An instance that runs from :meth:`start` to :meth:`stop`.

    It delivers all mail except that for ``nowhere.example`` (no route), ``full.example`` (no
    space), ``status.example`` and ``delayed.example`` (relayed to :class:`.Refusing`),
    ``alias.example`` (an alias for an address that is refused), and ``lmtp.example``.
    """

    host = "127.0.0.1"

    def __init__(self) -> None:
        # Not pytest's folder, which other users may not enter.
        self.folder = Path(tempfile.mkdtemp(prefix="exim-"))
        self.port = 0
        self.lmtp_port: int = free_port()
        """Where a test listens for mail for ``bounces+...@lmtp.example``."""
        self._refusing = Refusing(free_port())
        self._process: subprocess.Popen[bytes] | None = None

    def missing(self) -> str:
        """Unpack it if possible. Return why it cannot be started here, or ""."""
        root = self.folder / "exim"
        if why := unpack(PACKAGES, root):
            return why
        self.folder.chmod(0o755)
        (self.folder / "passwd").write_text(PASSWD)
        (self.folder / "group").write_text(GROUP)
        # With the set-user-ID bit, the loader would not look into the folder for libraries.
        (root / "usr/sbin/exim4").chmod(0o755)
        for name in ("spool", "log", "mail", "full"):
            (self.folder / name).mkdir()
            os.chown(self.folder / name, NOBODY, NOBODY)
        configuration = self.folder / "exim.conf"
        configuration.write_text(
            CONFIGURATION.format(
                folder=self.folder, refusing=self._refusing.port, lmtp=self.lmtp_port
            )
        )
        exim = str(root / "usr/sbin/exim4")
        done = run(exim, "-C", str(configuration), "-bV", env=self._environment)
        return "" if done.returncode == 0 else f"it does not run: {done.stdout}{done.stderr}"

    @property
    def _environment(self) -> dict[str, str]:
        usr = self.folder / "exim" / "usr" / "lib"
        folders = [str(path) for path in usr.glob("*-linux-gnu*")]
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LD_LIBRARY_PATH": ":".join(folders),
            "LD_PRELOAD": "libnss_wrapper.so",
            "NSS_WRAPPER_PASSWD": f"{self.folder}/passwd",
            "NSS_WRAPPER_GROUP": f"{self.folder}/group",
        }

    def start(self) -> None:
        """Start. When it returns, the port is open."""
        self.port = free_port()
        self._refusing.start()
        exim = str(self.folder / "exim/usr/sbin/exim4")
        with (self.folder / "errors").open("wb") as errors:
            self._process = subprocess.Popen(
                [
                    *(exim, "-C", str(self.folder / "exim.conf"), "-bdf"),
                    *("-oX", f"127.0.0.1.{self.port}"),
                ],
                env=self._environment,
                stdout=errors,
                stderr=errors,
            )
        until(self._is_listening, 60, "Exim to listen")

    def _is_listening(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"Exim has ended:\n{self.log()}")
        with socket.socket() as sock:
            return sock.connect_ex((self.host, self.port)) == 0

    def stop(self) -> None:
        """Stop, and delete everything."""
        try:
            if self._process is not None:
                self._process.terminate()
                self._process.wait(60)
                self._refusing.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def try_again(self) -> None:
        """Try to deliver everything that waits."""
        exim = str(self.folder / "exim/usr/sbin/exim4")
        done = run(exim, "-C", str(self.folder / "exim.conf"), "-qff", env=self._environment)
        assert done.returncode == 0, done.stderr

    def delivered(self, sender: str) -> list[bytes]:
        """The messages that were delivered to an address."""
        found = [path.read_bytes() for path in self.folder.glob("mail/new/*")]
        return [octets for octets in found if f"Envelope-to: {sender}".encode() in octets]

    def log(self) -> str:
        """What it has written into its logs."""
        files = [*self.folder.glob("log/*"), *self.folder.glob("errors")]
        return "\n".join(path.read_text(errors="replace") for path in files)

    def wait_for(self, message_id: str) -> bytes:
        """The octets of a message as they are in the Maildir, with CRLF, as soon as it is there.

        :raises TimeoutError: after a minute and a half, with the log.
        """

        def found() -> list[bytes]:
            delivered = [path.read_bytes() for path in self.folder.glob("mail/new/*")]
            return [octets for octets in delivered if message_id.encode() in octets]

        try:
            (octets, *_) = until(found, 90, f"{message_id} to arrive")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log()[-3000:]}") from None
        return octets.replace(b"\n", b"\r\n")
