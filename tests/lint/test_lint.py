"""Linting: problems that the reader of a message would notice."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_mailhandler import Attachment
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler.lint import lint
from flask_mailhandler.lint import RULES
from flask_mailhandler.testing.outbox import Captured

DOCS = Path(__file__).parents[2] / "docs"
ONE_CLICK = "List-Unsubscribe=One-Click"


def captured(**fields: object) -> Captured:
    """A message of our own, as it would be sent."""
    message = Message(from_addr="shop@example.com", to="ann@example.com", **fields)  # type: ignore[arg-type]
    handler = MemoryEmailHandler()
    handler.send([message])
    return handler.outbox[0]


def linted(html: str, *, subject: str = "Hi", text: str = "Hi", headers: str = "") -> list[str]:
    """The findings in a message with this HTML, as text."""
    mail = (
        f"Subject: {subject}\r\n{headers}Content-Type: multipart/alternative; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        f"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n--b--\r\n"
    )
    return [str(finding) for finding in lint(mail.encode("utf-8", "surrogatepass"))]


def test_a_good_mail() -> None:
    """A good message has no findings: it has images by https and cid, working links, a style sheet
    with braces, a text part, and one-click unsubscribing."""
    logo = Attachment(b"png", filename="logo.png")
    message = captured(
        subject="Your receipt",
        html="<style>@media x{a{color:red}}</style><!-- {{ x }} --><title>{{ x }}</title>"
        '<a href="https://shop.example/o/1?a={b">Order</a> <a name="top"></a><a href="#top">Up</a>'
        '<a href="mailto:a@b.example">Write</a><a href="tel:+431">Call</a><a href="shop://x">App</a>'
        f'<img src="cid:{logo.cid}" alt="Shop"><img src="https://shop.example/x.png" alt="">'
        '<p>{ } {"a": {"b": 1}} {0}</p>',
        inline_attachments=[logo],
        headers={
            "List-Unsubscribe": "<https://shop.example/u/1>, <mailto:u@shop.example?subject=u>",
            "List-Unsubscribe-Post": ONE_CLICK,
        },
    )

    assert lint(bytes(message.content)) == []


@pytest.mark.parametrize(
    ("html", "expect"),
    [
        ('<a href="">Pay</a>', "The link 'Pay' leads nowhere. [link]"),
        ('<a href=" # ">Pay</a>', "The link 'Pay' leads nowhere. [link]"),
        ('<a href><img alt="Pay" src="https://x/y"></a>', "The link 'Pay' leads nowhere. [link]"),
        ('<a href="/pay">Pay', "The link 'Pay' leads to the relative URL '/pay'. [link]"),
        ('<a href="pay">', "The link 'pay' leads to the relative URL 'pay'. [link]"),
        ('<area href="//x/y">', "The link '//x/y' leads to the relative URL '//x/y'. [link]"),
        ('<a href="?a=1">x</a>', "The link 'x' leads to the relative URL '?a=1'. [link]"),
        (
            '<a href=" java\nscript:alert(1)">x</a>',
            "leads to ' java\\nscript:alert(1)', which works only in a browser. [link]",
        ),
        ('<a href="https:///x">x</a>', "the relative URL 'https:///x'. [link]"),
        ('<a href="HTTP:">x</a>', "the relative URL 'HTTP:'. [link]"),
        ('<a href="file:///etc">x</a>', "'file:///etc', which works only in a browser. [link]"),
        ('<img alt="">', "An image has no src. [image]"),
        ('<img alt="" src="">', "An image has no src. [image]"),
        ('<img alt="" src="a.png">', "The image 'a.png' has no https: or cid: URL. [image]"),
        ('<td background="/a.png">', "The image '/a.png' has no https: or cid: URL. [image]"),
        (
            '<img alt="" src="//x/a.png">',
            "The image '//x/a.png' has no https: or cid: URL. [image]",
        ),
        (
            '<img alt="" src="https:a.png">',
            "The image 'https:a.png' has no https: or cid: URL. [image]",
        ),
        ('<img alt="" src="{{ logo }}">', "'{{ logo }}' was not filled in. [braces]"),
        (
            '<img alt="" src="cid:a@b">',
            "The image 'cid:a@b' is not attached to the message. [image]",
        ),
        ('<img alt="" src="data:image/png;base64,AAAA">', "is embedded as a data: URL. [image]"),
        ('<img src="https://x/a.png">', "The image 'https://x/a.png' has no alt attribute. [alt]"),
        ("<link rel='Preload STYLESHEET' href=https://x/y.css>", "sheet 'https://x/y.css' is an"),
        ("<link rel=icon href=x><link rel=stylesheet>", "The style sheet '' is an external file."),
        ("<p>Hi {{ user.name }}", "html: '{{ user.name }}' was not filled in. [braces]"),
        ("<p>Hi {% if x %}", "html: '{% if x %}' was not filled in. [braces]"),
        ("<p>Hi {first_name}", "html: '{first_name}' was not filled in. [braces]"),
        ('<a href="{{ url }}">x</a>', "html: '{{ url }}' was not filled in. [braces]"),
        ('<img alt="{{ x" src="{url}">', "html: '{{ x' was not filled in. [braces]"),
    ],
)
def test_html(html: str, expect: str) -> None:
    """Each part of the HTML that its reader cannot use is named."""
    found = linted(html)

    assert expect in found[0]
    assert len(found) == 1 + ("{url}" in html)


@pytest.mark.parametrize(
    ("subject", "text", "expect"),
    [
        ("", "Hi", "warning in the header: There is no subject. [subject]"),
        (" \t ", "Hi", "warning in the header: There is no subject. [subject]"),
        ("Hi", " \r\n ", "warning in the text: There is no text next to the HTML. [text-part]"),
        ("Hi {{ name }}", "Hi", "error in the header: '{{ name }}' was not filled in. [braces]"),
        ("Hi", "Hi {name}", "error in the text: '{name}' was not filled in. [braces]"),
    ],
)
def test_words(subject: str, text: str, expect: str) -> None:
    """A missing subject, a missing text and an unfilled variable are found."""
    assert linted("<p>Hi", subject=subject, text=text) == [expect]


def test_braces_in_html_and_text() -> None:
    """A variable that is unfilled in the HTML and in the text is one finding."""
    found = linted("<p>Hi {{ name }}", text="Hi {{ name }}, {{ other }}")

    assert found == [
        "error in the html: '{{ name }}' was not filled in. [braces]",
        "error in the text: '{{ other }}' was not filled in. [braces]",
    ]


def test_a_file_without_a_name() -> None:
    """A file needs a name; an attached message and a part that is not a file do not."""
    message = captured(
        subject="Hi",
        text="Hi",
        alternatives=[("BEGIN:VCALENDAR", "text/calendar")],
        attachments=[
            Attachment(b"%PDF", filename="", mimetype="application/pdf"),
            Attachment(b"%PDF", filename="a.pdf"),
            Attachment(b"Subject: x\r\n\r\ny", mimetype="message/rfc822"),
        ],
    )

    assert [str(found) for found in lint(bytes(message.content))] == [
        "warning in the header: An attachment of type application/pdf has no file name. [file-name]"
    ]


def test_the_text_that_is_made() -> None:
    """Our message without text has one made from its HTML, so only a message without both is
    reported."""
    assert lint(bytes(captured(subject="Hi", html="<p>Hi").content)) == []
    assert [finding.rule for finding in lint(b"Subject: Hi\r\n\r\n")] == ["text-part"]


@pytest.mark.parametrize(("octets", "clipped"), [(102 * 1024, False), (102 * 1024 + 1, True)])
def test_size(octets: int, clipped: bool) -> None:
    """HTML over 102 KB is reported: octets count, not characters."""
    found = linted("é" * (octets // 2) + "x" * (octets % 2))

    assert found == (
        ["warning in the html: The HTML has 104,449 octets; Gmail shows 104,448. [size]"]
        if clipped
        else []
    )


GOOD = "<https://x.example/u>"


@pytest.mark.parametrize(
    ("field", "post", "expect"),
    [
        (GOOD, ONE_CLICK, None),
        (f"<mailto:u@x.example>,{GOOD}", ONE_CLICK, None),
        (f"{GOOD}\r\n , <mailto:u@x.example>", ONE_CLICK, None),
        (GOOD, None, "is there without List-Unsubscribe-Post"),
        ("<mailto:u@x.example>", None, "is there without List-Unsubscribe-Post"),
        ("https://x.example/u", ONE_CLICK, "has no URL in angle brackets"),
        ("", ONE_CLICK, "has no URL in angle brackets"),
        (f"Leave {GOOD}", ONE_CLICK, "has text outside angle brackets"),
        (f"{GOOD}<mailto:u@x.example>", ONE_CLICK, "needs one comma"),
        (f"{GOOD},,<mailto:u@x.example>", ONE_CLICK, "needs one comma"),
        ("<https://>", ONE_CLICK, "not an https: or mailto: URL"),
        ("</unsubscribe>", ONE_CLICK, "not an https: or mailto: URL"),
        ("<https://x.example/ü>", ONE_CLICK, "not an https: or mailto: URL"),
        ("<https://x.example/a b>", ONE_CLICK, "not an https: or mailto: URL"),
        (
            "<mailto:u@x.example>",
            ONE_CLICK,
            "needs one https: URL in List-Unsubscribe; there are 0",
        ),
        (f"{GOOD}, {GOOD}", ONE_CLICK, "needs one https: URL in List-Unsubscribe; there are 2"),
        ("<http://x.example/u>", ONE_CLICK, "needs one https: URL"),
        (GOOD, "One-Click", "must be 'List-Unsubscribe=One-Click'"),
        (None, ONE_CLICK, "needs one https: URL in List-Unsubscribe; there are 0"),
        (f"{GOOD}\r\nList-Unsubscribe: {GOOD}", None, "List-Unsubscribe appears 2 times"),
    ],
)
def test_unsubscribe(field: str | None, post: str | None, expect: str | None) -> None:
    """C-76, C-77: List-Unsubscribe has URLs in angle brackets; one click needs one https: URL."""
    headers = f"List-Unsubscribe: {field}\r\n" if field is not None else ""
    headers += f"list-unsubscribe-post: {post}\r\n" if post is not None else ""

    found = linted("<p>Hi", headers=headers)

    assert any(expect in text for text in found) if expect else found == []


@pytest.mark.parametrize(
    ("subject", "at"),
    [
        ("Your\u200border", r"'\\u200b' at position 4"),
        ("\ufeffHi", r"'\\ufeff' at position 0"),
        ("dis\u00adcount", r"'\\xad' at position 3"),
        ("a\u200db", r"'\\u200d' at position 1"),
        ("exe\u202egpj", r"'\\u202e' at position 3"),
        ("Hi\u2060\u2060", r"'\\u2060' at position 2"),
        ("Zo\u3164", r"'\\u3164' at position 2"),
        ("می\u200cخواهم", None),
        ("क्\u200dष", None),
        ("\U0001f468\u200d\U0001f4bb Work", None),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", None),
        ("\u2068Ann\u2069 wrote", None),
        ("\u200fשלום", None),
        ("❤\ufe0f", None),
        ("Grüße", None),
    ],
)
@pytest.mark.parametrize("field", ["subject", "name", "header"])
def test_invisible(field: str, subject: str, at: str | None) -> None:
    """An invisible character in a subject, a name or a header is named with its position, unless
    it belongs to a script or an emoji."""
    message = captured(
        subject=subject if field == "subject" else "Hi",
        cc=(subject, "c@example.com") if field == "name" else None,
        headers={"X-A": subject} if field == "header" else None,
        text="Hi",
    )

    found = [str(finding) for finding in lint(bytes(message.content))]

    if at is None:
        assert found == []
    else:
        name = {"subject": "Subject", "name": "Cc", "header": "X-A"}[field]
        (finding,) = found
        assert re.match(rf"warning in the header: {name} has the invisible character {at}", finding)
        assert finding.endswith("[invisible]")


def test_allow() -> None:
    """A rule can be skipped by its name."""
    mail = b"Content-Type: text/html\r\n\r\n<img>"

    assert [f.rule for f in lint(mail)] == ["subject", "text-part", "image", "alt"]
    assert [f.rule for f in lint(mail, allow=["alt", "image"])] == ["subject", "text-part"]


def test_placeholders() -> None:
    """Text that a provider fills in is neither a dead link nor an unfilled variable."""
    html = '<p>%name% {{ses}} <a href="%out%">Leave</a><img alt="" src="%open%">'
    message = captured(subject="Hi %name%", text="{{ses}}", html=html)
    mail = bytes(message.content)

    assert lint(mail, placeholders=["%", "{{ses}}"]) == []
    assert {found.rule for found in lint(mail)} == {"link", "image", "braces"}
    assert {found.rule for found in lint(mail, placeholders=["%"])} == {"braces"}
    assert (
        lint(b"List-Unsubscribe: <%out%>\r\nSubject: a\r\n\r\nb", placeholders=["%out"])[0].rule
        == "one-click"
    )


@pytest.mark.parametrize("allow", [["alt", "colour"], "alt"])
def test_allow_nothing_unknown(allow: list[str]) -> None:
    """An unknown name raises an error that lists the rules."""
    with pytest.raises(ValueError, match=r"names of rules \(subject, text-part, link.*\), not '"):
        lint(b"", allow=allow)


@pytest.mark.parametrize("content", ["Hello", Message(text="Hello")])
def test_no_octets(content: t.Any) -> None:
    """Anything except octets raises an error that says what to write."""
    with pytest.raises(TypeError, match=r"takes octets: lint\(bytes\("):
        lint(content)


def test_many() -> None:
    """Equal findings are reported once, and at most ten of a rule, with a count of the rest."""
    found = linted("".join(f"<img src=https://x/{n // 2} alt>{{{{n{n}}}}}" for n in range(30)))
    twice = linted("<a href=/x>x</a><a href=/x>x</a>")

    assert len(found) == 11
    assert found[-1] == "error in the html: There are 20 more like these. [braces]"
    assert len(twice) == 1


HOSTILE = ["<a href=x>", "<img>", "<img src='cid:", "<", "{{", "{%", "{a", "{", "\t", "<a href='  "]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.usefixtures("untraced")
@pytest.mark.slow
def test_time_is_linear(piece: str) -> None:
    """A megabyte is linted in moments, where quadratic time would take minutes."""
    many = piece * (1_000_000 // len(piece))
    header = f"List-Unsubscribe: {piece.strip() * 2000}\r\n"

    assert len(linted(many, headers=header, text=many)) < 100


@given(st.binary(), st.text())
@pytest.mark.slow
def test_nothing_raises(octets: bytes, text: str) -> None:
    """Linting raises for no input."""
    for mail in (octets, b"Content-Type: text/html\r\n\r\n" + octets):
        lint(mail)
    linted(text, subject=repr(text), text=text, headers=f"List-Unsubscribe: {text!r}\r\n")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_says_why(rule: object) -> None:
    """Every rule has a reason in whole sentences and a link, and the documentation lists it with
    the link."""
    assert rule in RULES
    page = (DOCS / "previews.rst").read_text(encoding="utf-8")
    found = next(known for known in RULES if known == rule)

    assert re.fullmatch(r"[A-Z].{30,}\.", found.why)
    assert found.link.startswith("https://")
    assert f"``{found.name}``" in page
    assert f"<{found.link}>`__" in page


ENGLISH = "Hello Ann, your order HP-20488 of 29 November was sent. https://shop.example/orders/1"


@pytest.mark.parametrize(
    ("subject", "text", "found"),
    [
        ("Sent", ENGLISH, True),
        ("Sent", ENGLISH.replace("November", "Nov.").replace("29", "30"), True),
        ("Versandt", ENGLISH, True),
        ("Versandt", "Hallo Ann, die Bestellung HP-20488 vom 29. November ist unterwegs.", False),
        ("Sent", "Hei Ann, tilauksesi HP-20488 on matkalla. https://shop.example/orders/1", False),
        ("送信", "アンさん、ご注文 HP-20488 を発送しました。", False),
    ],
)
def test_translation(subject: str, text: str, found: bool) -> None:
    """A mail with the words of another language was not translated; names, numbers, dates and
    links do not count."""
    english = bytes(captured(subject="Sent", text=ENGLISH).content)
    content = bytes(captured(subject=subject, text=text).content)

    assert [str(one) for one in lint(content, others={"en": english})] == (
        ["warning in the text: The words are those of the mail in 'en'. [translation]"]
        if found
        else []
    )


def test_translation_of_a_table() -> None:
    """Sample data that is repeated in every row does not make two languages one."""
    rows = "".join(f"Tea {number} 7.50\n" for number in range(40))
    english = bytes(captured(subject="Receipt", text=f"Thank you for your order.\n{rows}").content)
    german = bytes(captured(subject="Quittung", text=f"Danke für den Einkauf.\n{rows}").content)

    assert lint(german, others={"en": english}) == []


def test_translation_of_html() -> None:
    """Without a text, the words of the HTML count; a mail of two words may be the same."""
    page = b"Subject: %s\r\nContent-Type: text/html\r\n\r\n<title>x</title><p>%s"

    news = page % (b"News", b"Good morning to you")
    same = lint(news, others={"de": news})
    short = lint(page % (b"News", b"OK"), others={"de": page % (b"News", b"OK")})

    assert [one.rule for one in same] == ["text-part", "translation"]
    assert [one.rule for one in short] == ["text-part"]
