"""From the import to the first mail that a server has accepted: the time and the memory.

The clock starts after ``import flask``, and stops when the send returns. What is between is the
shortest program of each library's documentation: an app, the extension on it, a message, a send.
The server is our own sink, on the same machine, without encryption. The libraries take turns, each
in a fresh process. The memory is what the process grows by, compared with the app without mail.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from .fresh import environment
from .peers import OURS
from .servers import certificates
from .servers import Sink
from .servers import Site
from .table import table
from .targets import Target

PEER = "Flask-Mail"
_APP = """
app = flask.Flask("shop")
app.config["MAIL_SERVER"], app.config["MAIL_PORT"] = {host!r}, {port}
"""
_FIELDS = 'subject="Your order", body="It has been sent.", sender="shop@example.com"'
ALONE = "no mail"
PROGRAMS = {
    ALONE: _APP,
    OURS: f"""
from flask_mailhandler import Mail, Message
{_APP}
mail = Mail(app)
with app.app_context():
    mail.send(Message(
        subject="Your order", text="It has been sent.", from_addr="shop@example.com",
        to=["ann@example.org"],
    ))
""",
    PEER: f"""
from flask_mail import Mail, Message
{_APP}
mail = Mail(app)
with app.app_context():
    mail.send(Message({_FIELDS}, recipients=["ann@example.org"]))
""",
    "Flask-Mailman": f"""
from flask_mailman import EmailMessage, Mail
{_APP}
mail = Mail(app)
with app.app_context():
    EmailMessage(
        "Your order", "It has been sent.", "shop@example.com", ["ann@example.org"]
    ).send()
""",
}
_MEASURE = """
import json, sys, time
import flask
before, start, cpu = len(sys.modules), time.perf_counter(), time.process_time()
{program}
print(json.dumps([
    time.perf_counter() - start, time.process_time() - cpu, len(sys.modules) - before,
    int(open("/proc/self/status").read().partition("VmRSS:")[2].split()[0]),
]))
"""


def run(rounds: int) -> list[Target]:
    """Measure, print the table, and return the targets.

    :param rounds: The number of processes of each library.
    """
    with certificates() as made, Sink(made) as sink:
        measured = measure(sink.sites["none"], rounds)
        accepted, _ = sink.taken()
    if accepted != (rounds + 1) * (len(PROGRAMS) - 1):
        raise ValueError(f"{accepted} mails arrived, not one from each process.")
    median = {
        name: [statistics.median(column) for column in zip(*found, strict=True)]
        for name, found in measured.items()
    }
    alone = median.pop(ALONE)
    memory = {name: found[3] - alone[3] for name, found in median.items()}
    print("\nFrom the import to the first accepted mail, in fresh processes:\n")
    rows = [
        [name, f"{seconds * 1e3:.1f}", f"{cpu * 1e3:.1f}", f"{modules:.0f}", f"{memory[name]:,.0f}"]
        for name, (seconds, cpu, modules, _) in median.items()
    ]
    print(table(["sender", "milliseconds", "CPU milliseconds", "modules", "memory in KiB"], rows))
    ratio = median[OURS][0] / median[PEER][0]
    grown = memory[OURS] / memory[PEER]
    return [
        Target(f"{OURS}, import to first mail, {PEER}", ratio, "of its time", most=0.5),
        Target(f"{OURS}, memory after the first mail, {PEER}", grown, "of its memory", most=1.3),
    ]


def measure(site: Site, rounds: int) -> dict[str, list[list[float]]]:
    """Return the seconds, the seconds of CPU time, the modules and the KiB of each process."""
    found: dict[str, list[list[float]]] = {name: [] for name in PROGRAMS}
    # The first turn also writes the compiled files, and does not count.
    for turn in range(rounds + 1):
        for name, program in PROGRAMS.items():
            text = program.format(host=site.host, port=site.port)
            done = subprocess.run(
                [sys.executable, "-c", _MEASURE.replace("{program}", text)],
                env=environment(),
                stdout=subprocess.PIPE,
                check=True,
            )
            if turn:
                found[name].append(json.loads(done.stdout))
    return found
