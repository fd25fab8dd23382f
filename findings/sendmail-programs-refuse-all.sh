#!/usr/bin/env bash
# An app, or cron, passes a mail to three people to the program "sendmail", and the server refuses one of them: the
# mailbox is gone. One guesses that the other two get the mail, because RCPT is answered for each recipient (RFC 5321
# section 3.3), and because Sendmail and Postfix treat each on its own, as Python's smtplib does. But the small programs
# of Debian that take the place of sendmail give up the message: with msmtp, nullmailer, esmtp and s-nail, nobody gets
# it. If the server only defers one of them (450), the others wait with it. One call for each recipient avoids it.
set -euo pipefail
folder=$(mktemp -d)
server=
tidy() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap tidy EXIT
cd "$folder"
apt-get -q -y download 'msmtp=1.8.23*' 'nullmailer=1:2.2*' 'esmtp=1.2*' 's-nail=14.9.24*' \
    libesmtp6 libgsasl18 libgssglue1 libidn12 libntlm0 libsecret-1-0 >/dev/null 2>&1
for package in *.deb; do
    dpkg -x "$package" unpacked
    case $package in lib*) ;; *) echo "${package%_*}" ;; esac
done
cat >server.py <<'PYTHON'
import pathlib
import socketserver
import sys


class Server(socketserver.StreamRequestHandler):
    """Answers each RCPT for itself, and writes down who got the mail."""

    def handle(self):
        self.say("220 mx.example")
        recipients = []
        for line in self.rfile:
            command = line.decode().strip().upper()
            if command.startswith("RCPT TO:<GONE@"):
                self.say(pathlib.Path("reply").read_text())
            elif command.startswith("DATA"):
                self.say("354 Go on")
                while self.rfile.readline() != b".\r\n":
                    pass
                with open("got", "a") as file:
                    file.writelines(f"{one} " for one in recipients)
                self.say("250 OK")
            else:
                if command.startswith("RCPT"):
                    recipients.append(line.decode().partition("<")[2].partition("@")[0])
                self.say("221 Bye" if command.startswith("QUIT") else "250 OK")

    def say(self, reply):
        self.wfile.write(f"{reply}\r\n".encode())


with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Server) as server:
    server.daemon_threads = True
    pathlib.Path("port.new").write_text(str(server.server_address[1]))
    pathlib.Path("port.new").rename("port")
    server.serve_forever()
PYTHON
python3 server.py 2>server.log &
server=$!
for _ in $(seq 300); do [ ! -e port ] || break; sleep 0.1; done
port=$(cat port)
people=(ann@example.com gone@example.com bob@example.com)
printf '%s\n' 'From: shop@example.com' 'To: list@example.com' 'Subject: Hi' '' 'Hello' >mail
printf '%s\n' "hostname = 127.0.0.1:$port" 'starttls = disabled' >esmtprc
(printf '%s\n' shop@example.com "${people[@]}" '' && cat mail) >queued # as nullmailer-queue writes it
printf '%s\n' host=127.0.0.1 "port=$port" '' >remote                   # as nullmailer-send passes it on
chmod 600 esmtprc
export HELOHOST=shop.example HOME=$folder
LD_LIBRARY_PATH=$(echo "$folder"/unpacked/usr/lib/*-linux-gnu)
by_smtplib() {
    python3 -c 'import smtplib, sys
with smtplib.SMTP("127.0.0.1", sys.argv[1]) as client:
    refused = client.sendmail("shop@example.com", sys.argv[2:], open("mail").read())
sys.exit(len(refused))' "$port" "${people[@]}"
}
by_msmtp() { unpacked/usr/bin/msmtp --host=127.0.0.1 --port="$port" --from=shop@example.com -- "${people[@]}" <mail; }
by_nullmailer() { unpacked/usr/lib/nullmailer/smtp <remote 3<queued; }
by_esmtp() { unpacked/usr/bin/esmtp -C esmtprc -f shop@example.com "${people[@]}" <mail; }
by_s-nail() {
    unpacked/usr/bin/s-nail -:/ -S v15-compat -S "mta=smtp://127.0.0.1:$port" -S smtp-auth=none -S DEAD=/dev/null \
        -S from=shop@example.com -s Hi "${people[@]}" <mail
}
expect() { # a program, who gets the mail
    : >got
    status=0
    (export LD_LIBRARY_PATH && "by_$1") >said 2>&1 || status=$?
    grep -q . said || echo "(says nothing)" >said
    echo "$(cat reply): $1 ends with $status, who got the mail: $(cat got)"
    [ "$(cat got)" = "$2" ] && [ $status != 0 ] || { cat said; echo "the behaviour has changed" >&2; exit 1; }
}
for reply in '550 5.1.1 No such user' '450 4.2.2 Mailbox full'; do
    printf %s "$reply" >reply
    expect smtplib 'ann bob '
    for program in msmtp nullmailer esmtp s-nail; do expect $program ''; done
done
