"""A private key, and the TXT record of its public half (RFC 6376 section 3.6.1, RFC 8463)."""

from __future__ import annotations

import base64
import dataclasses
import typing as t
from collections.abc import Callable

from ...secret import Secret

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

RSA = "rsa-sha256"
ED25519 = "ed25519-sha256"
# https://www.rfc-editor.org/rfc/rfc8301#section-3.2
MUST_BITS = 1024
SHOULD_BITS = 2048
# A text longer than this is several strings of one record (RFC 6376 section 3.6.2.2).
_STRING = 255


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """A key with its selector. Its ``repr`` does not show the private half."""

    selector: str
    algorithm: str
    """``a=`` of a signature."""
    bits: int
    public: bytes = dataclasses.field(repr=False)
    """``p=`` of the record, before base64."""
    sign: Callable[[bytes], bytes] = dataclasses.field(repr=False)
    """Returns the signature of octets."""

    @property
    def description(self) -> str:
        """The selector and the kind of key, to show to people."""
        return f"{self.selector} ({'Ed25519' if self.algorithm == ED25519 else f'RSA {self.bits}'})"

    @property
    def record(self) -> str:
        """The text of the TXT record."""
        kind = self.algorithm.partition("-")[0]
        return f"v=DKIM1; k={kind}; p={base64.b64encode(self.public).decode('ascii')}"

    @property
    def record_strings(self) -> list[str]:
        """The text of the TXT record, in strings of at most 255 octets."""
        text = self.record
        return [text[start : start + _STRING] for start in range(0, len(text), _STRING)]


def load_key(selector: str, pem: Secret) -> Key:
    """Read a private key in PEM form.

    :raises ValueError: if it is not one that can sign, with the reason.
    :raises ImportError: without ``cryptography``.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        # Looking for errors in the primes takes 40 to 120 ms. A damaged key is found below.
        private = load_pem_private_key(
            pem.octets(), password=None, unsafe_skip_rsa_key_validation=True
        )
    except TypeError:
        raise ValueError("it is encrypted: write it without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("it is not a private key in PEM form") from None
    if isinstance(private, Ed25519PrivateKey):
        return _ed25519_key(selector, private)
    if not isinstance(private, RSAPrivateKey):
        raise ValueError("its kind is neither RSA nor Ed25519")
    if private.key_size < MUST_BITS:
        raise ValueError(
            f"an RSA key of {private.key_size} bits is too short, because RFC 8301 requires"
            f" {MUST_BITS}, and {SHOULD_BITS} should be used"
        )
    return _rsa_key(selector, private)


def new_key(selector: str, ed25519: bool = False) -> tuple[Key, Secret]:
    """Make a key, and return it with its PEM form.

    :raises ImportError: without ``cryptography``.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519 as edwards
    from cryptography.hazmat.primitives.asymmetric import rsa

    made: RSAPrivateKey | Ed25519PrivateKey
    if ed25519:
        made = edwards.Ed25519PrivateKey.generate()
        key = _ed25519_key(selector, made)
    else:
        made = rsa.generate_private_key(public_exponent=65537, key_size=SHOULD_BITS)
        key = _rsa_key(selector, made)
    pem = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key, Secret(pem)


def _rsa_key(selector: str, private: RSAPrivateKey) -> Key:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.hazmat.primitives.serialization import PublicFormat

    padding, algorithm, public = PKCS1v15(), SHA256(), private.public_key()
    try:
        public.verify(private.sign(b"x", padding, algorithm), b"x", padding, algorithm)
    except (ValueError, InvalidSignature):
        raise ValueError("it is damaged: what it signs does not verify") from None
    return Key(
        selector,
        RSA,
        private.key_size,
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        lambda octets: private.sign(octets, padding, algorithm),
    )


def _ed25519_key(selector: str, private: Ed25519PrivateKey) -> Key:
    import hashlib

    # https://www.rfc-editor.org/rfc/rfc8463#section-3: it signs the hash.
    return Key(
        selector,
        ED25519,
        256,
        private.public_key().public_bytes_raw(),
        lambda octets: private.sign(hashlib.sha256(octets).digest()),
    )
