"""``flask mail check --dns``: the record of a key."""

from __future__ import annotations

import base64
import functools
import typing as t

import pytest

from dns_table import answering
from dns_table import said
from dns_table import texts
from flask_mailhandler.cli.deliverability.answer import State
from flask_mailhandler.cli.deliverability.dkim_record import judge_key
from flask_mailhandler.cli.deliverability.sample import judge_sample
from signing import ed25519
from signing import made
from signing import rsa

if t.TYPE_CHECKING:
    from flask_mailhandler.mime.dkim.key import Key

AT = "s2026._domainkey.shop.example"


@functools.cache
def values() -> dict[str, str]:
    """What stands for each word in the records of the tests. Keys are made in each process."""
    p, e, other = (base64.b64encode(key.public).decode() for key in (rsa(), ed25519(), third()))
    # The DER form of an Ed25519 key begins with these octets.
    spki = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + ed25519().public)
    # That of an RSA key of 2048 bits has 24 octets before the bare form.
    bare = base64.b64encode(rsa().public[24:])
    return {
        "<key>": p,
        "<half>": p[:100],
        "<rest>": p[100:],
        "<cut>": p[:220],
        "<odd>": p[:-2],
        "<other>": other,
        "<ed25519>": e,
        "<spki>": spki.decode(),
        "<bare>": bare.decode(),
    }


def third() -> Key:
    return made("o2026")[0]


def filled(record: str) -> str:
    """A record with its words replaced."""
    for word, text in values().items():
        record = record.replace(word, text)
    return record


def judged(key: Key, *records: str, others: tuple[Key, ...] = ()) -> list[tuple[str, str]]:
    """The level and text of each finding about these records."""
    name = f"{key.selector}._domainkey.shop.example"
    answer = answering({name: texts(*map(filled, records))})(name, "TXT")
    found = judge_key(key, "shop.example", answer, others)
    return [(finding.level.value, finding.text) for finding in found]


@pytest.mark.parametrize(
    "record",
    [
        "v=DKIM1; k=rsa; p=<key>",
        "v=DKIM1;k=rsa;p=<key>;",
        "p=<key>",
        " v = DKIM1 ; p = <half> <rest>\t; n=a note; t=s",
        "v=DKIM1; h=sha1:sha256; s=*; t=s; p=<key>",
        "v=DKIM1; h = sha256 ; s=email:x; unknown=1; p=<key>",
    ],
)
def test_a_record_that_is_right(record: str) -> None:
    """A record with this public key is right, in each form that RFC 6376 allows."""
    name = f"{AT} has the public key of this app (RSA 2048)"

    assert judged(rsa(), record) == [("ok", name)]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ('"v=DKIM1; k=rsa; p=<key>"', "the text contains quotation marks"),
        ('v=DKIM1; k=rsa; p=<half>" "<rest>', "the text contains quotation marks"),
        ("v=DKIM1\\; k=rsa\\; p=<key>", "the semicolons have a backslash before them"),
        ("v=DKIM1 k=rsa p=<key>", "v= is 'DKIM1 k=rsa p="),
        ("v=DKIM1; <key>", "is not tag=value"),
        ("v=DKIM1; p=<key>; p=<key>", "'p' is there twice"),
        ("k=rsa; v=DKIM1; p=<key>", "v=DKIM1 is not the first tag"),
        ("v=dkim1; p=<key>", "v= is 'dkim1', and must be DKIM1 in upper case"),
        ("V=DKIM1; P=<key>", "there is no p=, the public key"),
        ("v=DKIM1; k=RSA; p=<key>", "k= is 'RSA', and must be rsa, in lower case"),
        ("v=DKIM1; k=ed25519; p=<key>", "k= is 'ed25519', and must be rsa"),
        ("v=DKIM1; k=rsa; p=", "p= is empty: the key was withdrawn"),
        ("v=DKIM1; k=rsa; p=  ", "p= is empty: the key was withdrawn"),
        ("v=DKIM1; k=rsa", "there is no p=, the public key"),
        ("", "there is no p=, the public key"),
        ("v=DKIM1; p=<odd>", "p= is not base64"),
        ("v=DKIM1; p=MII…", "p= is not base64: 'MII…'"),
        ("v=DKIM1; p=<cut>", "It is cut off after 165 of 294 octets"),
        ("v=DKIM1; p=<other>", "p= is another key than the one in MAIL_DKIM_KEYS"),
        ("v=DKIM1; p=<ed25519>", "this is the key of e2026"),
        ("v=DKIM1; h=sha1; p=<key>", "h= is 'sha1', which forbids sha256"),
        ("v=DKIM1; s=tlsrpt; p=<key>", "s= is 'tlsrpt', which forbids mail"),
        ("v=DKIM1; p=" + "A" * 60_000, "p= is another key"),
        ("p=;" * 20_000, "'p' is there twice"),
        ("v=spf1 -all", "v= is 'spf1 -all'"),
    ],
)
def test_a_record_that_is_wrong(record: str, why: str) -> None:
    """A record that makes signatures fail is named with its cause."""
    ((level, text),) = judged(rsa(), record, others=(ed25519(),))

    assert level == "failed"
    assert text.startswith(f"{AT}: ")
    assert why in text
    assert len(text) < 300


