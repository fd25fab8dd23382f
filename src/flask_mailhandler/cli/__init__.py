"""The command line, ``flask mail``: its commands and options. What a command does is in a module of
its name, which is imported when the command runs.

::

    group (an app), alone (no app) ─┬─ send      in_force, ask
                                    ├─ check     in_force, check_session, check_live,
                                    │            check_unsubscribe, check_webhooks, answered,
                                    │            deliverability, production
                                    ├─ catch     catcher, aiosmtpd_use
                                    ├─ bounce_command, piped ── bounce, lmtp, bounce_imap,
                                    │                           imap_session, imap_client
                                    ├─ preview
                                    ├─ new       new_names, new_files
                                    ├─ dkim_group ─── dkim
                                    ├─ suppressed_group ── suppressed
                                    └─ queue_group ── queue, queue_choice, queue_health, worker
                                       table   prints columns
"""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

import click

if t.TYPE_CHECKING:
    from .in_force import InForce

_HELP = "Send mail, check whether it can be sent, or catch it."
_Function: t.TypeAlias = Callable[..., t.Any]
_Decorator: t.TypeAlias = Callable[[_Function], _Function]


def group(name: str, within: _Decorator) -> click.Group:
    """Return the commands of an app, for ``app.cli``.

    :param name: The name of the group: ``mail`` in ``flask mail send``.
    :param within: Makes a function run in a context of the app.
    """
    return _Group(name, within)


class _Group(click.Group):
    """Makes its commands when they are asked for: a process that serves requests has no use for
    them, and making them takes 2 ms."""

    def __init__(self, name: str, within: _Decorator) -> None:
        super().__init__(name, help=_HELP)
        self._within = within

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        self._fill()
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._fill()
        return super().list_commands(ctx)

    def _fill(self) -> None:
        if "send" not in self.commands:
            self.commands = {**_of_app(self._within).commands, **self.commands}


def _of_app(within: _Decorator) -> click.Group:
    from .bounce_command import bounce_command
    from .dkim_group import dkim_commands
    from .queue_group import health_command
    from .queue_group import queue_commands
    from .queue_group import worker_command
    from .suppressed_group import suppressed_commands

    using = click.option("--using", metavar="ACCOUNT", help="The account of MAIL_ACCOUNTS.")

    def by(function: _Function) -> _Function:
        return using(within(function))

    mail = _group("mail", by, within)
    mail.add_command(_preview_command(within))
    mail.add_command(_new_command(within))
    queue = queue_commands(by, _run_in("queue"))
    queue.add_command(health_command(by, _run_in("queue_health")))
    mail.add_command(queue)
    mail.add_command(bounce_command(within))
    mail.add_command(dkim_commands(by, _run_in("dkim")))
    mail.add_command(suppressed_commands(within, _run_in("suppressed")))
    mail.add_command(worker_command(within, _run_in("worker")))
    return mail


def alone() -> click.Group:
    """Return the commands that need no app, for ``python -m flask_mailhandler``."""
    return _group(
        "python -m flask_mailhandler",
        click.option(
            "--url",
            envvar="MAIL_URL",
            show_envvar=True,
            help="Where to send mail, such as smtps://ann%40example.com@smtp.example.com. If it"
            " has no password, you are asked for it.",
        ),
        lambda function: function,
    )


def _group(name: str, by: _Decorator, within: _Decorator) -> click.Group:
    mail = click.Group(name, help=_HELP)
    mail.add_command(_send_command(by))
    mail.add_command(_check_command(by))
    mail.add_command(_catch_command(within))
    return mail


def _send_command(by: _Decorator) -> click.Command:
    @click.command("send")
    @click.option("--to", multiple=True, metavar="ADDRESS", help="A recipient; can be repeated.")
    @click.option("--cc", multiple=True, metavar="ADDRESS", help="A recipient of a copy.")
    @click.option("--bcc", multiple=True, metavar="ADDRESS", help="A recipient of a blind copy.")
    @click.option("--from", "from_addr", metavar="ADDRESS", help="The sender.")
    @click.option("--subject", help="The subject.")
    @click.option("--text", help="The text; '-', or no --text, reads it from standard input.")
    @click.option("--html", metavar="FILE", help="A file with the same text as HTML.")
    @click.option("--attach", multiple=True, metavar="FILE", help="An attachment; can be repeated.")
    @by
    def send(using: str | None = None, url: str | None = None, **arguments: t.Any) -> None:
        """Send a message, and print the outcome for each recipient.

        On a terminal you are asked for what you leave out. The exit code is 0 if every recipient
        was accepted.
        """
        with _errors_in_one_line():
            from .send import Arguments
            from .send import send

            _exit(send(_in_force(using, url), Arguments(**arguments)))

    return send


