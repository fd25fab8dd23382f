"""The documentation is true and complete: its code runs, and every name is in it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.datastructures import ImmutableDict

import flask_mailhandler
from code_blocks import Block
from code_blocks import captioned
from code_blocks import code_blocks
from flask_mailhandler import config
from flask_mailhandler import errors
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler.app.account import CONNECTION
from flask_mailhandler.app.flask_mail_keys import ALL
from flask_mailhandler.app.settings import ACCOUNT_KEYS
from flask_mailhandler.app.settings import APP_KEYS
from flask_mailhandler.config import key
from flask_mailhandler.handlers import BUILT_IN
from flask_mailhandler.handlers import find
from running_pytest import run_pytest
from screens import Scheme
from screens import screen
from screens import SIZES
from servers.dead_ends import keep_port

if t.TYPE_CHECKING:
    from playwright.sync_api import Browser

DOCS = Path(__file__).parents[1] / "docs"
# The files of docs/tasks/ are run by test_docs_tasks.py.
PAGES = sorted(
    page for under in ("", "tasks/", "providers/") for page in DOCS.glob(f"{under}*.rst")
)
RUN = [page for page in PAGES if any(not block.file for block in code_blocks(page))]

# They create the Mail of the app themselves.
WITHOUT_MAIL = {"cli"}


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, t.Any]:
    """What stands before the first line of a page: an app and its Mail. Every app is in a test,
    so nothing is sent."""
    defaults = ImmutableDict({**Flask.default_config, "TESTING": True})
    monkeypatch.setattr(Flask, "default_config", defaults)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bill.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "refresh-token").write_text("token\n", encoding="utf-8")
    for name in ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN", "TENANT_ID"):
        for owner in ("GMAIL", "MICROSOFT", "OAUTH"):
            monkeypatch.setenv(f"{owner}_{name}", "from-the-environment")
    app = Flask("page")
    app.config["MAIL_DEFAULT_FROM"] = "shop@example.com"
    app.config["MAIL_BASE_URL"] = "https://shop.example"
    app.add_url_rule("/confirm/<token>", "confirm")
    return {
        "__name__": "page",
        "app": app,
        "mail": Mail(app),
        "Flask": Flask,
        "Mail": Mail,
        "Message": Message,
        "data": b"%PDF-1.7",
    }


def run(blocks: list[Block], namespace: dict[str, t.Any]) -> None:
    for block in blocks:
        if not block.file and not block.not_run:
            block.run(namespace)


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_code_runs(page: Path, namespace: dict[str, t.Any]) -> None:
    """The blocks of a page run, in order, in one namespace."""
    for name, text in captioned(page).items():
        file = Path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    if page.stem in WITHOUT_MAIL:
        namespace["app"] = Flask("page")
    # A page shows sending without the app context that a view has.
    with namespace["app"].app_context():
        run(code_blocks(page), namespace)


def test_what_is_not_run() -> None:
    """Only code for other libraries is not run."""
    reasons = [block.not_run for page in PAGES for block in code_blocks(page) if block.not_run]

    assert sorted(reasons) == [
        "Cement",
        "Email-Simplified",
        "Flask-AppBuilder",
        "Flask-Mail",
        "Flask-Mailman",
        "Flask-Mailman",
        "Flask-Security",
        "Flask-User",
        "OpenTelemetry for Flask",
        "smtplib",
    ]


# A busy machine can need more than the default of five seconds.
_PATIENT = """

from flask_mailhandler import Outbox

