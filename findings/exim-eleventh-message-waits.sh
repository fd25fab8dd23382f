#!/usr/bin/env bash
# An app keeps its connection to a relay open, to save the time of connecting. One guesses that the relay sends on each
# message as soon as it has said 250, and that the number of messages before it makes no difference. Exim does so for
# ten messages of a connection (smtp_accept_queue_per_connection). From the eleventh on, the reply is the same 250, and
# the message is only written to the queue, until the next queue run: with Debian's settings in up to 30 minutes, with
# no queue runner never. Nothing in the replies tells it. So the faster client has the slower mail: a busy app with a
# pool of connections waits half an hour for a password reset. A new connection after ten messages avoids it.
# It needs root: Debian's package is unpacked into a temporary folder, and confined to it by chroot.
set -euo pipefail
folder=$(mktemp -d)
root=$folder/root
server=
tidy() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap tidy EXIT
chmod 755 "$folder"
mkdir -p "$root"/{bin,dev,etc/exim4,mail,var/spool/exim4,var/log/exim4}
(cd "$root" && apt-get -q -y download 'exim4-daemon-light=4.96*' libdb5.3 libgnutls-dane0 libidn12 libidn2-0 \
    libpcre2-8-0 libunbound8 >/dev/null 2>&1)
for package in "$root"/*.deb; do dpkg -x "$package" "$root"; done
cp /bin/sh "$root/bin/sh"
own=$(echo "$root"/usr/lib/*-linux-gnu)
LD_LIBRARY_PATH=$own ldd "$root/usr/sbin/exim4" "$root/bin/sh" | grep -o '/[^ :]*' | sort -u | while read -r library; do
    case $library in "$root"/*) ;; *) mkdir -p "$root/$(dirname "$library")" && cp -L "$library" "$root$library" ;; esac
done
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/urandom" c 1 9
printf '%s\n' root:x:0:0::/root:/bin/sh Debian-exim:x:901:901::/var/spool/exim4:/bin/false \
    nobody:x:65534:65534::/mail:/bin/sh >"$root/etc/passwd"
printf '%s\n' root:x:0: mail:x:8: Debian-exim:x:901: nogroup:x:65534: >"$root/etc/group"
echo '127.0.0.1 localhost' >"$root/etc/hosts"
: >"$root/etc/resolv.conf"
chown -R 901:901 "$root/var/spool/exim4" "$root/var/log/exim4"
chown 65534:65534 "$root/mail"
port=$(python3 -c 'import socket
probe = socket.socket()
probe.bind(("127.0.0.1", 0))
print(probe.getsockname()[1])')
cat >"$root/etc/exim4/exim4.conf" <<CONF
primary_hostname = mx.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = $port
exim_user = Debian-exim
exim_group = Debian-exim
keep_environment =
host_lookup =
acl_smtp_rcpt = accept
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  user = nobody
  maildir_format
  directory = /mail
CONF
exim() { chroot "$root" /usr/sbin/exim4 "$@"; }
chroot "$root" /usr/sbin/exim4 -bdf >"$folder/log" 2>&1 &
server=$!
client() { # a number of connections, and of messages in each
    python3 - "$port" "$@" <<'PYTHON'
import smtplib
import sys
import time

port, connections, messages = map(int, sys.argv[1:])


def connected():
    for _ in range(300):
        try:
            return smtplib.SMTP("127.0.0.1", port)
        except OSError:
            time.sleep(0.1)
    sys.exit("Exim does not listen")


replies = set()
for _ in range(connections):
    with connected() as client:
        client.ehlo()
        for _ in range(messages):
            client.mail("shop@example.com")
            client.rcpt("ann@example.com")
            code, text = client.data(b"Subject: Hi\r\n\r\nHello\r\n")
            replies.add((code, text.decode().rpartition(" id=")[0]))
print(f"{connections} x {messages} messages, replies:", replies)
PYTHON
}
delivered() { find "$root/mail/new" -type f 2>/dev/null | wc -l; }
expect() { # a number of messages that are delivered in the end, and one that wait
    for _ in $(seq 300); do
        if [ "$(delivered)" -ge "$1" ] && [ "$(exim -bpc)" -le "$2" ]; then break; fi
        sleep 0.1
    done
    sleep 2 # Exim needs much less for a message, so what is not there now waits
    echo "    delivered: $(delivered), waiting for a queue run: $(exim -bpc)"
    [ "$(delivered) $(exim -bpc)" = "$1 $2" ] || { echo "expected $1 and $2: the behaviour has changed" >&2; exit 1; }
}
exim -bV | head -1
client 2 10
expect 20 0
client 1 25
expect 30 15
grep -m1 -o 'no immediate delivery.*' "$root/var/log/exim4/mainlog"
exim -q
expect 45 0
