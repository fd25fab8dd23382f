"""The mailbox alone, for ``flask mail catch``: an HTTP server on this machine, in a thread."""

from __future__ import annotations

import errno
import socket
import threading
import typing as t

from flask import Flask
from flask import redirect
from flask import url_for
from werkzeug import Response
from werkzeug.serving import make_server
from werkzeug.serving import WSGIRequestHandler

from ..errors import ConfigurationError
from .register import register

HOST = "127.0.0.1"
PORT = 8025
"""The default port. If it is in use, any free port is used instead."""


class LocalServer:
    """Serves the mailbox of a folder until the end of its ``with`` block::

        with LocalServer("mail") as server:
            print(server.url)

    :param port: None for :data:`PORT` or any free port, 0 for any free port.
    :param about: A text for the empty list.
    :raises ConfigurationError: if it cannot listen on the port.
    """

    def __init__(self, folder: str, port: int | None = None, about: str = "") -> None:
        with _listener(port) as listener:
            self._server = make_server(
                HOST,
                0,
                _app(folder, about),
                threaded=True,
                request_handler=_Silent,
                fd=listener.fileno(),
            )
        self.url: str = f"http://{HOST}:{self._server.port}/_mail/"
        # A daemon, so that a program that is killed inside the block can exit.
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="mailbox", daemon=True
        )

    def __enter__(self) -> t.Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Do not print requests between the lines about messages."""


def _app(folder: str, about: str) -> Flask:
    app = Flask("flask_mailhandler.pages", static_folder=None)
    # A client on this machine may see the folder; see access.
    register(app, folder, agrees=lambda: True, about=about)

    @app.get("/")
    def start() -> Response:
        return redirect(url_for("mailhandler.inbox"))

    return app


def _listener(port: int | None) -> socket.socket:
    try:
        return socket.create_server((HOST, PORT if port is None else port))
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return socket.create_server((HOST, 0))
        raise ConfigurationError(
            f"The page cannot listen on {HOST}:{port}: {error.strerror}. Choose another port with"
            " --page-port."
        ) from error
