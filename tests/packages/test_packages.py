"""Real packages that were written for Flask-Mail or Flask-Mailman, unchanged, to a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from package_venv import PackageVenv

SECURITY = ["302", "Welcome ann@example.com", "Password reset instructions ann@example.com"]
INVENIO = ["<p>Hello ann@example.com", "a.txt ann@example.com"]
EXPECTED = {
    ("security", "installed"): SECURITY,
    ("security", "registered"): SECURITY,
    ("security", "mailman"): SECURITY,
    ("appbuilder", "installed"): [
        *["True", "True"],
        *["Account activation ann@example.com"] * 2,
    ],
    ("user", "installed"): [
        "SMTP Connection error: Check your MAIL_SERVER and MAIL_PORT settings.",
        "Hi ann@example.com",
    ],
    ("invenio", "installed"): INVENIO,
    ("invenio", "registered"): INVENIO,
    ("praetorian", "mailman"): [
        "Password Reset Requested ann@example.com https://shop.example/reset"
    ],
}


@pytest.mark.services
@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize(("program", "way"), EXPECTED)
def test_the_package_sends(program: str, way: str, packages: PackageVenv) -> None:
    """With ``install()``, with our state in ``app.extensions["mail"]`` and the package's own
    message, or through Flask-Mailman's ``MAIL_BACKEND``."""
    path = Path(__file__).with_name(f"{program}.py")

    assert packages.run(path, way) == EXPECTED[program, way]
