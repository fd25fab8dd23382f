"""What docs/design.rst promises about the architecture."""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

import flask_mailhandler
from flask_mailhandler import Message
from flask_mailhandler import MessageFields

# It reads the code, which is the same on every version of Python.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "flask_mailhandler"
FILES = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]

# The doors that lead up, by the file that opens each of them, and the room behind it.
DOORS = {
    (".message.message", "mime/"),
    (".extension.mail", "cli/"),
    (".extension.mail", "pages/"),
}


@dataclasses.dataclass(frozen=True)
class Imports:
    """What a file imports: our own modules by their name in the package, others by theirs."""

    loading: frozenset[str]
    """When it is loaded."""
    using: frozenset[str]
    """When a function in it is called."""
    typing: frozenset[str]
    """For its annotations only."""

    @property
    def all(self) -> frozenset[str]:
        return self.loading | self.using | self.typing


def name_of(path: Path) -> str:
    """``handlers/smtp.py`` is ``.handlers.smtp``, ``handlers/__init__.py`` is ``.handlers``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "." + ".".join(part for part in parts if part != "__init__")


@functools.cache
def modules() -> dict[str, Imports]:
    """Every module of the package except its ``__init__``."""
    return {name_of(path): imports_of(path) for path in FILES}


def imports_of(path: Path) -> Imports:
    loading: set[str] = set()
    using: set[str] = set()
    typing: set[str] = set()

    def visit(node: ast.AST, into: set[str]) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            into = typing
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            into = typing if into is typing else using
        if isinstance(node, ast.Import):
            into.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            into.update(targets(path, node))
        for child in ast.iter_child_nodes(node):
            # No expression has an import, and most nodes are expressions.
            if not isinstance(child, ast.expr):
                visit(child, into)

    visit(ast.parse(path.read_text(encoding="utf-8")), loading)
    return Imports(frozenset(loading), frozenset(using), frozenset(typing))


def targets(path: Path, node: ast.ImportFrom) -> t.Iterator[str]:
    if not node.level:
        yield node.module or ""
        return
    folder = path.parents[node.level - 1]
    for alias in node.names:
        within = folder.joinpath(*(node.module or "").split("."))
        whole = within / alias.name
        yield name_of(whole if whole.is_dir() or whole.with_suffix(".py").exists() else within)


@functools.cache
def rooms() -> dict[str, set[str]]:
    """The table of docs/design.rst, from the ground up: each room and its libraries."""
    page = (ROOT / "docs" / "design.rst").read_text(encoding="utf-8")
    table = page.partition(".. rooms\n\n")[2].partition("\n\n")[0].splitlines()
    columns = [slice(*match.span()) for match in re.finditer("=+", table[0])]
    found: dict[str, set[str]] = {}
    room = ""
    for row in table[3:-1]:
        room = row[columns[0]].strip() or room
        found.setdefault(room, set()).update(row[columns[2]].replace(",", " ").split())
    return dict(reversed(found.items()))


def room_of(module: str) -> str:
    top = module.split(".")[1]
    return f"{top}/" if (PACKAGE / top).is_dir() else top


def above(module: str) -> set[str]:
    """The rooms above its own from which a module imports anything, other than through a door."""
    order = [*rooms()]
    ours = {room_of(name) for name in modules()[module].all if name.startswith(".") and name != "."}
    higher = {room for room in ours if order.index(room) > order.index(room_of(module))}
    return {room for room in higher if (module, room) not in DOORS}


@pytest.mark.slow
def test_the_table_is_complete() -> None:
    """Every room is in the table, and everything in the table is there."""
    top = {f"{path.name}/" if path.is_dir() else path.stem for path in PACKAGE.iterdir()}

    top -= {"__pycache__/"}  # Python may have written it

    assert {*rooms()} == top - {"__init__", "py"}
    assert len(top) <= 36


@pytest.mark.slow
@pytest.mark.parametrize("module", sorted(map(name_of, FILES)))
def test_imports_point_down(module: str) -> None:
    """A file imports from its own room and those below, for types and in functions too."""
    assert above(module) == set()


@pytest.mark.slow
def test_doors_open_late() -> None:
    """No file is loaded through a door."""
    early = {
        (module, room_of(name))
        for module, imports in modules().items()
        for name in imports.loading
        if name.startswith(".") and name != "."
    }

    assert early & DOORS == set()


@pytest.mark.slow
def test_circles() -> None:
    """Of all imports, of whatever kind, only those of a message and its writer make a circle."""
    graph = {
        name: {other for other in imports.all if other in modules() and other != name}
        for name, imports in modules().items()
    }
    reached = {name: reachable(graph, name) for name in graph}
    circular = {name for name in graph if name in reached[name]}

    assert {room_of(name) for name in circular} <= {"message/", "mime/"}
    assert all(circular <= reached[name] | {name} for name in circular)


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """The modules that *start* imports, and those that these import, and so on."""
    found: set[str] = set()
    waiting = [*graph[start]]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph[name])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("module", sorted(map(name_of, FILES)))
def test_who_knows_what(module: str) -> None:
    """A room uses those libraries that the table names."""
    others = {
        name.partition(".")[0]
        for name in modules()[module].loading | modules()[module].using
        if not name.startswith(".") and name.partition(".")[0] not in sys.stdlib_module_names
    }

    assert others <= rooms()[room_of(module)] | {"flask_mailhandler"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "folder",
    sorted({path.parent for path in PACKAGE.rglob("*.py")}),
    ids=lambda folder: folder.relative_to(PACKAGE.parent).as_posix(),
)
def test_each_folder_has_a_map(folder: Path) -> None:
    """The docstring of a folder's ``__init__`` names every file and folder in it."""
    drawn = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    inside = {path.name for path in folder.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    inside |= {path.stem for path in folder.glob("*.py") if not path.stem.startswith("hook-")}

    assert {name for name in inside - {"__init__"} if not re.search(rf"\b{name}\b", drawn)} == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "never"),
    [
        (".smtp", {".message", ".mime", ".plaintext", "smtplib", "email"}),
        (".mime", {".smtp", "socket", "ssl", "smtplib"}),
        (".plaintext", {".message", ".mime", ".smtp", "email", "html.parser"}),
    ],
)
def test_what_a_folder_never_sees(folder: str, never: set[str]) -> None:
    """smtp/ never sees a message, mime/ never a socket, and plaintext/ only text."""
    seen = {
        (module, name)
        for module, imports in modules().items()
        if f"{module}.".startswith(f"{folder}.")
        for name in imports.loading | imports.using
        if any(f"{name}.".startswith(f"{other}.") for other in never)
    }

    assert seen == set()


