"""Keys of DKIM, and dkimpy, which verifies what they sign."""

from __future__ import annotations

import functools
import re
import typing as t

import dkim

from flask_mailhandler import Secret
from flask_mailhandler.mime.dkim.key import Key
from flask_mailhandler.mime.dkim.key import new_key

DOMAIN = "shop.example"


_made = functools.cache(new_key)


def made(selector: str = "s2026", ed25519: bool = False) -> tuple[Key, Secret]:
    """A key and its PEM, made once in each process."""
    return _made(selector, ed25519)


def rsa() -> Key:
    return made()[0]


def ed25519() -> Key:
    return made("e2026", True)[0]


def zone(*keys: Key, domain: str = DOMAIN) -> dict[str, str]:
    """The TXT records of keys, by their names in the DNS."""
    return {f"{key.selector}._domainkey.{domain}": key.record for key in keys or (rsa(), ed25519())}


class Verdict(t.NamedTuple):
    """A signature, and whether dkimpy accepts it."""

    selector: str
    domain: str
    passed: bool


def verified(octets: bytes, records: dict[str, str] | None = None) -> list[Verdict]:
    """The signatures of a message from the top down, each verified by dkimpy."""
    known = zone() if records is None else records

    def txt(name: bytes, timeout: int = 5) -> bytes | None:
        found = known.get(name.decode("ascii").rstrip("."))
        return None if found is None else found.encode("ascii")

    message = dkim.DKIM(octets)
    header = octets.partition(b"\r\n\r\n")[0]
    written = re.findall(rb"^dkim-signature:((?:[^\r]|\r\n[ \t])*)", header, re.I | re.M)
    found = []
    for index, field in enumerate(written):
        tags = dict(re.findall(r"\b([a-z]+)=([^;\s]+)", field.decode()))
        try:
            passed = message.verify(index, dnsfunc=txt)
        except dkim.DKIMException:
            passed = False
        found.append(Verdict(tags.get("s", ""), tags.get("d", ""), passed))
    return found


BOTH = [Verdict("s2026", DOMAIN, True), Verdict("e2026", DOMAIN, True)]
"""What is found in a message that both keys have signed."""
