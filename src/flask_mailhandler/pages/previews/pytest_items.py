"""``pytest --mail-previews``: one test for each sample, which renders and lints it."""

from __future__ import annotations

import os
import sys
import types
import typing as t
from collections.abc import Iterable
from collections.abc import Sequence

import pytest

from ...app.current import NAME
from ...app.current import registration_of
from ...app.framework import load_app
from ...previews.preview import previews_of
from ...previews.preview import Sample
from ...previews.rendering import render
from ...previews.rendering import Rendered

if t.TYPE_CHECKING:
    from flask.sansio.app import App

_NAME = "mail-previews"


def items(session: pytest.Session, others: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Collect a test for each sample of the app, which is found as the ``flask`` command finds it.

    :param others: The collected tests. The tests of the previews see the fixtures that all of these
        see; if some of these use ``app``, only they count.
    :raises UsageError: if the app is not found or has no Mail.
    """
    app = _find_app(session.config)
    with_app = [item for item in others if "app" in getattr(item, "fixturenames", ())]
    folder = _folder(with_app or others) or session
    module: MailPreviews = MailPreviews.from_parent(
        folder, path=folder.path, name=_NAME, nodeid=_NAME
    )
    found: list[pytest.Item] = [
        pytest.Function.from_parent(module, name=_item_name(sample), callobj=_test(app, sample.key))
        for sample in previews_of(registration_of(app)).samples()
    ]
    # With this report, pytest counts them among the collected tests.
    report = pytest.CollectReport(_NAME, "passed", None, [*found])
    session.ihook.pytest_collectreport(report=report)
    return found


class MailPreviews(pytest.Module):
    """Stands for a file of tests, because a fixture can have the scope of a module."""

    def _getobj(self) -> types.ModuleType:
        return sys.modules[__name__]


def _find_app(config: pytest.Config) -> App:
    path = (
        config.getini("mail_previews_app")
        or os.environ.get("FLASK_APP")
        or os.environ.get("QUART_APP")
    )
    try:
        app = load_app(path)
    except Exception as error:
        raise pytest.UsageError(
            f"--mail-previews cannot load the app: {type(error).__name__}: {error}\nName it as for"
            " 'flask --app': in mail_previews_app in pytest's configuration, or in FLASK_APP."
        ) from error
    if NAME not in app.extensions:
        raise pytest.UsageError(f"--mail-previews: the app {app.name!r} has no Mail.")
    return app


def _folder(tests: Iterable[pytest.Item]) -> pytest.Directory | None:
    """Return the deepest folder that contains all tests."""
    common: list[pytest.Directory] | None = None
    for item in tests:
        chain = [node for node in item.listchain() if isinstance(node, pytest.Directory)]
        if common is None:
            common = chain
        else:
            common = [one for one, other in zip(common, chain, strict=False) if one is other]
    return common[-1] if common else None


def _item_name(sample: Sample) -> str:
    which = "-".join(filter(None, [sample.variant, sample.locale]))
    return f"{sample.preview.name}[{which}]" if which else sample.preview.name


def _test(found: App, key: str) -> t.Callable[[pytest.FixtureRequest], None]:
    def test(request: pytest.FixtureRequest) -> None:
        app = _app_of(request, found)
        sample = previews_of(registration_of(app)).find(key)
        if sample is None:
            pytest.fail(
                f"The app of the fixture 'app' has no preview {key!r}: import its module in the"
                " function that creates the app.",
                pytrace=False,
            )
        if wrong := _wrong(render(app, sample)):
            pytest.fail(wrong, pytrace=False)

    return test


def _app_of(request: pytest.FixtureRequest, found: App) -> App:
    """Return the app of the fixture ``app``, with its configuration for tests, or else *found*."""
    try:
        app: App = request.getfixturevalue("app")
    except pytest.FixtureLookupError as error:
        if error.argname != "app":
            raise  # the fixture exists, but one that it needs does not
        return found
    return app


def _wrong(rendered: Rendered) -> str:
    """Return what is wrong with a sample, or "". pytest's summary shows only the first line."""
    label = rendered.sample.label
    if failure := rendered.failure:
        what = f"The preview {label} failed."
        return f"{failure.kind}: {failure.text}\n{what}\n\n{failure.lines}"
    if not rendered.findings:
        return ""
    rules = list(dict.fromkeys(finding.rule for finding in rendered.findings))
    lines = [
        f"{', '.join(rules)}: lint found this in {label}\n",
        *(f"  {found}\n      {found.why}\n      {found.link}" for found in rendered.findings),
        f"\nIf a rule does not apply to this mail, write @mail.preview(..., allow={rules!r}).",
    ]
    return "\n".join(lines)
