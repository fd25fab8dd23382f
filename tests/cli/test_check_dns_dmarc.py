"""``flask mail check --dns``: DMARC by the tree walk of RFC 9989, and alignment."""

from __future__ import annotations

import typing as t

import pytest

from dns_table import answering
from dns_table import said
from dns_table import texts
from flask_mailhandler.cli.deliverability.aligned import judge_alignment
from flask_mailhandler.cli.deliverability.answer import State
from flask_mailhandler.cli.deliverability.dmarc import judge_policy
from flask_mailhandler.cli.deliverability.tree_walk import walk

if t.TYPE_CHECKING:
    from flask_mailhandler.cli.deliverability.answer import Ask
    from flask_mailhandler.cli.deliverability.finding import Finding

NONE = "v=DMARC1; p=none; rua=mailto:dmarc@shop.example"


def zone(**records: str | State | tuple[str, ...]) -> Ask:
    """Answers for DMARC records: ``shop_example`` stands for ``_dmarc.shop.example``."""
    table: dict[str, t.Any] = {}
    for name, found in records.items():
        many = (found,) if isinstance(found, str) else found
        table[f"_dmarc.{name.replace('_', '.')}"] = (
            many if isinstance(many, State) else texts(*many)
        )
    return answering(table)


def judged(ask: Ask, domain: str = "shop.example") -> list[Finding]:
    return judge_policy(walk(domain, ask), ask)


@pytest.mark.parametrize(
    ("domain", "asked"),
    [
        ("shop.example", ["shop.example", "example"]),
        (
            "a.b.c.d.e.f.example",
            [*(f"{x}.example" for x in ("a.b.c.d.e.f", "b.c.d.e.f", "c.d.e.f"))],
        ),
        ("a.b.c.d.e.f.g.example", ["a.b.c.d.e.f.g.example", "b.c.d.e.f.g.example"]),
        (
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",
            ["a.b.c.d.e.f.g.h.i.j.mail.example.com", "g.h.i.j.mail.example.com"],
        ),
    ],
)
def test_the_questions_of_a_walk(domain: str, asked: list[str]) -> None:
    """A walk asks for the domain, then for its last seven labels at most, up to the top."""
    questions: list[str] = []

    walk(domain, answering({}, questions))

    assert questions[: len(asked)] == [f"TXT _dmarc.{name}" for name in asked]
    assert questions[-1] == f"TXT _dmarc.{domain.rpartition('.')[2]}"
    assert len(questions) == min(8, domain.count(".") + 1)


@pytest.mark.parametrize(
    ("domain", "records", "organization", "policy"),
    [
        # Examples of RFC 9989 section 4.10
        (
            "a.mail.example.com",
            {"mail_example_com": NONE, "example_com": NONE},
            "example.com",
            None,
        ),
        (
            "a.mail.example.com",
            {"mail_example_com": f"{NONE}; psd=n", "example_com": NONE},
            "mail.example.com",
            None,
        ),
        (
            "a.mail.example.com",
            {"com": "v=DMARC1; p=reject; psd=y"},
            "example.com",
            "com",
        ),
        ("mail.example.com", {"mail_example_com": NONE}, "mail.example.com", None),
        ("mail.example.com", {}, "mail.example.com", ""),
        # A suffix that sends mail itself
        ("bank", {"bank": f"{NONE}; psd=y"}, "bank", "bank"),
        ("gov.example", {"gov_example": f"{NONE}; PSD=Y; psd=y"}, "gov.example", "gov.example"),
        ("shop.gov.example", {"gov_example": f"{NONE}; psd=Y"}, "shop.gov.example", "gov.example"),
        # The record of the domain wins for the policy, and the highest one for the organization
        (
            "a.shop.example",
            {"a_shop_example": NONE, "shop_example": NONE},
            "shop.example",
            "a.shop.example",
        ),
        # Several records at one name are none
        (
            "a.shop.example",
            {"a_shop_example": (NONE, NONE), "shop_example": NONE},
            "shop.example",
            "shop.example",
        ),
        (
            "a.shop.example",
            {"a_shop_example": NONE, "example": (NONE, NONE)},
            "a.shop.example",
            "a.shop.example",
        ),
        # Not DMARC
        ("shop.example", {"shop_example": "v=dmarc1; p=none"}, "shop.example", ""),
        ("shop.example", {"shop_example": "p=none; v=DMARC1"}, "shop.example", ""),
        ("shop.example", {"shop_example": " v=DMARC1; p=none"}, "shop.example", ""),
        ("shop.example", {"shop_example": "v=DMARC12; p=none"}, "shop.example", ""),
        ("shop.example", {"shop_example": "v = DMARC1 ;p=none"}, "shop.example", "shop.example"),
    ],
)
def test_organization_and_policy(
    domain: str, records: dict[str, t.Any], organization: str, policy: str | None
) -> None:
    """The organizational domain and the record that applies follow from the records found."""
    walked = walk(domain, zone(**records))

    assert walked.organization == organization
    found = walked.policy.domain if walked.policy else ""
    assert found == (organization if policy is None else policy)


