"""``flask mail queue health``, as a probe of a container runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from code_blocks import code_blocks
from flask_mailhandler.queue.stores.base import Pause
from queueing import shop
from sending import letter
from servers.dead_ends import black_hole

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from queueing import Shop

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "health.rst"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Shop]:
    """A shop whose queue no worker serves."""
    with shop(tmp_path, MAIL_ACCOUNTS={"news": {"url": "smtp://localhost"}}) as made:
        yield made


def run(here: Shop, *arguments: str) -> tuple[int, str]:
    """Run the command, and return the exit code and the output."""
    result = here.app.test_cli_runner().invoke(
        args=["mail", "queue", "health", "--timeout", "60s", *arguments]
    )
    return result.exit_code, result.output


def test_healthy(here: Shop) -> None:
    """A queue in order is one line, and exit code 0."""
    code, said = run(here)
    assert (code, said.splitlines()[1]) == (0, "No mail was ever queued there.")

    here.mail.send_later(letter("ann@example.com"), delay=60)
    code, said = run(here)
    assert (code, said) == (0, f"The queue in {here.queue.store} is healthy.\n")


def test_only_some_findings_of_no_queue(here: Shop, tmp_path: Path) -> None:
    """A file that cannot be read is not said to be one that was never used, if the finding that
    says so was not asked for."""
    (tmp_path / "queue.sqlite").write_bytes(b"no database" * 100)

    code, said = run(here, "--only", "no-worker")

    assert code == 0
    assert "It cannot be read, or was never used." in said
    assert "No mail was ever queued" not in said


def test_degraded(here: Shop) -> None:
    """A warning is no failure of a probe, except with --strict."""
    here.mail.send_later(letter("ann@example.com"), using="news")
    here.queue.store.alter_pause("news", lambda before: Pause(9e9, 1, "no \x1b[2J route"))

    code, said = run(here)

    assert code == 0
    assert said.startswith(f"The queue in {here.queue.store} is degraded.\n\n")
    assert "  warning  account-paused  The account 'news' is paused for another " in said
    assert "\x1b" not in said
    assert run(here, "--strict")[0] == 1
    assert run(here, "--strict", "--using", "default")[0] == 0


def test_unhealthy(here: Shop) -> None:
    """An error is exit code 1, with what to do. The bounds are options."""
    here.mail.send_later(letter("ann@example.com"))
    (row,) = here.rows
    here.later(row)

    code, said = run(here, "--max-silence", "0.5", "--max-age", "0.9s")

    assert code == 1
    assert said.startswith(f"The queue in {here.queue.store} is unhealthy.\n\n")
    assert "  error  no-worker  Mail of the account 'default' waits" in said
    assert "Run" in said
    assert "'flask mail worker'" in " ".join(said.split())
    assert "  error  mail-late" in said
    assert run(here, "--max-silence", "0.5", "--only", "dead-worker")[0] == 0
    assert run(here)[0] == 0


def test_json(here: Shop) -> None:
    """--json prints one object, with the same exit code."""
    here.mail.send_later(letter("ann@example.com"))
    here.later(here.rows[0])

    code, said = run(here, "--json", "--max-silence", "0.5")

    found = json.loads(said)
    assert code == 1
    assert (found["status"], found["ok"], found["engine"]) == ("unhealthy", False, "none")
    assert [one["name"] for one in found["findings"]] == ["no-worker"]
    assert found["age"] >= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-age", "soon"], "--max-age must be a time like '24h'"),
        (["--timeout", "0"], "--timeout must be a time"),
        (["--only", "worker"], "There is no finding 'worker'. The names are store-unreachable,"),
        (["--using", "nobody"], "nobody"),
        (["--max-failed", "-1"], "Invalid value for '--max-failed'"),
    ],
)
def test_wrong_options(here: Shop, arguments: list[str], said: str) -> None:
    """A wrong option is an error in one line, and never exit code 0."""
    code, output = run(here, *arguments)

    assert code != 0
    assert said in output
    assert "Traceback" not in output


def test_probes_of_the_docs(here: Shop) -> None:
    """Each probe on the page is a command that exists, for Docker, Compose and Kubernetes."""
    lines = re.findall(r'\["(?:CMD", ")?flask", .*\]', PAGE.read_text(encoding="utf-8"))
    commands = [json.loads(line) for line in lines]

    assert len([one for one in commands if "health" in one]) == 3
    for command in commands:
        arguments = command[command.index("flask") + 1 :]
        if "health" in arguments:
            result = here.app.test_cli_runner().invoke(args=arguments)
            assert result.exit_code == 0, result.output


def test_page_of_the_docs(here: Shop) -> None:
    """The view on the page answers 503 with the names of what was found."""
    (block,) = code_blocks(PAGE)
    block.run({"app": here.app, "mail": here.mail})
    client = here.app.test_client()
    Path(str(here.queue.store)).write_bytes(b"x" * 99)

    response = client.get("/healthz")

    assert response.status_code == 503
    assert response.json == {"status": "unhealthy", "findings": ["store-unreachable"]}


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    """The process of a probe ends although the driver still waits for the server."""
    (tmp_path / "app.py").write_text(
        "from flask import Flask\n"
        "from flask_mailhandler import Mail\n"
        "app = Flask(__name__)\n"
        "app.config.from_prefixed_env()\n"
        "Mail(app)\n",
        encoding="utf-8",
    )
    with black_hole() as port:
        url = f"postgresql+psycopg://shop:secret@127.0.0.1:{port}/shop"
        ended = subprocess.run(
            [sys.executable, "-m", "flask", "mail", "queue", "health", "--timeout", "0.2s"],
            cwd=tmp_path,
            env={**os.environ, "FLASK_MAIL_QUEUE": url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert ended.returncode == 1
    assert "did not answer within 0.2 s" in " ".join(ended.stdout.split())
    assert "secret" not in ended.stdout + ended.stderr
    assert ended.stderr == ""
