"""Questions about one message: its code, elements and attachments."""

from __future__ import annotations

import re
import sys
import typing as t

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from flask_mailhandler import Attachment
from flask_mailhandler import Captured
from flask_mailhandler import ConfigurationError
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message


def captured(**fields: t.Any) -> Captured:
    handler = MemoryEmailHandler()
    handler.send([Message(from_addr="app@example.com", to="ann@example.com", **fields)])
    return handler.outbox[0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Your code is 482913.", "482913"),
        ("Your code: 4829", "4829"),
        ("Code:48291375", "48291375"),
        ("(482 913)", "482913"),
        ("482-913 is your code", "482913"),
        ("4829\u00a01375", "48291375"),
        ("12 34 56", "123456"),
        ("4 8 2 9 1 3", "482913"),
        ("482913, and once more: 482913", "482913"),
        ("482 913 is 482913", "482913"),
        ("Der Code 082913 gilt bis 12:30 Uhr am 21.11.2026.", "082913"),
        ("Since 2026-11-21, for 1234.56 or €1234 or 99 %, the code is 482913", "482913"),
        ("Code 482913, see https://example.com/123456 or mail 654321@example.com", "482913"),
        ("Order #7777, part AB1234, ref A-5555, at /reset/8888?x=9999: 482913", "482913"),
        ("Call +4930123456, or enter 482913", "482913"),
        ("رمزك هو ٤٨٢٩١٣", "482913"),
        ("رمزك هو \u2066٤٨٢ ٩١٣\u2069.", "482913"),
        ("コード：４８２９１３です", "482913"),
        ("您的验证码为482913，5分钟内有效。", "482913"),
        ("【商店】482913是您的验证码，2027年11月21日前有效，订单第20270001号", "482913"),
        ("認証コードは482913です。", "482913"),
        ("1200円のお支払い、2027年。確認コード「482-913」を入力", "482913"),
        ("인증번호는 482913입니다.", "482913"),
        ("2027년 11월 21일까지, 12000원: [482913]를 입력하세요", "482913"),
        ("รหัสของคุณคือ482913ใช้ได้ 5 นาที ราคา 1500 บาท", "482913"),
        ("លេខកូដ៤៨២៩១៣របស់អ្នក", "482913"),
        ("ลำดับที่1234567890", ""),
        ("验证码A482913B", ""),
        ("2027年 1500万", ""),
        ("Ваш код: 482913. © ООО Магазин, 2027", "482913"),
        ("4\n\n8\n2\n9\n1\n3\n\nEnter it", "482913"),
        ("Your code:\n4  8  2  9\n© 2019–2027 Shop, Copyright (C) 2026", "4829"),
        ("1\n2\n3\n4\n5\n6\n7\n8\n9", ""),
        ("© 2027 Example", ""),
        ("Copyright © 2019-2027 Example", ""),
        ("コード ４８２９１３ です", "482913"),
        ("आपका कोड ४८२९१३ है", "482913"),
        ("© 2026 Shop\n\n  482913  \n\nPostal code 10115", "482913"),
        ("123456789", ""),
        ("1,234,567", ""),
        ("1 234 567", ""),
        ("10.0.2026", ""),
        ("v4829.1", ""),
        ("¼½¾⅓ ①②③④ ²³¹²", ""),
        ("", ""),
    ],
)
def test_codes_in_a_text(text: str, code: str) -> None:
    """code() finds digits of any alphabet that are not part of something else."""
    message = captured(subject="Hello", text=text)

    if code:
        assert message.code() == code
    else:
        with pytest.raises(AssertionError, match="0 numbers may be the code"):
            message.code()


def test_a_code_in_the_subject() -> None:
    """The subject is searched too."""
    assert captured(subject="482913 is your code", text="Hello").code() == "482913"


