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
from .kind import Key
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


def _item(captured: Captured, *, new: bool, count: int, seconds: tuple[int, int]) -> Item:
    first, last = (_BEGAN + second for second in seconds)
    key = Key("", captured.title, captured.place)
    return Item(key, captured.title, captured if new else None, count, first, last)


_PAY = _captured("Payment 8812", "refused by the bank", Frame("/srv/shop/pay.py", 7, "pay"))
_FIRST = Parcel((_item(_ORDER, new=True, count=1, seconds=(0, 0)),))
_COMMAND = Parcel((_item(_IMPORT, new=True, count=1, seconds=(0, 0)),))
_DIGEST = Parcel(
    (
        _item(_ORDER, new=False, count=10_231, seconds=(0, 3540)),
        _item(_PAY, new=False, count=12, seconds=(0, 900)),
        _item(_IMPORT, new=True, count=2, seconds=(60, 1860)),
    )
)
