"""Messages from templates: which files are found, and where each part comes from."""

from __future__ import annotations

import copy
import json
import re
import sys
import threading
import typing as t

import pytest
from flask import Flask
from flask import g
from flask import request
from jinja2 import FunctionLoader
from jinja2 import TemplateNotFound
from jinja2 import UndefinedError

from flask_mailhandler import Attachment
from flask_mailhandler import ConfigurationError
from flask_mailhandler import current_mail
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.templating import origin_of
from mail_templates import app_with
from mail_templates import render
from mail_templates import render_html

ONE_FILE = """\
{% set greeting = "Hello " ~ name %}
{% block subject %}Welcome, {{ name }}{% endblock %}
{% block preheader %}Good to see you & yours{% endblock %}
{% block html %}<body><p>{{ greeting }}</p></body>{% endblock %}
{% block text %}

{{ greeting }}
{% endblock %}
"""


@pytest.mark.parametrize("suffix", ["", ".j2", ".jinja", ".jinja2"])
def test_a_file_for_each_part(suffix: str) -> None:
    """``mail/welcome`` finds ``mail/welcome.html`` and ``.txt``, with any suffix after the
    ending."""
    app = app_with(
        {
            f"mail/welcome.html{suffix}": "<p>Hi {{ name }}</p>",
            f"mail/welcome.txt{suffix}": "Hi {{ name }}",
        }
    )

    with app.app_context():
        message = current_mail.render(
            "mail/welcome", {"name": "Ann"}, subject="Hi", to=["ann@example.com"]
        )

    assert message == Message(
        subject="Hi", html="<p>Hi Ann</p>", text="Hi Ann\n", to="ann@example.com"
    )


def test_one_file_with_blocks() -> None:
    """A ``.mail`` file has a block for each part. Each block sees the variables set at the top."""
    message = render(app_with({"welcome.mail": ONE_FILE}), "welcome", name="Ann & Bob")

    assert message.subject == "Welcome, Ann & Bob"
    assert message.text == "Hello Ann & Bob\n"
    assert "<p>Hello Ann &amp; Bob</p>" in message.html
    assert ">Good to see you & yours</div>" in message.html


def test_blocks_of_layouts() -> None:
    """A block that a template leaves out comes from its layout, as does ``super()``."""
    app = app_with(
        {
            "base.mail": "{% block subject %}Shop{% endblock %}"
            "{% block html %}<h1>{% block title %}Shop{% endblock %}</h1>{% endblock %}"
            "{% block text %}{{ self.title() }}{% endblock %}",
            "sale.mail": "{% extends 'base.mail' %}"
            "{% block subject %}{{ super() }}: sale{% endblock %}"
            "{% block title %}{{ super() }} & sale{% endblock %}",
        }
    )

    message = render(app, "sale")

    assert (message.subject, message.html, message.text) == (
        "Shop: sale",
        "<h1>Shop & sale</h1>",
        "Shop & sale\n",
    )


def test_an_own_layout_in_place_of_ours() -> None:
    """The app's own ``mailhandler/layout.html`` replaces that of the package, for Markdown too."""
    app = app_with(
        {
            "mailhandler/layout.html": "<main>{% block content %}{% endblock %}</main>",
            "note.md": "Hi *{{ name }}*",
            "page.html": "{% extends 'mailhandler/layout.html' %}"
            "{% block content %}{{ name }}{% endblock %}",
        }
    )

    assert render(app, "note", name="Ann").html == "<main><p>Hi <em>Ann</em></p>\n</main>"
    assert render(app, "page", name="Ann").html == "<main>Ann</main>"


def test_markdown_chooses_its_layout() -> None:
    """``{% set layout %}`` names the layout of a Markdown template. It may depend on variables."""
    app = app_with(
        {
            "plain.html": "<body>{% block content %}{% endblock %}</body>",
            "note.md": "{% set layout = kind ~ '.html' %}\nHi",
        }
    )

    assert render(app, "note", kind="plain").html == "<body><p>Hi</p>\n</body>"


def test_about_the_mail_is_not_in_its_text() -> None:
    """In text and Markdown, the blocks subject and preheader are not printed in their place."""
    about = "{% block subject %}S{% endblock %}{% block preheader %}P{% endblock %}\nHi"
    app = app_with({"a.txt": about, "b.html": "<p>Hi</p>", "b.txt": about, "c.md": about})

    assert render(app, "a").text == render(app, "b").text == "Hi\n"
    assert [render(app, name).subject for name in "abc"] == ["S", "S", "S"]
    assert ">Hi</p>" in render(app, "c").html


