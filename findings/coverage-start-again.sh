#!/usr/bin/env bash
# Coverage.stop() and start() look like pause and resume: a way to leave a part of a test run out. With
# patch = fork, each start() registers the patches once more, and nothing takes them back. After n of them a fork
# starts and saves n measurements: here, each fork writes dozens of files instead of two and takes ten times as long.
# One would expect the second start() of an object to be free, or the patches to be applied once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check coverage==7.17.5
cd "$folder"
printf '[run]\nbranch = true\nparallel = true\npatch = subprocess, fork, _exit\nsource = json\ndisable_warnings = module-not-measured, no-data-collected\n' >.coveragerc
cat >program.py <<'PYTHON'
import glob, json, os, sys, time
from importlib.metadata import version

import coverage

measuring = coverage.Coverage.current()


def fork() -> tuple[float, int]:
    before, since = len(glob.glob(".coverage.*")), time.monotonic()
    child = os.fork()
    if child == 0:
        json.loads("[]")
        os._exit(0)
    os.waitpid(child, 0)
    return time.monotonic() - since, len(glob.glob(".coverage.*")) - before


print("coverage", version("coverage"), "Python", sys.version.split()[0])
fork()
first = fork()
for _ in range(30):
    measuring.stop()
    measuring.start()
last = fork()
print("a fork: %.2f s, %d files" % first)
print("a fork after 30 times stop() and start(): %.2f s, %d files" % last)
assert first[1] <= 2, first
assert last[1] >= 30, "start() no longer adds to the patches"
PYTHON
"$folder/venv/bin/python" -m coverage run program.py
