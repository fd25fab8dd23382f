"""A shop of Quart that confirms each order by mail.

::

    $ pip install 'Flask-MailHandler[quart]'
    $ quart --app shop --debug run
    $ hypercorn shop:app
"""

from __future__ import annotations

import asyncio

from quart import Quart
from quart import request

from flask_mailhandler import Mail
from flask_mailhandler import MessageError

mail = Mail()


def create_app() -> Quart:
    """A shop with a view that waits for the mail server, and one that does not."""
    app = Quart(__name__)
    app.config["MAIL_DEFAULT_FROM"] = "The Shop <shop@example.com>"
    app.config["MAIL_BASE_URL"] = "https://shop.example"
    app.config.from_prefixed_env()  # QUART_MAIL_URL and others
    mail.init_app(app)

    @app.get("/orders/<int:number>")
    async def order(number: int) -> str:
        return f"Order {number}"

    @app.post("/orders/<int:number>")
    async def confirm(number: int) -> tuple[dict[str, object], int]:
        form = await request.form
        try:
            message = mail.render(
                "mail/order", {"number": number}, subject=f"Your order {number}", to=form["email"]
            )
        except MessageError as error:  # the address is mistyped
            return {"error": str(error)}, 400
        report = await mail.send_async(message)
        return {"accepted": report.accepted}, 200

    @app.post("/orders/<int:number>/later")
    async def confirm_later(number: int) -> tuple[dict[str, object], int]:
        form = await request.form
        message = mail.render(
            "mail/order", {"number": number}, subject=f"Your order {number}", to=form["email"]
        )
        # In a thread, because it waits for the disk.
        ticket = await asyncio.to_thread(mail.send_later, message, key=f"order:{number}")
        return {"ticket": ticket.id}, 202

    return app


app = create_app()