def test_the_layout_shows_the_subject() -> None:
    """The title of the HTML is the subject, even if it was passed as an argument."""
    app = app_with(
        {
            "x.html": "{% extends 'mailhandler/layout.html' %}"
            "{% block subject %}A & B{% endblock %}{% block content %}Hi{% endblock %}"
        }
    )

    with app.app_context():
        given = current_mail.render("x", subject="C & D")

    assert "<title>A &amp; B</title>" in render(app, "x").html
    assert "<title>C &amp; D</title>" in given.html
    assert given.subject == "C & D"


@pytest.mark.parametrize(
    ("page", "expect"),
    [
        ("<p>Hi", "{}<p>Hi"),
        ("<body>Hi", "<body>{}Hi"),
        ("<BODY\nclass='a>b'>Hi", "<BODY\nclass='a>b'>{}Hi"),
        ("<!doctype html>\n<html lang=en><p>Hi", "<!doctype html>\n<html lang=en>{}<p>Hi"),
        ("<html><head><title>x</title></head><p>Hi", "<html><head><title>x</title></head>{}<p>Hi"),
        ("<p>News and more</p>", "<p>News and more</p>"),
    ],
)
def test_preheader(page: str, expect: str) -> None:
    """The preheader comes first in the body, hidden, unless the HTML contains it."""
    source = (
        f"{{% block html %}}{page}{{% endblock %}}{{% block preheader %}} News {{% endblock %}}"
    )
    hidden = '<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">News</div>'

    message = render(app_with({"x.mail": source}), "x")

    assert message.html == expect.format(hidden)


def test_text_is_made_from_the_html() -> None:
    """Without a text template, the text is made from the HTML, without the preheader."""
    message = render(
        app_with({"x.html": "{% block preheader %}{% endblock %}<p>Hi <b>{{ n }}</b></p>"}),
        "x",
        n=1,
    ).replace(from_addr="shop@example.com")

    body = message.to_mime().get_body(("plain",))

    assert message.text == ""
    assert body is not None
    assert body.get_content() == "Hi 1\r\n" or body.get_content() == "Hi 1\n"


@pytest.mark.parametrize(
    "source",
    [
        "{{ nothing }}",
        "{% if nothing %}{% endif %}",
        "{% for x in nothing %}{% endfor %}",
        "{{ user.nothing }}",
        "{% block subject %}{{ nothing }}{% endblock %}",
        "{% extends 'mailhandler/layout.html' %}{% block content %}{{ nothing }}{% endblock %}",
    ],
)
@pytest.mark.parametrize("ending", ["html", "txt", "md"])
def test_undefined(source: str, ending: str) -> None:
    """An undefined variable is an error in every part, with the line of the template."""
    app = app_with({f"mail.{ending}": source})
    app.jinja_env.globals["user"] = object()

    with pytest.raises(UndefinedError, match="nothing") as caught:
        render(app, "mail")

    assert any(str(entry.path).endswith("<template>") for entry in caught.traceback)


@pytest.mark.parametrize(
    ("files", "name", "said"),
    [
        (
            [],
            "mail/welcome",
            "mail template 'mail/welcome': no template folder contains mail/welcome.mail, ",
        ),
        (["w.html"], "w.html", r"Leave out the ending: render\('w'\)"),
        (["a/w.html"], "a/w.html.j2", r"render\('a/w'\)"),
        ([], "../secrets", "no mail template"),
    ],
)
def test_not_found(files: list[str], name: str, said: str) -> None:
    """A missing template is a TemplateNotFound that lists the files that were looked for."""
    app = app_with(dict.fromkeys(files, "Hi"))

    with pytest.raises(TemplateNotFound, match=said):
        render(app, name)


def test_a_layout_that_is_not_there() -> None:
    """A template that extends a missing one is not reported as missing itself."""
    app = app_with({"x.html": "{% extends 'gone.html' %}"})

    with pytest.raises(TemplateNotFound, match=r"gone\.html"):
        render(app, "x")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["x.html", "x.md"], "is in both x.html and x.md"),
        (["x.mail", "x.txt"], "Write one file, or one file for each part"),
        (["x.mail"], "neither a block html nor a block text"),
    ],
)
def test_two_that_say_the_same(files: list[str], said: str) -> None:
    """Two files for one part, and one file without any part, are errors."""
    with pytest.raises(MessageError, match=said):
        render(app_with(dict.fromkeys(files, "Hi")), "x")