def test_a_code_in_html() -> None:
    """A code that is only in the HTML is found as a reader sees it, also with a box for each
    digit."""
    for box in ("<span class=box>{}</span>", "<b>{}</b> ", "<div>{}</div>", "<p>{}</p>"):
        boxes = "".join(box.format(digit) for digit in "482913")
        html = f"<h1>Your code</h1><div>{boxes}</div><p>Since 2019. © 2026 Shop"
        assert captured(html=html).code() == "482913"


@pytest.mark.parametrize("rows", ["<tr>{}</tr>", "<tr>{}</tr><tr><td colspan=6>Enter it</tr>"])
def test_a_code_in_cells(rows: str) -> None:
    """The boxes may be cells of a table. A copyright year next to them is not a code."""
    cells = "".join(f"<td>{digit}</td>" for digit in "482913")
    html = f"<table>{rows.format(cells)}</table><p>© 2027 Example</p>"

    assert captured(html=html).code() == "482913"


def test_a_year_beside_a_code() -> None:
    """A year next to a longer number is not a code. Alone, or next to four digits, it may be
    one."""
    assert captured(text="Your code is 482913. In business since 1999.").code() == "482913"
    assert captured(text="Your code is 2048.").code() == "2048"
    with pytest.raises(AssertionError, match="2 numbers may be the code"):
        captured(text="Your code is 4829, since 1999.").code()


def test_several_codes() -> None:
    """Several candidates are listed, each with its line. A length may select one."""
    message = captured(text="Enter 482913 before 2100 h.\nIn 2026, 10115 Berlin")

    with pytest.raises(AssertionError) as caught:
        message.code()

    assert "3 numbers may be the code" in str(caught.value)
    assert "  482913 in 'Enter 482913 before 2100 h.'" in str(caught.value)
    assert "  2026 in 'In 2026, 10115 Berlin'" in str(caught.value)
    assert message.code(length=6) == "482913"


def test_several_codes_alone() -> None:
    """Two codes that are both alone on their line are ambiguous."""
    message = captured(text="482913\n\n111111")

    with pytest.raises(AssertionError, match="2 numbers may be the code"):
        message.code()


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        (r"[A-Z]{4}-[A-Z]{4}", "WDJB-MJHT"),
        (re.compile(r"g-(\d+)", re.I), "1234"),
        (r"(?:PIN (\w+))?", "x9"),
    ],
)
def test_a_code_of_another_form(pattern: str | re.Pattern[str], code: str) -> None:
    """A pattern describes the code, and its first group is the code."""
    assert captured(text="Enter WDJB-MJHT, G-1234 or PIN x9").code(pattern) == code


def test_a_length_is_no_pattern() -> None:
    """A number in place of the pattern is an error that names length=."""
    with pytest.raises(TypeError, match=r"write code\(length=6\)"):
        captured(text="123456").code(t.cast(t.Any, 6))


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=80))
@example("0" * 70 + "@" * 10)
def test_code_never_fails_otherwise(text: str) -> None:
    """For any text, the result is a code of 4 to 8 ASCII digits, or an AssertionError."""
    try:
        code = captured(text=text or "x").code()
    except AssertionError:
        return
    assert re.fullmatch(r"[0-9]{4,8}", code)