def test_a_key_that_was_withdrawn_is_not_published_again() -> None:
    """The cure is another key, so the record of this one is not printed."""
    answer = answering({AT: texts("v=DKIM1; k=rsa; p=")})(AT, "TXT")

    (finding,) = judge_key(rsa(), "shop.example", answer)

    assert "make another one" in finding.text
    assert not finding.publish


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("v=DKIM1; p=<ed25519>", "there is no k=, which means an RSA key"),
        ("v=DKIM1; k=ed25519; p=<spki>", "must be its 32 octets alone (RFC 8463)"),
        ("v=DKIM1; k=ed25519; p=AAAA", "p= has 3 octets, and an Ed25519 key has 32"),
        ("v=DKIM1; k=ed25519; p=<key>", "this is the key of s2026"),
    ],
)
def test_ed25519(record: str, why: str) -> None:
    """An Ed25519 key needs k=, and is published as its 32 octets."""
    ((level, text),) = judged(ed25519(), record, others=(rsa(),))

    assert (level, why in text) == ("failed", True)
    assert judged(ed25519(), "v=DKIM1; k=ed25519; p=<ed25519>")[0][0] == "ok"


def test_several_records() -> None:
    """Two records are wrong even if one of them is right."""
    ((level, text),) = judged(rsa(), rsa().record, "v=DKIM1; p=")

    assert level == "failed"
    assert f"{AT} has 2 TXT records" in text


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("v=DKIM1; t=y; p=<key>", "t=y says that you are testing"),
        ("v=DKIM1; t=s:y; p=<key>", "t=y says that you are testing"),
        ("v=DKIM1; p=<bare>", "p= is the key without its algorithm (PKCS #1)"),
    ],
)
def test_doubts(record: str, why: str) -> None:
    """A record that some receivers do not accept is a warning."""
    ((level, text),) = judged(rsa(), record)

    assert (level, why in text) == ("warning", True)


@pytest.mark.parametrize(
    ("state", "level", "why"),
    [
        (State.NO_NAME, "failed", f"{AT} does not exist. Publish the record below."),
        (State.NO_DATA, "failed", f"{AT} has no TXT record. Publish the record below."),
        (State.UNUSABLE, "failed", f"{AT} cannot be looked up: the server hangs. Publish"),
        (State.SILENT, "no answer", "no answer, because the server hangs. Try again."),
        (State.FAILED, "no answer", f"TXT of {AT}: the server hangs. Try again later"),
        (State.REFUSED, "no answer", f"TXT of {AT}: the server hangs. Ask another --nameserver."),
    ],
)
def test_missing_or_not_answered(state: State, level: str, why: str) -> None:
    """A record is missing only if the DNS says so, and then it is printed to be published."""
    (finding,) = judge_key(rsa(), "shop.example", answering({AT: state})(AT, "TXT"))

    assert finding.level.value == level
    assert why in finding.text
    assert (rsa().record_strings[0] in finding.publish) == (level == "failed")


@pytest.mark.parametrize("key_of", [rsa, ed25519])
@pytest.mark.parametrize("right", [True, False])
def test_sample(key_of: t.Callable[[], Key], right: bool) -> None:
    """A sample is verified with the key in the DNS, and not with the private key."""
    key = key_of()
    other = made("o2026" if key.bits > 256 else "f2026", key.bits == 256)[0]
    answer = answering({"x": texts((key if right else other).record)})("x", "TXT")

    finding = judge_sample(key, "news.shop.example", "shop.example", answer)

    assert finding is not None
    assert said([finding], "ok" if right else "failed") == [finding.text]


@pytest.mark.parametrize("p", ["<bare>", "AAAA", "A" * 6000, "<spki>"])
def test_sample_of_other_forms(p: str) -> None:
    """PKCS #1 verifies too; any other octets do not, and raise nothing."""
    answer = answering({"x": texts(filled(f"p={p}"))})("x", "TXT")

    finding = judge_sample(rsa(), "shop.example", "shop.example", answer)

    assert finding is not None
    assert finding.level.value == ("ok" if p == "<bare>" else "failed")
