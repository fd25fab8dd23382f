#!/usr/bin/env bash
# A shop sends mail with yagmail: "Your invoice" for March, and a month later "Your invoice" for April, to the same
# customer. One guesses that each mail has a Message-ID of its own, as RFC 5322 section 3.6.4 says and as smtplib's
# users make with make_msgid(). But yagmail 0.16.0 makes it from From, To and Subject only (group_messages=True), so
# both mails have the same one. Software that knows a duplicate by its Message-ID drops the second mail, though its
# text differs: here formail, as the usual recipe of procmail calls it. That happens at the customer's, and the shop
# sees nothing of it. group_messages=False makes a Message-ID for each mail.
#
# It unpacks formail of Debian's package procmail (3.22 in Debian 12) into a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -y download 'procmail=3.22*' >/dev/null 2>&1
dpkg -x procmail*.deb root
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check yagmail==0.16.0 aiosmtpd==1.4.6
cat >shop.py <<'PYTHON'
import importlib.metadata
import socket
import sys

import yagmail
from aiosmtpd.controller import Controller

options = {"group_messages": False} if "apart" in sys.argv else {}


class Server:
    """Writes each mail into a file."""

    mails = 0

    async def handle_DATA(self, server, session, envelope):
        self.mails += 1
        with open(f"mail-{self.mails}", "wb") as file:
            file.write(envelope.content.replace(b"\r\n", b"\n"))
        return "250 OK"


with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
controller = Controller(Server(), hostname="127.0.0.1", port=port)
controller.start()
server = {"host": "127.0.0.1", "port": port, "smtp_ssl": False, "smtp_starttls": False}
for month in ("March", "April"):
    shop = yagmail.SMTP("shop@example.com", "password", smtp_skip_login=True, **server)
    shop.send("ann@example.com", "Your invoice", f"For {month}", **options)
    shop.close()
controller.stop()
assert controller.handler.mails == 2, "not every mail was sent"
print("yagmail", importlib.metadata.version("yagmail"), options or "")
PYTHON
expect() { # what formail does with both mails, and an option for the program
    rm -f mail-* seen
    venv/bin/python shop.py ${2+"$2"}
    result=
    for mail in mail-1 mail-2; do
        grep -i '^Message-ID:' "$mail"
        if root/usr/bin/formail -D 8192 seen <"$mail"; then result+=' dropped'; else result+=' delivered'; fi
    done
    echo "   $result"
    [ "$result" = " $1" ] || { echo "expected $1: the behaviour has changed" >&2; exit 1; }
}
expect 'delivered delivered' apart
expect 'delivered dropped'
