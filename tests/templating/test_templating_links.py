"""The links and images of a message: not under an attacker's control, and never dead."""

from __future__ import annotations

import contextlib
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from flask import url_for
from markupsafe import Markup
from werkzeug.routing import BuildError

from flask_mailhandler import ConfigurationError
from flask_mailhandler import ConfigurationWarning
from flask_mailhandler import current_mail
from flask_mailhandler import MessageError
from flask_mailhandler.mime.links import why_dead
from mail_templates import app_with
from mail_templates import render
from mail_templates import render_html

RESET = {"reset.html": "<a href=\"{{ url_for('reset', token='t1') }}\">Reset</a>"}


def rendered_by_view(app: Flask, host: str, name: str = "reset") -> str:
    """The HTML of a message that a view renders for a request with this Host header."""
    found: list[str] = []

    @app.get("/view")
    def view() -> str:
        found.append(current_mail.render(name, subject="").html)
        return ""

    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.test_client().get("/view", headers={"Host": host, "X-Forwarded-Host": "other.example"})
    return found[0] if found else ""


def link_to(url: str) -> str:
    return f'<a href="{url}">Reset</a>'


@pytest.mark.parametrize("source", ["url_for('reset', token='t1')", "reset_link()"])
@pytest.mark.parametrize("key", [{}, {"SERVER_NAME": "attacker.example"}])
def test_a_forged_host(key: dict[str, str], source: str) -> None:
    """Neither the Host header nor that of a proxy decides where a link leads."""
    macro = "{% macro reset_link() %}{{ url_for('reset', token='t1') }}{% endmacro %}"
    app = app_with(
        {
            "m.html": macro,
            "reset.html": "{% from 'm.html' import reset_link %}" + link_to(f"{{{{ {source} }}}}"),
        },
        **key,
    )

    assert rendered_by_view(app, "attacker.example") == link_to("https://shop.example/reset/t1")


def test_a_url_for_of_somebody_else() -> None:
    """A context processor or a variable cannot replace url_for."""
    app = app_with(RESET)
    app.context_processor(lambda: {"url_for": url_for})

    assert rendered_by_view(app, "attacker.example") == link_to("https://shop.example/reset/t1")
    assert render(app, "reset", url_for=url_for).html == link_to("https://shop.example/reset/t1")


@pytest.mark.parametrize("host", ["attacker.example", "shop.example", "localhost"])
def test_the_hosts_header_is_not_taken(host: str) -> None:
    """Without a key for the app's host, a link in a message is an error that names one."""
    app = app_with(RESET, base_url=None)

    with pytest.raises(ConfigurationError, match=r"needs MAIL_BASE_URL. Set it to .* be forged"):
        rendered_by_view(app, host)


def test_warns_in_tests() -> None:
    """In tests the Host of the test client is used, with a warning about the missing key."""
    app = app_with(RESET, base_url=None, TESTING=True)

    with pytest.warns(ConfigurationWarning, match=r"Outside tests, .* needs MAIL_BASE_URL"):
        html = rendered_by_view(app, "shop.example")

    assert html == link_to("http://shop.example/reset/t1")


@pytest.mark.parametrize(
    "keys",
    [
        {"DEBUG": True},
        {"TRUSTED_HOSTS": ["shop.example"]},
        {"TRUSTED_HOSTS": [".shop.example"], "TESTING": True},
    ],
)
def test_where_the_host_is_taken(keys: dict[str, object]) -> None:
    """In debug mode, and with trusted hosts only, the Host is used."""
    app = app_with(RESET, base_url=None, **keys)

    assert rendered_by_view(app, "shop.example") == link_to("http://shop.example/reset/t1")


@pytest.mark.filterwarnings("ignore:Current server name")  # Flask before 3.1
@pytest.mark.parametrize("more", [{}, {"DEBUG": True}, {"TRUSTED_HOSTS": ["attacker.example"]}])
def test_the_servers_name(more: dict[str, object]) -> None:
    """SERVER_NAME works like MAIL_BASE_URL, with and without a request."""
    keys = {"SERVER_NAME": "shop.example:8443", "APPLICATION_ROOT": "/app", **more}
    app = app_with(RESET, base_url=None, PREFERRED_URL_SCHEME="https", **keys)

    wanted = link_to("https://shop.example:8443/app/reset/t1")
    assert rendered_by_view(app, "attacker.example") == wanted
    assert render(app, "reset").html == wanted