@pytest.mark.parametrize("part", ["html", "text"])
def test_parts_come_from_templates(part: str) -> None:
    """A part cannot be passed in addition to its template."""
    app = app_with({"x.html": "Hi"})

    with app.app_context(), pytest.raises(TypeError, match=f"leave out {part}="):
        current_mail.render("x", **t.cast(t.Any, {part: "Hi"}))


@pytest.mark.parametrize(
    ("arguments", "fields", "said"),
    [
        (["x"], {"name": "Ann"}, r"no field 'name'.* second argument: render\('x', \{...\}\)"),
        (["x"], {"context": {}}, "no field 'context'.* second argument"),
        (["x"], {"sender": "ann@example.com"}, "no field 'sender': write from_addr="),
        (["x", "Ann"], {}, r"the variables in a dict, \{'name': ...\}, not 'Ann'"),
        ([["x", "y"]], {}, "takes the name of a template, not "),
        ([None], {}, "takes the name of a template, not None"),
    ],
)
def test_wrong_arguments(arguments: list[t.Any], fields: dict[str, t.Any], said: str) -> None:
    """A wrong argument is reported before an undefined variable in the template."""
    app = app_with({"x.txt": "Hi {{ name }}"})

    with app.app_context(), pytest.raises(TypeError, match=said):
        current_mail.render(*arguments, **fields)


def test_the_apps_own_filters_and_globals() -> None:
    """Filters and globals that the app adds are available, also after the first message."""
    app = app_with({"x.html": "{{ shop }} {{ 'a'|loud }}", "y.html": "{{ 'b'|low }} {{ town }}"})
    app.template_filter("loud")(str.upper)
    app.jinja_env.globals["shop"] = "Pine"

    assert render(app, "x").html == "Pine A"

    app.jinja_env.filters["low"] = lambda text: f"_{text}_"
    app.jinja_env.globals["town"] = "Oslo"
    assert render(app, "y").html == "_b_ Oslo"


def test_the_app_is_left_alone() -> None:
    """The app's own templates keep their escaping and their undefined variables."""
    app = app_with(
        {"x.html": "{{ n }}", "page.txt": "{{ nothing }}{{ '<' }}{{ url_for('account') }}"}
    )
    render(app, "x", n=1)

    with app.test_request_context():
        page = app.jinja_env.get_template("page.txt").render()

    assert page == "</account"
    assert "mail_image" not in app.jinja_env.globals


def test_context_processors() -> None:
    """Context processors run as they do for a page. Variables of the caller override theirs."""
    app = app_with({"x.html": "{{ shop }} {{ name }} {{ g.user }}"})

    @app.context_processor
    def about() -> dict[str, str]:
        return {"shop": "Pine", "name": "nobody"}

    with app.app_context():
        g.user = "u1"
        message = current_mail.render("x", {"name": "Ann"}, subject="Hi")

    assert message.html == "Pine Ann u1"


def test_view_job_and_script(no_leaks: None) -> None:
    """A view, a thread with an app context and a script render the same message."""
    app = app_with(
        {"x.mail": "{% block html %}<a href='{{ url_for('account') }}'>x</a>{% endblock %}"}
    )
    found: list[Message] = []

    @app.get("/view")
    def view() -> str:
        assert request.host == "forged.example"
        found.append(current_mail.render("x", subject=""))
        return ""

    thread = threading.Thread(target=lambda: found.append(render(app, "x").replace(to=())))
    thread.start()
    thread.join()
    app.test_client().get("/view", base_url="http://forged.example")
    found.append(render(app, "x").replace(to=()))

    assert [message.html for message in found] == [
        "<a href='https://shop.example/account'>x</a>"
    ] * 3
    assert found[0] == found[1] == found[2]


def test_without_context() -> None:
    """Without an app context, the error says what to do."""
    app = app_with({})

    with pytest.raises(RuntimeError, match="no app context here"):
        app.extensions["mailhandler"].render("x")


def test_threads_do_not_share() -> None:
    """Messages rendered at the same time each have their own variables and images."""
    app = app_with({"x.html": "{% for i in range(50) %}{{ name }}{% endfor %}"})
    found: dict[int, str] = {}

    def work(number: int) -> None:
        for _ in range(20):
            found[number] = render(app, "x", name=number).html

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {number: str(number) * 50 for number in range(8)}


