"""``flask mail new``: the files of a new mail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from flask_mailhandler import current_mail
from flask_mailhandler import Mailer
from flask_mailhandler.cli.new_names import OF_MAILER
from running_pytest import ALONE
from running_pytest import unmeasured

pytestmark = pytest.mark.slow

SINGLE = {
    "app.py": """\
from flask import Flask
from flask_mailhandler import Mail

app = Flask(__name__)
mail = Mail(app)
"""
}
SINGLE_NEXT = "app.py", "import {}\n"
PACKAGE = {
    "shop/__init__.py": """\
from flask import Flask

from .extensions import mail as post


def create_app():
    app = Flask(__name__)
    post.init_app(app)
    return app
""",
    "shop/extensions.py": """\
from flask_mailhandler import Mail

mail: Mail = Mail()
""",
    "tests/test_other.py": "",
}
PACKAGE_NEXT = "shop/__init__.py", "    from . import {}\n    return app\n"
APPS = {
    "one file": (SINGLE, SINGLE_NEXT, ()),
    "a package": (PACKAGE, PACKAGE_NEXT, ("--app", "shop")),
}


def write(folder: Path, files: t.Mapping[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def run(folder: Path, *command: str) -> tuple[int, str]:
    """Run a module of Python in a folder, and return the exit code and the output."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", *command],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "FLASK_APP"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


def run_pytest(folder: Path, *arguments: str) -> str:
    """Run pytest as a user does, not as ``python -m``, which finds more modules."""
    code = "import sys; sys.path.remove(''); import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    options = [*ALONE, "-q", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-c", code, *options, *arguments],
        cwd=folder,
        env=unmeasured(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def written(output: str) -> list[str]:
    return re.findall(r"^Wrote (.+)$", output, re.M)


@pytest.mark.parametrize("kind", APPS)
@pytest.mark.parametrize(
    ("arguments", "templates"),
    [
        (["account/welcome"], ["account/welcome.html", "account/welcome.txt"]),
        (["shop/account/password-reset", "--markdown"], ["shop/account/password_reset.md"]),
        (["receipt"], ["receipt.html", "receipt.txt"]),
    ],
    ids=["group", "groups", "no group"],
)
def test_a_new_mail(kind: str, arguments: list[str], templates: list[str], tmp_path: Path) -> None:
    """The test that is written passes in a new app, and so does the preview, after the app
    imports it as the output says."""
    files, (where, line), flask = APPS[kind]
    write(tmp_path, files)

    code, output = run(tmp_path, "flask", *flask, "mail", "new", *arguments)

    assert code == 0, output
    folder = "shop/" if flask else ""
    names = written(output)
    assert [name for name in names if "templates" in name] == [
        f"{folder}templates/mail/{name}" for name in templates
    ]
    assert all((tmp_path / name).read_text(encoding="utf-8").endswith("\n") for name in names)
    (test,) = [name for name in names if Path(name).name.startswith("test_")]
    assert Path(test).parent == Path("tests" if flask else ".")
    assert f"pytest {test}" in output
    assert "1 passed" in run_pytest(tmp_path, test)
    previews = Path(next(name for name in names if "previews" in name)).stem
    assert f"import {previews}\n" in output
    source = (tmp_path / where).read_text(encoding="utf-8").replace("    return app\n", "")
    write(tmp_path, {where: source + line.format(previews)})
    ini = ["-o", "mail_previews_app=shop"] if flask else []
    assert "2 passed" in run_pytest(tmp_path, test, "--mail-previews", *ini)


def test_the_next_mail_of_a_group(tmp_path: Path) -> None:
    """A module that exists is not changed. The output contains what to add to it, and with that
    the tests of both mails pass."""
    write(tmp_path, SINGLE)
    run(tmp_path, "flask", "mail", "new", "account/welcome")
    modules = [tmp_path / "account_mails.py", tmp_path / "account_mail_previews.py"]
    before = [module.read_text(encoding="utf-8") for module in modules]

    code, output = run(tmp_path, "flask", "mail", "new", "account/goodbye")

    assert code == 0, output
    assert [module.read_text(encoding="utf-8") for module in modules] == before
    assert len(written(output)) == 3
    for module, text in zip(modules, before, strict=True):
        told = output.partition(f"{module.name} exists and was not changed. Add to it:\n\n")[2]
        block = "".join(line[4:] + "\n" for line in told.partition("\n\n")[0].splitlines())
        assert "goodbye" in block
        if module.stem == "account_mails":
            text = text.replace("\n\n\naccount_mails =", f"\n\n{block}\n\naccount_mails =")
        else:
            text += f"\n\n{block}"
        module.write_text(text, encoding="utf-8")
    with (tmp_path / "app.py").open("a", encoding="utf-8") as file:
        file.write("import account_mail_previews\n")
    assert "4 passed" in run_pytest(tmp_path, "--mail-previews")


@pytest.mark.parametrize(
    "existing",
    [
        "templates/mail/account/welcome.html",
        "templates/mail/account/welcome.de.md",
        "templates/mail/account/welcome.mail",
        "test_account_welcome_mail.py",
    ],
)
def test_a_file_that_exists(existing: str, tmp_path: Path) -> None:
    """If a file of the mail exists, nothing is written."""
    write(tmp_path, {**SINGLE, existing: "mine"})

    code, output = run(tmp_path, "flask", "mail", "new", "account/welcome")

    assert code == 1
    assert f"Error: {existing} exists, and nothing was written." in output
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file.suffix != ".pyc"]
    assert sorted(files) == sorted([tmp_path / "app.py", tmp_path / existing])
    assert (tmp_path / existing).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("place", ["conftest.py", "tests/conftest.py"])
