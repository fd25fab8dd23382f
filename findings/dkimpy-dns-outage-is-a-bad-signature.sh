#!/usr/bin/env bash
# RFC 6376 section 6.1.2: if the DNS does not answer the question for a key, the verifier may ask again later
# (TEMPFAIL). dkimpy exports DnsTimeoutError for this, but verify() never raises it: a server that replies
# SERVFAIL, one that is silent, a key that does not exist and a message that was changed are all False. A filter
# on dkimpy that rejects what is False rejects good mail while the sender's DNS is down. Pass a dnsfunc= that
# raises an exception of your own, which verify() lets through.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dkimpy==1.1.8 dnspython==2.9.2 cryptography==50.0.2
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import socket
import sys
import threading

import dkim
import dns.message
import dns.rcode
import dns.resolver
import dns.version
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
pem = key.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
)
message = b"From: shop@example.com\r\nTo: ann@example.org\r\nSubject: Hi\r\n\r\nHello.\r\n"
signed = dkim.sign(message, b"s", b"example.com", pem) + message

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
says = {"rcode": None}


def serve():
    while True:
        wire, client = server.recvfrom(4096)
        if says["rcode"] is not None:
            reply = dns.message.make_response(dns.message.from_wire(wire))
            reply.set_rcode(says["rcode"])
            server.sendto(reply.to_wire(), client)


threading.Thread(target=serve, daemon=True).start()
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = ["127.0.0.1"], server.getsockname()[1]
dns.resolver.default_resolver = resolver


def verify(rcode):
    says["rcode"] = rcode
    try:
        return repr(dkim.DKIM(signed, timeout=1).verify())
    except dkim.DKIMException as error:
        return type(error).__name__


class NoAnswer(Exception):
    """Raised by a dnsfunc of our own."""


def ask(name, timeout=5):
    try:
        found = dns.resolver.resolve(name.decode(), "TXT", lifetime=timeout)
    except dns.resolver.NXDOMAIN:
        return None
    except dns.exception.DNSException as error:
        raise NoAnswer from error
    return b"".join(found[0].strings)


def verify_with_own(rcode):
    says["rcode"] = rcode
    try:
        return repr(dkim.DKIM(signed, timeout=1).verify(dnsfunc=ask))
    except NoAnswer:
        return "NoAnswer"


print("dkimpy", importlib.metadata.version("dkimpy"), "dnspython", dns.version.version)
codes = {"NXDOMAIN": dns.rcode.NXDOMAIN, "SERVFAIL": dns.rcode.SERVFAIL, "silence": None}
found = {name: (verify(code), verify_with_own(code)) for name, code in codes.items()}
for name, (result, own) in found.items():
    print(f"{name:9} verify(): {result:16} with a dnsfunc of our own: {own}")
print("DnsTimeoutError is exported:", "DnsTimeoutError" in dkim.__all__)
expected = {
    "NXDOMAIN": ("False", "False"),
    "SERVFAIL": ("False", "NoAnswer"),
    "silence": ("False", "NoAnswer"),
}
sys.exit(0 if found == expected else "the behaviour has changed")
PYTHON