def loaded_by(code: str) -> set[str]:
    """The modules that are loaded after flask by *code*."""
    source = (
        "import sys, flask; before = {*sys.modules}\n"
        f"{code}\nprint(*({{*sys.modules}} - before), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    return {*done.stdout.split()}


def test_the_package_loads_nothing() -> None:
    """``import flask_mailhandler`` loads no other file, ours or anybody's."""
    assert loaded_by("import flask_mailhandler") == {"flask_mailhandler"}


def test_importing_mail_loads_little() -> None:
    """An import of Mail and Message loads no part that reads keys, renders, sends or tests."""
    loaded = loaded_by("from flask_mailhandler import Mail, Message")
    rooms_loaded = {name.split(".")[1] for name in loaded if name.startswith("flask_mailhandler.")}

    assert rooms_loaded.isdisjoint({"config", "handlers", "mime", "smtp", "net", "report", "log"})
    assert rooms_loaded.isdisjoint({"plaintext", "templating", "pages", "cli", "testing", "lint"})


def test_sending_loads_nothing() -> None:
    """What sends is loaded when an app is registered, so that no thread loads a module."""
    loaded = loaded_by(
        "from flask_mailhandler import Mail, Message, RefusedError, DeferredError\n"
        "app = flask.Flask('x'); app.config.update(MAIL_HOST='127.0.0.1', MAIL_PORT=1)\n"
        "mail = Mail(app); before = {*sys.modules}\n"
        "message = Message(subject='x', text='x', from_addr='a@b.example', to='c@d.example')\n"
        "with app.app_context():\n"
        "    try: mail.send(message)\n"
        "    except DeferredError: pass\n"
    )

    assert {name for name in loaded if name.startswith("flask_mailhandler")} == set()


def test_sending_by_an_api_loads_nothing() -> None:
    """What sends by the API of a provider is loaded when an app is registered, too."""
    loaded = loaded_by(
        "from flask_mailhandler import DeferredError, Mail, Message\n"
        "urls = {'resend': '//key@default', 'postmark': '//key@default',\n"
        "    'brevo': '//key@default',\n"
        "    'sendgrid': '//key@default', 'ses': '//key:secret@eu-west-1', 'gmail': '',\n"
        "    'mailgun': '//key@eu?domain=b.example', 'graph': '//a%40b.example@default'}\n"
        "token = {'oauth_token': lambda: 'x' * 30}\n"
        "app = flask.Flask('x'); app.config['MAIL_ACCOUNTS'] = {\n"
        "    name: {'url': f'{name}:{url}', 'api_url': 'http://127.0.0.1:1', 'timeout': 1,\n"
        "        **(token if name[0] == 'g' else {})} for name, url in urls.items()}\n"
        "mail = Mail(app); before = {*sys.modules}\n"
        "message = Message(subject='x', text='x', from_addr='a@b.example', to='c@d.example')\n"
        "with app.app_context():\n"
        "    for name in urls:\n"
        "        try: mail.send(message, using=name)\n"
        "        except DeferredError: pass\n"
    )

    assert {name for name in loaded if name.startswith("flask_mailhandler")} == set()


def test_a_decorated_class_to_derive_from() -> None:
    """A class of an app that others derive from may have the decorator too, before any handler of
    ours has been made."""
    code = (
        "import dataclasses\nfrom flask_mailhandler import config, EmailHandler\n"
        "@dataclasses.dataclass(frozen=True, kw_only=True)\n"
        "class Birds(EmailHandler, abstract=True):\n"
        "    birds: config.Option[int, int] = config.Option(config.integer(0, 9), 1)\n"
        "class Pigeons(Birds): pass\n"
        "assert dataclasses.replace(Pigeons(birds=2), default_subject='x').birds == 2\n"
        "from flask_mailhandler import ResendEmailHandler\n"
        "try: ResendEmailHandler(api_key='k').timeout = 1\n"
        "except dataclasses.FrozenInstanceError: import this"
    )

    assert "this" in loaded_by(code)


def test_importing_a_handler_loads_no_message() -> None:
    """An import of a provider's handler loads nothing of a message, of its octets, and of HTTP."""
    loaded = loaded_by("from flask_mailhandler import ResendEmailHandler, SESEmailHandler")
    rooms_loaded = {name.split(".")[1] for name in loaded if name.startswith("flask_mailhandler.")}

    assert rooms_loaded.isdisjoint({"attachment", "content", "envelope", "events", "message"})
    assert rooms_loaded.isdisjoint({"app", "mime", "plaintext", "smtp"})
    assert loaded.isdisjoint({"flask_mailhandler.net.http", "http.client", "ssl"})


def test_a_plain_message_loads_no_optional_part() -> None:
    """An app loads what attachments, signatures, bounces, lists and previews need when it uses
    them, and pays nothing for them before."""
    code = (
        "from flask_mailhandler import Mail, Message\n"
        "app = flask.Flask('x'); app.config.update(MAIL_HOST='127.0.0.1'{keys})\n"
        "mail = Mail(app); {register}\n"
        "message = Message(text='x', from_addr='a@b.example', to='c@d.example'{fields})\n"
        "with app.app_context(): mail.handler.prepare(message)"
    )
    uses = {
        "keys": ", MAIL_DKIM_DOMAIN='b.example', MAIL_BOUNCE_IMAP='imaps://a:b@b.example/INBOX',"
        " SECRET_KEY='x', MAIL_BOUNCE_ADDRESS='a@b.example', MAIL_UNSUBSCRIBE_MAILTO='a@b.example'",
        "register": "mail.preview('A')(lambda: None)",
        "fields": ", attachments=[flask_mailhandler.Attachment(b'x', filename='a.bin')]",
    }
    optional = {"attachment", "message.attachments", "mime.mixed", "previews.preview"}
    optional |= {"handlers.dkim_keys", "handlers.bounce_address", "handlers.bounce_imap"}
    optional |= {"handlers.unsubscribe", "app.signing"}
    optional = {f"flask_mailhandler.{name}" for name in optional}

    plain = loaded_by(code.format(keys="", register="", fields=""))
    full = loaded_by(f"import flask_mailhandler\n{code.format(**uses)}")

    assert optional & plain == set()
    assert optional - full == set()


def test_registering_loads_little() -> None:
    """An app that sends nothing pays for no TLS, no asyncio, no smtplib, and no other library."""
    loaded = loaded_by(
        "from flask_mailhandler import Mail, Message\n"
        "app = flask.Flask('x'); app.config['MAIL_URL'] = 'smtps://mx.example.com'; Mail(app)"
    )
    heavy = {"ssl", "asyncio", "smtplib", "html.parser", "mimetypes", "email.policy", "idna"}
    heavy |= {"flask_mailhandler.pages", "flask_mailhandler.templating"}
    heavy |= {"aiosmtpd", "pytest", "email.headerregistry", "email._header_value_parser"}

    assert loaded & heavy == set()


def test_templates_are_loaded_when_used() -> None:
    """An app that renders no template pays for none; one without Markdown pays for no Markdown."""
    app = (
        "from flask_mailhandler import Mail, Message\n"
        "app = flask.Flask('x'); app.config['MAIL_BASE_URL'] = 'https://shop.example'\n"
        "mail = Mail(app, cli=None)\n"
    )
    rendered = (
        "import jinja2; app.jinja_loader = jinja2.DictLoader({'x.html': '<style></style>Hi'})\n"
        "with app.app_context(): mail.render('x', subject='Hi')"
    )
    libraries = {"css_inline", "markdown_it", "flask_babel", "babel"}

    idle, busy = loaded_by(app), loaded_by(app + rendered)

    assert not [name for name in idle if name.startswith("flask_mailhandler.templating")]
    assert idle & libraries == set()
    assert busy & libraries == {"css_inline"}


@pytest.mark.parametrize("optional", ["aiosmtpd", "pytest", "idna", "ssl", "asyncio"])
def test_sending_in_memory_loads_no_more(optional: str) -> None:
    """A message in ASCII that stays in memory needs no optional library either."""
    code = (
        "from flask_mailhandler import MemoryEmailHandler, Message\n"
        "MemoryEmailHandler().send([Message(text='x', from_addr='a@b.example', to='c@d.example')])"
    )

    assert optional not in loaded_by(code)


def test_all_is_what_type_checkers_see() -> None:
    """The names that are found when asked for are those that type checkers know."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.If)
        for found in ast.walk(node)
        if isinstance(found, ast.ImportFrom)
        for alias in found.names
    }

    assert sorted(flask_mailhandler.__all__) == sorted(seen)
    assert all(hasattr(flask_mailhandler, name) for name in flask_mailhandler.__all__)


def test_message_fields_are_those_of_message() -> None:
    """The typed keyword arguments of ``send`` are the fields of a message, in their order."""
    fields = [field.name for field in dataclasses.fields(Message)]

    assert list(MessageFields.__annotations__) == fields


# About 300 lines is where a file asks to be two.
@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=name_of)
def test_one_concept_one_file(path: Path) -> None:
    """No file has grown into two."""
    length = path.read_text(encoding="utf-8").count("\n")

    assert length <= 320


def test_no_drawers() -> None:
    """No file is named after not knowing where something belongs."""
    drawers = {"utils", "util", "helpers", "common", "misc", "types"}

    assert {path.stem for path in PACKAGE.rglob("*.py")} & drawers == set()
