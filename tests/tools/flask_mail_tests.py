"""Run Flask-Mail's own tests, the folder tests/ of its repository, with the names of this package.

Write: python tests/tools/flask_mail_tests.py FOLDER
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from flask_mailhandler import flask_mail


def main(folder: str) -> int:
    """Run the tests in a folder, and list those that fail.

    :return: 0 if no other test fails than docs/packages.rst says.
    """
    flask_mail.install()
    counted = Counted()
    with tempfile.TemporaryDirectory() as cache:
        # pytest warns that this package is imported already, and their settings make it an error.
        options = ["-ofilterwarnings=", f"-ocache_dir={cache}", "-q", "--tb=no", "-rf"]
        pytest.main([*options, folder], plugins=[counted])
    print(f"{counted.passed} of {counted.passed + counted.failed} passed")
    return counted.passed < 41


class Counted:
    passed = 0
    failed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.passed += report.passed
            self.failed += report.failed


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
