"""A form that sends mail, a server that keeps it, and the mailbox, all in this process.

``python app.py`` prints the address of the mailbox. With ONCE=1 in the environment, it sends one
message through the form, checks that it has arrived, prints the report and exits.
"""

from __future__ import annotations

import atexit
import email
import email.policy
import os
import sys
import tempfile
import typing as t
from pathlib import Path

from flask import abort
from flask import Flask
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from werkzeug import Response
from werkzeug.serving import make_server

from flask_mailhandler import Attachment
from flask_mailhandler import DeliveryError
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import Report
from flask_mailhandler.cli.catcher import Catcher
from flask_mailhandler.cli.catcher import Caught

mail = Mail()


class Postbox:
    """A mail server on a free port of this machine, and the folder where it keeps mail."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="demo-mail-")
        self._names: dict[str, str] = {}
        self.folder = Path(self._folder.name)
        self.reports: dict[str, Report] = {}
        """The report on each message, by the name of its files."""
        self.server = Catcher(self._folder.name, caught=self._note).start()
        atexit.register(self.close)

    def _note(self, caught: Caught) -> None:
        self._names[caught.message_id] = caught.name

    def remember(self, report: Report) -> str:
        """Store a report, and return the name of its message's files."""
        name = self._names.pop(report.message_id)
        self.reports[name] = report
        return name

    def close(self) -> None:
        """Stop the server, and delete the mail that it keeps."""
        self.server.stop()
        self._folder.cleanup()


def create_app() -> Flask:
    """Create an app with its own postbox."""
    postbox = Postbox()
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 10_000_000
    app.config["MAIL_URL"] = f"smtp://{postbox.server.host}:{postbox.server.port}"
    app.config["MAIL_DEFAULT_FROM"] = "Flask-MailHandler <demo@example.com>"
    # The page shows the mail that the server keeps.
    app.config["MAIL_FOLDER"] = str(postbox.folder)
    app.config["MAIL_MAILBOX"] = True
    mail.init_app(app)
    app.extensions["postbox"] = postbox

    @app.get("/")
    def form() -> str:
        return render_template("form.html", values={}, postbox=postbox)

    @app.post("/")
    def send() -> Response | tuple[str, int]:
        try:
            report = mail.send(compose())
        except (MessageError, DeliveryError) as error:
            page = render_template(
                "form.html", values=request.form, postbox=postbox, error=str(error)
            )
            return page, 422
        return redirect(url_for("sent", name=postbox.remember(report)), 303)

    @app.get("/sent/<name>")
    def sent(name: str) -> str:
        report = postbox.reports.get(name) or abort(404)
        return render_template("sent.html", name=name, report=report, postbox=postbox)

    @app.after_request
    def allow_own_files(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
            " form-action 'self'; frame-ancestors 'none'"
        )
        return response

    return app


@mail.allow_mailbox
def allow_all() -> bool:
    """Allow all visitors to view the mailbox, though the demo is not in debug mode."""
    return True


def compose() -> Message:
    """Return the message of the form: text, HTML and attachments."""
    text = request.form.get("text", "")
    return Message(
        to=request.form.get("to", ""),
        subject=request.form.get("subject", ""),
        text=text,
        html=render_template("mail.html", text=text),
        attachments=[
            Attachment(file.read(), filename=file.filename, mimetype=file.mimetype)
            for file in request.files.getlist("attachment")
            if file.filename
        ],
    )


def send_once(app: Flask) -> int:
    """Send a message through the form, print whether it has arrived, and return the exit code."""
    given = {
        "to": "Ann <ann@example.com>",
        "subject": "Grüße 🙂",
        "text": "Hello Ann,\nit works!\n",
    }
    file = Path(__file__)
    with file.open("rb") as attached:
        form = {**given, "attachment": (attached, file.name)}
        response = app.test_client().post("/", data=form)
    postbox = t.cast(Postbox, app.extensions["postbox"])
    name = response.location.rpartition("/")[2] if response.location else ""
    if name not in postbox.reports:
        print("The message did not arrive:", response.text, sep="\n", file=sys.stderr)
        return 1
    octets = postbox.folder.joinpath(f"{name}.eml").read_bytes()
    message = email.message_from_bytes(octets, policy=email.policy.default)
    body = message.get_body(("plain",))
    text = "" if body is None else body.get_content().replace("\r\n", "\n")
    files = [(part.get_filename(), len(_octets(part))) for part in message.iter_attachments()]
    report = postbox.reports[name]
    print(f"Sent by SMTP to {postbox.server.host}:{postbox.server.port}, and arrived:\n")
    for field, value in message.items():
        print(f"  {field}: {value}")
    print("", *(f"  {line}" for line in text.splitlines()), "", sep="\n")
    for filename, size in files:
        print(f"  [{filename}, {size} octets]")
    print(f"\n{report}", *report.outcomes, sep="\n")
    as_sent = (
        report.ok
        and message["Subject"] == given["subject"]
        and text == given["text"]
        and files == [(file.name, file.stat().st_size)]
    )
    print(
        "\nEverything has arrived as it was sent."
        if as_sent
        else "\nIt differs from what was sent."
    )
    return 0 if as_sent else 1


def _octets(part: t.Any) -> bytes:
    return t.cast(bytes, part.get_payload(decode=True))


@mail.preview("Welcome")
def greeting(address: str = "http://127.0.0.1:5000/") -> Message:
    """The message that is in the mailbox at the start."""
    html = render_template("welcome.html", address=address)
    return Message(to="you@example.com", subject="Welcome to your mailbox", html=html)


def welcome(app: Flask, address: str) -> None:
    """Send the first message, so the mailbox is not empty."""
    with app.app_context():
        mail.send(greeting(address))


def main() -> int:
    """Run the demo."""
    app = create_app()
    if os.environ.get("ONCE") == "1":
        return send_once(app)
    server = make_server("127.0.0.1", int(os.environ.get("PORT", "0")), app, threaded=True)
    address = f"http://127.0.0.1:{server.port}/"
    welcome(app, address)
    print(
        f"Open the mailbox at {address}_mail/ in your browser, and send a message from {address}"
        "\nCtrl-C ends the demo.",
        flush=True,
    )
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
