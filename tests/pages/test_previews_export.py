"""``flask mail preview``: the list, and the pages as files."""

from __future__ import annotations

import re
import typing as t
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from flask import Flask

from flask_mailhandler import Attachment
from flask_mailhandler import Mail
from flask_mailhandler import Message

if t.TYPE_CHECKING:
    from click.testing import Result

EVIL = "<script>alert(1)</script><meta http-equiv=refresh content='0;url=https://x.example'>"


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrower terminal would wrap lines."""
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def app() -> Flask:
    return Flask("shop")


@pytest.fixture
def mail(app: Flask) -> Mail:
    return Mail(app)


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["mail", "preview", *arguments])


def bill(paid: bool = True, locale: str = "en") -> Message:
    """A bill for a customer."""
    logo = Attachment(b"\x89PNG", filename="logo.png")
    return Message(
        subject=f"Bill {paid} {locale}",
        html=f'<!doctype html><p>Hi<img alt="" src="cid:{logo.cid}"><img src="//x.example/y">',
        inline_attachments=[logo],
        attachments=[
            Attachment(b"%PDF", filename="../../bill.pdf"),
            Attachment("<script>", filename="evil.html"),
        ],
    )


def broken() -> Message:
    raise LookupError("no such \x1b[31m user")


def test_the_list(app: Flask, mail: Mail) -> None:
    """Every preview is listed, with its variants, its locales and its description."""
    mail.preview("Shop/Bill", variants={"paid": {}, "due": {}}, locales=["en", "de"])(bill)
    mail.preview("News")(broken)

    result = run(app)

    assert result.exit_code == 0
    assert [re.split(r"\s{2,}", line.strip()) for line in result.output.splitlines()] == [
        ["News"],
        ["Shop/Bill", "paid, due; en, de", "A bill for a customer."],
    ]


def test_no_previews(app: Flask, mail: Mail, tmp_path: Path) -> None:
    """Without previews, the command and the pages say how to write one."""
    result = run(app)
    written = run(app, "--export", str(tmp_path))

    assert result.exit_code == written.exit_code == 0
    assert 'Write @mail.preview("Account/Welcome") above a function' in result.output
    assert "0 samples of 0 previews" in written.output
    assert "No previews yet" in (tmp_path / "index.html").read_text(encoding="utf-8")


def addresses(page: Path) -> set[str]:
    """The links and resources of a page, except those within it and those of lint's rules."""
    html = page.read_text(encoding="utf-8")
    found = {unescape(url) for url in re.findall(r'(?:href|src)="([^"]*)"', html)}
    return {url for url in found if not url.startswith(("#", "?", "https://", "data:"))}


def test_the_pages_hold_together(app: Flask, mail: Mail, tmp_path: Path) -> None:
    """Every URL on every page is a file of the gallery, so it opens from a disk."""
    mail.preview("Shop/Bill", variants={"paid": {}, "due": {"paid": False}}, locales=["en"])(bill)
    mail.preview("News")(broken)
    folder = tmp_path / "new" / "gallery"

    result = run(app, "--export", str(folder))

    assert f"3 samples of 2 previews are in {folder / 'index.html'}." in result.output
    pages = sorted(page.relative_to(folder) for page in folder.rglob("index.html"))
    assert [*map(str, pages)] == [
        "index.html",
        "news/index.html",
        "shop-bill-due-en/index.html",
        "shop-bill-paid-en/index.html",
    ]
    for page in pages:
        for url in addresses(folder / page):
            target = (folder / page).parent / unquote(url)
            assert target.resolve().is_relative_to(folder), url
            assert target.is_file() or "{scheme}" in url, url
    due = (folder / "shop-bill-due-en" / "index.html").read_text(encoding="utf-8")
    assert "Bill False en" in due
    assert 'href="../shop-bill-paid-en/index.html"' in due
    assert 'data-src="html-{scheme}-{images}.html"' in due