Outbox.wait_for.__kwdefaults__["timeout"] = 60.0
"""


# pytest-flask sets SERVER_NAME, and older Flask then answers no other name.
@pytest.mark.parametrize(
    "client",
    ["your own"] + ["pytest-flask"] * (importlib.metadata.version("flask") >= "3.1"),
)
def test_testing_page(client: str, tmp_path: Path) -> None:
    """The files of the testing page pass, with pytest-flask and without."""
    for block in code_blocks(DOCS / "testing.rst"):
        file = tmp_path / block.file
        file.parent.mkdir(exist_ok=True)
        file.write_text(block.code, encoding="utf-8")
    conftest = tmp_path / "conftest.py"
    whole = conftest.read_text(encoding="utf-8")
    if client == "your own":
        options = ["-p", "no:flask", "--ignore=live"]
    else:
        # Python 3.12 and newer warn when a process with threads is forked.
        options = ["-W", "ignore:This process:DeprecationWarning", "--live-server-wait=60"]
        whole = whole[: whole.rindex("@pytest.fixture")]
    conftest.write_text(whole + _PATIENT, encoding="utf-8")

    with keep_port() as kept:
        if client == "pytest-flask":
            options += [f"--live-server-port={kept.getsockname()[1]}"]
        output = run_pytest(tmp_path, *options)

    assert f"{21 if client == 'your own' else 22} passed" in output


@pytest.mark.parametrize(
    ("script", "ok", "said"),
    [
        ('#!/bin/sh\necho "$@" > arguments; cat > content\n', True, ""),
        ('#!/bin/sh\ncat > /dev/null; echo "queue is full" >&2; exit 75\n', False, "queue is full"),
        ("", False, "No such file"),
    ],
)
def test_the_handler_of_the_page(
    script: str, ok: bool, said: str, namespace: dict[str, t.Any], tmp_path: Path
) -> None:
    """The handler that the page writes gives a message to a program, and reports what it said."""
    run(code_blocks(DOCS / "handlers.rst"), namespace)
    program = tmp_path / "sendmail"
    if script:
        program.write_text(script, encoding="utf-8")
        program.chmod(0o755)
    handler = namespace["SendmailEmailHandler"](sendmail=str(program))
    message = Message(text="Hi", from_addr="me@example.com", to="ann@example.com", bcc="b@x.org")

    (report,) = handler.send([message])

    assert report.ok is ok
    assert said in report.outcomes[0].text
    if ok:
        arguments = (tmp_path / "arguments").read_text(encoding="utf-8")
        assert arguments == "-i -f me@example.com -- ann@example.com b@x.org\n"
        assert b"b@x.org" not in (tmp_path / "content").read_bytes()
    else:
        assert report.deferred == ["ann@example.com", "b@x.org"]


def options() -> frozenset[str]:
    """The name of every option of every handler, account and app."""
    return ACCOUNT_KEYS.union(APP_KEYS, *(config.options(find(name)) for name in BUILT_IN))


def test_every_key_is_explained() -> None:
    """docs/config.rst has an entry for every key, and no other entries."""
    entries = re.findall(r"^\.\. data:: (MAIL_[A-Z_]+)$", text_of("config.rst"), re.M)

    assert sorted(entries) == sorted(map(key, options()))


def test_every_alias_is_explained() -> None:
    """docs/config.rst names every key of another extension that this one reads."""
    page = text_of("config.rst")

    assert [name for name in sorted(ALL) if f"``{key(name)}``" not in page] == []


def test_what_an_account_does_not_inherit() -> None:
    """docs/config.rst lists the options that belong to an account's own connection."""
    (listed,) = re.findall(
        r"none of them comes from the keys[^:]*:(.*?)\.\n", text_of("config.rst"), re.S
    )

    assert set(re.findall(r"``([a-z_]+)``", listed)) == CONNECTION


def test_keys_that_are_named_exist() -> None:
    """Every key that a page names is read."""
    known = {key(name) for name in {*options(), *ALL}}
    named = {
        (page.stem, name)
        for page in [*PAGES, DOCS.parent / "README.rst", DOCS.parent / "CHANGES.rst"]
        for name in re.findall(r"\bMAIL_[A-Z]+(?:_[A-Z]+)*\b", page.read_text(encoding="utf-8"))
    }
    on_purpose = {
        *(("CHANGES", name) for name in ("MAIL_FROM", "MAIL_SENDER", "MAIL_QUEUE_URL")),  # warn
        ("config", "MAIL_PASWORD"),  # a slip of the pen
        ("handlers", "MAIL_SENDMAIL"),  # the key of the handler that is written there
        ("own", "MAIL_LOFT"),  # and of the provider that is
        ("migrating", "MAIL_DEFAULT_CHARSET"),  # Flask-Mailman's
        ("migrating", "MAIL_SEND_OPTIONS"),
    }

    assert {item for item in named if item[1] not in known} == on_purpose


def test_every_public_name_is_in_the_api() -> None:
    """docs/api.rst has every name that can be imported from the package."""
    entries = r"^\.\. (?:auto[a-z]+|data):: flask_mailhandler\.(\w+)(?:\(.*)?$"
    documented = re.findall(entries, text_of("api.rst"), re.M)

    assert sorted(documented) == sorted(flask_mailhandler.__all__)


def test_code_fits_the_page() -> None:
    """No code is cut off at the edge of the page, which is 90 characters away."""
    wide = [
        (page.stem, line)
        for page in PAGES
        for block in code_blocks(page)
        for line in block.code.splitlines()
        if len(line) > 89
    ]

    assert wide == []


def test_the_signature_of_a_message() -> None:
    """docs/api.rst writes down all fields of a message, which autodoc cannot see."""
    (signature,) = re.findall(r"flask_mailhandler\.Message\(\*, (.*)\)\n", text_of("api.rst"))

    assert re.findall(r"(\w+)=", signature) == [field.name for field in dataclasses.fields(Message)]


def test_every_error_is_in_the_tree() -> None:
    """The tree of errors has each error under its base class."""
    tree = errors.__doc__ or ""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    ours = [kind for kind in kinds if kind.__module__ == errors.__name__]
    drawn = {name: len(indent) for indent, name in re.findall(r"^([^\w\n]*)(\w+)", tree, re.M)}

    assert ours
    for kind in ours:
        parents = [base.__name__ for base in kind.__bases__ if base in ours]
        assert all(drawn[kind.__name__] == drawn[parent] + 4 for parent in parents), kind