def test_a_host_that_is_not_trusted() -> None:
    """With TRUSTED_HOSTS, no message is made for another host, in any version of Flask."""
    app = app_with(RESET, base_url=None, TRUSTED_HOSTS=["shop.example"])

    html = ""
    with contextlib.suppress(MessageError):  # Flask 3.1 refuses the request itself.
        html = rendered_by_view(app, "attacker.example")

    assert html == ""


def test_not_even_if_flask_lets_it_through() -> None:
    """Flask 3.0 does not check TRUSTED_HOSTS, but links in a message do."""
    app = app_with(RESET, base_url=None)

    with app.test_request_context(base_url="http://attacker.example"):
        app.config["TRUSTED_HOSTS"] = ["shop.example", ".shop.example"]
        with pytest.raises(MessageError, match=r"'attacker\.example' is not one of TRUSTED_HOSTS"):
            current_mail.render("reset")


@pytest.mark.parametrize(
    "keys", [{}, {"TRUSTED_HOSTS": ["shop.example"]}, {"DEBUG": True}, {"TESTING": True}]
)
def test_outside_a_request(keys: dict[str, object]) -> None:
    """Without a request MAIL_BASE_URL is required, but only by a message with a link."""
    app = app_with({**RESET, "plain.html": "<p>Hi"}, base_url=None, **keys)

    with pytest.raises(ConfigurationError, match="needs MAIL_BASE_URL outside a request"):
        render(app, "reset")
    assert render(app, "plain").html == "<p>Hi"


@pytest.mark.parametrize(
    ("base", "call", "expect"),
    [
        ("https://shop.example", "'reset', token='a/b?c&d'", "/reset/a%2Fb%3Fc&amp;d"),
        ("https://shop.example", "'account', next='/x?y', n=2", "/account?next=/x?y&amp;n=2"),
        ("https://shop.example/", "'account', _anchor='a b'", "/account#a%20b"),
        ("https://shop.example/app/", "'account'", "/app/account"),
        ("https://shop.example/a/b", "'static', filename='x.css'", "/a/b/static/x.css"),
        ("https://shop.example:8443", "'account', _external=False", ":8443/account"),
        ("https://shop.example", "'pages.about'", "/pages/about"),
        ("https://shop.example", "'.account'", "/account"),
    ],
)
def test_url_for(base: str, call: str, expect: str) -> None:
    """``url_for`` takes the arguments of Flask's, and always returns a whole URL."""
    app = app_with({"x.html": f"{{{{ url_for({call}) }}}}"}, base_url=base)

    html = render(app, "x").html.replace("%2F", "/").replace("%3F", "?")

    assert html == f"https://shop.example{expect}".replace("%2F", "/").replace("%3F", "?")


@pytest.mark.filterwarnings("ignore:Current server name")  # Flask before 3.1
@pytest.mark.parametrize(
    ("keys", "endpoint", "values", "expect"),
    [
        ({}, "reset", {"token": "a b"}, "https://shop.example/reset/a%20b"),
        ({"base_url": "https://x.example/app"}, "account", {}, "https://x.example/app/account"),
        (
            {"base_url": None, "SERVER_NAME": "y.example:8443"},
            "account",
            {},
            "http://y.example:8443/account",
        ),
        (
            {},
            "account",
            {"_anchor": "a", "_scheme": "http", "_external": False},
            "http://shop.example/account#a",
        ),
    ],
)
def test_url_for_outside_templates(
    keys: dict[str, object], endpoint: str, values: dict[str, t.Any], expect: str
) -> None:
    """``mail.url_for`` returns the URL that ``url_for`` in a template returns, and does not use the
    Host header either."""
    app = app_with({"x.txt": "{{ url_for(endpoint, **values) }}"}, **keys)

    with app.app_context():
        script = current_mail.url_for(endpoint, **values)
    with app.test_request_context(headers={"Host": "attacker.example"}):
        view = current_mail.url_for(endpoint, **values)

    assert script == view == expect
    assert render(app, "x", endpoint=endpoint, values=values).text == f"{expect}\n"


