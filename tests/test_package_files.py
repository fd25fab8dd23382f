"""The package works from a zip archive, as in zipapp, shiv and frozen programs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from jinja2 import Environment
from jinja2 import TemplateNotFound

from flask_mailhandler.templating.package_files import package_file
from flask_mailhandler.templating.package_files import PackageLoader

SOURCE = Path(__file__).parents[1] / "src"

PROGRAM = """
import sys
from pathlib import Path

import flask_mailhandler
from flask import Flask
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler.pages.previews.export import export
from jinja2 import DictLoader

assert ".zip" in flask_mailhandler.__file__, flask_mailhandler.__file__
here = Path(sys.argv[1])
app = Flask("shop", instance_path=str(here))
app.jinja_loader = DictLoader(
    {
        "m.html": '{% extends "mailhandler/layout.html" %}{% block content %}Hi{% endblock %}',
        "n.md": "Hi",
    }
)
app.config.update(DEBUG=True, MAIL_DEFAULT_FROM="a@b.example", MAIL_BASE_URL="https://b.example")
mail = Mail(app)
mail.preview("Hello")(lambda: mail.render("m", subject="Hi"))
with app.app_context():
    for name in ("m", "n"):
        html = mail.render(name, subject="Hi", to="ann@example.com").html
        assert "Hi" in html and 'class="column"' in html, html
    mail.send(Message(text="Hi", to="ann@example.com"))
client = app.test_client()
for path in ("", "previews/", "previews/Hello", "queue/", "static/mailbox.css", "static/theme.js"):
    answer = client.get(f"/_mail/{path}")
    print(answer.status_code, path, answer.mimetype)
export(app, mail.previews, here / "gallery")
print(sorted(path.name for path in (here / "gallery").iterdir()))
"""


def test_in_a_zip_archive(tmp_path: Path) -> None:
    """The layout, the pages, the style sheets and the exported gallery are read from an archive."""
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in sorted((SOURCE / "flask_mailhandler").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                made.write(path, str(path.relative_to(SOURCE)))

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path / "instance")],
        env={**os.environ, "PYTHONPATH": str(archive)},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "200  text/html",
        "200 previews/ text/html",
        "200 previews/Hello text/html",
        "200 queue/ text/html",
        "200 static/mailbox.css text/css",
        "200 static/theme.js text/javascript",
        "['hello', 'index.html', 'static']",
    ]


@pytest.mark.parametrize("name", ["mailhandler/gone.html", "../environments.py", "mailhandler", ""])
def test_no_such_template(name: str) -> None:
    """Only files in the template folder are templates."""
    with pytest.raises(TemplateNotFound):
        PackageLoader("templating").get_source(Environment(), name)


def test_the_templates_are_known() -> None:
    """The loader lists what it loads."""
    loader = PackageLoader("pages")

    names = loader.list_templates()

    assert "mailhandler/base.html" in names
    assert "mailhandler/previews.html" in names
    assert all(loader.get_source(Environment(), name) for name in names)


def test_a_file_of_the_package() -> None:
    """The name of a file is its path."""
    assert package_file("pages", "static", "icon.svg").read_bytes().startswith(b"<svg")
