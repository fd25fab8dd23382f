"""An app in one file: a zipapp, and a program built by PyInstaller."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
import zipapp
from pathlib import Path

import pytest

from environments import environment
from environments import install
from flask_mailhandler import ConfigurationError
from flask_mailhandler.handlers import find
from flask_mailhandler.testing.server import SMTPServer

ROOT = Path(__file__).parents[1]

# A small app in one process: it sends, queues, and shows the mailbox page with its files.
SHOP = """
import json
import os
import sys
import tempfile

from flask import Flask
from flask_mailhandler import Mail, Message
from jinja2 import DictLoader

here = tempfile.mkdtemp()
app = Flask("shop", instance_path=here)
app.debug = True
app.config.update(
    MAIL_URL=sys.argv[1],
    MAIL_DEFAULT_FROM="shop@example.com",
    MAIL_QUEUE=os.path.join(here, "queue.sqlite"),
    MAIL_MAILBOX=True,
    MAIL_ACCOUNTS={"kept": {"handler": "mailbox"}},
)
mail = Mail(app)

def message(subject):
    return Message(subject=subject, to="ann@example.com", html="<p>Hello <b>Ann</b>")

app.jinja_env.loader = DictLoader(
    {
        "order.mail": '{% extends "mailhandler/layout.html" %}'
        "{% block subject %}order{% endblock %}{% block content %}<p>Thank you{% endblock %}"
    }
)

with app.app_context():
    ordered = mail.render("order", to="ann@example.com")
    mail.send(ordered)
    sent = mail.send(message("now"))
    mail.send(message("kept"), using="kept")
    mail.send_later(message("later"))  # it is sent before the process ends
browser = app.test_client()
found = browser.get("/_mail/api/messages").get_json()["messages"]
pages = ["", found[0]["page"][len("/_mail/"):], "queue/", "previews/", "static/mailbox.js"]
status = {page: browser.get("/_mail/" + page).status_code for page in pages}
style = browser.get("/_mail/static/mailbox.css").text
command = app.test_cli_runner().invoke(args=["mail", "queue", "status"])
print(json.dumps({
    "frozen": bool(getattr(sys, "frozen", False)),
    "package": sys.modules["flask_mailhandler"].__file__,
    "accepted": sent.accepted,
    "status": [*status.values()],
    "style": style[:200],
    "command": command.exit_code,
}))
"""


class Tools(t.NamedTuple):
    """A new environment with the package as its users install it."""

    python: Path
    folder: Path


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tools(objdump: None, tmp_path_factory: pytest.TempPathFactory) -> Tools:
    folder = tmp_path_factory.mktemp("frozen")
    python = environment(folder / "venv", ROOT, "pyinstaller>=6.10")
    (folder / "shop.py").write_text(SHOP)
    return Tools(python, folder)


def works(*program: str | Path, folder: Path) -> dict[str, t.Any]:
    """Run the shop and check what it did. Return what it printed."""
    with SMTPServer() as server:
        out = run(*program, f"smtp://127.0.0.1:{server.port}", cwd=folder)
        subjects = sorted(message.subject for message in server.outbox)
    told: dict[str, t.Any] = json.loads(out.splitlines()[-1])
    assert subjects == ["later", "now", "order"]
    assert told["accepted"] == ["ann@example.com"]
    assert told["status"] == [200] * 5
    assert "{" in told["style"]
    assert told["command"] == 0
    return told


@pytest.mark.slow
@pytest.mark.services
def test_zipapp(tools: Tools, tmp_path: Path) -> None:
    """From a zip file, where a template has no path, mail is sent, queued and shown."""
    content = tmp_path / "content"
    install(["--target", content], ROOT)
    (content / "__main__.py").write_text(SHOP)
    zipapp.create_archive(content, tmp_path / "shop.pyz")

    # -S: no package of the environment is found.
    told = works(tools.python, "-S", "-W", "error", tmp_path / "shop.pyz", folder=tmp_path)

    assert told["package"].startswith(str(tmp_path / "shop.pyz"))


@pytest.mark.slow
@pytest.mark.services
def test_pyinstaller(tools: Tools, tmp_path: Path) -> None:
    """Frozen by PyInstaller without options for this package, mail is sent, queued and shown."""
    folders = [f"--{name}path={tmp_path / name}" for name in ("dist", "work", "spec")]
    run(
        tools.python,
        "-m",
        "PyInstaller",
        "--log-level=WARN",
        *folders,
        tools.folder / "shop.py",
        cwd=tmp_path,
    )

    told = works(tmp_path / "dist" / "shop" / "shop", folder=tmp_path)

    assert told["frozen"]


@pytest.mark.parametrize(
    ("frozen", "place", "says"),
    [
        (True, "shop.no_handlers:Pigeon", "--hidden-import shop."),
        (True, "json.handlers:Pigeon", "--hidden-import json.handlers."),
        (True, "flask_mailhandler.nothing:Pigeon", "--hidden-import flask_mailhandler.nothing"),
        (False, "flask_mailhandler.nothing:Pigeon", "installed completely"),
    ],
)
def test_what_is_not_frozen(
    monkeypatch: pytest.MonkeyPatch, frozen: bool, place: str, says: str
) -> None:
    """In a frozen program, the error for a missing class says how to include it."""
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)

    with pytest.raises(ConfigurationError, match="cannot be imported") as caught:
        find(place)

    assert says in str(caught.value)
