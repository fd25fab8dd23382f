"""The web servers that an app is tried on: how each is run and stopped, and what it promises.

``docs/deployment.rst`` shows the results.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import signal
import sys
import sysconfig
import typing as t
from pathlib import Path

DRAINED = "sent"
"""All accepted mail has been sent when the server has ended."""
NEXT = "left"
"""Accepted mail may be left when the server has ended. The next process sends it at once."""

_MODULES = Path("/usr/lib/apache2/modules")
_PYTHON = (sys.executable, "-m")


@dataclasses.dataclass(frozen=True)
class WebServer:
    """A web server, and how it is run.

    :param command: ``{socket}`` is the socket in the file system at which it listens, ``{port}``
        a TCP port, and ``{folder}`` the folder of the app.
    :param promise: :data:`DRAINED` or :data:`NEXT`.
    :param package: The distribution whose version is shown.
    :param setting: Which setting of the page is used, or "".
    :param stop: The signal that stops it.
    :param end: Code at the end of the app's module.
    :param files: Other files of the app.
    """

    command: tuple[str, ...]
    promise: str
    package: str
    setting: str = ""
    stop: signal.Signals = signal.SIGTERM
    end: str = ""
    files: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def missing(self) -> str:
        """What must be installed to run it, or ""."""
        if self.package == "mod_wsgi":
            found = (_MODULES / "mod_wsgi.so").exists()
            return "" if found else "apache2 libapache2-mod-wsgi-py3"
        return "" if self.version else self.package

    @property
    def version(self) -> str:
        """Its version, or ""."""
        if self.package == "mod_wsgi":
            return "Debian's"
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return ""


# Python runs its atexit hooks after an exception, but not after a signal that ends the process.
_EXIT_ON_SIGTERM = """
import signal
import sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit())
"""
_IGNORE_SIGTERM = """
import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""
_ASGI = """
from asgiref.wsgi import WsgiToAsgi

asgi = WsgiToAsgi(app)
"""
_A2WSGI = """
from a2wsgi import WSGIMiddleware

asgi = WSGIMiddleware(app, workers=10)
"""
# The same with the socket of the tests as on the page.
_UVICORN_SERVE = """
import os
import signal
import sys

import uvicorn

signal.signal(signal.SIGTERM, lambda *_: sys.exit())

if __name__ == "__main__":
    uvicorn.run("shop:asgi", uds=os.environ["SOCKET"], workers=2)
"""
_PYWSGI_SERVE = """
from gevent import monkey

monkey.patch_all()

import os
import signal

import gevent
from gevent import pywsgi
from gevent import socket

from shop import app

listener = socket.socket(socket.AF_UNIX)
listener.bind(os.environ["SOCKET"])
listener.listen(128)
server = pywsgi.WSGIServer(listener, app, log=None)
gevent.signal_handler(signal.SIGTERM, server.stop, 10)
server.serve_forever()
"""
# Debian's Python runs the app, with the packages of this one.
_SITE = sysconfig.get_path("purelib")
_APACHE = f"""
ServerRoot "{{folder}}"
ServerName localhost
PidFile "{{folder}}/apache.pid"
ErrorLog "{{folder}}/apache.log"
Listen 127.0.0.1:{{port}}
User www-data
Group www-data
LoadModule mpm_event_module {_MODULES}/mod_mpm_event.so
LoadModule authz_core_module {_MODULES}/mod_authz_core.so
LoadModule wsgi_module {_MODULES}/mod_wsgi.so
WSGISocketPrefix "{{folder}}/wsgi"
WSGIRestrictEmbedded On
WSGIDaemonProcess shop processes=2 threads=15 python-path={_SITE}
WSGIScriptAlias / "{{folder}}/shop.wsgi" process-group=shop application-group=%{{{{GLOBAL}}}}
<Directory "{{folder}}">
    Require all granted
</Directory>
"""


def _gunicorn(*options: str) -> tuple[str, ...]:
    return (*_PYTHON, "gunicorn", "--bind", "unix:{socket}", *options)


def _granian(*options: str) -> tuple[str, ...]:
    command = ("granian", "--interface", "wsgi", "--uds", "{socket}", "--blocking-threads", "8")
    return (*_PYTHON, *command, *options, "shop:app")


def _hypercorn(workers: int) -> tuple[str, ...]:
    command = ("hypercorn", "--bind", "unix:{socket}", "--workers", str(workers), "wsgi:shop:app")
    return (*_PYTHON, *command)


