"""The button of the mailbox that shows what a mailbox provider would get."""

from __future__ import annotations

import re
import typing as t

from flask import redirect
from flask import request

from leaving import ListShop
from leaving import news

if t.TYPE_CHECKING:
    from pathlib import Path

    from werkzeug.test import TestResponse

SAME = {"Origin": "http://localhost"}


def mailbox(folder: Path, **fields: t.Any) -> tuple[ListShop, str]:
    """Send a message into a mailbox. Return the URL of its page."""
    shop = ListShop(
        testing=False, MAIL_FOLDER=str(folder), MAIL_MAILBOX=True, MAIL_HANDLER="mailbox"
    )
    shop.app.debug = True
    with shop.app.app_context():
        shop.mail.send(news(**fields))
    return shop, str(api(shop)["messages"][0]["page"])


def api(shop: ListShop) -> t.Any:
    return shop.client.get("/_mail/api/messages").get_json()


def pressed(shop: ListShop, page: str, **changes: str) -> TestResponse:
    data = {"token": api(shop)["token"], **changes}
    return shop.client.post(f"{page}/unsubscribe", data=data, headers=SAME)


def test_the_button(tmp_path: Path) -> None:
    """The button sends the POST of a provider, and shows its status and its page as text."""
    shop, page = mailbox(tmp_path)
    shown = shop.client.get(page).text
    before = list(shop.told)
    answer = pressed(shop, page)

    assert f'action="{page}/unsubscribe"' in shown
    assert before == []
    assert answer.status_code == 200
    assert '<h1 id="subject">200 OK</h1>' in answer.text
    assert "You are unsubscribed. ann@example.org will not receive" in answer.text
    assert "A mailbox provider needs" not in answer.text
    assert shop.told == [("unsubscribed", "ann@example.org", "newsletter")]


def test_an_app_that_demands_a_login(tmp_path: Path) -> None:
    """An answer that a provider would take for a failure is shown with a note."""
    shop, page = mailbox(tmp_path)

    def log_in() -> t.Any:
        return redirect("/login") if request.blueprint == "mail_unsubscribe" else None

    shop.app.before_request_funcs.setdefault(None, []).append(log_in)
    answer = pressed(shop, page).text

    assert "302 FOUND" in answer
    assert "<dd>/login</dd>" in answer
    assert "A mailbox provider needs a 200" in answer


def test_the_token(tmp_path: Path) -> None:
    """A POST without the token of the page is refused, as for the other buttons."""
    shop, page = mailbox(tmp_path)

    assert pressed(shop, page, token="x").status_code == 403
    assert shop.client.post(f"{page}/unsubscribe").status_code == 403
    assert shop.client.get(f"{page}/unsubscribe").status_code == 405
    assert shop.told == []


def test_other_links(tmp_path: Path) -> None:
    """A link that the app has not signed has no button: a message could name any URL."""
    shop, own = mailbox(tmp_path / "own")
    token = re.search(r"mail/unsubscribe/([\w.-]+)", shop.client.get(own).text)
    assert token is not None
    for url in (
        "https://shop.example/admin/delete",
        f"https://shop.example/mail/unsubscribe/{token[1][:-1]}",
        f"https://shop.example/mail/unsubscribe/{token[1]}/../../admin",
    ):
        headers = {
            "List-Unsubscribe": f"<{url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        folder = tmp_path / str(abs(hash(url)))
        shop, page = mailbox(folder, unsubscribe=None, headers=headers)

        assert '/unsubscribe"' not in shop.client.get(page).text
        assert pressed(shop, page).status_code == 404