def test_what_is_written(app: Flask, mail: Mail, tmp_path: Path) -> None:
    """A sample is its page, its octets, its parts, and its HTML in two schemes, with and without
    remote images. No file name is taken from the message."""
    mail.preview("Bill")(bill)

    run(app, "--export", str(tmp_path))

    folder = tmp_path / "bill"
    assert sorted(path.name for path in folder.iterdir()) == [
        "html-dark-0.html",
        "html-dark-1.html",
        "html-light-0.html",
        "html-light-1.html",
        "index.html",
        "mail.eml",
        "part-1.1.1.txt",
        "part-1.1.2.1.bin",
        "part-1.1.2.2.png",
        "part-1.2.pdf",
        "part-1.3.bin",
    ]
    assert b"Subject: Bill True en\r\n" in (folder / "mail.eml").read_bytes()
    assert (folder / "part-1.2.pdf").read_bytes() == b"%PDF"


def test_the_frames_are_safe(app: Flask, mail: Mail, tmp_path: Path) -> None:
    """The HTML is in a frame without scripts, and its policy comes before any of its content."""
    mail.preview("Bill")(lambda: Message(subject=EVIL, html=f"<!DOCTYPE html><head>{EVIL}"))

    run(app, "--export", str(tmp_path))

    page = (tmp_path / "bill" / "index.html").read_text(encoding="utf-8")
    (frame,) = re.findall(r"<iframe[^>]*>", page)
    assert "sandbox=" in frame
    assert "allow-scripts" not in frame
    assert "allow-same-origin" not in frame
    assert "<script>alert" not in page
    for images in (0, 1):
        html = (tmp_path / "bill" / f"html-light-{images}.html").read_text(encoding="utf-8")
        policy = re.match(
            r'<!DOCTYPE html><meta http-equiv="Content-Security-Policy" content="([^"]+)">', html
        )
        assert policy is not None
        assert policy[1].startswith("default-src 'none'; ")
        assert "script-src" not in policy[1]
        assert ("https:" in policy[1]) is bool(images)


def test_what_fails(app: Flask, mail: Mail, tmp_path: Path) -> None:
    """A failed sample has a page that says why and a mark in the list; it is printed, safe for a
    terminal, and sets the exit code. Findings are printed."""
    mail.preview("News")(broken)
    mail.preview("Bill")(lambda: Message(subject="Hi", html="<p>Hi<img src='/x'>"))

    result = run(app, "--export", str(tmp_path))

    assert result.exit_code == 1
    assert re.search(r"News +failed +LookupError: no such \\x1b\[31m user", result.output)
    assert re.search(
        r"Bill +error +The image '/x' has no https: or cid: URL\. \[image\]", result.output
    )
    assert "Error: 1 of 2 could not be made." in result.output
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'<span class="count warn">(\w+)</span>', index) == ["2", "failed"]
    assert "LookupError" in (tmp_path / "news" / "index.html").read_text(encoding="utf-8")


def test_names_that_are_alike(app: Flask, mail: Mail, tmp_path: Path) -> None:
    """Samples whose names differ only in characters that file names cannot have get separate files,
    also separate from the gallery's own."""
    names = ["A b", "a/B", "Ä", "Ö", "static", "x" * 300, "x" * 301]
    for name in names:
        mail.preview(name)(lambda name=name: Message(subject=name, text="x"))

    result = run(app, "--export", str(tmp_path))

    assert result.exit_code == 0
    folders = [path for path in tmp_path.iterdir() if path.is_dir() and path.name != "static"]
    assert len(folders) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]{1,84}", folder.name) for folder in folders)


def test_again(app: Flask, mail: Mail, tmp_path: Path) -> None:
    """Exporting again replaces the files."""
    words = ["first", "second"]
    mail.preview("Bill")(lambda: Message(subject=words.pop(), text="x"))

    run(app, "--export", str(tmp_path))
    run(app, "--export", str(tmp_path))

    page = (tmp_path / "bill" / "index.html").read_text(encoding="utf-8")
    assert "first" in page
    assert "second" not in page


def test_a_folder_that_cannot_be_written(app: Flask, mail: Mail, tmp_path: Path) -> None:
    """A folder that cannot be written is an error in one line."""
    (tmp_path / "file").touch()

    result = run(app, "--export", str(tmp_path / "file" / "x"))

    assert result.exit_code == 1
    assert re.fullmatch(r"Error: .*/x cannot be written: Not a directory\n", result.output)
