"""What PyInstaller does not see for itself: modules that are found by name (public names, handlers,
engines, commands), templates and static files."""

from PyInstaller.utils.hooks import collect_data_files
from PyInstaller.utils.hooks import collect_submodules

# They would bring pytest, and what else a test needs.
TESTS = ("flask_mailhandler.pytest_plugin", "flask_mailhandler.testing")

datas: list[tuple[str, str]] = collect_data_files("flask_mailhandler")
hiddenimports: list[str] = collect_submodules(
    "flask_mailhandler", filter=lambda name: not name.startswith(TESTS)
)
