"""``flask mail new``: write the files of a new mail into the app."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import textwrap
import typing as t
from collections.abc import Mapping
from pathlib import Path

import click

from ..app.current import app_in_context
from ..app.current import NAME
from ..app.framework import framework_of
from . import new_files
from .new_names import Names
from .new_names import read_name

if t.TYPE_CHECKING:
    from flask.sansio.app import App


@dataclasses.dataclass(frozen=True)
class Target:
    """The app to write into.

    :param folder: Where its modules are.
    :param package: The package that they belong to; "" if they are imported by their names.
    :param mail: The module and the name to import its ``Mail`` from.
    :param quart: Whether it is an app of Quart.
    """

    folder: Path
    templates: Path
    package: str
    mail: tuple[str, str]
    quart: bool

    @classmethod
    def of(cls, app: App) -> Target:
        """Describe an app."""
        module = sys.modules.get(app.import_name)
        folder = Path(app.root_path)
        return cls(
            folder,
            folder / (app.template_folder or "templates"),
            getattr(module, "__package__", None) or "",
            _home_of(app.extensions[NAME]),
            framework_of(app).on_loop,
        )

    def fill(self, text: str, words: Mapping[str, str]) -> str:
        """Return a file for the app."""
        return new_files.fill(new_files.for_quart(text) if self.quart else text, words)

    def module(self, name: str) -> str:
        """Return the name to import one of its modules by."""
        return f"{self.package}.{name}" if self.package else name


def new(name: str, markdown: bool) -> int:
    """Write the templates, the code, a preview and a test of a mail, and print what to do next.

    A file that exists is not changed. What belongs into it is printed.

    :return: The exit code.
    """
    target = Target.of(app_in_context())
    names = read_name(name, target.mail[1])
    if markdown:
        from ..templating.markdown import converter

        converter()  # raises if markdown-it-py is not installed
    tests = Path("tests") if Path("tests").is_dir() else Path()
    test = tests / f"{names.test}.py"
    template = target.templates / names.template
    own = {template.with_suffix(end): text for end, text in new_files.templates(markdown).items()}
    own[test] = new_files.test(markdown)
    if found := sorted({*template.parent.glob(f"{template.name}.*"), *filter(Path.exists, own)}):
        raise click.ClickException(
            f"{_shown(found[0])} exists, and nothing was written. Choose another name, or move"
            " the file."
        )
    if not any((folder / "conftest.py").exists() for folder in (Path(), tests)):
        own[Path("conftest.py")] = new_files.CONFTEST
    words = _words(names, target)
    shared = _shared(names, target)
    kept = {file: addition for file, (_, addition) in shared.items() if file.exists()}
    for file, text in [*own.items(), *((file, whole) for file, (whole, _) in shared.items())]:
        if file not in kept:
            _write(file, target.fill(text, words))
    _print_next(target, test, kept, words)
    return 0


def _shared(names: Names, target: Target) -> dict[Path, tuple[str, str]]:
    """Return the modules that all mails of a group share: each whole, and what one mail adds."""
    if names.group:
        code = (new_files.MAILER, new_files.METHOD)
    else:
        code = (new_files.FUNCTION, new_files.FUNCTION_ONLY)
    return {
        target.folder / f"{names.module}.py": code,
        target.folder / f"{names.previews}.py": (new_files.PREVIEWS, new_files.PREVIEW),
    }


def _words(names: Names, target: Target) -> dict[str, str]:
    """Return the words that the files contain."""
    home, mail = target.mail
    loader = click.get_current_context().find_root().obj  # the ScriptInfo of Flask or Quart
    path: str | None = getattr(loader, "app_import_path", None)
    return {
        **dataclasses.asdict(names),
        "code": target.module(names.module),
        "call": names.call,
        "imported": names.imported,
        "sender": names.module if names.group else mail,
        "title": names.title,
        "preview": names.preview,
        "mail": mail,
        "home": home,
        "app": repr(path) if path else "",
    }


def _home_of(mail: object) -> tuple[str, str]:
    """Return the module and the name of a global that is this ``Mail``: where it is assigned, or
    else where it is imported."""
    found = [
        (module, name)
        for module, loaded in sys.modules.copy().items()
        if module != "__main__"
        for name, value in [*getattr(loaded, "__dict__", {}).items()]
        if value is mail
    ]
    if not found:
        raise click.ClickException(
            "The previews import the Mail of the app, and no module has it as a global. Write"
            " 'mail = Mail()' outside of all functions, and 'mail.init_app(app)' in the function"
            " that creates the app."
        )
    return next((home for home in found if _assigns(*home)), found[0])


def _assigns(module: str, name: str) -> bool:
    file = getattr(sys.modules[module], "__file__", None)
    if not file or not file.endswith(".py"):
        return False
    source = Path(file).read_text(encoding="utf-8", errors="replace")
    return re.search(rf"^{re.escape(name)}\b[^=\n]*=", source, re.M) is not None


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise click.ClickException(
            f"{_shown(file)} cannot be written: {error.strerror or error}"
        ) from error
    click.echo(f"Wrote {_shown(file)}")


def _shown(file: Path) -> str:
    """Return a path from the current folder, if it is inside."""
    path = file.absolute()
    return os.fspath(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _print_next(target: Target, test: Path, kept: dict[Path, str], words: dict[str, str]) -> None:
    for file, addition in kept.items():
        click.echo(f"\n{_shown(file)} exists and was not changed. Add to it:\n")
        click.echo(textwrap.indent(target.fill(addition, words), " " * 4).rstrip())
    above = f"from {target.package} import" if target.package else "import"
    steps = {**words, "import_previews": above, "test": _shown(test)}
    click.echo(f"\n{target.fill(new_files.NEXT, steps).rstrip()}")
