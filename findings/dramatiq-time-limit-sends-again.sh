#!/usr/bin/env bash
# An actor of Dramatiq sends a mail, and has a time limit, so that a slow server does not hold the worker. One guesses
# that the limit ends the wait, or, who has read that it "can't cancel system calls", that it comes too late and does
# no harm. But it does: the exception is set in the thread, which sees it when the wait for the socket is over. So it is
# the server's "250 OK", with which the mail is sent for good, that lets TimeLimitExceeded fail the actor. It counts as
# any failure: the message goes back to the queue, and the mail is sent again, each time with the same end. An actor
# with max_retries=3 sends four mails; the default is 20. A timeout of the socket below the time limit ends the wait,
# and throws=TimeLimitExceeded ends the repeats.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dramatiq==2.2.1
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import logging
import smtplib
import socketserver
import threading
import time

import dramatiq
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import TimeLimitExceeded

logging.disable()
ANSWER, LIMIT = 3, 1  # seconds


class Server(socketserver.StreamRequestHandler):
    """Takes each mail, and says so after three seconds."""

    def handle(self):
        self.say("220 mx.example")
        for line in self.rfile:
            if line.upper().startswith(b"DATA"):
                self.say("354 Go on")
                while self.rfile.readline() != b".\r\n":
                    pass
                time.sleep(ANSWER)
                self.say("250 OK")
                mails.append("sent")
            else:
                self.say("221 Bye" if line.upper().startswith(b"QUIT") else "250 OK")

    def say(self, reply):
        self.wfile.write(f"{reply}\r\n".encode())


broker = StubBroker()
dramatiq.set_broker(broker)
broker.emit_after("process_boot")
mails, ends = [], []


def send():
    start = time.monotonic()
    try:
        with smtplib.SMTP(*server.server_address, timeout=60) as client:
            client.sendmail("shop@example.com", ["ann@example.com"], "Subject: Hi\r\n\r\nHello\r\n")
        end = "returned"
    except BaseException as error:
        end = type(error).__name__
        raise
    finally:
        ends.append((end, time.monotonic() - start >= ANSWER))


OPTIONS = {"time_limit": LIMIT * 1000, "max_retries": 3, "min_backoff": 10, "max_backoff": 20}
repeated = dramatiq.actor(send, actor_name="repeated", **OPTIONS)
once = dramatiq.actor(send, actor_name="once", throws=TimeLimitExceeded, **OPTIONS)


def run(actor):
    mails.clear()
    ends.clear()
    actor.send()
    broker.join("default", fail_fast=False, timeout=60_000)
    print(f"{actor.actor_name}: {len(mails)} mails for one message; ends of its calls, and if after the answer: {ends}")
    return len(mails), set(ends)


print("dramatiq", importlib.metadata.version("dramatiq"))
with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Server) as server:
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    worker = dramatiq.Worker(broker, worker_threads=1)
    worker.start()
    found = run(once), run(repeated)
    worker.stop()
    server.shutdown()
late = {("TimeLimitExceeded", True)}
assert found == ((1, late), (4, late)), found
PYTHON
