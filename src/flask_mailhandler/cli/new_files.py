"""What ``flask mail new`` writes: templates, code, a preview and a test. ``$word`` stands for one
of the names."""

from __future__ import annotations

import string
from collections.abc import Mapping

_HTML = """\
{% extends mail_layout %}
{% block subject %}$title{% endblock %}

{% block content %}
<h1>Hello {{ name }},</h1>
<p>This is the mail $template.</p>
{% endblock %}
"""
_TEXT = """\
Hello {{ name }},

This is the mail $template.
"""
_MARKDOWN = """\
{% block subject %}$title{% endblock %}

# Hello {{ name }},

This is the mail `$template`.
"""

METHOD = """\
    def $function(self, name: str, to: str) -> Message:
        return self.render("$function", {"name": name}, to=to)
"""
MAILER = f"""\
\"\"\"The mails of the templates in $folder.\"\"\"

from __future__ import annotations

from flask_mailhandler import Mailer
from flask_mailhandler import Message


class $mailer(Mailer):
    folder = "$folder"

{METHOD}

$module = $mailer()
"""
FUNCTION_ONLY = """\
def $function(name: str, to: str) -> Message:
    return current_mail.render("$template", {"name": name}, to=to)
"""
FUNCTION = f"""\
\"\"\"The mail $template.\"\"\"

from __future__ import annotations

from flask_mailhandler import current_mail
from flask_mailhandler import Message


{FUNCTION_ONLY}"""

PREVIEW = """\
@$mail.preview("$preview")
def preview_$function() -> Message:
    return $call("Ann", to="ann@example.com")
"""
PREVIEWS = f"""\
\"\"\"Previews of the mails in $code.\"\"\"

from __future__ import annotations

from flask_mailhandler import Message

from $code import $imported
from $home import $mail


{PREVIEW}"""

_TEST = """\
\"\"\"The mail $template.\"\"\"

from __future__ import annotations

from flask import Flask

from $code import $imported


def test_$function(app: Flask) -> None:
    \"\"\"The mail greets its reader by name.\"\"\"
    with app.app_context():
        message = $call("Ann", to="ann@example.com")

    assert message.to == ["ann@example.com"]
    assert message.subject == "$title"
    assert "Hello Ann" in message.html
"""
_TEXT_TEST = """\
    assert "Hello Ann" in message.text
"""
CONFTEST = """\
\"\"\"Fixtures for all tests.\"\"\"

from __future__ import annotations

import pytest
from flask import Flask
from flask.cli import ScriptInfo


@pytest.fixture
def app() -> Flask:
    \"\"\"The app that the flask command finds, set up for a test.\"\"\"
    app = ScriptInfo($app).load_app()
    app.config["TESTING"] = True
    return app
"""

NEXT = """\
Next:

1.  Where the app is created, after its Mail, import the previews:

        $import_previews $previews

2.  Look at the mail while you write it, at /_mail/previews/:

        flask run --debug

3.  Send it:

        from $code import $imported
        $sender.send_later($call("Ann", to="ann@example.com"))

4.  Test it, with a fixture 'app' in conftest.py:

        pytest $test
"""

_QUART = {
    """\
from flask import Flask

from $code import $imported
""": """\
import asyncio

from flask_mailhandler import Message
from quart import Quart

from $code import $imported
""",
    """\
    with app.app_context():
        message = $call("Ann", to="ann@example.com")
""": """\
    async def made() -> Message:
        async with app.app_context():
            return $call("Ann", to="ann@example.com")

    message = asyncio.run(made())
""",
    """\
Look at the mail while you write it, at /_mail/previews/:

        flask run --debug
""": """\
Look at the mail, in the files of this folder:

        quart mail preview --export previews
""",
    "from flask import": "from quart import",
    "from flask.cli": "from quart.cli",
    "the flask command": "the quart command",
    "Flask": "Quart",
}


def templates(markdown: bool) -> dict[str, str]:
    """Return the templates of a mail by their extensions."""
    return {".md": _MARKDOWN} if markdown else {".html": _HTML, ".txt": _TEXT}


def test(markdown: bool) -> str:
    """Return the test of a mail. The text of one in Markdown is made when it is sent."""
    return _TEST if markdown else _TEST + _TEXT_TEST


def for_quart(text: str) -> str:
    """Return a file as an app of Quart needs it."""
    for flask, quart in _QUART.items():
        text = text.replace(flask, quart)
    return text


def fill(text: str, words: Mapping[str, str]) -> str:
    """Return a file with the names of a mail."""
    return string.Template(text).substitute(words)