def test_every_page_is_reached() -> None:
    """The start page and that of the providers have every page twice: in their table of contents,
    and in a line that says what the page is about."""
    starts = text_of("index.rst") + text_of("providers.rst")
    listed = re.findall(r"^    ([a-z0-9/-]+)$", starts, re.M)
    described = re.findall(r"^(?:-   )?:doc:`([a-z0-9/-]+)`:?  *\S", starts, re.M)

    names = [page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES]
    assert sorted(listed) == sorted(described)
    assert sorted(listed) == sorted(set(names) - {"index"})


# What users of the package do not need.
OF_CONTRIBUTORS = {"bench", "browser", "dev", "docs", "servers"}


def test_every_extra_is_listed() -> None:
    """The quickstart has a command for each extra."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = re.findall(
        r'^    \* - ``pip install "Flask-MailHandler\[(\w+)\]"``$', text_of("start.rst"), re.M
    )

    assert sorted(listed) == sorted(set(project["optional-dependencies"]) - OF_CONTRIBUTORS)


def test_extras_are_quoted() -> None:
    """Each command with an extra can be pasted into zsh, which takes brackets for a pattern."""
    root = DOCS.parent
    places = [*PAGES, root / "README.rst", root / "CHANGES.rst", *(root / "src").rglob("*.py")]
    unquoted = [
        (place.name, line)
        for place in places
        for line in place.read_text(encoding="utf-8").splitlines()
        if re.search(r"pip install (?:\S+ )*[\w-]+\[", line)
    ]

    assert unquoted == []


_NEEDED = {"docs", "examples", "CHANGES.rst", "CONTRIBUTING.rst", "LICENSE.txt"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the built pages."""
    folder = tmp_path_factory.mktemp("docs")
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-E", "-W", "--keep-going", "-b", "html"]
    # A copy, so that two workers do not write into one folder, without what others write there.
    shutil.copytree(
        DOCS.parent,
        folder / "copy",
        ignore=lambda parent, names: [
            name
            for name in names
            if name in ("__pycache__", "_build")
            or (Path(parent) == DOCS.parent and name not in _NEEDED)
        ],
    )

    done = subprocess.run(
        [*sphinx, folder / "copy" / "docs", folder / "html"], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


@pytest.mark.services
def test_it_builds(built: Path) -> None:
    """Sphinx builds the documentation without a warning, and writes every page."""
    names = [page.relative_to(DOCS).with_suffix(".html") for page in PAGES]

    assert [name for name in names if not (built / name).is_file()] == []


@pytest.mark.services
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_on_a_phone(built: Path, chromium: Browser, scheme: Scheme) -> None:
    """No page is wider than a phone, and each has the colours that the reader's system asks for."""
    wide, backgrounds = [], set()
    with screen(chromium, "phone", scheme) as page:
        for path in sorted({*built.rglob("*.html")} - {built / "404.html"}):  # of a web server
            page.goto(path.as_uri())
            if page.evaluate("document.documentElement.scrollWidth") > SIZES["phone"]["width"]:
                wide.append(path.name)
            backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert wide == []
    assert backgrounds == {"rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 25, 29)"}


# A simple table of two columns: the width of the first, and the rows.
_TABLE = re.compile(r"(?m)^(=+)  =+\n.*\n=+  =+\n((?:.*\n)*?)=+  =+$")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_row_of_a_table_is_cut(page: Path) -> None:
    """A text in the first column begins a row, so a second line of its names would be a row too."""
    for rule, body in _TABLE.findall(page.read_text(encoding="utf-8")):
        for line in filter(None, body.splitlines()):
            first, rest = line[: len(rule)].strip(), line[len(rule) :].strip()
            assert not first.endswith((",", ",``")), line
            assert rest or not first, line


def test_the_help_of_the_command_line() -> None:
    """The page shows the commands that there are."""
    app = Flask("shop")
    Mail(app)

    output = app.test_cli_runner().invoke(args=["mail", "--help"]).output

    commands = output[output.index("Commands:\n") :].rstrip()
    assert "\n    ".join(commands.splitlines()) in text_of("cli.rst")


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.rst")), ids=lambda page: page.name)
def test_rows_of_simple_tables(page: Path) -> None:
    """A line with a word in the first column begins a new row. So where the text of a first column
    went on in a second line, that would be a row of its own, with empty cells."""
    border, columns = re.compile(r" *=+(?: +=+)+"), list[tuple[int, int]]()
    alone = []
    for line in page.read_text(encoding="utf-8").splitlines():
        if border.fullmatch(line):
            columns = [found.span() for found in re.finditer("=+", line)]
        elif not line.strip():
            columns = []
        elif columns and line[slice(*columns[0])].strip() and not line[columns[1][0] :].strip():
            alone.append(line)
    assert alone == []