def test_fixtures_that_exist(place: str, tmp_path: Path) -> None:
    """A ``conftest.py`` that exists is used as it is."""
    write(tmp_path, {**SINGLE, place: "mine"})

    code, output = run(tmp_path, "flask", "mail", "new", "receipt")

    assert code == 0, output
    assert [name for name in written(output) if "conftest" in name] == []
    assert (tmp_path / place).read_text(encoding="utf-8") == "mine"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The error names the file."""
    write(tmp_path, {**SINGLE, "templates": "a file"})

    code, output = run(tmp_path, "flask", "mail", "new", "receipt")

    assert code == 1
    assert re.search(r"^Error: templates/mail/receipt.html cannot be written: ", output, re.M)


def test_a_mail_that_no_module_has(tmp_path: Path) -> None:
    """The previews need a Mail that they can import. The error says where to write it."""
    write(tmp_path, {"app.py": SINGLE["app.py"].replace("mail = Mail", "Mail")})

    code, output = run(tmp_path, "flask", "mail", "new", "receipt")

    assert code == 1
    assert "Write 'mail = Mail()' outside of all functions" in output
    assert not (tmp_path / "templates").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "'account/welcome'"),
        ("a b", "'account/welcome'"),
        ("../welcome", "'account/welcome'"),
        ("/welcome", "'account/welcome'"),
        ("account/", "'account/welcome'"),
        ("grüße", "'account/welcome'"),
        ("2fa", "'account/welcome'"),
        ("test_mail", "do not begin with 'test'"),
        ("welcome.html", "'account/welcome'"),
        ("account/class", "Write 'account/class_mail'"),
        ("import", "Write 'import_mail'"),
        ("app", "Write 'app_mail'"),
        ("account/send-later", "Write 'account/send-later_mail'"),
        ("account/using", "Write 'account/using_mail'"),
        ("post", "Write 'post_mail'"),
    ],
)
def test_names_that_cannot_be(name: str, said: str, tmp_path: Path) -> None:
    """The error says what to write, and nothing is written."""
    write(tmp_path, {"app.py": SINGLE["app.py"].replace("mail = ", "post = ")})

    code, output = run(tmp_path, "flask", "mail", "new", "--", name)

    assert code == 1, output
    assert said in output
    assert not (tmp_path / "templates").exists()


def test_names_of_a_mailer() -> None:
    """The names that no mail may have are the attributes of a Mailer."""
    attributes = {name for name in dir(Mailer(current_mail)) if not name.startswith("_")}

    assert attributes == OF_MAILER
