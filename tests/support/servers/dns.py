"""A DNS server on loopback, over UDP and TCP, whose zone is a table."""

from __future__ import annotations

import socket
import socketserver
import threading
import typing as t

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence

Zone: t.TypeAlias = "Mapping[str, Mapping[str, Sequence[str]] | str]"
"""Names to their records by type, or to an rcode, or to ``silence`` or ``refer``."""


class DNSServer:
    """Answers from a zone, and follows no CNAME. A name that is not in it does not exist.

    A text of TXT may be longer than 255 octets: it is cut into strings.
    """

    def __init__(self, zone: Zone) -> None:
        self.zone = {name.lower().rstrip("."): found for name, found in zone.items()}
        self.asked: list[tuple[str, str]] = []
        """The questions, each once for each transport."""
        self._tcp = _TCP(("127.0.0.1", 0), _TCPHandler)
        self.port: int = self._tcp.server_address[1]
        self._udp = _UDP(("127.0.0.1", self.port), _UDPHandler)
        self.address = f"127.0.0.1:{self.port}"
        for server in (self._tcp, self._udp):
            server.owner = self
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        for server in (self._tcp, self._udp):
            server.shutdown()
            server.server_close()

    def answer(self, wire: bytes, limit: int) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text().lower().rstrip(".")
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        found = self.zone.get(name)
        reply = dns.message.make_response(query)
        if found == "silence":
            return None
        if isinstance(found, str) and found != "refer":
            reply.set_rcode(dns.rcode.from_text(found))
        elif found == "refer":
            reply.authority.append(dns.rrset.from_text("example.", 60, "IN", "NS", "ns.example."))
        else:
            reply.flags |= dns.flags.AA
            if found is None and not any(one.endswith(f".{name}") for one in self.zone):
                reply.set_rcode(dns.rcode.NXDOMAIN)
            records = {} if isinstance(found, str) or found is None else found
            kind = "CNAME" if "CNAME" in records else kind
            if values := [_quoted(kind, value) for value in records.get(kind, ())]:
                reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *values))
        try:
            return reply.to_wire(max_size=limit)
        except dns.exception.TooBig:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            return reply.to_wire()


def _quoted(kind: str, text: str) -> str:
    if kind != "TXT":
        return text
    octets = text.encode()
    strings = [octets[start : start + 255] for start in range(0, len(octets), 255)] or [b""]
    return " ".join('"' + "".join(f"\\{octet:03}" for octet in one) + '"' for one in strings)


class _TCP(socketserver.ThreadingTCPServer):
    daemon_threads = True
    owner: DNSServer


class _UDP(socketserver.ThreadingUDPServer):
    daemon_threads = True
    owner: DNSServer


class _TCPHandler(socketserver.StreamRequestHandler):
    server: _TCP

    def handle(self) -> None:
        while head := self.rfile.read(2):
            wire = self.rfile.read(int.from_bytes(head, "big"))
            if (answer := self.server.owner.answer(wire, 65535)) is not None:
                self.wfile.write(len(answer).to_bytes(2, "big") + answer)


class _UDPHandler(socketserver.BaseRequestHandler):
    server: _UDP
    request: tuple[bytes, socket.socket]

    def handle(self) -> None:
        wire, sock = self.request
        if (answer := self.server.owner.answer(wire, 1232)) is not None:
            sock.sendto(answer, self.client_address)
