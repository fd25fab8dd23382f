"""``flask mail check --dns`` and ``--offline``, with a DNS server on loopback."""

from __future__ import annotations

import re
import sys
import typing as t

import pytest
from click.testing import CliRunner
from flask import Flask

from flask_mailhandler import Mail
from flask_mailhandler.cli import alone
from flask_mailhandler.cli.deliverability.answer import State
from flask_mailhandler.cli.deliverability.resolver import Resolver
from flask_mailhandler.errors import ConfigurationError
from servers.dead_ends import closed_port
from servers.dns import DNSServer
from signing import ed25519
from signing import made
from signing import rsa
from signing import zone as keys_in

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

DMARC = "v=DMARC1; p=reject; rua=mailto:dmarc@shop.example"


def good() -> dict[str, t.Any]:
    """A zone in which everything is right."""
    return {
        "shop.example": {"TXT": ["v=spf1 mx -all", "site=x"], "MX": ["10 mail.shop.example."]},
        "mail.shop.example": {"A": ["192.0.2.25"], "AAAA": ["2001:db8::25"]},
        "_dmarc.shop.example": {"TXT": [DMARC]},
        "bounce.shop.example": {"CNAME": ["shop.example."]},
        "25.2.0.192.in-addr.arpa": {"PTR": ["mail.shop.example."]},
        **{name: {"TXT": [text]} for name, text in keys_in().items()},
    }


@pytest.fixture(scope="module")
def server() -> Iterator[DNSServer]:
    """A server whose zone each test sets."""
    one = DNSServer({})
    yield one
    one.close()


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrower terminal would wrap lines."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr("flask_mailhandler.cli.table._WIDEST", 300)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine needs time to answer. Tests of silence set a time of their own."""
    for name in ("_TRY", "_QUESTION"):
        monkeypatch.setattr(f"flask_mailhandler.cli.deliverability.resolver.{name}", 40.0)


def create_app(**keys: object) -> Flask:
    app = Flask("shop")
    options = {
        "default_from": "The Shop <shop@shop.example>",
        "bounce_address": "b@bounce.shop.example",
        "dkim_keys": {"s2026": made()[1], "e2026": made("e2026", True)[1]},
        **keys,
    }
    app.config.update({f"MAIL_{name.upper()}": value for name, value in options.items()})
    app.config["SECRET_KEY"] = "x"
    Mail(app)
    return app


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["mail", "check", *arguments])


def rows(result: Result) -> list[tuple[str, ...]]:
    """The checks and their levels."""
    return re.findall(
        r"^  ([\w-]+(?: \w+)*)  +(ok|warning|failed|no answer)  +.", result.output, re.M
    )


def test_everything_is_right(server: DNSServer) -> None:
    """Each check is printed with its level, and the exit code is 0."""
    server.zone = good()

    result = run(create_app(), "--dns", "--nameserver", server.address, "--ip", "192.0.2.25")

    assert result.exit_code == 0, result.output
    assert rows(result) == [
        ("DKIM s2026", "ok"),
        ("sample s2026", "ok"),
        ("DKIM e2026", "ok"),
        ("sample e2026", "ok"),
        ("DKIM aligned", "ok"),
        ("DMARC", "ok"),
        ("SPF", "ok"),
        ("SPF of IP", "ok"),
        ("SPF aligned", "ok"),
        ("bounces", "ok"),
        ("From", "ok"),
        ("PTR", "ok"),
    ]
    assert result.output.startswith(
        "Account 'default': From shop.example, signed by shop.example,"
        " bounces to bounce.shop.example\n\n"
    )
    assert result.output.endswith("\n\nAll 12 checks passed.\n")


def test_an_empty_zone(server: DNSServer) -> None:
    """With nothing in the DNS, each check fails, and what is printed makes all of them pass."""
    server.zone = {"example": {"NS": ["ns.example."]}}
    arguments = ("--dns", "--nameserver", server.address, "--ip", "192.0.2.25")
    app = create_app(host="smtp.gmail.com")

    result = run(app, *arguments)

    assert result.exit_code == 1
    assert "Error: Of 8 checks, 7 failed.\n" in result.output
    server.zone = published(result.output)
    server.zone["mail.bounce.shop.example"] = {"A": ["192.0.2.25"]}
    server.zone["mail.shop.example"] = {"A": ["192.0.2.25"]}
    server.zone["mail.example.com"] = {"A": ["192.0.2.25"]}
    again = run(app, *arguments)
    assert again.exit_code == 0, again.output


