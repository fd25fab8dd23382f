"""Items about the queue and its worker."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ...app.queue_keys import QueueSettings
from ...handlers.console import visible
from ...queue.health.remedy import how_to_start
from ...secret import Secret
from .deployment import Deployment
from .verdict import ok
from .verdict import to_do
from .verdict import unknown
from .verdict import Verdict

TEMPORARY = Path(tempfile.gettempdir())
"""The folder whose files may be deleted at any time."""
_WORKER = ("no-worker", "dead-worker", "mail-late")


def store(deployment: Deployment) -> Verdict:
    """Whether mail waits in a place that outlives the process and its machine."""
    settings: QueueSettings = deployment.settings.queue
    place, where = settings.queue, deployment.health.store
    if isinstance(place, Secret) or place == "sqlalchemy":
        return ok(f"{where}.")
    if place == "sqlite" and not deployment.config.get("MAIL_QUEUE"):
        return to_do(
            f"MAIL_QUEUE is not set, so it is {where}. Set it to a file on a volume, or to your"
            " database: 'sqlalchemy', or a URL."
        )
    folder = Path(where).parent
    if folder.is_relative_to(TEMPORARY):
        return to_do(f"{where} is a temporary file. Set MAIL_QUEUE to a file on a volume.")
    made_in = next(one for one in (folder, *folder.parents) if one.exists())
    if not (made_in.is_dir() and os.access(made_in, os.W_OK | os.X_OK)):
        return to_do(
            f"The app cannot write into {made_in}. Set MAIL_QUEUE to another file, or give the"
            " folder to the app's user."
        )
    return ok(f"{where}. In a container, see that {folder} is a volume.")


def tables(deployment: Deployment) -> Verdict:
    """Whether this release can use the tables."""
    for finding in deployment.health.findings:
        if finding.name in ("wrong-tables", "store-unreachable"):
            return to_do(finding.text)
    if deployment.health.age is None:
        return ok("They are created with the first message.")
    return ok("They are.")


def worker(deployment: Deployment) -> Verdict:
    """Whether a process sends what waits."""
    health = deployment.health
    for finding in health.findings:
        if finding.name in _WORKER and finding.severity == "error":
            return to_do(finding.text)
    if health.claimed:
        return ok("A worker is sending.")
    if health.engine == "thread":
        return ok("The app's processes do, each from its first request on.")
    return unknown(f"No mail is due, so it cannot be seen. {how_to_start(health.engine)}")


def probe(deployment: Deployment) -> Verdict:
    """Whether somebody is told when mail is not sent."""
    return unknown(
        f"The queue is {deployment.health}. Run flask mail queue health as the probe of the"
        " container with the worker, or let your monitoring request a page of the app that calls"
        " mail.queue.health()."
    )


def backup(deployment: Deployment) -> Verdict:
    """Whether what waits is in the backup."""
    where, place = visible(deployment.health.store), deployment.settings.queue.queue
    if isinstance(place, Secret) or place == "sqlalchemy":
        return unknown(f"It is in {where}, and in the backup of that database.")
    return unknown(f"It is {where}. To copy it while the app runs: sqlite3 FILE '.backup COPY'")
