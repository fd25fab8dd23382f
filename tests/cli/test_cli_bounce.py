"""``flask mail bounce``: at the end of a mail server's pipe, and from a Maildir."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from flask_mailhandler import Mail

pytestmark = pytest.mark.slow

BOUNCE = b"""\
From: MAILER-DAEMON@mx.example.net
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: message/delivery-status

Final-Recipient: rfc822; ann@example.org
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 No such user

--b--
"""
APP = """\
from flask import Flask
from flask_mailhandler import Mail

def create_app():
    app = Flask(__name__)
    mail = Mail(app)

    @mail.on_event("bounced")
    def note(event):
        with open("heard", "a") as file:
            print(event, file=file)

    return app
"""


@pytest.fixture
def run(tmp_path: Path) -> t.Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run ``flask mail bounce`` in a process of its own, as a mail server does."""
    (tmp_path / "shop.py").write_text(APP)

    def run(
        *options: str, given: bytes = b"", app: str = "shop"
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", app, "mail", "bounce", *options],
            input=given,
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "FLASK_DEBUG": "0"},
            timeout=120,
        )

    return run


def test_a_bounce(run: t.Any, tmp_path: Path) -> None:
    """The event is printed, and told to the functions of the app. The log masks the address."""
    done = run(given=BOUNCE)

    assert done.returncode == 0
    assert done.stdout == b"ann@example.org bounced: 550 5.1.1 No such user\n"
    assert (tmp_path / "heard").read_bytes() == done.stdout
    assert b"ann@" not in done.stderr


def test_a_large_bounce(run: t.Any) -> None:
    """A message that is larger than what is read is taken from the pipe to its end."""
    done = run(given=BOUNCE + b"x" * 5_000_000)

    assert (done.returncode, done.stdout[:16]) == (0, b"ann@example.org ")


@pytest.mark.parametrize("given", [b"", b"From: ann@example.org\n\nThank you!\n", b"\xff\x00" * 99])
def test_other_mail(given: bytes, run: t.Any, tmp_path: Path) -> None:
    """Any other message is not an error: the server would send a bounce to its sender."""
    done = run(given=given)

    assert (done.returncode, (tmp_path / "heard").exists()) == (0, False)
    text = b"The message does not say what became of another message, or was read before.\n"
    assert done.stdout == text


@pytest.mark.parametrize("options", [["--nonsense"], ["extra"], ["--maildir", "nowhere"]])
def test_a_wrong_option(options: list[str], run: t.Any) -> None:
    """A mistake in the configuration of the server ends with 75, so that no mail is lost."""
    done = run(*options, given=BOUNCE)

    assert (done.returncode, done.stdout) == (75, b"")
    assert b"Error: " in done.stderr


def test_an_app_without_mail(run: t.Any, tmp_path: Path) -> None:
    """If the app cannot be told, the exit code is 75."""
    (tmp_path / "bare.py").write_text(
        "from flask import Flask\nfrom flask_mailhandler import Mail\napp = Flask(__name__)\n"
        "Mail(app)\napp.extensions.clear()\n"
    )
    done = run(given=BOUNCE, app="bare")

    assert (done.returncode, done.stdout) == (75, b"")
    assert b"has no Mail" in done.stderr


def test_a_maildir(run: t.Any, tmp_path: Path) -> None:
    """Each new message is read once, and then is marked as seen."""
    for name in ("new", "cur", "tmp"):
        (tmp_path / "Maildir" / name).mkdir(parents=True)
    (tmp_path / "Maildir" / "new" / "2.x").write_bytes(BOUNCE)
    (tmp_path / "Maildir" / "new" / "1.x").write_bytes(b"Subject: Hi\n\nHello\n")
    first = run("--maildir", "Maildir")
    second = run("--maildir", "Maildir")

    assert (first.returncode, first.stdout.count(b"\n")) == (0, 2)
    assert (second.returncode, second.stdout) == (0, b"")
    assert sorted(path.name for path in (tmp_path / "Maildir" / "cur").iterdir()) == [
        "1.x:2,S",
        "2.x:2,S",
    ]
    assert (tmp_path / "heard").read_text().count("\n") == 1


def test_a_folder_that_is_not_a_maildir(run: t.Any) -> None:
    """The error says which folder to name."""
    done = run("--maildir", ".")

    assert done.returncode == 75
    assert b"is not a Maildir: name the folder that has the folders new, cur and tmp" in done.stderr


@pytest.mark.parametrize("method", ["iterdir", "open", "rename"])
def test_a_maildir_of_another_user(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says which user can read it. Root can read everything, so the refusal is made."""
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "1.x").write_bytes(BOUNCE)
    app = Flask("shop")
    Mail(app)

    original = getattr(Path, method)

    def refuse(path: Path, *args: object, **options: object) -> object:
        if path.is_relative_to(tmp_path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return original(path, *args, **options)  # the metadata of packages

    with monkeypatch.context() as patched:
        patched.setattr(Path, method, refuse)
        result = app.test_cli_runner().invoke(args=["mail", "bounce", "--maildir", str(tmp_path)])

    assert result.exit_code == 75
    assert f"The Maildir {tmp_path} cannot be used: Permission denied: {tmp_path}" in result.output
    assert "Run this command as a user that may read its messages" in result.output


SIGNING = """\
from flask import Flask
from flask_mailhandler import Mail

def create_app():
    app = Flask(__name__)
    app.config.update(SECRET_KEY="secret", MAIL_BOUNCE_ADDRESS="bounces@example.com")
    mail = Mail(app)

    @mail.on_event()
    def note(event):
        print("verified:", event.verified)

    return app
"""


def test_the_recipient(run: t.Any, tmp_path: Path) -> None:
    """With --recipient, the command knows the address that a bounce came to."""
    (tmp_path / "signing.py").write_text(SIGNING)
    app = Flask("signing")
    app.config.update(TESTING=True, SECRET_KEY="secret", MAIL_BOUNCE_ADDRESS="bounces@example.com")
    mail = Mail(app)
    with app.app_context(), mail.capture() as outbox:
        mail.send("Hello", subject="Hi", to="ann@example.org", from_addr="shop@example.com")
    address = str(outbox[0].envelope.sender)

    with_it = run("--recipient", address, given=BOUNCE, app="signing")
    without = run(given=BOUNCE, app="signing")

    assert (with_it.returncode, without.returncode) == (0, 0)
    assert with_it.stdout.startswith(b"verified: True\n")
    assert without.stdout.startswith(b"verified: False\n")


@pytest.mark.parametrize(
    ("recipient", "said"),
    [
        ("not an address", "Error: --recipient is not an address: 'not an address' has no @."),
        ("a@example.org,b@example.org", "Error: --recipient "),
        ("", "Error: --recipient "),
        ("\x1b[1m@", "Error: --recipient "),
        (f"{'a' * 90}@example.org", ""),
    ],
)
def test_a_wrong_recipient(recipient: str, said: str) -> None:
    """It is refused with the exit code that makes a mail server try again, before the message is
    read. The signed address of a bounce may be longer than other addresses."""
    app = Flask("shop")
    Mail(app)

    done = app.test_cli_runner().invoke(
        args=["mail", "bounce", "--recipient", recipient], input="Subject: x\n\n"
    )

    assert (done.exit_code, done.output.startswith(said)) == (75 if said else 0, True)
    assert "\x1b" not in done.output
