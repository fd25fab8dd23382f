#!/usr/bin/env bash
# A web app queues a mail as a job of RQ or Dramatiq, with one call, and the connection to Redis is lost before the
# answer is there. One guesses that the call raises ConnectionError, as it did with redis-py 5, and that the job is
# queued once or not at all. But redis-py repeats a command by default since version 6, an RPUSH and a transaction as
# well: a Redis that had taken the first one has the job twice, under the same id, and the workers do it twice. The
# call returns, nobody is told. Both packages accept either version, so an upgrade of redis-py alone turns an error
# into a second mail.
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
"""Queue two jobs in RQ and two in Dramatiq. The answer to the second one is lost."""

import importlib.metadata
import socket
import sys
import threading
import time

import dramatiq
import jobs
import redis
import rq
from dramatiq.brokers.redis import RedisBroker

PATH, expected = sys.argv[1], [int(number) for number in sys.argv[2:]]
lose = threading.Event()


def copy(source, target, of_server):
    try:
        while octets := source.recv(1 << 20):
            # RQ has its answer to the job in the one that ends a transaction of three commands.
            queued = b"QUEUED" not in octets or octets.count(b"QUEUED") >= 3
            if of_server and queued and lose.is_set():
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
port = listener.getsockname()[1]


def queue(enqueue):
    """Return what the second call raises."""
    enqueue(1)
    lose.set()
    try:
        enqueue(2)
    except redis.ConnectionError as error:
        return type(error).__name__
    finally:
        assert not lose.is_set(), "no answer was lost"
    return "nothing"


def with_rq():
    calls = rq.Queue(connection=redis.Redis(port=port))
    raised = queue(lambda number: calls.enqueue(jobs.send, number))
    rq.SimpleWorker([rq.Queue(connection=direct)], connection=direct).work(burst=True, logging_level="ERROR")
    return raised


def with_dramatiq():
    broker = RedisBroker(port=port)
    actor = dramatiq.actor(jobs.send, broker=broker)
    raised = queue(actor.send)
    worker = dramatiq.Worker(broker, worker_threads=1)
    worker.start()
    broker.join(actor.queue_name)
    worker.join()
    worker.stop()
    return raised


print("redis-py", importlib.metadata.version("redis"))
for name, run, most in (("rq", with_rq, expected[0]), ("dramatiq", with_dramatiq, expected[1])):
    jobs.sent.clear()
    raised = run()
    print(f"    {name} {importlib.metadata.version(name)}: the second call raises {raised}; done: {jobs.sent}")
    assert jobs.sent.count("mail 1") == 1, jobs.sent
    assert jobs.sent.count("mail 2") == most, "the behaviour has changed"
    assert (raised == "nothing") is (most == 2), "the behaviour has changed"
PYTHON
for redis in 5.3.1 8.1.0; do
    python3 -m venv "$folder/$redis"
    "$folder/$redis/bin/pip" install --quiet --disable-pip-version-check "redis==$redis" rq==3.0.0 dramatiq==2.2.1
done
"$folder/5.3.1/bin/python" "$folder/lost.py" "$folder/redis" 1 1
"$folder/8.1.0/bin/python" "$folder/lost.py" "$folder/redis" 2 2
