"""A separate Postfix, in a temporary folder on loopback ports, that delivers to Maildirs.

Debian's packages ``postfix libsasl2-modules sasl2-bin`` are needed, and root to start it. The
system's own instance, if there is one, is neither used nor touched.
"""

from __future__ import annotations

import email
import email.policy
import os
import re
import shutil
import subprocess
import tempfile
import typing as t
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .dead_ends import free_port
from .waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage

    from .certificates import Certificates

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
#: The user that delivers. virtual(8) needs a separate one.
NOBODY = 65534

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.example
mydestination =
alias_maps =
mynetworks = 127.0.0.0/8
disable_dns_lookups = yes
smtpd_peername_lookup = no

# Mail for example.com is delivered unchanged. All other mail is discarded.
local_header_rewrite_clients =
virtual_mailbox_domains = example.com
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = regexp:{folder}/conf/mailboxes
virtual_uid_maps = static:{nobody}
virtual_gid_maps = static:{nobody}
default_transport = discard
transport_maps = texthash:{folder}/conf/transports
relay_transport = discard
virtual_alias_maps = inline:{{ {{ alias@example.com = 5-1-1@status.example }}, {{ both@example.com =
    ann@example.com, bob@example.com }} }}
# The next attempt after this time tells the sender of the delay: see flush().
delay_warning_time = 1s

# Refuse at the command itself, and without a delay.
smtpd_delay_reject = no
smtpd_error_sleep_time = 0
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_sender_restrictions =
    check_sender_access inline:{{ {{ refused@example.com = 550 5.7.1 Not from you }} }}
smtpd_recipient_restrictions =
    check_recipient_access inline:{{ {{ later@example.com = 450 4.2.0 Greylisted }} }}
smtpd_forbid_bare_newline = reject
smtpd_forbid_bare_newline_exclusions =

smtpd_tls_cert_file = {cert_file}
smtpd_tls_key_file = {key_file}
# Debian's Postfix reads sasl/ next to this file, whatever cyrus_sasl_config_path is.
cyrus_sasl_config_path = {folder}/conf/sasl
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = postfix.example
"""

LOGIN = (
    "-o smtpd_sasl_auth_enable=yes -o smtpd_tls_auth_only=yes"
    " -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject"
    " -o smtpd_relay_restrictions=permit_sasl_authenticated,reject"
)
#: The name of each port, and how its smtpd differs.
SERVICES = {
    "plain": "",
    "limited": "-o smtpd_recipient_limit=50",
    "starttls": "-o smtpd_tls_security_level=encrypt",
    "submission": f"-o smtpd_tls_security_level=encrypt {LOGIN}",
    "submissions": f"-o smtpd_tls_wrappermode=yes {LOGIN}",
    "refusing": "-o myhostname=refusing.example -o smtpd_recipient_restrictions="
    "check_recipient_access,texthash:{folder}/conf/refusals",
}

MASTER_CF = """\
pickup     unix       n - n 60 1 pickup
cleanup    unix       n - n - 0 cleanup
qmgr       unix       n - n 300 1 qmgr
tlsmgr     unix       - - n 1000? 1 tlsmgr
rewrite    unix       - - n - - trivial-rewrite
bounce     unix       - - n - 0 bounce
defer      unix       - - n - 0 bounce
trace      unix       - - n - 0 bounce
verify     unix       - - n - 1 verify
proxymap   unix       - - n - - proxymap
error      unix       - - n - - error
retry      unix       - - n - - error
discard    unix       - - n - - discard
virtual    unix       - n n - - virtual
smtp       unix       - - n - - smtp
nodsn      unix       - - n - - smtp -o smtp_discard_ehlo_keywords=dsn
lmtp       unix       - - n - - lmtp
anvil      unix       - - n - 1 anvil
postlog    unix-dgram n - n - 1 postlogd
"""

# Only mailboxes that begin with "unknown" do not exist.
MAILBOXES = """\
if !/^unknown/
/@example\\.com$/ inbox/
endif
"""

#: Mail for 5-1-1@status.example is relayed to the port "refusing", which replies 550 5.1.1.
STATUSES = ("4.2.2", "5.1.1", "5.2.2", "5.3.4", "5.7.1")

SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {folder}/sasldb2
mech_list: PLAIN LOGIN
"""


OWN_FIELDS = re.compile(
    rb"(?:(?:Return-Path|X-Original-To|Delivered-To|Received):[^\n]*\n(?:[ \t][^\n]*\n)*)+"
)


@dataclass(frozen=True)
class Delivered:
    """One copy of a message, for one recipient."""

    octets: bytes

    @cached_property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.octets, policy=email.policy.default)

    @property
    def sender(self) -> str:
        """The envelope sender."""
        return str(self.message["Return-Path"]).strip("<>")

    @property
    def recipient(self) -> str:
        return str(self.message["Delivered-To"])

    @cached_property
    def content(self) -> bytes:
        """The octets that the client sent: without Postfix's own fields, with CRLF."""
        return OWN_FIELDS.sub(b"", self.octets, count=1).replace(b"\n", b"\r\n")


def missing() -> str:
    """Why Postfix cannot be started here, or ""."""
    for name in ("postfix", "saslpasswd2"):
        if not shutil.which(name, path=PATH):
            return f"no {name}; apt-get install postfix libsasl2-modules sasl2-bin"
    return "" if os.geteuid() == 0 else "only root can start Postfix"