def published(output: str) -> dict[str, t.Any]:
    """The zone that the printed records make."""
    zone: dict[str, t.Any] = {}
    lines = output.partition("Publish these records:\n")[2] or output
    for name, kind, value in re.findall(r"^(\S+)\. IN (\w+) (\((?:.|\n)*?\)|.*)$", lines, re.M):
        text = "".join(re.findall(r'"([^"]*)"', value)) if kind == "TXT" else value
        zone.setdefault(name, {}).setdefault(kind, []).append(text)
    return zone


def test_each_account(server: DNSServer) -> None:
    """Accounts that write the same domains are checked once, and --using chooses one."""
    server.zone = good()
    app = create_app(
        accounts={
            "same": {"host": "localhost", "subject_prefix": "x"},
            "news": {"default_from": "news@news.shop.example", "dkim_domain": "shop.example"},
        },
        host="localhost",
    )

    everything = run(app, "--dns", "--nameserver", server.address)
    news = run(app, "--dns", "--nameserver", server.address, "--using", "news")

    assert "Accounts 'default', 'same': From shop.example" in everything.output
    assert "Account 'news': From news.shop.example, signed by shop.example" in everything.output
    assert "'default'" not in news.output
    assert ("DKIM aligned", "ok") in rows(news)
    assert ("From", "failed") in rows(news)
    assert "_dmarc.shop.example: policy reject, which applies to news.shop.example" in news.output
    assert everything.exit_code == news.exit_code == 1


@pytest.mark.parametrize("what", ["SERVFAIL", "refer", "REFUSED", "NOTIMP"])
@pytest.mark.parametrize(
    "name",
    ["s2026._domainkey.shop.example", "_dmarc.shop.example", "shop.example", "mail.shop.example"],
)
def test_a_failure_is_not_missing(server: DNSServer, name: str, what: str) -> None:
    """A server that cannot answer is told from a record that is not there."""
    server.zone = {**good(), name: what}

    result = run(create_app(), "--dns", "--nameserver", server.address)

    assert result.exit_code == 1
    assert {level for _, level in rows(result)} == {"ok", "no answer"}
    assert "Publish these records:" not in result.output
    assert re.search(r"Error: Of \d+ checks, \d got no answer\.", result.output)


@pytest.mark.parametrize(
    ("name", "state", "text"),
    [
        ("shop.example", State.FOUND, ""),
        ("SHOP.example.", State.FOUND, ""),
        ("none.shop.example", State.NO_NAME, "none.shop.example does not exist"),
        ("mail.shop.example", State.NO_DATA, "mail.shop.example has no TXT record"),
        ("_domainkey.shop.example", State.NO_DATA, "_domainkey.shop.example has no TXT record"),
        ("alias.shop.example", State.FOUND, ""),
        ("chain.shop.example", State.FOUND, ""),
        (
            "dead.shop.example",
            State.NO_NAME,
            "gone.example, which dead.shop.example is a CNAME for",
        ),
        (
            "bare.shop.example",
            State.NO_DATA,
            "mail.shop.example, which bare.shop.example is a CNAME",
        ),
        ("circle.shop.example", State.UNUSABLE, "its CNAME records make a circle"),
        ("c0.shop.example", State.UNUSABLE, "its CNAME records make a long chain"),
        ("huge.shop.example", State.FOUND, ""),
        ("x..example", State.UNUSABLE, "it is not a name of the DNS"),
        ("x" * 64 + ".example", State.UNUSABLE, "it is not a name of the DNS"),
        ("servfail.example", State.FAILED, "replied SERVFAIL. Try again later, or ask another"),
        ("refused.example", State.REFUSED, "replied REFUSED. Ask another --nameserver."),
        ("refer.example", State.REFUSED, "is not the server of this name, and asks no other."),
    ],
)
def test_what_becomes_of_a_question(server: DNSServer, name: str, state: State, text: str) -> None:
    """Each answer is told from the others, and CNAME records and truncated answers are followed."""
    server.zone = {
        **good(),
        "alias.shop.example": {"CNAME": ["shop.example."]},
        "chain.shop.example": {"CNAME": ["alias.shop.example."]},
        "dead.shop.example": {"CNAME": ["gone.example."]},
        "bare.shop.example": {"CNAME": ["mail.shop.example."]},
        "circle.shop.example": {"CNAME": ["circle2.shop.example."]},
        "circle2.shop.example": {"CNAME": ["circle.shop.example."]},
        **{f"c{n}.shop.example": {"CNAME": [f"c{n + 1}.shop.example."]} for n in range(20)},
        "huge.shop.example": {"TXT": ["x" * 60_000]},
        "servfail.example": "SERVFAIL",
        "refused.example": "REFUSED",
        "refer.example": "refer",
    }
    server.asked.clear()

    answer = Resolver(("127.0.0.1", server.port)).ask(name, "TXT")

    assert answer.state is state
    assert text in (answer.missing if answer.known else answer.trouble)
    assert answer.known == (state not in (State.FAILED, State.REFUSED))
    assert len(server.asked) < 12
    assert not name.startswith("huge") or answer.values == ("x" * 60_000,)


