"""Judges the TXT record of a key, with the key itself at hand (RFC 6376 section 3.6.1)."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import typing as t
from collections.abc import Callable
from collections.abc import Sequence

from ...mime.dkim.key import ED25519
from ...mime.dkim.key import RSA
from ...mime.dkim.key import SHOULD_BITS
from .answer import Answer
from .finding import failed
from .finding import Finding
from .finding import ok
from .finding import unknown
from .finding import warning
from .records import key_record
from .tags import read_tags
from .tags import shown
from .tags import Tags

if t.TYPE_CHECKING:
    from ...mime.dkim.key import Key

_ED25519_OCTETS = 32
_INSTEAD = "Publish the record below instead."
_WITHDRAWN = (
    "p= is empty: the key was withdrawn, and each of its signatures fails. Remove it from"
    " MAIL_DKIM_KEYS, and make another one: flask mail dkim new SELECTOR"
)


@dataclasses.dataclass(frozen=True)
class Published:
    """A record in the DNS, and the key that it should belong to."""

    key: Key
    text: str
    tags: Tags
    others: Sequence[Key]
    """The other keys of the account."""

    @property
    def kind(self) -> str:
        """``k=`` of the key: ``rsa`` or ``ed25519``."""
        return self.key.algorithm.partition("-")[0]

    @property
    def octets(self) -> bytes | None:
        """``p=``; None if it is not base64."""
        return decoded(self.tags.get("p"))


def decoded(text: str) -> bytes | None:
    """Decode base64, in which white space does not count; return None if it is not base64."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def judge_key(key: Key, domain: str, answer: Answer, others: Sequence[Key] = ()) -> list[Finding]:
    """Judge the record of one key.

    :param others: The other keys of the account, one of which may stand in its place.
    """
    about, publish = f"DKIM {key.selector}", key_record(key, domain)
    if not answer.known:
        return [unknown(about, answer)]
    if not answer.values:
        return [failed(about, f"{answer.missing}. Publish the record below.", publish)]
    text, *more = answer.values
    if more:
        why = (
            f"{answer.name} has {len(answer.values)} TXT records, and verifiers use any of them."
            " Keep only the record below."
        )
        return [failed(about, why, publish)]
    published = Published(key, text, read_tags(text), others)
    for rule in _FATAL:
        if problem := rule(published):
            # A key that was withdrawn may be known to others: its record must not come back.
            again = "" if problem == _WITHDRAWN else publish
            return [failed(about, f"{answer.name}: {problem}", again)]
    doubts = filter(None, (rule(published) for rule in _DOUBTS))
    found = [warning(about, f"{answer.name}: {doubt}") for doubt in doubts]
    kind = "Ed25519" if key.algorithm == ED25519 else f"RSA {key.bits}"
    return found or [ok(about, f"{answer.name} has the public key of this app ({kind})")]


# Rules: each returns why no signature of the key would be accepted, and what to do.


def _quoted(published: Published) -> str | None:
    if '"' in published.text:
        return f"the text contains quotation marks. Publish it without them. {_INSTEAD}"
    if "\\;" in published.text:
        return f"the semicolons have a backslash before them. {_INSTEAD}"
    return None


def _malformed(published: Published) -> str | None:
    tags = published.tags
    if tags.repeated:
        return f"{shown(tags.repeated[0])} is there twice. {_INSTEAD}"
    return f"{tags.problems[0]}. {_INSTEAD}" if tags.problems else None


def _version(published: Published) -> str | None:
    version = published.tags.values.get("v")
    if version is None or (version == "DKIM1" and published.tags.first == "v"):
        return None
    if version == "DKIM1":
        return f"v=DKIM1 is not the first tag. {_INSTEAD}"
    return f"v= is {shown(version)}, and must be DKIM1 in upper case. {_INSTEAD}"


def _kind(published: Published) -> str | None:
    kind = published.tags.values.get("k")
    if kind == published.kind or (kind is None and published.kind == "rsa"):
        return None
    if kind is None:
        return f"there is no k=, which means an RSA key, and this is an Ed25519 key. {_INSTEAD}"
    case = ", in lower case" if kind.lower() == published.kind else ""
    return f"k= is {shown(kind)}, and must be {published.kind}{case}. {_INSTEAD}"


def _withdrawn(published: Published) -> str | None:
    if "p" not in published.tags.values:
        return f"there is no p=, the public key. {_INSTEAD}"
    return None if published.tags.get("p") else _WITHDRAWN


def _other_key(published: Published) -> str | None:
    octets, key = published.octets, published.key
    if octets is None:
        return f"p= is not base64: {shown(published.tags.get('p'))}. {_INSTEAD}"
    if octets == key.public:
        return None
    if octets.endswith(key.public):
        return (
            f"p= is the key in a longer form (SPKI), and must be its {_ED25519_OCTETS} octets alone"
            f" (RFC 8463). {_INSTEAD}"
        )
    if key.algorithm == RSA and octets and key.public.endswith(octets):
        # The form that the text of RFC 6376 names. Most verifiers take both: see _DOUBTS.
        return None
    other = next((other for other in published.others if other.public == octets), None)
    if other:
        return f"this is the key of {other.selector}. {_INSTEAD}"
    if key.algorithm == ED25519 and len(octets) != _ED25519_OCTETS:
        return f"p= has {len(octets)} octets, and an Ed25519 key has {_ED25519_OCTETS}. {_INSTEAD}"
    return (
        "p= is another key than the one in MAIL_DKIM_KEYS, so each signature fails."
        f"{_cut_off(octets, key.public)} {_INSTEAD}"
    )


def _cut_off(octets: bytes, public: bytes) -> str:
    if public.startswith(octets):
        return f" It is cut off after {len(octets)} of {len(public)} octets."
    return ""


def _shut_out(published: Published) -> str | None:
    hashes = published.tags.values.get("h")
    if hashes is not None and "sha256" not in _listed(hashes):
        return f"h= is {shown(hashes)}, which forbids sha256. Remove it, or publish the one below."
    services = published.tags.values.get("s")
    if services is not None and not {"*", "email"} & _listed(services):
        return f"s= is {shown(services)}, which forbids mail. Remove it, or publish the one below."
    return None


def _listed(value: str) -> set[str]:
    return {part.strip() for part in value.split(":")}


def _short(published: Published) -> str | None:
    key = published.key
    if key.algorithm != RSA or key.bits >= SHOULD_BITS:
        return None
    return (
        f"an RSA key of {key.bits} bits is short, and some receivers ignore it (RFC 8301). Make one"
        f" of {SHOULD_BITS} bits: flask mail dkim new SELECTOR"
    )


def _testing(published: Published) -> str | None:
    # t=s forbids a subdomain in i=. Our signatures have no i=, so it changes nothing for them.
    if "y" not in _listed(published.tags.get("t")):
        return None
    return (
        "t=y says that you are testing, and receivers may treat mail as unsigned. Remove it when"
        " signatures pass."
    )


def _bare_rsa(published: Published) -> str | None:
    if published.octets == published.key.public:
        return None
    return (
        "p= is the key without its algorithm (PKCS #1). Some verifiers only read the form that"
        " flask mail dkim records prints."
    )


_Rule: t.TypeAlias = Callable[[Published], "str | None"]
_FATAL: tuple[_Rule, ...] = (
    _quoted,
    _malformed,
    _version,
    _kind,
    _withdrawn,
    _other_key,
    _shut_out,
)
_DOUBTS: tuple[_Rule, ...] = (_short, _testing, _bare_rsa)
