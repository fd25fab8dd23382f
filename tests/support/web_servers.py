"""The web servers that the app is tried on: how each is started and stopped, and what it promises.

``docs/deployment.rst`` shows the result for each.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import sys
import typing as t
from pathlib import Path

DRAINED = "drained"
"""All accepted mail has been sent when the server has ended."""
NEXT = "next"
"""Accepted mail may be left when the server has ended. The next process sends it at once."""

_PYTHON = (sys.executable, "-m")
_APACHE = Path("/usr/lib/apache2/modules")


@dataclasses.dataclass(frozen=True)
class WebServer:
    """A web server, and how it is run.

    :param name: What is shown for it.
    :param command: Its command. ``{socket}`` is the socket that it listens at, ``{port}`` a TCP
        port, ``{folder}`` the folder with ``shop.py``, and ``{grace}`` the seconds that it allows
        its processes at the end.
    :param promise: :data:`DRAINED` or :data:`NEXT`.
    :param package: The distribution whose version is shown.
    :param stop: The signal that stops it.
    :param end: Code at the end of ``shop.py``.
    :param files: Other files, by their name.
    """

    name: str
    command: tuple[str, ...]
    promise: str
    package: str
    stop: signal.Signals = signal.SIGTERM
    end: str = ""
    files: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def missing(self) -> str:
        """Why it cannot be run here, or ""."""
        if self.package == "apache2":
            return "" if (_APACHE / "mod_wsgi.so").exists() else "libapache2-mod-wsgi-py3"
        try:
            importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return self.package
        return ""

    @property
    def version(self) -> str:
        """Its version."""
        if self.package == "apache2":
            return "Debian's"
        return importlib.metadata.version(self.package)

    def __str__(self) -> str:
        return self.name


# asgiref makes an ASGI app of the Flask app.
_ASGI = """
from asgiref.wsgi import WsgiToAsgi
asgi = WsgiToAsgi(app)
"""
_A2WSGI = """
from a2wsgi import WSGIMiddleware
asgi = WSGIMiddleware(app, workers=10)
"""
# Python runs its atexit hooks only if a signal raises an exception, or is handled otherwise.
EXIT_ON_SIGTERM = """
import signal
import sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
"""
_PYWSGI = """
import gevent
import signal
from gevent import pywsgi
from gevent import socket

if __name__ == "__main__":
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.environ["SOCKET"])
    listener.listen(128)
    server = pywsgi.WSGIServer(listener, app, log=None)
    gevent.signal_handler(signal.SIGTERM, server.stop, 10)
    server.serve_forever()
"""
_APACHE_CONF = """
ServerRoot "{folder}"
ServerName localhost
PidFile "{folder}/apache.pid"
Listen 127.0.0.1:{port}
ErrorLog "{folder}/apache.log"
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule wsgi_module /usr/lib/apache2/modules/mod_wsgi.so
WSGISocketPrefix "{folder}/wsgi"
WSGIRestrictEmbedded On
WSGIDaemonProcess shop processes=2 threads=15 {options} user={user} python-path={path}
WSGIScriptAlias / "{folder}/shop.wsgi" process-group=shop application-group=%{{GLOBAL}}
<Directory "{folder}">
    Require all granted
</Directory>
"""


def _gunicorn(*options: str) -> tuple[str, ...]:
    common = ("gunicorn", "--bind", "unix:{socket}", "--graceful-timeout", "{grace}")
    return (*_PYTHON, *common, *options, "shop:app")


def _uwsgi(*options: str) -> tuple[str, ...]:
    uwsgi = str(Path(sys.executable).with_name("uwsgi"))
    common = ("--http-socket", "{socket}", "--module", "shop:app", "--home", sys.prefix)
    return (uwsgi, "--master", "--die-on-term", *common, *options)


_SERVE = """
import os
import signal
import sys

import uvicorn

signal.signal(signal.SIGTERM, lambda *_: sys.exit())

if __name__ == "__main__":
    uvicorn.run("shop:asgi", uds=os.environ["SOCKET"], workers=2)