def test_a_question_is_asked_once(server: DNSServer) -> None:
    """The same question in other letters is answered from memory."""
    server.zone = good()
    server.asked.clear()
    resolver = Resolver(("127.0.0.1", server.port))

    assert resolver.ask("shop.example", "TXT") == resolver.ask("Shop.Example.", "TXT")

    assert server.asked == [("shop.example", "TXT")]


def test_the_time_is_bounded(server: DNSServer) -> None:
    """A server that is silent takes no longer than the time for all questions."""
    server.zone = {"silent.example": "silence"}
    resolver = Resolver(("127.0.0.1", server.port), seconds=0.2)

    first, second = resolver.ask("silent.example", "TXT"), resolver.ask("other.example", "TXT")

    assert first.state is second.state is State.SILENT
    assert "did not reply within 0 s" not in first.trouble
    assert "the 0.2 s for all look-ups are over. Try again." in second.trouble
    assert ("other.example", "TXT") not in server.asked


def test_no_server_there() -> None:
    """A port where nothing listens is no answer."""
    with closed_port() as port:
        answer = Resolver(("127.0.0.1", port), seconds=0.2).ask("shop.example", "TXT")

    assert answer.state in (State.FAILED, State.SILENT)
    assert "127.0.0.1 port" in answer.trouble


@pytest.mark.parametrize(
    ("zone", "about", "level", "text"),
    [
        ({"shop.example": {"MX": ["0 ."]}}, "bounces", "failed", "takes no mail (null MX)"),
        (
            {"shop.example": {"A": ["192.0.2.1"]}},
            "bounces",
            "warning",
            "has no MX record, so bounces",
        ),
        ({"shop.example": {"TXT": ["x"]}}, "bounces", "failed", "has neither an MX record nor an"),
        (
            {"mail.shop.example": None},
            "bounces",
            "failed",
            "mail.shop.example, the MX of shop.example",
        ),
        (
            {"shop.example": {"MX": ["10 mail.shop.example.", "20 old.shop.example."]}},
            "bounces",
            "warning",
            "old.shop.example, an MX of shop.example, has no address. Remove it.",
        ),
        (
            {"shop.example": {"MX": ["10 192.0.2.25."]}},
            "bounces",
            "failed",
            "must be a name with an",
        ),
        ({"25.2.0.192.in-addr.arpa": None}, "PTR", "failed", "192.0.2.25 has no name"),
        (
            {"mail.shop.example": {"A": ["192.0.2.26"]}},
            "PTR",
            "failed",
            "192.0.2.25 is mail.shop.example, which leads to 192.0.2.26 and not back",
        ),
        ({"25.2.0.192.in-addr.arpa": "SERVFAIL"}, "PTR", "no answer", "replied SERVFAIL"),
        (
            {
                "25.2.0.192.in-addr.arpa": {"PTR": ["host-192-0-2-25.isp.example."]},
                "host-192-0-2-25.isp.example": {"A": ["192.0.2.25"]},
            },
            "PTR",
            "warning",
            "looks like the name of a home connection",
        ),
    ],
)
def test_ways_back(
    server: DNSServer, zone: dict[str, t.Any], about: str, level: str, text: str
) -> None:
    """Mail that cannot come back, and an address without a name, are told with their cause."""
    changed = {**good(), **zone}
    server.zone = {name: found for name, found in changed.items() if found is not None}

    result = run(
        create_app(bounce_address=None, default_reply_to="x@shop.example"),
        *("--dns", "--nameserver", server.address, "--ip", "192.0.2.25"),
    )

    assert (about, level) in rows(result), result.output
    assert text in result.output


def test_a_hostile_record(server: DNSServer) -> None:
    """Escape sequences in a record do not reach the terminal."""
    server.zone = {**good(), "_dmarc.shop.example": {"TXT": [f"{DMARC}; \x1b[31mred=1"]}}

    result = run(create_app(), "--dns", "--nameserver", server.address)

    assert "\x1b[31m" not in result.output
    assert ("DMARC", "warning") in rows(result)
    assert result.exit_code == 0
    assert re.search(r"Of \d+ checks, 1 has a warning\.\n$", result.output)


