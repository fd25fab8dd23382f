"""Workers in processes of their own, which a server kills. It knows the phase of a delivery, so
nothing depends on time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import typing as t

from flask_mailhandler.queue import lease

if t.TYPE_CHECKING:
    from pathlib import Path

_WORKER = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
from flask_mailhandler.queue import lease
from queueing import Shop
lease.LEASE = float(sys.argv[4])
here = Shop(Path(sys.argv[2]), None, **json.loads(sys.argv[3]))
sys.stdin.readline()
with here.app.app_context():
    here.queue.run_once()
print("done", flush=True)
"""
# More than the buffers between client and server hold, so that it is not all given.
LARGE = ("x" * 70 + "\n") * 140_000


class Killer:
    """Starts workers, and kills the running one.

    :param folder: The instance folder of their app.
    :param keys: More of its configuration.
    """

    def __init__(self, folder: Path, **keys: t.Any) -> None:
        self._folder = folder
        self._keys = keys
        self._process: subprocess.Popen[str] | None = None
        self.lease = lease.LEASE
        self.kills = 0

    def kill(self) -> None:
        """Send SIGKILL, and wait until the process has ended."""
        assert self._process is not None
        self.kills += 1
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def work(self, mail_url: str) -> bool:
        """Run a worker until no mail is due or it is killed. Return whether it ended by itself."""
        keys = {"MAIL_URL": mail_url, **self._keys}
        arguments = [json.dumps(sys.path), str(self._folder), json.dumps(keys), str(self.lease)]
        with subprocess.Popen(
            [sys.executable, "-c", _WORKER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as self._process:
            # It begins when the process to kill is known.
            said, _ = self._process.communicate("go\n")
        return said == "done\n"
