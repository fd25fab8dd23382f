#!/usr/bin/env bash
# OpenSMTPD 6.8.0p2 (Debian 12) tells the sender of a message that it has given up that the message is
# "delayed" and is kept in the queue. A notification with "Action: failed" never comes: the only sign is
# the line "Envelope expired" in its text. RFC 3464 section 2.3.3 calls a message that was given up failed.
# It needs root: the package is unpacked into a temporary folder, and confined to it by chroot.
set -euo pipefail
version=6.8.0p2-4+b4
folder=$(mktemp -d)
server=
tidy() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap tidy EXIT
chmod 755 "$folder"
root=$folder/root
mkdir "$root"
(cd "$root" && apt-get -q -y download "opensmtpd=$version" libevent-2.1-7 libdb5.3 >/dev/null 2>&1)
for package in "$root"/*.deb; do dpkg -x "$package" "$root"; done
mkdir -p "$root"/{bin,dev,mail,run,tmp,var/lib/opensmtpd/empty,var/spool/smtpd}
ln -s /run "$root/var/run"
cp /bin/sh "$root/bin/sh"
own=$(echo "$root"/usr/lib/*-linux-gnu*)
for program in usr/sbin/smtpd usr/libexec/opensmtpd/mail.maildir bin/sh; do
    LD_LIBRARY_PATH=$own ldd "$root/$program" | grep -o '/[^ ]*' | sort -u | while read -r library; do
        case $library in "$root"/*) ;; *) mkdir -p "$root/$(dirname "$library")" && cp -L "$library" "$root$library" ;; esac
    done
done
mknod -m 666 "$root/dev/null" c 1 3
chmod 711 "$root/var/spool/smtpd"
chmod 1777 "$root/tmp"
chown 65534:65534 "$root/mail"
printf '%s\n' root:x:0:0::/root:/bin/sh opensmtpd:x:901:901::/:/bin/false opensmtpq:x:902:902::/:/bin/false \
    nobody:x:65534:65534::/mail:/bin/sh >"$root/etc/passwd"
printf '%s\n' root:x:0: opensmtpd:x:901: opensmtpq:x:902: nogroup:x:65534: >"$root/etc/group"
echo '127.0.0.1 localhost' >"$root/etc/hosts"
echo mx.example >"$root/etc/mailname"
: >"$root/etc/resolv.conf"
read -r port closed < <(python3 -c 'import socket
a, b = socket.socket(), socket.socket()
a.bind(("127.0.0.1", 0)); b.bind(("127.0.0.1", 0))
print(a.getsockname()[1], b.getsockname()[1])')
# Nothing listens on the port of the next server, so the message waits, and expires after 4 seconds.
cat >"$root/etc/smtpd.conf" <<CONF
queue ttl 4s
listen on 127.0.0.1 port $port hostname mx.example
action "maildir" maildir "/mail" user nobody virtual { "@example.com" = nobody }
action "relay" relay host smtp://127.0.0.1:$closed
match from any for domain "example.com" action "maildir"
match from any for domain "example.org" action "relay"
CONF
chroot "$root" /usr/sbin/smtpd -d >"$folder/log" 2>&1 &
server=$!
python3 - "$port" <<'PYTHON'
import smtplib
import sys
import time

for _ in range(300):
    try:
        client = smtplib.SMTP("127.0.0.1", int(sys.argv[1]))
        break
    except OSError:
        time.sleep(0.1)
client.sendmail("ann@example.com", ["bob@example.org"], "Subject: Hi\r\n\r\nHello\r\n")
client.quit()
PYTHON
for _ in $(seq 600); do
    if grep -qs 'Envelope expired' "$root"/mail/new/*; then break; fi
    sleep 0.1
done
echo "OpenSMTPD $version, a message to a server that does not listen, after its time in the queue:"
grep -hE '^Subject: Delivery|expired|kept in the queue|^Action:|^Status:' "$root"/mail/new/*
grep -hq 'Envelope expired' "$root"/mail/new/* || { echo 'no notification came' >&2; exit 1; }
# The queue is empty: it has given up.
[ -z "$(find "$root/var/spool/smtpd/queue" -type f)" ] || { echo 'it still tries' >&2; exit 1; }
! grep -hq '^Action: failed' "$root"/mail/new/* || { echo 'it says "failed" now' >&2; exit 1; }
