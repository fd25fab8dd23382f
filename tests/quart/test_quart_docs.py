"""The page *With Quart* is true: its files run."""

from __future__ import annotations

import asyncio
import typing as t
from pathlib import Path

from code_blocks import code_blocks
from flask_mailhandler import Event
from quart_shop import QuartShop
from running_pytest import run_pytest

if t.TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]
FILES = {block.file: block for block in code_blocks(ROOT / "docs" / "quart.rst")}


def test_the_test_of_the_page(tmp_path: Path) -> None:
    """The test passes next to the example, and there is no warning."""
    for name in ("conftest.py", "test_shop.py"):
        (tmp_path / name).write_text(FILES[name].code, encoding="utf-8")
    source = (ROOT / "examples" / "quart" / "shop.py").read_text(encoding="utf-8")
    (tmp_path / "shop.py").write_text(source, encoding="utf-8")
    (tmp_path / "templates").symlink_to(ROOT / "examples" / "quart" / "templates")

    output = run_pytest(tmp_path, "-p", "no:flask")

    assert "1 passed" in output


def test_asynchronous_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A function of on_event passes asynchronous work to the event loop of the server."""
    page: dict[str, t.Any] = {}
    FILES["events.py"].run(page)
    shop, done = QuartShop(tmp_path), asyncio.Event()
    page["init_app"](shop.app, shop.mail)
    mark = page["mark"]

    async def mark_and_tell(event: Event) -> None:
        await mark(event)
        done.set()

    page["mark"] = mark_and_tell

    async def serve() -> None:
        async with shop.app.test_app():
            with shop.mail.capture(shop.app) as outbox:
                await shop.client.get("/hello")
                await asyncio.to_thread(outbox.event, "bounced", outbox[0], reason="No such user")
            await asyncio.wait_for(done.wait(), 60)

    asyncio.run(serve())

    assert "ann@example.com" in capsys.readouterr().out


def test_every_file_is_run() -> None:
    """The page has no other files."""
    assert [*FILES] == ["tasks.py", "events.py", "conftest.py", "test_shop.py"]
