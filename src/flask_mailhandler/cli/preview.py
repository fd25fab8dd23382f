"""``flask mail preview``: a list of the previews, and their pages as files."""

from __future__ import annotations

import typing as t
from pathlib import Path

import click

from ..app.current import app_in_context
from ..app.current import registration
from ..handlers.console import visible
from ..previews.preview import previews_of
from .table import print_table

if t.TYPE_CHECKING:
    from ..previews.preview import Preview
    from ..previews.rendering import Rendered


def list_previews() -> int:
    """Print the previews of the current app, one on a line.

    :return: The exit code.
    """
    previews = previews_of(registration())
    if not previews:
        click.echo(
            'There are no previews. Write @mail.preview("Account/Welcome") above a function that'
            " returns a message, and import its module where the app is created."
        )
        return 0
    print_table([(name, _samples(preview), preview.about) for name, preview in previews.items()])
    return 0


def write_previews(folder: str) -> int:
    """Write the pages, and print which previews failed and what lint found in the others.

    :return: The exit code: 0 if every preview could be made.
    """
    from ..pages.previews.export import export

    previews = previews_of(registration())
    try:
        made = export(app_in_context(), previews, Path(folder))
    except OSError as error:
        raise click.ClickException(
            f"{visible(folder)} cannot be written: {error.strerror or error}"
        ) from error
    failed = [rendered for rendered in made if rendered.failure]
    if told := [row for rendered in made for row in _told(rendered)]:
        print_table(told)
        click.echo()
    index = visible(str(Path(folder, "index.html")))
    click.echo(f"{len(made)} samples of {len(previews)} previews are in {index}.")
    if failed:
        click.echo(f"Error: {len(failed)} of {len(made)} could not be made.", err=True)
    return 1 if failed else 0


def _samples(preview: Preview) -> str:
    words = [", ".join(preview.variants), ", ".join(preview.locales)]
    return "; ".join(filter(None, words))


def _told(rendered: Rendered) -> t.Iterator[tuple[str, str, str]]:
    label, failure = rendered.sample.label, rendered.failure
    if failure:
        yield label, "failed", f"{failure.kind}: {failure.text}"
    for finding in rendered.findings:
        yield label, finding.severity, f"{finding.text} [{finding.rule}]"
