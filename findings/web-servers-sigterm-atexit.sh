#!/usr/bin/env bash
# Four web servers log a graceful shutdown after SIGTERM. Only gunicorn's worker then runs Python's atexit hooks.
# uvicorn raises the signal again for the default handler when it has shut down, also in its worker for gunicorn, so
# the process dies of SIGTERM. granian forks its workers with multiprocessing, which ends them with os._exit. What an
# app or a library registers with atexit, such as the last flush of a background thread, does not happen there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gunicorn==27.0.1 uvicorn==0.54.0 \
    uvicorn-worker==0.4.0 granian==2.8.9
cd "$folder"
cat >app.py <<'PYTHON'
import atexit
import pathlib

atexit.register(pathlib.Path("atexit").touch)


def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [b""]


async def asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
PYTHON
venv/bin/python - <<'PYTHON'
import http.client
import importlib.metadata
import pathlib
import signal
import socket
import subprocess
import sys
import time

RUNS = {
    "gunicorn": (["gunicorn", "--bind", "unix:http", "app:wsgi"], True),
    "uvicorn": (["uvicorn", "--uds", "http", "app:asgi"], False),
    "uvicorn-worker": (
        ["gunicorn", "--bind", "unix:http", "-k", "uvicorn_worker.UvicornWorker", "app:asgi"],
        False,
    ),
    "granian": (["granian", "--interface", "wsgi", "--uds", "http", "app:wsgi"], False),
}


def answers():
    client = http.client.HTTPConnection("localhost")
    client.sock = socket.socket(socket.AF_UNIX)
    try:
        client.sock.connect("http")
        client.request("GET", "/")
        return client.getresponse().status == 200
    except OSError:
        return False
    finally:
        client.close()


for name, (command, expected) in RUNS.items():
    for leftover in ("http", "atexit"):
        pathlib.Path(leftover).unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", *command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    end = time.monotonic() + 60
    while not answers():
        assert time.monotonic() < end and process.poll() is None, f"{name} does not answer"
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    log = process.communicate(timeout=60)[1]
    ran = pathlib.Path("atexit").exists()
    said = [line for line in log.splitlines() if "hutdown complete" in line or "Finished" in line]
    print(f"{name} {importlib.metadata.version(name)}: atexit hooks ran: {ran}", *said[-1:])
    assert ran is expected, f"{name} has changed"
PYTHON
