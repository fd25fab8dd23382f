"""A form that sends mail to a server which keeps it, both in this process.

``python app.py`` prints the address of the page. With ONCE=1 in the environment it sends one
message through the form, looks whether it has arrived, prints the report and ends.
"""

from __future__ import annotations

import atexit
import email.policy
import os
import sys
import tempfile
import typing as t
from dataclasses import dataclass
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
from flask_mailhandler.catcher import Catcher
from flask_mailhandler.catcher import Caught

if t.TYPE_CHECKING:
    from email.message import EmailMessage

mail = Mail()


@dataclass(frozen=True)
class Arrival:
    """What the server has kept, and what the sender was told."""

    report: Report
    caught: Caught
    message: EmailMessage

    @property
    def text(self) -> str:
        """What a reader without HTML sees."""
        part = self.message.get_body(("plain",))
        return "" if part is None else part.get_content().replace("\r\n", "\n")

    @property
    def attachments(self) -> list[tuple[str, str, int]]:
        """Name, type and octets of each."""
        return [
            (str(part.get_filename()), part.get_content_type(), len(_octets(part)))
            for part in self.message.iter_attachments()
        ]


def _octets(part: t.Any) -> bytes:
    return t.cast(bytes, part.get_payload(decode=True))


class Postbox:
    """A mail server on a free port of this machine, and what has arrived there."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="demo-mail-")
        self._caught: dict[str, Caught] = {}
        self.arrivals: dict[str, Arrival] = {}
        self.server = Catcher(self._folder.name, caught=self._note).start()
        atexit.register(self.close)

    def _note(self, caught: Caught) -> None:
        self._caught[caught.message_id] = caught

    def find(self, report: Report) -> str:
        """Find the message that was reported on; its name."""
        caught = self._caught.pop(report.message_id)
        octets = Path(self._folder.name, f"{caught.name}.eml").read_bytes()
        message = email.message_from_bytes(octets, policy=email.policy.default)
        self.arrivals[caught.name] = Arrival(report, caught, message)
        return caught.name

    def close(self) -> None:
        """End the server, and forget what it has kept."""
        self.server.stop()
        self._folder.cleanup()


def create_app() -> Flask:
    """An app with a postbox of its own."""
    postbox = Postbox()
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 10_000_000
    app.config["MAIL_URL"] = f"smtp://{postbox.server.host}:{postbox.server.port}"
    app.config["MAIL_DEFAULT_FROM"] = "Flask-MailHandler <demo@example.com>"
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
        return redirect(url_for("show", name=postbox.find(report)), 303)

    @app.get("/arrived/<name>")
    def show(name: str) -> str:
        arrival = postbox.arrivals.get(name) or abort(404)
        return render_template("arrival.html", arrival=arrival, postbox=postbox)

    @app.after_request
    def allow_no_scripts(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'"
        )
        return response

    return app


def compose() -> Message:
    """The message of the form: text, HTML, and what is attached."""
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
    """Send a message by the form, say whether it has arrived, and return the exit code."""
    sent = {"to": "Ann <ann@example.com>", "subject": "Grüße 🙂", "text": "Hello Ann,\nit works!\n"}
    file = Path(__file__)
    with file.open("rb") as attached:
        form = {**sent, "attachment": (attached, file.name)}
        response = app.test_client().post("/", data=form)
    postbox = t.cast(Postbox, app.extensions["postbox"])
    arrival = postbox.arrivals.get(
        response.location.rpartition("/")[2] if response.location else ""
    )
    if arrival is None:
        print("The message did not arrive:", response.text, sep="\n", file=sys.stderr)
        return 1
    print(f"Sent by SMTP to {postbox.server.host}:{postbox.server.port}, and arrived:\n")
    for name, value in arrival.message.items():
        print(f"  {name}: {value}")
    print("", *(f"  {line}" for line in arrival.text.splitlines()), "", sep="\n")
    for name, mimetype, size in arrival.attachments:
        print(f"  [{name}, {mimetype}, {size} octets]")
    print(f"\n{arrival.report}", *arrival.report.outcomes, sep="\n")
    as_sent = (
        arrival.report.ok
        and arrival.message["Subject"] == sent["subject"]
        and arrival.text == sent["text"]
        and [(name, size) for name, _, size in arrival.attachments]
        == [(file.name, file.stat().st_size)]
    )
    print("\nEverything has arrived as it was sent." if as_sent else "\nIt is not what was sent.")
    return 0 if as_sent else 1


def main() -> int:
    """Run the demo."""
    app = create_app()
    if os.environ.get("ONCE") == "1":
        return send_once(app)
    server = make_server("127.0.0.1", int(os.environ.get("PORT", "0")), app, threaded=True)
    print(
        f"Open http://127.0.0.1:{server.port}/ in your browser. Ctrl-C ends the demo.", flush=True
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