class Postfix:
    """An instance that runs from :meth:`start` to :meth:`stop`.

    Ports: ``plain``; ``limited`` (50 recipients a transaction); ``starttls`` (required);
    ``submission`` (STARTTLS and login required); ``submissions`` (TLS from the first octet,
    login required). Mail for ``example.com`` can be read back, mail for other domains is thrown
    away. Mail for ``5-1-1@status.example`` bounces with the status 5.1.1, and so does mail for its
    alias, ``alias@example.com``. ``both@example.com`` is a list of two. Mail for
    ``relayed.example`` is passed to a server without DSN, and mail for ``lmtp.example`` to a socket
    in the folder.
    ``unknown...@example.com`` does not exist (550 5.1.1), ``later@example.com`` is refused
    for now (450), and so is the sender ``refused@example.com`` for ever (550 5.7.1).
    """

    host = "127.0.0.1"
    user = "ann@postfix.example"
    password = "päss word"

    def __init__(self, certificates: Certificates) -> None:
        self.ports: dict[str, int] = {}
        self._certificates = certificates
        # Not pytest's folder, which Postfix's user may not enter.
        self.folder = Path(tempfile.mkdtemp(prefix="postfix-"))

    def __repr__(self) -> str:
        return f"<Postfix in {self.folder}, {self.ports}>"

    def start(self) -> None:
        """Start. When it returns, all ports are open."""
        self._lay_out()
        for attempt in range(3):
            self._choose_ports()
            try:
                return self._run("postfix", "-c", str(self.folder / "conf"), "start")
            except RuntimeError:
                # Another process may have taken a port meanwhile.
                if attempt == 2:
                    raise

    def stop(self) -> None:
        """Stop, and delete everything."""
        process = self.folder / "queue" / "pid" / "master.pid"
        try:
            if process.exists():
                group = int(process.read_text())
                self._run("postfix", "-c", str(self.folder / "conf"), "stop")
                until(lambda: _is_gone(group), 60, "Postfix's processes to end")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def flush(self) -> None:
        """Try again to deliver what is deferred."""
        self._run("postqueue", "-c", str(self.folder / "conf"), "-f")

    def delivered(self) -> list[Delivered]:
        """All copies, in no particular order."""
        return [Delivered(path.read_bytes()) for path in self.folder.glob("mail/inbox/new/*")]

    def wait_for(
        self,
        wanted: str | Callable[[Delivered], bool],
        *,
        copies: int = 1,
        timeout: float = 90.0,
    ) -> list[Delivered]:
        """The copies of a message, ordered by recipient, as soon as there are enough.

        :param wanted: the Message-ID with its angle brackets, or a function.
        :raises TimeoutError: after *timeout* seconds, with the end of the log.
        """

        def is_wanted(copy: Delivered) -> bool:
            return copy.message["Message-ID"] == wanted if isinstance(wanted, str) else wanted(copy)

        def enough() -> list[Delivered]:
            found = [copy for copy in self.delivered() if is_wanted(copy)]
            return sorted(found, key=lambda copy: copy.recipient) if len(found) >= copies else []

        try:
            return until(enough, timeout, f"{copies} copies of {wanted}")
        except TimeoutError as error:
            raise TimeoutError(f"{error} Postfix's log ends:\n{self.log()[-3000:]}") from None

    def _lay_out(self) -> None:
        self.folder.chmod(0o755)
        conf = self.folder / "conf"
        for name in ("queue", "conf", "conf/sasl", "mail"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "mail", NOBODY, NOBODY)
        (self.folder / "data").mkdir(mode=0o700)
        shutil.chown(self.folder / "data", "postfix")
        (conf / "mailboxes").write_text(MAILBOXES)
        (conf / "refusals").write_text(
            "".join(
                f"{status.replace('.', '-')}@status.example {status[0]}50 {status}"
                f" The status is {status}\n"
                for status in STATUSES
            )
            + "relayed.example DISCARD\n"
        )
        (conf / "sasl" / "smtpd.conf").write_text(SASL.format(folder=self.folder))
        (conf / "main.cf").write_text(
            MAIN_CF.format(
                folder=self.folder,
                nobody=NOBODY,
                cert_file=self._certificates.cert_file,
                key_file=self._certificates.key_file,
            )
        )
        user, _, realm = self.user.partition("@")
        database = self.folder / "sasldb2"
        self._run(
            "saslpasswd2", "-c", "-p", "-f", str(database), "-u", realm, user, text=self.password
        )
        shutil.chown(database, "postfix")

    def _choose_ports(self) -> None:
        self.ports = {name: free_port() for name in SERVICES}
        (self.folder / "conf" / "transports").write_text(
            f"status.example smtp:[{self.host}]:{self.ports['refusing']}\n"
            f"relayed.example nodsn:[{self.host}]:{self.ports['refusing']}\n"
            f"lmtp.example lmtp:unix:{self.folder}/bounces.sock\n"
        )
        smtpds = [
            f"{self.host}:{self.ports[name]} inet n - n - - smtpd {options}\n"
            for name, options in SERVICES.items()
        ]
        (self.folder / "conf" / "master.cf").write_text(
            MASTER_CF + "".join(smtpds).format(folder=self.folder)
        )

    def _run(self, *command: str, text: str = "") -> None:
        # A file, because the daemon inherits it and would keep a pipe open.
        output = self.folder / "output"
        with output.open("w") as file:
            status = subprocess.run(
                command,
                input=text,
                text=True,
                stdout=file,
                stderr=file,
                env={"PATH": PATH, "LANG": "C.UTF-8"},
                check=False,
            ).returncode
        if status != 0:
            raise RuntimeError(f"{command} failed: {output.read_text()}\n{self.log()[-3000:]}")


def _is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False