def test_a_mail_within_a_mail() -> None:
    """A template function may render another message. Their images stay separate."""
    app = app_with(
        {
            "in.html": "<img src='{{ mail_image('logo.png') }}' alt=''>",
            "out.html": "{{ inner() }}{% set x = mail_image('logo.png') %}",
        }
    )
    app.jinja_env.globals["inner"] = lambda: len(
        current_mail.render("in", subject="").inline_attachments
    )

    message = render(app, "out")

    assert message.html == "1"
    assert message.inline_attachments == ()


def test_given_attachments_stay() -> None:
    """Inline attachments of the caller are added to the images of the template."""
    photo = Attachment(b"x", filename="photo.jpg")
    app = app_with(
        {
            "x.html": "<img alt='' src='cid:{{ cid }}'>"
            "<img alt='' src='{{ mail_image('logo.png') }}'>"
        }
    )

    with app.app_context():
        message = current_mail.render("x", {"cid": photo.cid}, subject="", inline_attachments=photo)

    assert [image.filename for image in message.inline_attachments] == ["photo.jpg", "logo.png"]


def test_origin() -> None:
    """A message, its copies and the messages made from it know the template, which is not part of
    the message."""
    message = render(app_with({"mail/x.txt": "Hi"}), "mail/x")
    plain = Message(text="Hi\n", to="ann@example.com")

    changed = message.replace(subject="x").completed(from_addr="shop@example.com")

    assert origin_of(message) == origin_of(changed) == origin_of(copy.copy(message)) == "mail/x"
    assert origin_of(plain) is None
    assert message == plain
    assert "mail/x" not in json.dumps(message.to_dict())


def test_an_app_is_forgotten() -> None:
    """Rendering does not keep an app alive."""
    import gc
    import weakref

    app: Flask | None = app_with({"x.txt": "Hi"})
    assert app is not None
    mail = app.extensions["mailhandler"]
    render(app, "x")
    seen = weakref.ref(app)
    app = None

    gc.collect()

    assert seen() is None
    assert repr(mail) == "<Mail on no app>"


def test_debug_sees_new_files() -> None:
    """In debug mode a new file is found at once. Otherwise the result of the first search is
    kept."""
    templates = {"x.txt": "Hi"}
    debug, live = app_with(templates, TEMPLATES_AUTO_RELOAD=True), app_with(templates)
    for app in (debug, live):
        assert render(app, "x").html == ""

    templates["x.html"] = "<p>Hi</p>"

    assert render(debug, "x").html == "<p>Hi</p>"
    assert render(live, "x").html == ""


