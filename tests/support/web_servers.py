"""The web servers that an app is tried on: how each is run and stopped, and what it promises.

``docs/deployment.rst`` shows the results.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import signal
import subprocess
import sys
import sysconfig
import typing as t
from pathlib import Path

from code_blocks import code_blocks

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
    :param stop: The signal that stops it.
    :param files: Files next to the app's module.
    """

    command: tuple[str, ...]
    promise: str
    package: str
    stop: signal.Signals = signal.SIGTERM
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
            return _debian_version("libapache2-mod-wsgi-py3")
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return ""


def _debian_version(package: str) -> str:
    command = ["dpkg-query", "--show", "--showformat=${Version}", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.partition("-")[0]


PAGE = Path(__file__).parents[2] / "docs" / "deployment.rst"
# The files that the page shows, by name.
_FILES = {block.file: block.code for block in code_blocks(PAGE)}
_WSGI = {"wsgi.py": _FILES["wsgi.py"]}
_ASGI = {"asgi.py": _FILES["asgi.py"]}
_A2WSGI = {
    "asgi.py": """
from a2wsgi import WSGIMiddleware

from shop import create_app

app = WSGIMiddleware(create_app(), workers=10)
"""
}
# A socket in the file system is not the page's port, which another process may have.
_SERVE = _FILES["serve.py"].replace('host="127.0.0.1", port=8000', 'uds="http"')
_PYWSGI_SERVE = """
from gevent import monkey

monkey.patch_all()

import signal

import gevent
from gevent import pywsgi
from gevent import socket

from shop import create_app

listener = socket.socket(socket.AF_UNIX)
listener.bind("http")
listener.listen(128)
server = pywsgi.WSGIServer(listener, create_app(), log=None)
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
    return (*_PYTHON, *command, *options, "--factory", "shop:create_app")


def _hypercorn(app: str, *options: str) -> tuple[str, ...]:
    return (*_PYTHON, "hypercorn", "--bind", "unix:{socket}", *options, app)


def _uwsgi(*options: str) -> tuple[str, ...]:
    uwsgi = str(Path(sys.executable).with_name("uwsgi"))
    common = ("--http-socket", "{socket}", "--module", "shop:create_app()", "--home", sys.prefix)
    return (uwsgi, "--master", "--processes", "2", "--threads", "8", *common, *options)


def _waitress(app: str) -> tuple[str, ...]:
    return (*_PYTHON, "waitress", "--unix-socket={socket}", "--threads", "8", app)


def _cheroot(app: str) -> tuple[str, ...]:
    return (*_PYTHON, "cheroot", "--bind", "{socket}", app)


def _flask_run(app: str) -> tuple[str, ...]:
    return (*_PYTHON, "flask", "--app", app, "run", "--host", "unix://{socket}")


_UVICORN = (*_PYTHON, "uvicorn", "--uds", "{socket}", "--workers", "2", "asgi:app")
_SERVE_PY = (sys.executable, "serve.py")

SERVERS = {
    "gunicorn, sync": WebServer(_gunicorn("--workers=4", "shop:create_app()"), DRAINED, "gunicorn"),
    "gunicorn, gthread": WebServer(
        _gunicorn("--workers=2", "--threads=8", "shop:create_app()"), DRAINED, "gunicorn"
    ),
    "gunicorn, --preload": WebServer(
        _gunicorn("--workers=2", "--threads=8", "--preload", "shop:create_app()"),
        DRAINED,
        "gunicorn",
    ),
    "gunicorn, gevent": WebServer(
        _gunicorn("--workers=2", "--worker-class=gevent", "shop:create_app()"), DRAINED, "gunicorn"
    ),
    "gunicorn, uvicorn-worker": WebServer(
        _gunicorn("--workers=2", "--worker-class=uvicorn_worker.UvicornWorker", "asgi:app"),
        NEXT,
        "uvicorn-worker",
        files=_ASGI,
    ),
    # A worker that hangs is killed: see the page.
    "granian": WebServer(
        _granian("--workers", "2", "--workers-kill-timeout", "20"), NEXT, "granian"
    ),
    "uvicorn, asgiref": WebServer(_UVICORN, NEXT, "uvicorn", files=_ASGI),
    "uvicorn, a2wsgi": WebServer(_UVICORN, NEXT, "uvicorn", files=_A2WSGI),
    "uvicorn, serve.py": WebServer(
        _SERVE_PY, DRAINED, "uvicorn", files={**_ASGI, "serve.py": _SERVE}
    ),
    "hypercorn": WebServer(_hypercorn("wsgi:shop:create_app()"), DRAINED, "hypercorn"),
    "hypercorn, two workers": WebServer(
        _hypercorn("wsgi:shop:create_app()", "--workers", "2"), NEXT, "hypercorn"
    ),
    "hypercorn, patient.py": WebServer(
        _hypercorn("wsgi:patient:app", "--workers", "2"),
        DRAINED,
        "hypercorn",
        files={"patient.py": _FILES["patient.py"]},
    ),
    "uWSGI": WebServer(_uwsgi("--die-on-term"), NEXT, "uwsgi"),
    "uWSGI, --lazy-apps": WebServer(_uwsgi("--die-on-term", "--lazy-apps"), NEXT, "uwsgi"),
    "uWSGI, hook": WebServer(
        _uwsgi("--hook-master-start", "unix_signal:15 gracefully_kill_them_all"), DRAINED, "uwsgi"
    ),
    "mod_wsgi": WebServer(
        ("/usr/sbin/apache2", "-f", "{folder}/apache.conf", "-D", "FOREGROUND"),
        NEXT,
        "mod_wsgi",
        files={"apache.conf": _APACHE, "shop.wsgi": "from shop import app as application\n"},
    ),
    "waitress": WebServer(_waitress("shop:app"), NEXT, "waitress"),
    "waitress, SIGINT": WebServer(_waitress("shop:app"), DRAINED, "waitress", stop=signal.SIGINT),
    "waitress, wsgi.py": WebServer(_waitress("wsgi:app"), DRAINED, "waitress", files=_WSGI),
    "cheroot": WebServer(_cheroot("shop:app"), NEXT, "cheroot"),
    "cheroot, wsgi.py": WebServer(_cheroot("wsgi:app"), DRAINED, "cheroot", files=_WSGI),
    "gevent.pywsgi": WebServer(_SERVE_PY, DRAINED, "gevent", files={"serve.py": _PYWSGI_SERVE}),
    "flask run": WebServer(_flask_run("shop"), NEXT, "werkzeug"),
    "flask run, wsgi.py": WebServer(_flask_run("wsgi"), DRAINED, "werkzeug", files=_WSGI),
}