def test_url_for_outside_templates_without_a_base() -> None:
    """Without MAIL_BASE_URL, ``mail.url_for`` uses the host of a request only as a template does,
    and its warning names the line that called it."""
    app = app_with({}, base_url=None)
    with app.app_context(), pytest.raises(ConfigurationError, match="needs MAIL_BASE_URL outside"):
        current_mail.url_for("account")
    with app.test_request_context(), pytest.raises(ConfigurationError, match="may be forged"):
        current_mail.url_for("account")
    with app_with({}).app_context(), pytest.raises(BuildError):
        current_mail.url_for("no")

    app.testing = True
    with app.test_request_context(), pytest.warns(ConfigurationWarning) as caught:
        assert current_mail.url_for("account") == "http://localhost/account"
    assert caught[0].filename == __file__


def test_url_for_knows_the_apps_habits() -> None:
    """URL defaults, error handlers and short names in a blueprint work as in a page."""
    app = app_with(
        {
            "x.html": "{{ url_for('.about') }} {{ url_for('account', _scheme='http') }}"
            "{{ url_for('no') }}"
        }
    )
    app.url_defaults(lambda endpoint, values: values.setdefault("lang", "de"))
    app.url_build_error_handlers.append(lambda error, endpoint, values: f" {endpoint}!")

    with app.test_request_context("/pages/about"):
        html = current_mail.render("x", subject="").html

    assert html == (
        "https://shop.example/pages/about?lang=de http://shop.example/account?lang=de no!"
    )


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("https://shop.example", "https://shop.example"),
        (" https://Shop.Example/ ", "https://shop.example"),
        ("http://localhost:5000/app", "http://localhost:5000/app"),
        ("https://faß.de", "https://xn--fa-hia.de"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("https://shop.example/Bäckerei/", "https://shop.example/B%C3%A4ckerei"),
    ],
)
def test_base_url(value: str, host: str) -> None:
    """MAIL_BASE_URL has a scheme, a host in ASCII, a port and a path."""
    app = app_with({"x.txt": "{{ url_for('account') }}"}, base_url=value)

    assert render(app, "x").text == f"{host}/account\n"


@pytest.mark.parametrize(
    "value",
    [
        "shop.example",
        "//shop.example",
        "ftp://shop.example",
        "javascript://shop.example",
        "https://",
        "https://user:hush@shop.example",
        "https://shop.example?x=1",
        "https://shop.example/#top",
        "https://shop.example:99999",
        "https://shop.example\\@evil.example",
        "https://shop example",
        "https://[::1",
        "https://shop.example\r\nX: y",
        "https://a..example",
        17,
        True,
    ],
)
def test_a_wrong_base_url(value: object) -> None:
    """An invalid base URL is an error at the start, which does not show a password."""
    with pytest.raises(ConfigurationError, match="MAIL_BASE_URL") as caught:
        app_with({}, base_url=value)

    assert "hush" not in str(caught.value)


DEAD = [
    ("", "empty"),
    (" \n", "empty"),
    ("#", "empty"),
    ("/reset", "relative"),
    ("reset", "relative"),
    ("./reset", "relative"),
    ("?token=1", "relative"),
    ("//evil.example/x", "relative"),
    ("\\\\evil.example", "relative"),
    ("https:/reset", "relative"),
    ("https://", "relative"),
    ("https:///reset", "relative"),
    ("http:reset", "relative"),
    ("None", "relative"),
    ("javascript:alert(1)", "no place"),
    ("JavaScript:alert(1)", "no place"),
    (" \x01javascript:alert(1)", "no place"),
    ("java\tscr\nipt:alert(1)", "no place"),
    ("javascript://shop.example/%0aalert(1)", "no place"),
    ("vbscript:x", "no place"),
    ("data:text/html,<script>", "no place"),
    ("file:///etc/passwd", "no place"),
    ("blob:https://shop.example/1", "no place"),
]
ALIVE = ["https://shop.example", "HTTP://shop.example/x", "mailto:a@b.example", "tel:+49", "sms:1"]
ALIVE += ["shop-app://open/1", "webcal://shop.example/x.ics", "#top", "http://[::1]/"]


