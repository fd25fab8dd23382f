"""The command line, ``flask mail``: what can be written. What is done stands in a module of
each command's name, which is imported when the command is run."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

import click

if t.TYPE_CHECKING:
    from .in_force import InForce

_Function: t.TypeAlias = Callable[..., t.Any]
_Decorator: t.TypeAlias = Callable[[_Function], _Function]


def group(name: str) -> click.Group:
    """The commands of an app, for ``app.cli``.

    :param name: Of the group: ``mail`` in ``flask mail send``.
    """
    from flask.cli import with_appcontext

    from .queue_group import queue_commands
    from .queue_group import worker_command

    using = click.option("--using", metavar="ACCOUNT", help="The account of MAIL_ACCOUNTS.")
    mail = _group(name, lambda function: using(with_appcontext(function)), with_appcontext)
    mail.add_command(_preview_command(with_appcontext))
    mail.add_command(
        queue_commands(lambda function: using(with_appcontext(function)), _run_in("queue"))
    )
    mail.add_command(worker_command(with_appcontext, _run_in("worker")))
    return mail


def alone() -> click.Group:
    """The same without an app, for ``python -m flask_mailhandler``."""
    return _group(
        "python -m flask_mailhandler",
        click.option(
            "--url",
            envvar="MAIL_URL",
            show_envvar=True,
            help="Where mail goes, such as smtps://ann%40example.com@smtp.example.com; a"
            " password that it leaves out is asked for.",
        ),
        lambda function: function,
    )


def _group(name: str, by: _Decorator, within: _Decorator) -> click.Group:
    mail = click.Group(name, help="Send mail, see whether it can be sent, or catch it.")
    mail.add_command(_send_command(by))
    mail.add_command(_check_command(by))
    mail.add_command(_catch_command(within))
    return mail


def _send_command(by: _Decorator) -> click.Command:
    @click.command("send")
    @click.option("--to", multiple=True, metavar="ADDRESS", help="A recipient; may be repeated.")
    @click.option("--cc", multiple=True, metavar="ADDRESS", help="Gets a copy.")
    @click.option("--bcc", multiple=True, metavar="ADDRESS", help="Gets a copy, unseen.")
    @click.option("--from", "from_addr", metavar="ADDRESS", help="The sender.")
    @click.option("--subject", help="The subject.")
    @click.option("--text", help="The text; '-', or to leave it out, is what is piped in.")
    @click.option("--html", metavar="FILE", help="The same as HTML.")
    @click.option("--attach", multiple=True, metavar="FILE", help="A file; may be repeated.")
    @by
    def send(using: str | None = None, url: str | None = None, **arguments: t.Any) -> None:
        """Send a message, and print what became of each recipient.

        What is left out is asked for. The exit code is 0 if everybody was accepted.
        """
        with _errors_in_one_line():
            from .send import Arguments
            from .send import send

            _exit(send(_in_force(using, url), Arguments(**arguments)))

    return send


def _check_command(by: _Decorator) -> click.Command:
    @click.command("check")
    @click.option("--to", metavar="ADDRESS", help="A recipient to ask the server about.")
    @by
    def check(to: str | None, using: str | None = None, url: str | None = None) -> None:
        """See which settings are in force, and try them without sending.

        The exit code is 0 if the server would take a message.
        """
        with _errors_in_one_line():
            from .check import check

            _exit(check(_in_force(using, url), to))

    return check


def _catch_command(within: _Decorator) -> click.Command:
    @click.command("catch")
    @click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
    @click.option("--port", default=2525, show_default=True, type=click.IntRange(0, 65535))
    @click.option("--folder", help="Where messages are kept; that of the app's mailbox, or 'mail'.")
    @click.option(
        "--page-port",
        type=click.IntRange(0, 65535),
        help="Where the page is served on this machine; 8025, or any other if that is taken.",
    )
    @click.option(
        "--keep",
        type=click.IntRange(1, 100_000),
        help="How many messages are kept in the folder; MAIL_MAILBOX_MESSAGES, or 200.",
    )
    @click.option(
        "--size",
        default=33_554_432,
        show_default=True,
        type=click.IntRange(1),
        help="The octets of the largest message.",
    )
    @click.option(
        "--dangerously-listen-on-network",
        is_flag=True,
        help="Allow a host that is not this machine: anybody who reaches it may fill the folder.",
    )
    @within
    def catch(**arguments: t.Any) -> None:
        """Keep every message that is sent here, and send none of them on.

        A server for development, with a page that shows the messages. Any login is accepted.
        """
        with _errors_in_one_line():
            from .catch import catch

            catch(**arguments)

    return catch


def _preview_command(within: _Decorator) -> click.Command:
    @click.command("preview")
    @click.option("--export", metavar="FOLDER", help="Write them into a folder, for a browser.")
    @within
    def preview(export: str | None) -> None:
        """List the previews of the app, or write their pages as files.

        The exit code is 0 if every preview that was written could be made.
        """
        with _errors_in_one_line():
            from .preview import list_previews
            from .preview import write_previews

            _exit(list_previews() if export is None else write_previews(export))

    return preview


def _run_in(module: str) -> Callable[..., None]:
    """What calls a function of a module that is imported only then."""

    def run(name: str, *arguments: t.Any) -> None:
        import importlib

        with _errors_in_one_line():
            _exit(getattr(importlib.import_module(f".{module}", __name__), name)(*arguments))

    return run


def _in_force(using: str | None, url: str | None) -> InForce:
    from .in_force import of_app
    from .in_force import of_url

    # A URL, though None, is for who has no app.
    return of_app(using) if "url" not in click.get_current_context().params else of_url(url)


def _exit(code: int) -> None:
    click.get_current_context().exit(code)


@contextlib.contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """Say what is wrong as click does, without a traceback."""
    from ..errors import MailError
    from ..handlers.console import visible

    try:
        yield
    except MailError as error:
        raise click.ClickException(visible(str(error))) from error
