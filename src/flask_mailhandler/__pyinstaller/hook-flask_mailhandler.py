"""What PyInstaller cannot find itself: modules that are imported by name (public names, handlers,
engines, commands), templates and static files."""

from PyInstaller.utils.hooks import collect_data_files
from PyInstaller.utils.hooks import collect_submodules

# These would add pytest and what else only a test needs.
TESTS = ("flask_mailhandler.pytest_plugin", "flask_mailhandler.testing")

datas: list[tuple[str, str]] = collect_data_files("flask_mailhandler")
hiddenimports: list[str] = collect_submodules(
    "flask_mailhandler", filter=lambda name: not name.startswith(TESTS)
)