@pytest.mark.parametrize(("url", "why"), DEAD)
@pytest.mark.parametrize("ending", ["html", "md"])
def test_dead_links(url: str, why: str, ending: str) -> None:
    """A variable that is not a valid link is an error that names it and the template, in Markdown
    too."""
    said = {"empty": "is empty", "relative": "is relative", "no place": "cannot be opened"}[why]
    source = {"html": "<a href='{{ url }}'>x</a>", "md": "[x](<{{ url }}>)"}[ending]
    if ending == "md" and set(url) & set("\x01\t"):
        said = "is relative"  # Markdown writes them as %01 and %09.

    with pytest.raises(MessageError, match=rf"^mail/x\.{ending}: the link .* {said}"):
        render(app_with({f"mail/x.{ending}": source}), "mail/x", url=url)

    assert why_dead(url) == why


@pytest.mark.parametrize("url", ALIVE)
def test_links_that_are_alive(url: str) -> None:
    """URLs that a mail client can open stay unchanged."""
    assert render_html("<a href='{{ url }}'>x</a>", url=url).html == f"<a href='{url}'>x</a>"


@pytest.mark.parametrize(
    "tag",
    [
        "<a href>x</a>",
        "<a href=/reset>x</a>",
        "<a\nHREF = '/reset'>x</a>",
        '<a class=x href="/reset">x</a>',
        "<area href='/reset'>",
        "<a href='&#x2f;reset'>x</a>",
        "<a href='java&#115;cript:x'>x</a>",
        "<a href='java&Tab;script&colon;x'>x</a>",
        "<a href='&#106avascript:x'>x</a>",
        '<a href="https://shop.example">y</a><a href="reset">x</a>',
        "<a href='https&colon;//'>x</a>",
        "<img>",
        "<img alt=x>",
        "<img src>",
        "<img src=''>",
        "<img src=logo.png>",
        "<img src=\"https://shop.example/x.png\"><img alt=''>",
        "<img src='javascript:x'>",
        "<img src='mailto:a@b.example'>",
        "<img src='#x'>",
        "<img src='data:text/html,x'>",
        "<img src='https://shop.example/x' srcset='x.png 2x'>",
        "<img src='https://shop.example/x' srcset='https://shop.example/y 2x, /z.png 3x'>",
        "<td background=bg.png>",
        "<td style=\"background: url('bg.png')\">",
        "<style>td { background: url(bg.png) }</style><td>",
        "<link rel=stylesheet href=style.css>",
        "<video src=x.mp4>",
    ],
)
def test_what_refers_to_nothing(tag: str) -> None:
    """Every dead reference in the HTML is found, however it is written."""
    with pytest.raises(MessageError, match=r"mail\.html: the (link|image)"):
        render_html(f"<p>{tag}")


@pytest.mark.parametrize(
    "html",
    [
        "<a name=top>x</a>",
        "<p>href= src= background=",
        '<img src="https://shop.example/x.png" srcset="https://shop.example/y.png 2x">',
        "<img src='data:image/png;base64,AAAA'>",
        "<img src='https://shop.example' srcset='data:image/png;base64,A 2x,https://a.example/x,y'>",
        "<img src='https://shop.example' srcset=' https://a.example/x, https://a.example/y 2x '>",
        "<td background='https://shop.example/bg.png' style=\"background:url('https://x.example/y')\">",
        "<!-- <a href=''> -->",
        '<style>p { background: url("https://shop.example/x") }</style>',
        "<a data-href='/x' href='https://shop.example'>x</a>",
    ],
)
def test_what_is_left_alone(html: str) -> None:
    """Valid references, and text that only resembles one, are not errors."""
    assert render_html(f"<p>Hi</p>{html}").html


PLACEHOLDERS = [
    ("%unsubscribe_url%", ["%unsubscribe_url%"]),
    ("%recipient.link%/x", "%tag, %recipient."),
    ("{{amazonSESUnsubscribeUrl}}", ["%", "{{amazonSESUnsubscribeUrl}}"]),
    ("<%asm_group_unsubscribe_raw_url%>", ["<%asm_"]),
    (" *|UNSUB:https://shop.example/out|*", ["*|"]),
]


@pytest.mark.parametrize(("url", "placeholders"), PLACEHOLDERS)
def test_what_a_provider_fills_in(url: str, placeholders: object) -> None:
    """A link or an image that begins with a placeholder of the provider is not checked."""
    source = '<p><a href="{{ url }}">Leave</a><img alt="" src="{{ url }}">'

    app = app_with({"x.html": source}, placeholders=placeholders)

    assert render(app, "x", url=url).html.count("href=") == 1
    with pytest.raises(MessageError, match="add its beginning to MAIL_PLACEHOLDERS"):
        render_html(source, url=url)
    with pytest.raises(MessageError, match="is relative"):
        render(app, "x", url="/x" + url)