@pytest.mark.parametrize(
    ("record", "summary"),
    [
        (NONE, "_dmarc.shop.example: policy none"),
        ("v=DMARC1;p=reject;rua=mailto:a@shop.example;adkim=s;aspf=r;fo=1:d;", "policy reject"),
        (
            "v=DMARC1; p=Quarantine; sp=none; np=reject; psd=n; t=n; rua=MAILTO:a@shop.example",
            "policy quarantine",
        ),
        ("v=DMARC1; p=none; rua=mailto:a@shop.example, mailto:b@x.shop.example", "policy none"),
    ],
)
def test_a_record_that_is_right(record: str, summary: str) -> None:
    """A record of RFC 9989 has no warning."""
    (finding,) = judged(zone(shop_example=record))

    assert finding.level.value == "ok"
    assert summary in finding.text


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (f"{NONE}; pct=50", "pct= was taken out of DMARC by RFC 9989. Remove it; use t=y"),
        (f"{NONE}; ri=86400; rf=afrf", "ri= was taken out"),
        (f"{NONE}; rf=afrf", "rf= was taken out"),
        ("v=DMARC1; p=none", "there is no rua=, so you get no reports"),
        ("v=DMARC1; p=none; rua=", "there is no rua="),
        ("v=DMARC1; p=none; rua=dmarc@shop.example", "where reports need mailto:ADDRESS"),
        (f"{NONE}!10m", "remove the size, which RFC 9989 ignores"),
        ("v=DMARC1; p=reject; t=y; rua=mailto:a@shop.example", "t=y weakens the policy"),
        (f"{NONE}; psd=y", "psd=y says that this domain is a public suffix"),
        (f"{NONE}; adkim=strict", "adkim= is 'strict', and takes r, s. It is ignored"),
        (f"{NONE}; sp=deny", "Receivers treat the whole record as p=none"),
        ("v=DMARC1; p=deny; rua=mailto:a@shop.example", "Receivers treat the whole record"),
        ("v=DMARC1; rua=mailto:a@shop.example", "there is no p=, which means none"),
        (f"{NONE}; policy=reject", "'policy' is not a tag of DMARC, and is ignored"),
        (f"{NONE}; SP=reject", "'SP' is ignored by some receivers. Write sp=."),
        (f"{NONE}; reject", "'reject' is not tag=value, and is ignored"),
        (f"{NONE};" + "x;" * 20_000, "'x' is not tag=value"),
    ],
)
def test_doubts(record: str, why: str) -> None:
    """A record that receivers read otherwise than its owner means is a warning."""
    found = judged(zone(shop_example=record))

    assert [text for text in said(found, "warning") if why in text], found
    assert said(found, "failed") == []
    assert len(found) < 12


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ({}, "_dmarc.shop.example does not exist, and no domain above it has a record"),
        ({"shop_example": "x"}, "_dmarc.shop.example has no DMARC record"),
        ({"shop_example": "v=DMARC; p=none"}, "has 'v=DMARC; p=none', which is ignored"),
        ({"shop_example": '"v=DMARC1; p=none"'}, "without quotation marks"),
        ({"shop_example": (NONE, NONE)}, "_dmarc.shop.example has 2 DMARC records"),
        ({"shop_example": "v=DMARC1"}, "there is no p= and no rua=, so receivers may ignore"),
        (
            {"shop_example": "v=DMARC1; p=deny"},
            "The record has no rua= either, so receivers ignore it",
        ),
        ({"shop_example": f"{NONE}; p=reject"}, "'p' is there twice, so receivers may ignore"),
        ({"shop_example": "v=DMARC1 p=none"}, "which is ignored: a record begins with v=DMARC1"),
    ],
)
def test_a_record_that_is_missing_or_ignored(records: dict[str, t.Any], why: str) -> None:
    """A domain without a record that counts has failed, and one to publish is shown."""
    found = judged(zone(**records))

    assert [text for text in said(found, "failed") if why in text], found
    assert said(found, "ok") == []
    assert all(one.publish for one in found if "Publish the record below" in one.text)


@pytest.mark.parametrize("state", [State.SILENT, State.FAILED, State.REFUSED])
@pytest.mark.parametrize("name", ["shop_example", "example"])
def test_an_answer_that_does_not_come(name: str, state: State) -> None:
    """A domain whose record could not be read does not lack one."""
    found = judged(zone(**{name: state}))

    assert [finding.level.value for finding in found] == ["no answer"]


def test_sp_applies_to_a_subdomain() -> None:
    """The record of a domain above is judged by sp=."""
    ask = zone(shop_example="v=DMARC1; p=none; sp=reject; rua=mailto:a@shop.example")

    (finding,) = judged(ask, "news.shop.example")

    assert finding.text == (
        "_dmarc.shop.example: policy reject, which applies to news.shop.example"
    )