@pytest.mark.parametrize("piece", ["1", "1 ", "12-", "x@", "://", "1234 ", "\u2066", "1.", " 12"])
@pytest.mark.slow
def test_a_huge_text_takes_no_time(piece: str) -> None:
    """Five million characters take linear time, also on one line."""
    message = captured(text=piece * (5_000_000 // len(piece)))

    with pytest.raises(AssertionError):
        message.code()


RECEIPT = """<!doctype html><style>td { color: red }</style>
<h1>Your receipt</h1>
<table class=items>
  <tr><td>Tea<td class="price total">4.20 €
  <tr><td>Cake<br>with cream<td class=price>3.10&nbsp;€
</table>
<p><a href="https://shop.example/r/1?a=1&amp;b=2" download><b>Down</b>load <img alt=now></a>
"""


def test_select() -> None:
    """select() returns the elements that a browser would select, with their text and attributes."""
    message = captured(html=RECEIPT)
    prices = message.select("table.items td.price")
    (link,) = message.select("p > a[href]")

    assert [price.text for price in prices] == ["4.20 €", "3.10 €"]
    assert message.select("tr:nth-child(2) td:first-child")[0].text == "Cake with cream"
    assert message.select("td.total") == [prices[0]]
    assert len({*prices, *message.select("td.total")}) == 2
    assert (link.tag, link.text) == ("a", "Download now")
    assert link["href"] == "https://shop.example/r/1?a=1&b=2"
    assert link.attributes["download"] == ""
    assert link.html.startswith("<a href=")
    assert repr(prices[0]) == "<Element td class='price total': '4.20 €'>"
    assert message.select("blink") == []
    assert [element.tag for element in message.select("html, :root > body > h1")] == ["html", "h1"]


def test_select_within() -> None:
    """An element has the same select(). It is not inside itself."""
    (table,) = captured(html=RECEIPT).select("table")

    assert [cell.text for cell in table.select("tr:first-child td")] == ["Tea", "4.20 €"]
    assert table.select("table") == []
    assert table.select("h1") == []


@pytest.mark.parametrize("css", ["td[", "", "a:contains('x')", "p::before"])
def test_no_selector(css: str) -> None:
    """An invalid selector is an error, and not one without matches."""
    with pytest.raises(ValueError, match="is not a valid CSS selector"):
        captured(html="<p>x").select(css)


def test_select_without_html() -> None:
    """select() on a message without HTML is an error, and not an empty result."""
    with pytest.raises(AssertionError, match="has no HTML"):
        captured(text="x").select("p")


def test_select_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, select() says what to install."""
    monkeypatch.setitem(sys.modules, "selectolax.lexbor", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'Flask-MailHandler\[testing\]'"):
        captured(html="<p>x").select("p")


@pytest.mark.parametrize(
    ("html", "number"),
    [
        ("<p>a<p>b</div></p></p>", 3),
        ("<table><p>x</table>", 1),
        ("<p title='never ends", 0),
        ("<!-- never ends <p>", 0),
        ("<b>" * 20_000 + "<p>x", 1),
        ("<div>" * 5_000 + "<p>x", 1),
        ("<p>\ufffd&#0;&#xD800;&#99999999999;", 1),
        pytest.param(
            *("<tr><td>1</td></tr>" * 5 + "<p>1</p>" * 1_000_000, 1_000_000),
            marks=pytest.mark.slow,
            id="a million",
        ),
    ],
    ids=lambda value: str(value)[:12],
)
def test_broken_html(html: str, number: int) -> None:
    """Broken, deep and huge HTML is parsed as in a browser."""
    chosen = captured(html=html, text="x").select("p")

    assert len(chosen) == number
    assert {element.tag for element in chosen} <= {"p"}


def test_attachment() -> None:
    """An attachment or an inline image is found by its name."""
    bill = Attachment(b"%PDF", filename="bill-7.pdf")
    logo = Attachment(b"PNG", filename="logo.png")
    message = captured(
        html=f"<img src='cid:{logo.cid}'>",
        attachments=[
            bill,
            Attachment("a,b", filename="t.csv"),
            Attachment("x", mimetype="text/plain"),
        ],
        inline_attachments=logo,
    )

    assert message.attachment("bill-7.pdf").data == b"%PDF"
    assert message.attachment(re.compile(r"^bill-\d\.pdf$")).data == b"%PDF"
    assert message.attachment("logo.png").data == b"PNG"


@pytest.mark.parametrize(("name", "number"), [("bill", 0), (re.compile("a"), 2), ("", 0)])
def test_no_such_attachment(name: str | re.Pattern[str], number: int) -> None:
    """The error for a missing or ambiguous attachment lists all of them."""
    files = [Attachment("x", filename="a.txt"), Attachment("x", filename="ba.txt")]

    with pytest.raises(AssertionError, match=f"{number} attachments match") as caught:
        captured(text="x", attachments=files).attachment(name)

    assert "The attachments are: 'a.txt', 'ba.txt'" in str(caught.value)