def test_without_the_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without css-inline the CSS stays in place. Without markdown-it-py only a Markdown template is
    an error, which says what to install."""
    monkeypatch.setitem(sys.modules, "css_inline", None)
    monkeypatch.setitem(sys.modules, "markdown_it", None)
    page = "<style>p { color: red }</style><p>Hi"
    app = app_with({"x.html": page, "y.md": "Hi"})

    assert render(app, "x").html == page
    with pytest.raises(ConfigurationError, match=r"pip install 'Flask-MailHandler\[markdown\]'"):
        render(app, "y")


def test_css_is_moved_and_kept() -> None:
    """CSS goes into style="", while media queries, :hover and !important stay. Markup without CSS
    is not changed."""
    css = (
        "p { color: red !important } p:hover { color: blue }"
        " @media (max-width: 600px) { p { color: green !important } }"
    )

    html = render_html(f"<style>{css}</style><p>Hi<br/></p>").html

    assert '<p style="color: red;">Hi<br/></p>' in html
    assert "p:hover { color: blue }" in html
    assert "@media (max-width: 600px) { p { color: green !important } }" in html
    assert render_html("<p>Hi<br/></P>").html == "<p>Hi<br/></P>"


PAGE = (
    "<p>{% block content %}{% endblock %}"
    "{% block end %}{% block foot %}{% endblock %}{% endblock %}"
)
EXTENDS = "{% extends 'page.html' %}"
LAYOUT = "{% extends 'mailhandler/layout.html' %}"


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        (
            "x.mail",
            ONE_FILE + "{% block subjct %}x{% endblock %}",
            "'subjct'. Did you mean 'subject'",
        ),
        (
            "x.mail",
            LAYOUT + "{% block body %}x{% endblock %}",
            "'body'",
        ),
        ("x.html", LAYOUT + "{% block contents %}x{% endblock %}", "Did you mean 'content'"),
        (
            "x.html",
            EXTENDS + "{% if a %}{% block fot %}{% endblock %}{% endif %}",
            "Did you mean 'foot'",
        ),
        (
            "x.txt",
            EXTENDS + "{% block text %}x{% endblock %}",
            "The blocks are content, end, foot, ",
        ),
        ("x.md", EXTENDS + "{% block preheadr %}x{% endblock %}", "Did you mean 'preheader'"),
    ],
)
def test_a_block_that_is_printed_nowhere(name: str, source: str, said: str) -> None:
    """A block with a misspelt name is an error."""
    app = app_with({name: source, "page.html": PAGE})

    with pytest.raises(
        MessageError, match=rf"^{re.escape(name)}: no template prints the block .*{said}"
    ):
        render(app, "x", name="Ann", a=False)


def test_a_block_of_a_layout_that_is_printed_nowhere() -> None:
    """Layouts in between are checked too, and named."""
    between = EXTENDS + "{% block contnet %}{% block inner %}{% endblock %}{% endblock %}"
    app = app_with(
        {
            "x.html": "{% extends 'between.html' %}{% block inner %}{% endblock %}",
            "between.html": between,
            "page.html": PAGE,
        }
    )

    with pytest.raises(
        MessageError, match=r"^between\.html: .* block 'contnet'\. Did you mean 'content'"
    ):
        render(app, "x")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        (
            "x.mail",
            ONE_FILE + "{% block title %}T{% endblock %}{% if 0 %}{{ self.title() }}{% endif %}",
        ),
        ("x.mail", "{% block html %}{% block inner %}x{% endblock %}{% endblock %}"),
        ("x.html", EXTENDS + "{% block subject %}S{% endblock %}{% block foot %}x{% endblock %}"),
        ("x.html", EXTENDS + "{% block content %}{% block new %}x{% endblock %}{% endblock %}"),
        ("x.html", "{% block anything %}x{% endblock %}"),
        (
            "x.html",
            "{% set page = 'page.html' %}{% extends page %}{% block no %}{% endblock %}"
            "{% block foot %}x{% endblock %}",
        ),
        (
            "x.html",
            "{% if 1 %}{% extends 'page.html' %}{% endif %}{% block no %}{% endblock %}"
            "{% block foot %}x{% endblock %}",
        ),
        ("x.txt", "{% block anything %}x{% endblock %}"),
        ("x.md", "{% block anything %}x{% endblock %}"),
    ],
)
def test_blocks_that_are_printed(name: str, source: str) -> None:
    """A block that may be printed in any way is not an error."""
    app = app_with({name: source, "page.html": PAGE})

    assert render(app, "x", name="Ann").html or name == "x.txt"


MAILS = {
    "m.de.txt": "Hallo",
    "n.txt": "Hi",
    "mail/welcome.html.j2": "<p>Hi",
    "mail/list.fr.md": "Salut",
    "page.css": "p {}",
}


@pytest.mark.parametrize(
    ("name", "locale", "said"),
    [
        (
            "m",
            "fr",
            "'m' in the language 'fr', only m.de.txt. Write m.fr.txt, or m.txt for all other",
        ),
        ("m", None, "'m' without a language, only m.de.txt. Pass locale=, or write m.txt"),
        (
            "mail/list",
            "de_AT",
            "only mail/list.fr.md. Write mail/list.de_AT.md, or mail/list.md for",
        ),
        (
            "mail/wellcome",
            None,
            "contains mail/wellcome.mail, mail/wellcome.html, .* Did you mean 'mail/welcome'",
        ),
        (
            "page",
            None,
            r"'page': no template folder contains page.mail, page.html, page.txt, page.md\.$",
        ),
        ("n.txt", None, r"Leave out the ending: render\('n'\)"),
    ],
)
def test_a_template_that_is_not_there(name: str, locale: str | None, said: str) -> None:
    """The error says which files exist, and what to write."""
    with pytest.raises(TemplateNotFound, match=said):
        render(app_with(MAILS), name, locale)


def test_a_loader_that_lists_nothing() -> None:
    """If a loader cannot list its templates, the error has no suggestion."""
    app = app_with({})
    app.jinja_loader = FunctionLoader(lambda name: None)

    with pytest.raises(TemplateNotFound, match=r"no template folder contains y\.mail, .*y\.md\.$"):
        render(app, "y")
