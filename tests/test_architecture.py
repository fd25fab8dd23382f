"""What docs/design.rst promises about the architecture."""

from __future__ import annotations

import ast
import dataclasses
import functools
import graphlib
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

import flask_mailhandler
from flask_mailhandler import Message
from flask_mailhandler import MessageFields

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "flask_mailhandler"

# The doors that lead up. They open only when they are used.
DOORS = {
    ("message", "mime"),
    ("extension", "cli"),
    ("extension", "mailbox"),
    ("later", "queue"),
}
FILES, LIBRARIES = 1, 2


@dataclasses.dataclass(frozen=True)
class Imports:
    """What a file imports: our own modules by their name in the package, others by theirs."""

    loading: frozenset[str]
    """When it is loaded."""
    using: frozenset[str]
    """When a function in it is called."""


def name_of(path: Path) -> str:
    """``handlers/smtp.py`` is ``.handlers.smtp``, ``handlers/__init__.py`` is ``.handlers``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "." + ".".join(part for part in parts if part != "__init__")


@functools.cache
def modules() -> dict[str, Imports]:
    """Every module of the package but its ``__init__``."""
    paths = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]
    return {name_of(path): imports_of(path) for path in paths}


def imports_of(path: Path) -> Imports:
    loading: set[str] = set()
    using: set[str] = set()

    def visit(node: ast.AST, into: set[str]) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            into = using
        if isinstance(node, ast.Import):
            into.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            into.update(targets(path, node))
        for child in ast.iter_child_nodes(node):
            visit(child, into)

    visit(ast.parse(path.read_text(encoding="utf-8")), loading)
    return Imports(frozenset(loading), frozenset(using))


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
def layers(column: int = FILES) -> dict[str, list[str]]:
    """The table of docs/design.rst, from the words up: the words of a column by layer."""
    page = (ROOT / "docs" / "design.rst").read_text(encoding="utf-8")
    table = page.partition(".. layers\n\n")[2].partition("\n\n")[0].splitlines()
    columns = [slice(*match.span()) for match in re.finditer("=+", table[0])]
    found: dict[str, list[str]] = {}
    layer = ""
    for row in table[3:-1]:
        layer = row[columns[0]].strip() or layer
        found.setdefault(layer, []).extend(row[columns[column]].replace(",", " ").split())
    return dict(reversed(found.items()))


def layer_of(module: str) -> int:
    """The place of a module's layer, counted from the words."""
    top = module.split(".")[1]
    for place, files in enumerate(layers().values()):
        if top in files or f"{top}/" in files:
            return place
    raise AssertionError(f"{module} is in no layer of docs/design.rst")


def above(module: str, names: t.Iterable[str]) -> set[str]:
    """Those of our own modules that stand in a higher layer."""
    ours = {name for name in names if name.startswith(".") and name != "."}
    return {name for name in ours if layer_of(name) > layer_of(module)}


def test_the_table_is_complete() -> None:
    """Every file is in the table, and everything in the table is there."""
    top = {f"{path.name}/" if path.is_dir() else path.stem for path in PACKAGE.iterdir()}
    listed = [name for files in layers().values() for name in files]

    assert list(layers()) == ["words", "octets", "sending", "Flask", "edges"]
    assert sorted(listed) == sorted(top - {"__init__", "__pycache__/", "py"})


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_point_down(module: str) -> None:
    """A file imports from its own layer and those below; when used, also through a door."""
    imports = modules()[module]
    doors = {(module.split(".")[1], name.split(".")[1]) for name in above(module, imports.using)}

    assert above(module, imports.loading) == set()
    assert doors <= DOORS


def test_no_circles() -> None:
    """Nothing that is loaded needs itself."""
    graph = {
        name: {other for other in imports.loading if other.startswith(".") and other != name}
        for name, imports in modules().items()
    }

    assert len([*graphlib.TopologicalSorter(graph).static_order()]) >= len(graph)


@pytest.mark.parametrize("module", sorted(modules()))
def test_who_knows_what(module: str) -> None:
    """Flask is known in the upper two layers, and other libraries where the table says so."""
    imports = modules()[module]
    others = {
        name.partition(".")[0]
        for name in imports.loading | imports.using
        if not name.startswith(".") and name.partition(".")[0] not in sys.stdlib_module_names
    }
    allowed = list(layers(LIBRARIES).values())[layer_of(module)]

    assert others <= {*allowed, "flask_mailhandler"}


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
        "with app.app_context(): mail.render('x')"
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
@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=name_of)
def test_one_concept_one_file(path: Path) -> None:
    """No file has grown into two."""
    length = path.read_text(encoding="utf-8").count("\n")

    assert length <= 320


def test_no_drawers() -> None:
    """No file is named after not knowing where something belongs."""
    drawers = {"utils", "util", "helpers", "common", "misc", "types"}

    assert {path.stem for path in PACKAGE.rglob("*.py")} & drawers == set()
