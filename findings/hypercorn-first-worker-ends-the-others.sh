#!/usr/bin/env bash
# After SIGTERM, hypercorn waits until the first of its worker processes has ended, and terminates the others at once.
# --graceful-timeout does not change that: here each worker has 30 seconds, and the exit of one lasts half a second
# longer than the exit of the other, which is enough for it to be killed in the middle of its atexit hook.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check hypercorn==0.18.0
cd "$folder"
cat >app.py <<'PYTHON'
import atexit
import os
import pathlib
import time

try:
    os.mkdir("first")
    longer = 0.0
except FileExistsError:
    longer = 0.5


@atexit.register
def at_exit():
    time.sleep(longer)
    pathlib.Path(f"ended-{longer}").touch()


pathlib.Path(f"ready-{longer}").touch()


async def asgi(scope, receive, send):
    pass
PYTHON
venv/bin/python - <<'PYTHON'
import importlib.metadata
import pathlib
import signal
import subprocess
import sys
import time

command = "hypercorn --bind unix:http --workers 2 --graceful-timeout 30 app:asgi"
process = subprocess.Popen([sys.executable, "-m", *command.split()], start_new_session=True)
end = time.monotonic() + 60
while len([*pathlib.Path().glob("ready-*")]) < 2:
    assert time.monotonic() < end and process.poll() is None
    time.sleep(0.05)
time.sleep(2)  # until both listen
process.send_signal(signal.SIGTERM)
process.wait(60)
time.sleep(2)
ended = sorted(path.name for path in pathlib.Path().glob("ended-*"))
print(f"hypercorn {importlib.metadata.version('hypercorn')}: of two workers, these ran their hook: {ended}")
assert ended == ["ended-0.0"], "hypercorn waits for both workers now"
PYTHON