def _uwsgi(*options: str) -> tuple[str, ...]:
    uwsgi = str(Path(sys.executable).with_name("uwsgi"))
    common = ("--http-socket", "{socket}", "--module", "shop:app", "--home", sys.prefix)
    return (uwsgi, "--master", "--processes", "2", "--threads", "8", *common, *options)


_WAITRESS = (*_PYTHON, "waitress", "--unix-socket={socket}", "--threads=8", "shop:app")
_UVICORN = (*_PYTHON, "uvicorn", "--uds", "{socket}", "--workers", "2", "shop:asgi")
_CHEROOT = (*_PYTHON, "cheroot", "--bind", "{socket}", "shop:app")
_FLASK_RUN = (*_PYTHON, "flask", "--app", "shop", "run", "--host", "unix://{socket}")

SERVERS = {
    "gunicorn, sync": WebServer(_gunicorn("--workers=4", "shop:app"), DRAINED, "gunicorn"),
    "gunicorn, gthread": WebServer(
        _gunicorn("--workers=2", "--threads=8", "shop:app"), DRAINED, "gunicorn"
    ),
    "gunicorn, --preload": WebServer(
        _gunicorn("--workers=2", "--threads=8", "--preload", "shop:app"), DRAINED, "gunicorn"
    ),
    "gunicorn, gevent": WebServer(
        _gunicorn("--workers=2", "--worker-class=gevent", "shop:app"), DRAINED, "gunicorn"
    ),
    "gunicorn, uvicorn-worker": WebServer(
        _gunicorn("--workers=2", "--worker-class=uvicorn_worker.UvicornWorker", "shop:asgi"),
        NEXT,
        "uvicorn-worker",
        end=_ASGI,
    ),
    "granian": WebServer(
        _granian("--workers=2", "--workers-kill-timeout=20"), DRAINED, "granian"
    ),
    "uvicorn, asgiref": WebServer(_UVICORN, NEXT, "uvicorn", end=_ASGI),
    "uvicorn, a2wsgi": WebServer(_UVICORN, NEXT, "uvicorn", end=_A2WSGI),
    "uvicorn, serve.py": WebServer(
        (sys.executable, "serve.py"),
        DRAINED,
        "uvicorn",
        "serve.py",
        end=_ASGI,
        files={"serve.py": _UVICORN_SERVE},
    ),
    "hypercorn": WebServer(_hypercorn(2), NEXT, "hypercorn"),
    "hypercorn, one worker": WebServer(_hypercorn(1), DRAINED, "hypercorn"),
    "hypercorn, SIGTERM ignored": WebServer(
        _hypercorn(2), DRAINED, "hypercorn", "SIG_IGN", end=_IGNORE_SIGTERM
    ),
    "uWSGI": WebServer(_uwsgi("--die-on-term"), NEXT, "uwsgi"),
    "uWSGI, --lazy-apps": WebServer(_uwsgi("--die-on-term", "--lazy-apps"), NEXT, "uwsgi"),
    "uWSGI, hook": WebServer(
        _uwsgi("--hook-master-start", "unix_signal:15 gracefully_kill_them_all"),
        DRAINED,
        "uwsgi",
        "hook-master-start",
    ),
    "mod_wsgi": WebServer(
        ("/usr/sbin/apache2", "-f", "{folder}/apache.conf", "-D", "FOREGROUND"),
        NEXT,
        "mod_wsgi",
        files={"apache.conf": _APACHE, "shop.wsgi": "from shop import app as application\n"},
    ),
    "waitress": WebServer(_WAITRESS, NEXT, "waitress"),
    "waitress, SIGINT": WebServer(_WAITRESS, DRAINED, "waitress", stop=signal.SIGINT),
    "waitress, sys.exit": WebServer(
        _WAITRESS, DRAINED, "waitress", "sys.exit", end=_EXIT_ON_SIGTERM
    ),
    "cheroot": WebServer(_CHEROOT, NEXT, "cheroot"),
    "cheroot, sys.exit": WebServer(_CHEROOT, DRAINED, "cheroot", "sys.exit", end=_EXIT_ON_SIGTERM),
    "gevent.pywsgi": WebServer(
        (sys.executable, "serve.py"), DRAINED, "gevent", files={"serve.py": _PYWSGI_SERVE}
    ),
    "flask run": WebServer(_FLASK_RUN, NEXT, "werkzeug"),
    "flask run, sys.exit": WebServer(
        _FLASK_RUN, DRAINED, "werkzeug", "sys.exit", end=_EXIT_ON_SIGTERM
    ),
}
