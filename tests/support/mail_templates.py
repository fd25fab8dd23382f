"""Apps with mail templates, for the tests of templating."""

from __future__ import annotations

import typing as t
from pathlib import Path

from flask import Blueprint
from flask import Flask
from jinja2 import DictLoader

from flask_mailhandler import current_mail
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import MessageFields

BASE_URL = "https://shop.example"
SAMPLES = Path(__file__).parents[1] / "golden" / "templates"
MAILS: dict[str, dict[str, t.Any]] = {
    "receipt": {
        "order": {
            "number": "HP-20488",
            "name": "Ann O’Neill",
            "total": 9350,
            "lines": [
                {"name": "Stoneware mug <sea green>", "quantity": 2, "amount": 4800},
                {"name": "Tea towel, 50 × 70 cm", "quantity": 1, "amount": 1450},
                {"name": "Pine soap & dish", "quantity": 3, "amount": 3100},
            ],
        },
    },
    "reset": {
        "user": {"name": "Ann & Bob", "email": "ann@example.com"},
        "token": "Zm9v/YmFy==",
        "code": "402-117",
        "hours": 4,
    },
    "digest": {
        "name": "Ann_the_great",
        "group": "Pots & Pans",
        "code": "A*B-1_2",
        "posts": [
            {
                "title": "Glaze [blue] runs",
                "number": 7,
                "author": "Bob *the potter*",
                "answers": 3,
                "beginning": "It ran & ran.\n\n# Why?",
            },
            {
                "title": "Kiln for sale | cheap",
                "number": 9,
                "author": "Eve",
                "answers": 0,
                "beginning": "[Look](https://evil.example) <b>here</b>",
            },
        ],
        "authors": [("Bob *the potter*", 1), ("Eve | Adam", 1)],
    },
}


def app_with(templates: dict[str, str], **keys: object) -> Flask:
    """Return an app with these templates, and with ``MAIL_BASE_URL`` unless *keys* override it."""
    app = Flask("shop", root_path=str(SAMPLES))
    app.jinja_loader = DictLoader(templates)
    set_up(app, **keys)
    return app


def sample_app(**keys: object) -> Flask:
    """Return an app with the three real messages."""
    app = Flask("shop", root_path=str(SAMPLES))
    set_up(app, **keys)
    return app


def set_up(app: Flask, **keys: object) -> None:
    app.config["MAIL_BASE_URL"] = BASE_URL
    app.config["MAIL_DEFAULT_FROM"] = "shop@example.com"
    for name, value in keys.items():
        app.config[name if name.isupper() else f"MAIL_{name.upper()}"] = value
    for path in ("reset/<token>", "order/<number>", "post/<int:number>", "leave/<group>"):
        app.add_url_rule(f"/{path}", path.partition("/")[0], lambda **values: "")
    app.add_url_rule("/account", "account", lambda: "")
    pages = Blueprint("pages", __name__, url_prefix="/pages")
    pages.add_url_rule("/about", "about", lambda: "")
    app.register_blueprint(pages)
    Mail(app, cli=None)


def render(app: Flask, name: str, /, locale: object = None, **variables: t.Any) -> Message:
    """Render outside a request. Templates that no test asks for a subject need none."""
    loader = app.jinja_loader
    written = not isinstance(loader, DictLoader) or any(
        "block subject" in source for source in loader.mapping.values()
    )
    fields: MessageFields = {"to": "ann@example.com"}
    if not written:
        fields["subject"] = ""
    with app.app_context():
        return current_mail.render(name, variables, locale=locale, **fields)


def render_html(source: str, /, **variables: t.Any) -> Message:
    """Render a message from an HTML template alone."""
    return render(app_with({"mail.html": source}), "mail", **variables)