def _check_command(by: _Decorator) -> click.Command:
    @click.command("check")
    @click.option("--to", metavar="ADDRESS", help="A recipient to ask the server about.")
    @click.option("--live", is_flag=True, help="Send one message to --to, and print the answer.")
    @click.option("--dns", is_flag=True, help="Check DKIM, DMARC, SPF and MX records instead.")
    @click.option("--offline", is_flag=True, help="Print the DNS records to publish instead.")
    @click.option("--ip", metavar="IP", help="With --dns or --offline: the IP address that sends.")
    @click.option("--production", is_flag=True, help="Tick off the checklist for production.")
    @click.option("--nameserver", metavar="IP[:PORT]", help="With --dns: the server to ask.")
    @by
    def check(using: str | None = None, url: str | None = None, **options: t.Any) -> None:
        """Show the settings in force, and try them. Only --live sends.

        The exit code is 0 if the server would accept a message, or with --live, if it did; with
        --dns, if no check failed; with --production, if nothing is to do.
        """
        with _errors_in_one_line():
            from .check import check
            from .deliverability.options import read_options

            if options.pop("production"):
                from .production.options import run_production

                _exit(run_production(using, **options))
            dns = read_options(**options)
            if dns is None:
                _exit(check(_in_force(using, url), options["to"], live=options["live"]))
            else:
                _exit(dns.run(using, url))

    return check


def _catch_command(within: _Decorator) -> click.Command:
    @click.command("catch")
    @click.option("--host", default="127.0.0.1", show_default=True, help="The host to listen on.")
    @click.option("--port", default=2525, show_default=True, type=click.IntRange(0, 65535))
    @click.option("--folder", help="The folder. Default: that of the app's mailbox, or 'mail'.")
    @click.option(
        "--page-port",
        type=click.IntRange(0, 65535),
        help="The port of the page on this machine. Default: 8025, or a free one if it is taken.",
    )
    @click.option(
        "--keep",
        type=click.IntRange(1, 100_000),
        help="How many messages the folder keeps. Default: MAIL_MAILBOX_MESSAGES, or 200.",
    )
    @click.option(
        "--size",
        default=33_554_432,
        show_default=True,
        type=click.IntRange(1),
        help="The size of the largest message, in octets.",
    )
    @click.option(
        "--dangerously-listen-on-network",
        is_flag=True,
        help="Allow a host that other machines can reach: they can fill the folder.",
    )
    @within
    def catch(**arguments: t.Any) -> None:
        """Store every message sent to this server, and relay none.

        This is a server for development, with a page that shows the messages. It accepts any login.
        """
        with _errors_in_one_line():
            from .catch import catch

            catch(**arguments)

    return catch


def _preview_command(within: _Decorator) -> click.Command:
    @click.command("preview")
    @click.option("--export", metavar="FOLDER", help="Write pages into a folder, for a browser.")
    @within
    def preview(export: str | None) -> None:
        """List the previews of the app, or write their pages as files.

        The exit code is 0 if every preview could be made.
        """
        with _errors_in_one_line():
            from .preview import list_previews
            from .preview import write_previews

            _exit(list_previews() if export is None else write_previews(export))

    return preview


def _new_command(within: _Decorator) -> click.Command:
    @click.command("new")
    @click.argument("name")
    @click.option("--markdown", is_flag=True, help="Write one template in Markdown.")
    @within
    def new(name: str, markdown: bool) -> None:
        """Write a new mail: templates, code, a preview and a test.

        NAME is a word, or words with a slash after each group: account/welcome. No existing file
        is changed.
        """
        with _errors_in_one_line():
            from .new import new

            _exit(new(name, markdown))

    return new


def _run_in(module: str) -> Callable[..., None]:
    """Return a function that imports a module and calls a function of it."""

    def run(name: str, *arguments: t.Any, **options: t.Any) -> None:
        import importlib

        with _errors_in_one_line():
            function = getattr(importlib.import_module(f".{module}", __name__), name)
            _exit(function(*arguments, **options))

    return run


def _in_force(using: str | None, url: str | None) -> InForce:
    from .in_force import of_app
    from .in_force import of_url

    # Only the commands without an app have the parameter url, even if it is None.
    return of_app(using) if "url" not in click.get_current_context().params else of_url(url)


def _exit(code: int) -> None:
    click.get_current_context().exit(code)


@contextlib.contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """Print an error as Click does, without a traceback."""
    from ..app.flask_framework import FLASK
    from ..app.framework import current_app_object
    from ..app.framework import framework_of
    from ..errors import MailError
    from ..handlers.console import visible

    try:
        yield
    except MailError as error:
        app = current_app_object()
        framework = FLASK if app is None else framework_of(app)
        raise click.ClickException(visible(framework.wording(str(error)))) from error
