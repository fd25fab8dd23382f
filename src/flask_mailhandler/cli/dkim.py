"""``flask mail dkim``: a new key, and the TXT records of the keys in the configuration."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..app.current import registration
from ..errors import ConfigurationError
from ..handlers.dkim_keys import read_selector
from ..secret import Secret
from .deliverability.records import key_record
from .deliverability.sender import keys_of
from .deliverability.sender import signer_of
from .in_force import accounts_of_app


def new(selector: str, ed25519: bool, file: str | None, using: str | None) -> int:
    """Write a private key into a new file, and print what to do with it.

    :param file: The path, or None for the selector's name in the current folder.
    """
    account = registration().settings.account(using)
    read_selector(selector, "SELECTOR")
    try:
        from ..mime.dkim.key import new_key

        key, pem = new_key(selector, ed25519)
    except ImportError as error:
        raise ConfigurationError(
            "A DKIM key needs cryptography: pip install 'Flask-MailHandler[dkim]'."
        ) from error
    path = Path(f"{selector}.pem" if file is None else file).absolute()
    _write(path, pem)
    click.echo(f"Wrote {path}, the private key {key.description}. Only you can read it.\n")
    click.echo("1.  Publish this TXT record:\n")
    click.echo(key_record(key, signer_of(account)))
    click.echo("\n2.  When it is in the DNS, add the key to the configuration:\n")
    click.echo(f"MAIL_DKIM_KEYS = {{{selector!r}: {os.fspath(path)!r}}}")
    return 0


def records(using: str | None) -> int:
    """Print the record of each key, of one account or of all.

    :return: The exit code: 1 if there is no key.
    """
    found = [
        key_record(key, signer_of(account))
        for account in accounts_of_app(using)
        for key in keys_of(account)
    ]
    for text in dict.fromkeys(found):
        click.echo(text)
    if not found:
        none = "MAIL_DKIM_KEYS is not set, so mail is not signed. Make a key: flask mail dkim new"
        click.echo(registration().framework.wording(f"{none} SELECTOR"), err=True)
    return int(not found)


def _write(path: Path, pem: Secret) -> None:
    """Write a file that only its owner can read, and that is not there yet."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(handle, "wb") as file:
            os.fchmod(handle, 0o600)  # whatever the umask is
            file.write(pem.octets())
    except FileExistsError:
        raise click.ClickException(
            f"{path} exists and was not changed. Choose another selector, or another --file."
        ) from None
    except OSError as error:
        raise click.ClickException(
            f"{path} cannot be written: {error.strerror or error}"
        ) from error
