#!/usr/bin/env bash
# Uvicorn 0.54.0, on SIGTERM, shuts the app down in order and logs "Finished server process". Then it raises the
# signal again with the default handler: no hook of atexit runs, no thread is joined, and the exit code is that of a
# killed process.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check quart==0.22.0 uvicorn==0.54.0
cat >"$folder/shop.py" <<'PYTHON'
import atexit
import os
import signal
import threading

from quart import Quart

app = Quart(__name__)
atexit.register(print, "atexit ran", flush=True)


@app.before_serving
async def begin():
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()


@app.after_serving
async def end():
    print("after_serving ran", flush=True)
PYTHON
cd "$folder"
code=0
timeout 60 venv/bin/python -m uvicorn shop:app --uds "$folder/socket" >out 2>log || code=$?
echo "exit code $code" >>out
echo "Uvicorn 0.54.0, after SIGTERM:"
cat out log
grep -q 'Finished server process' log || { echo "Uvicorn did not shut down in order" >&2; exit 1; }
printf 'after_serving ran\nexit code 143\n' | cmp - out || { echo "Uvicorn runs the hooks of atexit now" >&2; exit 1; }
