"""``pytest --mail-previews``, in separate test suites."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("untraced")]

pytest_plugins = ["pytester"]

SHOP = """
from flask import current_app
from flask import Flask
from flask_mailhandler import Mail
from flask_mailhandler import Message

mail = Mail()


def create_app(name="shop"):
    app = Flask(name)
    mail.init_app(app)
    return app


@mail.preview("Account/Welcome", variants={"new": {}, "old": {}}, locales=["en", "de"],
              allow=["translation"])
def welcome(locale):
    return Message(subject=f"Hi {locale}", text=current_app.name)
"""

BAD = """
from shop import mail
from flask_mailhandler import Message


@mail.preview("Broken")
def broken():
    return 1 / 0


@mail.preview("Careless", variants={"some": {}})
def careless():
    return Message(subject="Hi", html="<p>Hi {{ name }}<img src='https://x.example/y'>")


@mail.preview("Allowed", allow=["alt"])
def allowed():
    return Message(subject="Hi", html="<p>Hi<img src='https://x.example/y'>")
"""

# It checks that every preview is made with the app of the tests.
CONFTEST = """
import pytest
from shop import create_app, mail


@pytest.fixture(scope="{scope}")
def app():
    app = create_app("of the tests")

    @mail.before_send
    def check(message):
        assert message.text == "of the tests"
        return message

    yield app
    mail._registrations.before.clear()
"""


@pytest.fixture(autouse=True)
def where_the_app_is(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLASK_APP", raising=False)
    monkeypatch.setenv("COLUMNS", "120")  # pytest shortens lines for narrow terminals
    pytester.makepyfile(shop=SHOP)
    pytester.makeini("[pytest]\nmail_previews_app = shop\npythonpath = .")


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    plugins = ["-p", "no:hypothesispytest", "-p", "no:cacheprovider"]
    return pytester.runpytest_subprocess(*plugins, "-v", *arguments)


def test_each_sample_is_a_test(pytester: pytest.Pytester) -> None:
    """Each variant in each locale is a test of that name, and needs only the app."""
    result = run(pytester, "--mail-previews")

    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(
        [
            "*collected 4 items",
            "",
            "mail-previews::Account/Welcome[[]new-en[]] PASSED*",
            "mail-previews::Account/Welcome[[]new-de[]] PASSED*",
            "mail-previews::Account/Welcome[[]old-en[]] PASSED*",
            "mail-previews::Account/Welcome[[]old-de[]] PASSED*",
        ]
    )


def test_only_when_it_is_asked_for(pytester: pytest.Pytester) -> None:
    """Without the option there is no such test, and no app is created."""
    pytester.makepyfile("def test_it(): import sys; assert 'shop' not in sys.modules")

    result = run(pytester)

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("scope", "flask"), [("function", "flask"), ("module", "no:flask"), ("session", "no:flask")]
)
def test_the_app_of_the_tests(pytester: pytest.Pytester, scope: str, flask: str) -> None:
    """Previews are rendered with the fixture app if there is one, with pytest-flask and without."""
    tests = pytester.mkpydir("tests")
    (tests / "conftest.py").write_text(CONFTEST.format(scope=scope), encoding="utf-8")
    (tests / "test_it.py").write_text("def test_it(app): pass", encoding="utf-8")

    result = run(pytester, "-p", flask, "--mail-previews")

    result.assert_outcomes(passed=5)


def test_tests_of_different_folders(pytester: pytest.Pytester) -> None:
    """If only some tests use app, the previews see the fixtures of those."""
    for name, conftest in (("a", ""), ("web", CONFTEST.format(scope="function"))):
        folder = pytester.mkpydir(name)
        (folder / "conftest.py").write_text(conftest, encoding="utf-8")
        argument = "app" if conftest else ""
        (folder / f"test_{name}.py").write_text(f"def test_it({argument}): pass", encoding="utf-8")

    result = run(pytester, "--mail-previews")

    result.assert_outcomes(passed=6)


def test_chosen(pytester: pytest.Pytester) -> None:
    """-k selects among them as among other tests."""
    result = run(pytester, "--mail-previews", "-k", "mail-previews and de and not old")

    result.assert_outcomes(passed=1, deselected=3)


def test_in_parallel(pytester: pytest.Pytester) -> None:
    """The tests run under xdist."""
    result = run(pytester, "--mail-previews", "-n", "2")

    result.assert_outcomes(passed=4)


def test_failures_are_readable(pytester: pytest.Pytester) -> None:
    """A finding says what is wrong, why, where to read on and what to write; an error shows the
    app's own lines. An allowed rule does not count."""
    pytester.makepyfile(bad=BAD)
    pytester.makeini("[pytest]\nmail_previews_app = bad:create_app\npythonpath = .")
    pytester.path.joinpath("bad.py").write_text(BAD + "from shop import create_app\n", "utf-8")

    result = run(pytester, "--mail-previews")

    result.assert_outcomes(passed=5, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*ZeroDivisionError: division by zero",
            "The preview Broken failed.",
            "*bad.py*in broken",
            "*return 1 / 0",
            "alt, braces: lint found this in Careless[[]some[]]",
            "  warning in the html: The image 'https://x.example/y' has no alt attribute. [[]alt*",
            "      Most mail clients show the alt text *",
            "      https://www.w3.org/WAI/tutorials/images/",
            "  error in the html: '{{ name }}' was not filled in. [[]braces[]]",
            "If a rule does not apply *write @mail.preview(..., allow=[[]'alt', 'braces'[]]).",
            "FAILED mail-previews::Broken - Failed: ZeroDivisionError: division by zero",
            "FAILED mail-previews::Careless[[]some[]] - Failed: alt, braces: lint found *",
        ]
    )
    result.stdout.no_fnmatch_line("*flask_mailhandler*.py*")


