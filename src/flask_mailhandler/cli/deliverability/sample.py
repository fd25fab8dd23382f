"""Signs a sample, and verifies it with the key that is in the DNS."""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t

from ...message.message import Message
from ...mime.dkim import sign
from ...mime.dkim.canonical import relaxed_field
from ...mime.dkim.canonical import RelaxedBody
from ...mime.dkim.key import ED25519
from ...mime.dkim.signed_fields import fields_of
from ...mime.dkim.signed_fields import name_of
from ...mime.render import render
from .answer import Answer
from .dkim_record import decoded
from .finding import failed
from .finding import Finding
from .finding import ok
from .tags import read_tags

if t.TYPE_CHECKING:
    from ...mime.dkim.key import Key

_SIGNATURE = re.compile(rb"(\bb=)[^;]*$")


def judge_sample(key: Key, author: str, signer: str, answer: Answer) -> Finding | None:
    """Sign a message, and verify it as a receiver does.

    :return: None if the record is not one that a key could be read from.
    """
    record = read_tags(answer.values[0]) if len(answer.values) == 1 else None
    public = decoded(record.get("p")) if record else None
    if not public:
        return None
    address = f"postmaster@{author}"
    message = Message(subject="Sample", text="Sample\n", from_addr=address, to=address)
    octets = bytes(sign(render(message), [key], signer))
    about = f"sample {key.selector}"
    if verifies(octets, key.algorithm, public):
        return ok(about, "a signed message verifies with the key in the DNS")
    return failed(about, f"a signed message does not verify with the key at {answer.name}.")


def verifies(octets: bytes, algorithm: str, public: bytes) -> bool:
    """Return whether the topmost signature of a message is right (RFC 6376 section 6.1.3).

    :param public: ``p=`` of the record, decoded.
    """
    block, _, body = octets.partition(b"\r\n\r\n")
    top, *fields = fields_of(block)
    tags = read_tags(top.partition(b":")[2].decode("ascii", "replace"))
    body_hash = RelaxedBody()
    body_hash.update(body)
    if decoded(tags.get("bh")) != body_hash.digest():
        return False
    signed = b""
    fields.reverse()  # of several fields with a name, the lowest is signed first
    for name in tags.get("h").split(":"):
        wanted = "".join(name.split()).lower()
        found = next((field for field in fields if name_of(field) == wanted), None)
        if found is not None:
            fields.remove(found)
            signed += relaxed_field(found) + b"\r\n"
    signed += _SIGNATURE.sub(rb"\1", relaxed_field(top))
    return _verify(algorithm, public, decoded(tags.get("b")) or b"", signed)


def _verify(algorithm: str, public: bytes, signature: bytes, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        if algorithm == ED25519:
            key = Ed25519PublicKey.from_public_bytes(public)
            key.verify(signature, hashlib.sha256(signed).digest())
            return True
        rsa = _rsa(public)
        if isinstance(rsa, RSAPublicKey):
            rsa.verify(signature, signed, PKCS1v15(), SHA256())
            return True
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        pass
    return False


def _rsa(public: bytes) -> object:
    """Read an RSA key in either of the two forms that are published."""
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        return load_der_public_key(public)
    except ValueError:
        text = base64.b64encode(public)
        pem = b"-----BEGIN RSA PUBLIC KEY-----\n%s\n-----END RSA PUBLIC KEY-----\n" % text
        return load_pem_public_key(pem)
