"""The preview of the mails about errors, with errors that never happened."""

from __future__ import annotations

import logging
import typing as t

from ...app.current import app_in_context
from ...message.message import Message
from ...previews.preview import Previews
from ...templating.package_mail import PackageMail
from .captured import Captured
from .captured import Frame
from .captured import Raised
from .composing import compose
from .counts import Item
from .counts import Parcel
from .options import Options
from .request import RequestFacts

NAME = "Error mail"
_BEGAN = 1_790_000_000.0


def add_preview(previews: Previews, options: Options) -> None:
    """Register the preview, unless another handler has."""
    if NAME in previews:
        return

    def preview(parcel: Parcel) -> Message:
        """What mail.error_handler() sends: the first error of a kind, and a digest."""
        app = app_in_context()
        mails = PackageMail()
        return compose(parcel, options, app.name, app.config, options.from_addr, mails)

    variants: dict[str, dict[str, object]] = {
        "first": {"parcel": _FIRST},
        "command": {"parcel": _COMMAND},
        "digest": {"parcel": _DIGEST},
    }
    previews.adder(NAME, variants, (), ())(preview)


def _captured(error: str, text: str, frame: Frame, **more: t.Any) -> Captured:
    facts: dict[str, t.Any] = {
        "title": f"{error}: {text}",
        "message": "",
        "level": logging.getLevelName(logging.ERROR),
        "logger": "shop",
        "place": frame[:3],
        "created": _BEGAN,
        "thread": "MainThread",
        "process": 4711,
        "raised": (Raised(error, text, (), (frame,), (), 0),),
        "stack": "",
        "user": "",
        "request": None,
        **more,
    }
    return Captured(**facts)


_REQUEST = RequestFacts(
    method="POST",
    scheme="https",
    path="/orders/17",
    query="coupon=TEA&token=8f14e45fceea167a",
    endpoint="order",
    remote="192.0.2.17",
    headers=(
        ("Host", "shop.example.com"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("Authorization", "Bearer 8f14e45fceea167a5a36dedd4bea2543"),
        ("Cookie", "session=eyJfdXNlcl9pZCI6IjQyIn0.aBcDeF; theme=dark"),
    ),
    arguments=(("number", "17"),),
    form=(("amount", "0"), ("card_number", "4111111111111111")),
    json=(),
    session=(("_user_id", "42"), ("csrf_token", "c81e728d9d4c2f636f067f89cc14862c")),
)
_ORDER = _captured(
    "ZeroDivisionError",
    "division by zero",
    Frame("/srv/shop/orders.py", 41, "order"),
    user="42",
    request=_REQUEST,
)
_IMPORT = _captured(
    "shop.stock.StockError",
    "the file of the supplier has no column 'price'",
    Frame("/srv/shop/stock.py", 112, "read_prices"),
)
_FIRST = Parcel((Item(("raised", 1), _ORDER.title, _ORDER.place, _ORDER, 1, _BEGAN, _BEGAN),))
_COMMAND = Parcel((Item(("raised", 2), _IMPORT.title, _IMPORT.place, _IMPORT, 1, _BEGAN, _BEGAN),))
_DIGEST = Parcel(
    (
        Item(("raised", 1), _ORDER.title, _ORDER.place, None, 10_231, _BEGAN, _BEGAN + 3540),
        Item(
            ("logged", 3),
            "Payment 8812 was refused by the bank",
            ("/srv/shop/pay.py", 7, "pay"),
            None,
            12,
            _BEGAN,
            _BEGAN + 900,
        ),
        Item(("raised", 2), _IMPORT.title, _IMPORT.place, _IMPORT, 2, _BEGAN + 60, _BEGAN + 1860),
    )
)