@pytest.mark.parametrize("how", ["FLASK_APP", "app.py"])
def test_where_flask_finds_the_app(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Without the key in the configuration, the app is found as the flask command finds it."""
    pytester.makeini("[pytest]")
    if how == "FLASK_APP":
        monkeypatch.setenv("FLASK_APP", "shop:create_app('mine')")
    else:
        pytester.makepyfile(app="from shop import create_app")

    run(pytester, "--mail-previews").assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (
            {"other": "1"},
            "*cannot load the app: NoAppException: Could not locate a Flask application.*",
        ),
        ({"app": "1 / 0"}, "*cannot load the app: ZeroDivisionError: division by zero"),
        ({"app": "from flask import Flask\napp = Flask('bare')"}, "*the app 'bare' has no Mail.*"),
    ],
)
def test_no_app(pytester: pytest.Pytester, files: dict[str, str], says: str) -> None:
    """If the app cannot be loaded, an error in one line says so, and no test runs."""
    pytester.makeini("[pytest]")
    pytester.makepyfile(**files)

    result = run(pytester, "--mail-previews")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([says])
    assert "mail_previews_app" in result.stderr.str() or "no Mail" in says


def test_an_app_without_the_preview(pytester: pytest.Pytester) -> None:
    """If the app of the tests lacks the preview, the failure says what to do."""
    pytester.makeconftest(
        "import pytest\n\n@pytest.fixture\ndef app():\n"
        "    from flask import Flask\n    from flask_mailhandler import Mail\n"
        "    app = Flask('other')\n    app.kept = Mail(app)\n    return app\n"
    )

    result = run(pytester, "--mail-previews", "-k", "new-en")

    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines(
        ["*of the fixture 'app' has no preview 'Account/Welcome:new:en': import its module*"]
    )


def test_an_app_fixture_that_needs_another(pytester: pytest.Pytester) -> None:
    """If the app fixture needs a fixture that does not exist, pytest names it."""
    pytester.makeconftest("import pytest\n\n@pytest.fixture\ndef app(database): ...\n")

    result = run(pytester, "--mail-previews", "-k", "new-en")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*fixture 'database' not found*"])
