#!/usr/bin/env bash
# An extension connects a function of its own to a signal of Flask, as "request_started", for each app. Blinker holds
# it weakly, and one guesses that it is disconnected when the app is dropped, whichever thread does that: the garbage
# collector runs in any. But Blinker goes through its table of senders meanwhile. If another thread connects a function
# for a new app at that moment, Python prints "Exception ignored: dictionary changed size during iteration" (pytest
# makes it an error of the test that runs), and the dead function stays in the signal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check blinker==1.9.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import threading
import time
from importlib.metadata import version

from blinker import NamedSignal

signal = NamedSignal("request-started")
ignored = []
sys.unraisablehook = lambda unraisable: ignored.append(str(unraisable.exc_value))
sys.setswitchinterval(1e-5)
enough = threading.Event()


class App:
    pass


def make_app():
    app = App()
    app.start = lambda sender: None  # lives as long as the app
    signal.connect(app.start, app)
    return app


def drop_apps():
    while not enough.is_set():
        make_app()


thread = threading.Thread(target=drop_apps)
thread.start()
apps = []
deadline = time.monotonic() + 120
while not ignored and time.monotonic() < deadline:
    apps = [make_app() for _ in range(1000)]
enough.set()
thread.join()

apps.clear()
dead = sum(receiver() is None for receiver in signal.receivers.values())
print("blinker", version("blinker"), "on Python", sys.version.split()[0])
print(f"    ignored: {ignored[:1]}; functions of dropped apps that are left in the signal: {dead > 0}")
assert ignored and set(ignored) == {"dictionary changed size during iteration"}, ignored
assert dead, "the behaviour has changed"
PYTHON
