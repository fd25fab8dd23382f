"""Try the app on each web server that is installed, and print what became of its mail.

::

    make servers                    all that are installed; `make` installs those with wheels
    make servers ONLY=uWSGI         those whose name begins with it

Each gets 50 requests at once that send or queue, and its stop signal after 15 responses: see
``tests/support/web_storm.py``. The exit code is 1 if a server does not keep its promise in
``tests/support/web_servers.py``. On Debian, as root: ``apt-get install apache2
libapache2-mod-wsgi-py3`` for mod_wsgi.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from servers import ScriptedServer
from web_servers import DRAINED
from web_servers import SERVERS
from web_storm import storm

if t.TYPE_CHECKING:
    from web_servers import WebServer
    from web_storm import Result

_LINE = "{:26} {:12} {:>8} {:>4} {:>6} {:>5} {:>5} {:>4} {:>7} {:>8}  {}"


def problem(web: WebServer, result: Result) -> str:
    """What a server has not kept, or ""."""
    if result.errors or result.waiting or result.lost or result.doubled:
        return f"not kept: {result}"
    if web.promise == DRAINED and result.left:
        return f"not kept: {result.left} messages were left"
    return ""


def try_one(name: str, web: WebServer) -> bool:
    """Try a server, print a line, and return whether it keeps its promise."""
    with tempfile.TemporaryDirectory() as folder, ScriptedServer() as server:
        try:
            result = storm(web, Path(folder), server)
        except (AssertionError, RuntimeError, TimeoutError) as error:
            print(f"{name}: {error!r}\n{(Path(folder) / 'log').read_text()[-2000:]}")
            return False
    fault = problem(web, result)
    numbers = (result.answered, result.cut, result.errors, result.left, result.held)
    lists = (len(result.lost), len(result.doubled))
    print(
        _LINE.format(name, web.version, *numbers, *lists, f"{result.seconds:.1f}", fault),
        flush=True,
    )
    return not fault


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="the beginning of a name")
    only = parser.parse_args().only
    heads = ("answered", "cut", "errors", "left", "held", "lost", "doubled", "seconds", "")
    print(_LINE.format("server", "version", *heads).rstrip())
    kept = []
    for name, web in SERVERS.items():
        if not name.startswith(only):
            continue
        if web.missing:
            print(f"{name:26} not installed: {web.missing}")
            continue
        kept.append(try_one(name, web))
    return 0 if kept and all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
