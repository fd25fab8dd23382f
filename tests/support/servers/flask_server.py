"""A Flask app served over HTTP, for a browser."""

from __future__ import annotations

import contextlib
import threading
import typing as t

from werkzeug.serving import make_server
from werkzeug.serving import WSGIRequestHandler

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Print nothing."""


@contextlib.contextmanager
def served(app: Flask, handler: type[WSGIRequestHandler] = _Silent) -> Iterator[str]:
    """Serve an app on a free port of this machine, and yield its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