"""


SERVERS = (
    WebServer("gunicorn sync", _gunicorn("--workers", "4"), DRAINED, "gunicorn"),
    WebServer(
        "gunicorn gthread", _gunicorn("--workers", "2", "--threads", "8"), DRAINED, "gunicorn"
    ),
    WebServer(
        "gunicorn --preload",
        _gunicorn("--workers", "2", "--threads", "8", "--preload"),
        DRAINED,
        "gunicorn",
    ),
    WebServer(
        "gunicorn gevent",
        _gunicorn("--workers", "2", "--worker-class", "gevent"),
        DRAINED,
        "gunicorn",
    ),
    WebServer(
        "granian",
        (
            *(*_PYTHON, "granian", "--interface", "wsgi", "--uds", "{socket}", "--workers", "2"),
            *("--blocking-threads", "8", "shop:app"),
        ),
        DRAINED,
        "granian",
    ),
    WebServer(
        "uvicorn, asgiref",
        (*_PYTHON, "uvicorn", "--uds", "{socket}", "--workers", "2", "shop:asgi"),
        DRAINED,
        "uvicorn",
        end=_ASGI,
    ),
    WebServer(
        "uvicorn, a2wsgi",
        (*_PYTHON, "uvicorn", "--uds", "{socket}", "--workers", "2", "shop:asgi"),
        DRAINED,
        "uvicorn",
        end=_A2WSGI,
    ),
    WebServer(
        "hypercorn",
        (*_PYTHON, "hypercorn", "--bind", "unix:{socket}", "--workers", "2", "wsgi:shop:app"),
        NEXT,
        "hypercorn",
    ),
    WebServer(
        "hypercorn --graceful-timeout",
        (
            *(*_PYTHON, "hypercorn", "--bind", "unix:{socket}", "--workers", "2"),
            *("--graceful-timeout", "{grace}", "wsgi:shop:app"),
        ),
        NEXT,
        "hypercorn",
    ),
    WebServer(
        "waitress",
        (*_PYTHON, "waitress", "--unix-socket={socket}", "--threads=8", "shop:app"),
        NEXT,
        "waitress",
    ),
    WebServer(
        "waitress, SIGINT",
        (*_PYTHON, "waitress", "--unix-socket={socket}", "--threads=8", "shop:app"),
        DRAINED,
        "waitress",
        stop=signal.SIGINT,
    ),
    WebServer(
        "waitress, exit on SIGTERM",
        (*_PYTHON, "waitress", "--unix-socket={socket}", "--threads=8", "shop:app"),
        DRAINED,
        "waitress",
        end=EXIT_ON_SIGTERM,
    ),
    WebServer(
        "cheroot",
        (*_PYTHON, "cheroot", "--bind", "{socket}", "shop:app"),
        NEXT,
        "cheroot",
    ),
    WebServer(
        "cheroot, exit on SIGTERM",
        (*_PYTHON, "cheroot", "--bind", "{socket}", "shop:app"),
        DRAINED,
        "cheroot",
        end=EXIT_ON_SIGTERM,
    ),
    WebServer(
        "gevent.pywsgi",
        (sys.executable, "-c", "from gevent import monkey; monkey.patch_all(); import runpy; runpy.run_path('shop.py', run_name='__main__')"),
        DRAINED,
        "gevent",
        end=_PYWSGI,
    ),
    WebServer(
        "flask run",
        (*_PYTHON, "flask", "--app", "shop", "run", "--host", "unix://{socket}"),
        NEXT,
        "werkzeug",
    ),
    WebServer(
        "flask run, exit on SIGTERM",
        (*_PYTHON, "flask", "--app", "shop", "run", "--host", "unix://{socket}"),
        DRAINED,
        "werkzeug",
        end=EXIT_ON_SIGTERM,
    ),
    WebServer(
        "uWSGI graceful",
        _uwsgi("--processes", "2", "--threads", "8", "--hook-master-start", "unix_signal:15 gracefully_kill_them_all"),
        NEXT,
        "uwsgi",
    ),
    WebServer(
        "uvicorn script",
        (sys.executable, "serve.py"),
        DRAINED,
        "uvicorn",
        end=_ASGI,
        files={"serve.py": _SERVE},
    ),
    WebServer(
        "uvicorn-worker",
        (*_PYTHON, "gunicorn", "--bind", "unix:{socket}", "--workers", "2", "-k", "uvicorn_worker.UvicornWorker", "shop:asgi"),
        DRAINED,
        "uvicorn",
        end=_ASGI,
    ),
    WebServer(
        "hypercorn ignore",
        (*_PYTHON, "hypercorn", "--bind", "unix:{socket}", "--workers", "2", "wsgi:shop:app"),
        DRAINED,
        "hypercorn",
        end="import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n",
    ),
    WebServer(
        "hypercorn one",
        (*_PYTHON, "hypercorn", "--bind", "unix:{socket}", "--workers", "1", "wsgi:shop:app"),
        DRAINED,
        "hypercorn",
    ),
    WebServer("uWSGI", _uwsgi("--processes", "2", "--threads", "8"), NEXT, "uwsgi"),
    WebServer(
        "uWSGI --lazy-apps",
        _uwsgi("--processes", "2", "--threads", "8", "--lazy-apps"),
        NEXT,
        "uwsgi",
    ),
)