@pytest.mark.parametrize(
    ("record", "policy"),
    [
        ("v=DMARC1; p=reject; sp=quarantine; rua=mailto:a@shop.example", "reject"),
        ("v=DMARC1; p=reject; sp=deny; rua=mailto:a@shop.example", "none"),
        ("v=DMARC1; p=rejct; rua=mailto:a@shop.example", "none"),
        ("v=DMARC1; rua=mailto:a@shop.example", "none"),
        ("v=DMARC1; p=reject; t=y; rua=mailto:a@shop.example", "reject, tested (t=y)"),
    ],
)
def test_the_policy_that_is_applied(record: str, policy: str) -> None:
    """The policy is shown as receivers apply it."""
    first = judged(zone(shop_example=record))[0]

    assert first.text == f"_dmarc.shop.example: policy {policy}"


def test_only_a_public_suffix_has_a_record() -> None:
    """A domain that has only the policy of its registry is told to publish its own."""
    (finding,) = judged(zone(example="v=DMARC1; p=reject; psd=y"), "news.shop.example")

    assert finding.level.value == "warning"
    assert "only example, a public suffix, has a record" in finding.text
    assert finding.publish.startswith("_dmarc.shop.example. IN TXT")


@pytest.mark.parametrize("agrees", [None, "v=DMARC1", "v=DMARC1; rua=mailto:x@r.example", "no"])
def test_reports_to_another_organization(agrees: str | None) -> None:
    """Another organization has to agree to get reports (RFC 9990 section 4)."""
    table: dict[str, t.Any] = {
        "_dmarc.shop.example": texts("v=DMARC1; p=none; rua=mailto:shop@r.example"),
    }
    if agrees is not None:
        table["shop.example._report._dmarc.r.example"] = texts(agrees)
    found = judged(answering(table))

    refused = agrees in (None, "no")
    assert len(said(found, "warning")) == refused
    if refused:
        assert found[-1].publish == 'shop.example._report._dmarc.r.example. IN TXT "v=DMARC1"'


@pytest.mark.parametrize(
    ("author", "other", "record", "level"),
    [
        ("shop.example", "shop.example", NONE, "ok"),
        ("shop.example", "shop.example", f"{NONE}; adkim=s", "ok"),
        ("shop.example", "news.shop.example", NONE, "ok"),
        ("news.shop.example", "shop.example", NONE, "ok"),
        ("a.shop.example", "b.shop.example", NONE, "ok"),
        ("shop.example", "news.shop.example", f"{NONE}; adkim=s", "failed"),
        ("shop.example", "news.shop.example", f"{NONE}; adkim=S", "failed"),
        ("news.shop.example", "shop.example", f"{NONE}; adkim=s", "failed"),
        ("shop.example", "mail.provider.example", NONE, "failed"),
        ("a.shop.example", "b.shop.example", "x", "failed"),
    ],
)
def test_alignment(author: str, other: str, record: str, level: str) -> None:
    """Domains of one organization are aligned, unless the record asks for the same domain."""
    ask = zone(shop_example=record)
    walked = walk(author, ask)

    finding = judge_alignment(walked, other, ask, by="DKIM")

    assert finding.level.value == level


@pytest.mark.parametrize(
    ("by", "tag", "level"),
    [
        ("DKIM", "adkim=s", "failed"),
        ("DKIM", "aspf=s", "ok"),
        ("SPF", "aspf=s", "warning"),
        ("SPF", "adkim=s", "ok"),
    ],
)
def test_strict_alignment(by: str, tag: str, level: str) -> None:
    """DKIM and SPF each have a tag that asks for the domain itself."""
    ask = zone(shop_example=f"{NONE}; {tag}")

    finding = judge_alignment(walk("shop.example", ask), "news.shop.example", ask, by=by)

    assert finding.level.value == level


@pytest.mark.parametrize("by", ["DKIM", "SPF"])
def test_alignment_below_a_suffix(by: str) -> None:
    """Two organizations below a public suffix are not aligned, which only the DNS knows."""
    ask = zone(co_example="v=DMARC1; p=none; psd=y")
    walked = walk("shop.co.example", ask)

    same = judge_alignment(walked, "a.shop.co.example", ask, by=by)
    other = judge_alignment(walked, "other.co.example", ask, by=by)

    assert same.level.value == "ok"
    assert other.level.value == ("failed" if by == "DKIM" else "warning")
    assert "other.co.example belongs to other.co.example" in other.text


def test_alignment_that_is_not_known() -> None:
    """Without an answer, alignment is not known."""
    ask = zone(shop_example=NONE, news_shop_example=State.SILENT)
    walked = walk("shop.example", ask)

    finding = judge_alignment(walked, "news.shop.example", ask, by="DKIM")

    assert finding.level.value == "no answer"
