"""How Sphinx builds the documentation. Nothing is fetched while building."""

from __future__ import annotations

import importlib.metadata
import re
import typing as t

project = "Flask-MailHandler"
copyright = "2026 Flask-MailHandler contributors"
release = importlib.metadata.version("Flask-MailHandler")
version = ".".join(release.split(".")[:2])

extensions = [
    "sphinx.ext.autodoc",
    "pallets_sphinx_themes",
]
exclude_patterns = ["_build", "theme"]
default_role = "code"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"

# In the sidebar, a name without its class.
toc_object_entries_show_parents = "hide"

# The theme of Flask, with dark colours and tables that fit a phone.
html_theme_path = ["theme"]
html_theme = "mailhandler"
html_title = f"Flask-MailHandler ({version}.x)"
html_show_sourcelink = False
# The banner would ask a package index, from the reader's browser, for the newest version.
version_banner = False


def setup(app: t.Any) -> None:
    app.connect("autodoc-process-signature", _leave_out_never)


def _leave_out_never(*event: t.Any) -> tuple[str | None, str | None]:
    """Leave out ``**wrong``, which takes no argument: it is there for its error."""
    *_, signature, returned = event
    return signature and re.sub(r", \*{1,2}(?:wrong|more)\b[^,)]*", "", signature), returned