@pytest.mark.parametrize("value", [[""], "a,,b", 5, [5], " ", {"a": 1, "": 2}])
def test_no_placeholders(value: object) -> None:
    """A placeholder that every URL begins with is an error."""
    with pytest.raises(ConfigurationError, match="MAIL_PLACEHOLDERS takes a list of texts"):
        app_with({}, placeholders=value)


@pytest.mark.slow
def test_many_tags_take_linear_time() -> None:
    """A million unclosed tags are parsed in linear time."""
    parts = ["<img ", "<a href", "href =", "url(", "<style>", "<style ", "<body ", "<body '"]
    for html in [part * 200_000 for part in parts]:
        source = "{% block preheader %}{% endblock %}<p>Hi</p>{{ html }}"
        message = render(app_with({"x.html": source}), "x", html=Markup(html))
        assert message.html
    for value in ("url(" * 50_000, "url('" * 50_000, 'url("' * 50_000, ", " * 50_000):
        page = "<p style='{{ v }}'><img src='https://shop.example' srcset='{{ v }}'>"
        with contextlib.suppress(MessageError):
            render_html(page, v=value)


def test_too_deep() -> None:
    """Elements nested so deep that css-inline would end the process are an error."""
    flat = "<style>p { color: red }</style>" + "<p>x<li>y" * 2000

    assert render_html(flat).html
    with pytest.raises(MessageError, match="nested more than 500 deep"):
        render_html(flat + "<div>" * 100_000)


def test_css_is_not_fetched(tmp_path: Path) -> None:
    """A style sheet of this machine or of the network is not read into the message."""
    secret = tmp_path / "secret.css"
    secret.write_text("p { color: #5ec7e7 }", encoding="utf-8")

    html = render_html(
        "<style>@import url('https://192.0.2.1/x.css'); p { margin: 0 }</style>"
        f"<link rel=stylesheet href='https://192.0.2.1/x.css'><p>Hi"
        f"<!-- <link rel=stylesheet href='file://{secret}'> -->"
    ).html

    assert "#5ec7e7" not in html
    with pytest.raises(MessageError, match="cannot be opened by a mail client"):
        render_html(f"<style></style><link rel=stylesheet href='file://{secret}'><p>Hi")


def test_mail_image() -> None:
    """A static file is shown in the message, once, with an id that depends only on its content."""
    app = app_with(
        {"x.md": "![a]({{ mail_image('logo.png') }}) ![b]({{ mail_image('logo.png') }})"}
    )

    first, second = render(app, "x"), render(app, "x")

    (image,) = first.inline_attachments
    assert (image.filename, image.mimetype) == ("logo.png", "image/png")
    assert first.html.count(f'src="cid:{image.cid}"') == 2
    assert first == second
    assert t.cast(bytes, image.data).startswith(b"\x89PNG")


def test_an_image_that_is_not_shown() -> None:
    """An image that the HTML does not use is not attached."""
    app = app_with({"x.txt": "Hi{% set unused = mail_image('logo.png') %}"})

    assert render(app, "x").inline_attachments == ()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone.png", r"mail_image\('gone.png'\) takes .*static'. There is no such file"),
        ("", "There is no such file"),
        (".", "There is no such file"),
        (5, r"mail_image\(5\) takes the path"),
        ("../templates/mail/base.html", "the path of an image in the static folder"),
        ("/etc/passwd", "the path of an image in the static folder"),
        ("a\x00b.png", "There is no such file"),
    ],
)
def test_no_image(name: object, said: str) -> None:
    """A file outside the static folder, or one that does not exist, is an error."""
    with pytest.raises(MessageError, match=said):
        render_html("<img alt='' src='{{ mail_image(name) }}'>", name=name)


def test_no_image_but_a_text(tmp_path: Path) -> None:
    """A static file that is not an image is an error."""
    (tmp_path / "x.css").write_text("p {}", encoding="utf-8")
    app = app_with({"x.html": "{{ mail_image('x.css') }}"})
    app.static_folder = str(tmp_path)

    with pytest.raises(MessageError, match="the file is text/css, not an image"):
        render(app, "x")

    app.static_folder = None
    with pytest.raises(MessageError, match="which is None"):
        render(app, "x")
