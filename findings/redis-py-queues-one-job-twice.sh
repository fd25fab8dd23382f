#!/usr/bin/env bash
# A web app queues a mail as a job of RQ, with one call, and the connection to Redis is lost before the answer is there.
# One guesses that the call raises ConnectionError, as it does with redis-py 5.3.1, and that the app decides what to do.
# But redis-py repeats a command by default since version 6, an RPUSH and a whole transaction as well: a Redis that had
# taken the first one has the job twice, under the same id, and RQ's worker does it twice. The call returns, and nothing
# is logged. RQ accepts either version, so an upgrade of redis-py alone turns an error into a second mail.
# redis.Redis(retry=None) brings the error back.
#
# This script needs Debian's package redis-server (7.0 in Debian 12).
set -euo pipefail
folder=$(mktemp -d)
server=
tidy() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap tidy EXIT
redis-server --port 0 --unixsocket "$folder/redis" --save '' --dir "$folder" >/dev/null &
server=$!
cat >"$folder/jobs.py" <<'PYTHON'
sent = []


def send(number):
    sent.append(f"mail {number}")
PYTHON
cat >"$folder/lost.py" <<'PYTHON'
"""Queue two jobs. The answer to the second one is lost. Fail if the worker does not do it so many times."""

import importlib.metadata
import socket
import sys
import threading
import time

import jobs
import redis
import rq

PATH, expected = sys.argv[1], int(sys.argv[2])
lose = threading.Event()


def copy(source, target, of_server):
    try:
        while octets := source.recv(1 << 20):
            # RQ queues a job in a transaction of three commands or more.
            if of_server and octets.count(b"QUEUED") >= 3 and lose.is_set():
                lose.clear()
                break
            target.sendall(octets)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def accept():
    while True:
        client, _ = listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(PATH)
        threading.Thread(target=copy, args=(client, server, False), daemon=True).start()
        threading.Thread(target=copy, args=(server, client, True), daemon=True).start()


direct = redis.Redis(unix_socket_path=PATH)
for _ in range(300):
    try:
        direct.flushall()
        break
    except redis.ConnectionError:
        time.sleep(0.1)
listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, daemon=True).start()


def queue(name, **options):
    """Return how many times the second job was done."""
    jobs.sent.clear()
    calls = rq.Queue(connection=redis.Redis(port=listener.getsockname()[1], **options))
    calls.enqueue(jobs.send, 1)
    lose.set()
    try:
        calls.enqueue(jobs.send, 2)
        raised = "nothing"
    except redis.ConnectionError as error:
        raised = type(error).__name__
    assert not lose.is_set(), "no answer was lost"
    rq.SimpleWorker([rq.Queue(connection=direct)], connection=direct).work(burst=True, logging_level="ERROR")
    print(f"    {name}: the second call raises {raised}; done: {jobs.sent}")
    assert jobs.sent.count("mail 1") == 1, jobs.sent
    assert (raised == "nothing") is (jobs.sent.count("mail 2") == 2), "the behaviour has changed"
    return jobs.sent.count("mail 2")


print("rq", importlib.metadata.version("rq"), "redis-py", importlib.metadata.version("redis"))
assert queue("default") == expected, "the behaviour has changed"
assert queue("retry=None", retry=None) == 1, "the behaviour has changed"
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==5.3.1 rq==3.0.0
"$folder/venv/bin/python" "$folder/lost.py" "$folder/redis" 1
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0
"$folder/venv/bin/python" "$folder/lost.py" "$folder/redis" 2
