"""``pytest --mail-previews``: every preview is a test that makes it and lints it."""

from __future__ import annotations

import os
import sys
import types
import typing as t
from collections.abc import Iterable
from collections.abc import Sequence

import pytest
from flask import Flask
from flask.cli import ScriptInfo

from ...app.current import NAME
from ...app.current import registration_of
from ...previews.preview import previews_of
from ...previews.preview import Sample
from ...previews.rendering import render
from ...previews.rendering import Rendered

_NAME = "mail-previews"


def items(session: pytest.Session, others: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Collect a test for each sample of the app that Flask finds, as ``flask`` does.

    :param others: The tests that were collected. Those of the previews see the fixtures that these
        have in common, with preference for those that use ``app``.
    :raises UsageError: if there is no such app.
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
    # So that they are counted when pytest says how many it has collected.
    report = pytest.CollectReport(_NAME, "passed", None, [*found])
    session.ihook.pytest_collectreport(report=report)
    return found


class MailPreviews(pytest.Module):
    """Stands for a file of tests, because fixtures may be made once for each."""

    def _getobj(self) -> types.ModuleType:
        return sys.modules[__name__]


def _find_app(config: pytest.Config) -> Flask:
    path = config.getini("mail_previews_app") or os.environ.get("FLASK_APP")
    try:
        app = ScriptInfo(app_import_path=path, set_debug_flag=False).load_app()
    except Exception as error:
        raise pytest.UsageError(
            f"--mail-previews cannot make the app: {type(error).__name__}: {error}\nIt is named as"
            " for 'flask --app': by mail_previews_app in pytest's configuration, or FLASK_APP."
        ) from error
    if NAME not in app.extensions:
        raise pytest.UsageError(f"--mail-previews: the app {app.name!r} has no Mail.")
    return app


def _folder(tests: Iterable[pytest.Item]) -> pytest.Directory | None:
    """The deepest folder that all tests are in."""
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


def _test(found: Flask, key: str) -> t.Callable[[pytest.FixtureRequest], None]:
    def test(request: pytest.FixtureRequest) -> None:
        app = _app_of(request, found)
        sample = previews_of(registration_of(app)).find(key)
        if sample is None:
            pytest.fail(
                f"The app of the fixture 'app' has no preview {key!r}: import its module in the"
                " function that makes the app.",
                pytrace=False,
            )
        if told := _told(render(app, sample)):
            pytest.fail(told, pytrace=False)

    return test


def _app_of(request: pytest.FixtureRequest, found: Flask) -> Flask:
    """The app of the fixture, which has a configuration for tests; without one, what was found."""
    try:
        app: Flask = request.getfixturevalue("app")
    except pytest.FixtureLookupError as error:
        if error.argname != "app":
            raise  # there is an app, and what it needs is not there
        return found
    return app


def _told(rendered: Rendered) -> str:
    """What is wrong with a sample, for a person; "" if nothing is. The first line is all that the
    summary shows."""
    label = rendered.sample.label
    if failure := rendered.failure:
        what = f"The preview {label} cannot be made."
        return f"{failure.kind}: {failure.text}\n{what}\n\n{failure.lines}"
    if not rendered.findings:
        return ""
    rules = list(dict.fromkeys(finding.rule for finding in rendered.findings))
    lines = [
        f"{', '.join(rules)}: what the readers of {label} would find wrong\n",
        *(f"  {found}\n      {found.why}\n      {found.link}" for found in rendered.findings),
        f"\nIf a rule does not hold for this mail, write @mail.preview(..., allow={rules!r}).",
    ]
    return "\n".join(lines)
