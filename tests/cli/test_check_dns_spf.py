"""``flask mail check --dns``: SPF of the domain in the envelope sender."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest

from dns_table import answering
from dns_table import said
from dns_table import Table
from dns_table import texts
from flask_mailhandler.cli.deliverability.answer import State
from flask_mailhandler.cli.deliverability.spf import judge_spf
from flask_mailhandler.cli.deliverability.spf_tree import look_up_spf

if t.TYPE_CHECKING:
    from flask_mailhandler.cli.deliverability.finding import Finding

D = "shop.example"
INSIDE, OUTSIDE = "192.0.2.25", "203.0.113.9"


def judged(
    record: str | list[str], others: Table | None = None, ip: str | None = None
) -> list[Finding]:
    """The findings about a domain with these records."""
    own = texts(*([record] if isinstance(record, str) else record))
    ask = answering({D: {**own, "A": ["192.0.2.1"], "MX": [f"10 mail.{D}."]}, **(others or {})})
    return judge_spf(look_up_spf(D, ask), None, ipaddress.ip_address(ip) if ip else None)


def chain(length: int) -> dict[str, t.Any]:
    """Records that include each other: d1 includes d2, and so on."""
    found = {f"d{n}.example": texts(f"v=spf1 include:d{n + 1}.example ~all") for n in range(length)}
    return {**found, f"d{length}.example": texts("v=spf1 ip4:192.0.2.25 ~all")}


@pytest.mark.parametrize(
    ("record", "summary"),
    [
        ("v=spf1 -all", f"{D}: 0 of 10 look-ups, ends in -all"),
        ("V=SPF1  ip4:192.0.2.0/24   ip6:2001:db8::/32  ~ALL ", f"{D}: 0 of 10 look-ups, ends in"),
        ("v=spf1 a mx a:shop.example/24//64 -all", f"{D}: 3 of 10 look-ups"),
        ("v=spf1 include:d8.example -all", f"{D}: 1 of 10 look-ups"),
        ("v=spf1 include:d0.example a -all", f"{D}: 10 of 10 look-ups"),
        ("v=spf1 redirect=d8.example", f"{D}: 1 of 10 look-ups"),
        ("v=spf1 exists:%{i}.list.example other=x exp=why.shop.example -all", "1 of 10 look-ups"),
    ],
)
def test_a_record_that_is_right(record: str, summary: str) -> None:
    """A record within the limits has no warning, and its look-ups are counted."""
    mail = {f"mail.{D}": {"A": ["192.0.2.25"]}}

    (finding,) = judged(record, {**chain(8), **mail})

    assert finding.level.value == "ok", finding
    assert summary in finding.text


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([], f"{D} has no SPF record. Publish the record below, with the servers that"),
        (["google-site-verification=x"], f"{D} has no SPF record."),
        (["v=spf10 -all"], f"{D} has 'v=spf10 -all', which is ignored"),
        (['"v=spf1 -all"'], "which is ignored: a record begins with v=spf1 and a space"),
        (["v=spf1;-all"], "which is ignored"),
        (["spf1 -all"], "which is ignored"),
        (["v=spf1 -all", "v=spf1 a ~all"], f"{D} has 2 SPF records"),
        (["v=spf1 ip4:192.0.2.300 -all"], "'ip4:192.0.2.300' is not an IP address or network"),
        (["v=spf1 ip4:192.0.2.0/33 -all"], "'ip4:192.0.2.0/33' is not an IP address"),
        (["v=spf1 ip4:192.0.2.0/024 -all"], "'ip4:192.0.2.0/024' is not an IP address"),
        (["v=spf1 ip4:2001:db8::1 -all"], "an address of the other version: write ip6:"),
        (["v=spf1 ip6:192.0.2.1 -all"], "an address of the other version: write ip4:"),
        (["v=spf1 ip4 -all"], "'ip4' has no address"),
        (["v=spf1 ip4=192.0.2.1 -all"], "has = where a colon belongs"),
        (["v=spf1 ipv4:192.0.2.1 -all"], "is not a term of SPF: write ip4:"),
        (["v=spf1 a, mx -all"], "Separate terms with spaces, not commas"),
        (["v=spf1 include: d8.example -all"], "Write it without a space after the colon"),
        (["v=spf1 include -all"], "'include' needs a domain"),
        (["v=spf1 include:localhost -all"], "needs a full domain name after the colon"),
        (["v=spf1 a:192.0.2.1 -all"], "needs a full domain name after the colon"),
        (["v=spf1 a:%{x}.shop.example -all"], "needs a full domain name after the colon"),
        (["v=spf1 a/33 -all"], "'a/33' has a prefix that is too long"),
        (["v=spf1 -all:x"], "all takes nothing after it"),
        (["v=spf1 redirect=a.example redirect=b.example"], "redirect= is there twice"),
        (["v=spf1 “-all”"], "'“-all”' is not a term of SPF"),
        (["v=spf1 -аll"], "is not a term of SPF"),  # a Cyrillic letter
        (["v=spf1 +all"], "+all lets every server in the world pass"),
        (["v=spf1 a all"], "all lets every server in the world pass"),
        (["v=spf1 include:d9.example -all"], "d9.example, which the record includes, has no SPF"),
        (["v=spf1 redirect=d9.example"], "d9.example, which the record includes, has no SPF"),
        (["v=spf1 include:two.example -all"], "two.example, which the record includes, has 2 SPF"),
        (["v=spf1 include:bad.example -all"], "bad.example: 'foo' is not a term of SPF"),
        (["v=spf1 include:shop.example -all"], "shop.example includes itself"),
        (["v=spf1 include:loop.example -all"], "shop.example includes itself"),
        (["v=spf1 include:SELF.example. -all"], "self.example includes itself"),
        (["v=spf1 include:d0.example a mx -all"], "11 look-ups, and receivers stop after 10"),
        (["v=spf1" + " a" * 9000 + " -all"], "more than 30 look-ups"),
        (["v=spf1 a:x.example a:y.example mx:z.example -all"], "3 look-ups find nothing"),
        (["v=spf1 mx:many.example -all"], "mx:many.example finds 11 servers, and 10 are allowed"),
        (["v=spf1 " + "x" * 60_000], "is not a term of SPF"),
    ],
)
def test_a_record_that_is_wrong(records: list[str], why: str) -> None:
    """A record that does not exist, is not read, or breaks a limit has failed, with its cause."""
    others: Table = {
        **chain(8),
        f"mail.{D}": {"A": ["192.0.2.25"]},
        "two.example": texts("v=spf1 -all", "v=spf1 ~all"),
        "bad.example": texts("v=spf1 foo -all"),
        "loop.example": texts("v=spf1 include:shop.example -all"),
        "self.example": texts("v=spf1 include:self.example -all"),
        "many.example": {"MX": [f"{n} m{n}.example." for n in range(11)]},
        "m0.example": {"A": ["192.0.2.1"]},
    }

    found = judged(records, others)

    failed = said(found, "failed")
    assert any(why in text for text in failed), found
    assert said(found, "ok") == []
    assert all(len(text) < 300 for text in failed)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("v=spf1 ip4:192.0.2.1", "the record has no all at its end"),
        ("v=spf1", "the record has no all at its end"),
        ("v=spf1 ?all", "?all says nothing about other servers"),
        ("v=spf1 -all a mx", "a mx has no effect because of -all"),
        ("v=spf1 -all redirect=d.example", "redirect=d.example has no effect because of -all"),
        ("v=spf1 ptr -all", f"{D}: ptr is slow"),
        ("v=spf1 a:x.example -all", "the record names x.example, where nothing is found"),
        ("v=spf1 " + "ip4:192.0.2.100 " * 40 + "-all", "may not fit into an answer"),
    ],
)
def test_doubts(record: str, why: str) -> None:
    """A record that works and should be changed is a warning."""
    found = judged(record)

    assert [text for text in said(found, "warning") if why in text], found
    assert len(said(found, "ok")) == 1
    assert said(found, "failed") == []


@pytest.mark.parametrize("state", [State.SILENT, State.FAILED, State.REFUSED])
@pytest.mark.parametrize(
    "record",
    ["v=spf1 include:far.example -all", "v=spf1 a:far.example -all", "v=spf1 mx:far.example -all"],
)
def test_an_answer_that_does_not_come(record: str, state: State) -> None:
    """A record that could not be read is neither missing nor right."""
    found = judged(record, {"far.example": state}, ip=INSIDE)

    assert said(found, "failed") == said(found, "ok") == []
    assert len(said(found, "no answer")) == 1
    (own,) = judge_spf(look_up_spf(D, answering({D: state})), None, None)
    assert own.level.value == "no answer"


@pytest.mark.parametrize(
    ("record", "ip", "result"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", INSIDE, "pass"),
        ("v=spf1 -ip4:192.0.2.25 ip4:192.0.2.0/24 ~all", INSIDE, "fail"),
        ("v=spf1 ip4:192.0.2.0/24 ~all", OUTSIDE, "softfail"),
        ("v=spf1 ip4:192.0.2.0/24", OUTSIDE, "neutral"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::25", "pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", INSIDE, "fail"),
        ("v=spf1 a/24 -all", INSIDE, "pass"),
        ("v=spf1 a -all", INSIDE, "fail"),
        ("v=spf1 mx -all", INSIDE, "pass"),
        ("v=spf1 mx//64 -all", "2001:db8::1", "pass"),
        ("v=spf1 include:d6.example -all", INSIDE, "pass"),
        ("v=spf1 include:no.example ~all", INSIDE, "softfail"),
        ("v=spf1 redirect=no.example", INSIDE, "fail"),
        ("v=spf1 exists:d.example -all", INSIDE, "pass"),
        ("v=spf1 exists:%{i}.d.example -all", INSIDE, "unknown"),
        ("v=spf1 ip4:192.0.2.25 exists:%{i}.d.example -all", INSIDE, "pass"),
    ],
)
def test_an_address(record: str, ip: str, result: str) -> None:
    """With --ip, the record is evaluated; if it fails, one that passes is printed."""
    others = {
        **chain(8),
        f"mail.{D}": {"A": ["192.0.2.25"], "AAAA": ["2001:db8::25"]},
        "d.example": {"A": ["127.0.0.2"]},
        "no.example": texts("v=spf1 -ip4:192.0.2.25 ~all"),
    }

    found = [one for one in judged(record, others, ip) if one.about == "SPF of IP"]

    (finding,) = found
    levels = {"pass": "ok", "unknown": "warning"}
    assert finding.level.value == levels.get(result, "failed")
    assert result == "unknown" or result == "pass" or f" gets {result} " in finding.text
    if finding.publish:
        (new,) = [part for part in finding.publish.split('"') if part.startswith("v=spf1")]
        again = judged(new, others, ip)
        assert [one.level.value for one in again if one.about == "SPF of IP"] == ["ok"], new


def test_several_records_are_merged() -> None:
    """Of several records, one with all terms is printed."""
    (finding,) = judged(["v=spf1 a mx -all", "v=spf1 mx include:d8.example ~all"])

    assert finding.publish == f'{D}. IN TXT "v=spf1 a mx include:d8.example ~all"'


@pytest.mark.parametrize(
    ("records", "merged"),
    [
        (["v=spf1 mx -all", "v=spf1 +all"], "v=spf1 mx -all"),
        (["v=spf1 ALL", "v=spf1 mx ~all", "v=spf1 all"], "v=spf1 mx ~all"),
        (["v=spf1 mx +all", "v=spf1 a all"], "v=spf1 mx a ~all"),
        (["v=spf1 mx", "v=spf1 a"], "v=spf1 mx a"),
    ],
)
def test_a_merged_record_does_not_let_every_server_send(records: list[str], merged: str) -> None:
    """``+all``, which the check itself refuses, is not among the terms that are printed."""
    finding = judged(records)[0]

    assert finding.publish == f'{D}. IN TXT "{merged}"'


def test_the_questions_are_bounded() -> None:
    """A tree of records that include ten others each is cut off."""
    asked: list[str] = []
    wide = "v=spf1 " + " ".join(f"include:%s{n}.example" for n in range(10)) + " -all"
    table = {
        f"{a}{n}.example": texts(wide.replace("%s", f"{a}{n}")) for a in "x" for n in range(10)
    }
    table |= {D: texts(wide.replace("%s", "x"))}

    tree = look_up_spf(D, answering(table, asked))

    assert tree.is_cut
    assert len(asked) <= 31