@pytest.mark.parametrize(
    ("host", "ip", "spf"),
    [
        ("smtp.gmail.com", None, "include:_spf.google.com"),
        ("email-smtp.eu-west-1.amazonaws.com", None, "include:amazonses.com"),
        ("mail.shop.example", None, "a:mail.shop.example"),
        ("localhost", None, "mx"),
        ("192.0.2.9", None, "mx"),
        ("mail.shop.example", "192.0.2.25", "ip4:192.0.2.25"),
        ("localhost", "2001:db8::25", "ip6:2001:db8::25"),
    ],
)
def test_offline(host: str, ip: str | None, spf: str) -> None:
    """The records are printed as a zone file has them, and nothing is asked."""
    app = create_app(host=host, accounts={"sub": {"default_from": "a@sub.shop.example"}})

    result = run(app, "--offline", *(("--ip", ip) if ip else ()))

    assert result.exit_code == 0, result.output
    assert published(result.output) == {
        "s2026._domainkey.shop.example": {"TXT": [rsa().record]},
        "e2026._domainkey.shop.example": {"TXT": [ed25519().record]},
        "s2026._domainkey.sub.shop.example": {"TXT": [rsa().record]},
        "e2026._domainkey.sub.shop.example": {"TXT": [ed25519().record]},
        "bounce.shop.example": {"TXT": [f"v=spf1 {spf} ~all"]},
        "_dmarc.shop.example": {"TXT": ["v=DMARC1; p=none; rua=mailto:dmarc@shop.example"]},
    }
    assert all(re.match(r'(;|\S+\. IN TXT |    "|$)', line) for line in result.output.splitlines())
    assert ("a guess" in result.output) == (ip is None and not spf.startswith("include"))


def test_offline_merges_accounts() -> None:
    """Accounts with other servers and the same domain share one SPF record."""
    app = create_app(
        host="smtp.gmail.com", bounce_address=None, accounts={"own": {"host": "mx.shop.example"}}
    )

    result = run(app, "--offline")

    assert 'shop.example. IN TXT "v=spf1 include:_spf.google.com a:mx.shop.example ~all"' in (
        result.output
    )
    assert result.output.count("v=spf1") == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--dns", "--ip", "mail.example"], "--ip takes the IP address that sends"),
        (["--offline", "--ip", "1.2.3"], "--ip takes the IP address that sends"),
        (["--dns", "--nameserver", "ns.example"], "--nameserver takes an IP address"),
        (["--dns", "--nameserver", "192.0.2.1:0"], "--nameserver takes an IP address"),
        (["--dns", "--nameserver", "192.0.2.1:70000"], "--nameserver takes an IP address"),
        (["--dns", "--nameserver", "[192.0.2.1:53"], "--nameserver takes an IP address"),
        (["--ip", "192.0.2.1"], "--ip needs --dns or --offline"),
        (["--nameserver", "192.0.2.1"], "--nameserver needs --dns"),
        (["--nameserver", "192.0.2.1", "--ip", "192.0.2.1"], "--nameserver needs --dns"),
        (["--offline", "--nameserver", "192.0.2.1"], "--offline asks no server"),
        (["--dns", "--to", "a@b.example"], "--to asks the mail server"),
        (["--dns", "--using", "bulk"], "There is no account 'bulk'"),
    ],
)
def test_wrong_options(arguments: list[str], text: str) -> None:
    """An option that cannot be used is an error that says what to write."""
    result = run(create_app(), *arguments)

    assert result.exit_code in (1, 2)
    assert text in result.output


def test_without_a_domain() -> None:
    """An app that names no From is told to."""
    app = create_app(default_from=None, bounce_address=None, dkim_keys={})

    for option in ("--dns", "--offline"):
        result = run(app, option)
        assert result.exit_code == 1
        assert "MAIL_DEFAULT_FROM is not set, so no domain is known" in result.output


def test_without_dnspython(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without dnspython, --dns names the extra, and --offline works."""
    monkeypatch.setitem(sys.modules, "dns.resolver", None)
    app = create_app()

    missing = run(app, "--dns")

    assert missing.exit_code == 1
    assert "pip install 'Flask-MailHandler[deliverability]'" in missing.output
    assert run(app, "--offline").exit_code == 0


def test_without_an_app(server: DNSServer) -> None:
    """A URL is enough, and no password is asked for."""
    server.zone = good()
    url = "smtps://shop%40shop.example@smtp.example.com?default_from=shop@shop.example"

    result = CliRunner().invoke(
        alone(), ["check", "--dns", "--nameserver", server.address, "--url", url]
    )

    assert result.exit_code == 0, result.output
    assert ("DKIM", "warning") in rows(result)
    assert ("SPF", "ok") in rows(result)


def test_without_a_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a name server is told to pass one."""
    import dns.resolver

    def configured(self: object, *arguments: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", configured)

    with pytest.raises(ConfigurationError, match="pass --nameserver IP"):
        Resolver()
