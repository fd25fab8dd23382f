"""The fields of a message: a function for each reads a given value and returns a checked one."""

from __future__ import annotations

import contextlib
import datetime
import functools
import re
import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from ..address import Address
from ..address import Addresses
from ..address import parse_address
from ..address import parse_addresses
from ..address import parse_envelope_sender
from ..errors import MessageError
from ..frozen import FrozenMapping
from ..text.checks import check_text
from ..text.checks import plain
from ..text.checks import shorten
from ..text.common_form import read_common
from . import content_ids
from .headers import MESSAGE_ID

if t.TYPE_CHECKING:
    from ..attachment import Attachment

_LONGEST_TAG = 100


def line(value: object, field: str) -> str:
    if type(value) is str and value.isprintable():  # no control character is
        return value
    text = "" if value is None else plain(value)
    if text is None:
        raise MessageError(f"{field} takes a string, not {shorten(value)}.")
    return check_text(text, field)


def body(value: object, field: str) -> str:
    text = value if type(value) is str else "" if value is None else plain(value)
    if text is None:
        raise MessageError(f"{field} takes a string, not {shorten(value)}.")
    if not text.isascii():
        _check_utf8(text, field)
    # In a message, lines end with LF; when it is sent, they end with CRLF.
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


_LARGE = 1024


def _check_utf8(text: str, field: str) -> None:
    if len(text) > _LARGE:
        # For 50 kB of German, Latin-1 takes 2 µs, and UTF-8 35 µs.
        with contextlib.suppress(UnicodeEncodeError):
            text.encode("latin-1")
            return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MessageError(f"{field} cannot be written as UTF-8: {error}.") from None


def sender(value: object, field: str) -> Address | None:
    if value is None:
        return None
    return read_common(Address, value) or parse_address(value, field)


def reverse_path(value: object, field: str) -> Address | str | None:
    if value is None:
        return None
    if not isinstance(value, Address) and plain(value) == "":
        return ""
    return parse_envelope_sender(value, field)


def attachments(value: object, field: str) -> tuple[Attachment, ...]:
    if value is None or (type(value) in (list, tuple) and not value):
        return ()
    return _reader()(value, field)


@functools.cache  # the import takes 1 µs each time
def _reader() -> Callable[[object, str], tuple[Attachment, ...]]:
    from .attachments import read  # many processes send no attachment

    return read


def attached_files(value: object, field: str) -> tuple[Attachment, ...]:
    found = attachments(value, field)
    return found and tuple([one if one.filename else one.named() for one in found])


def inline_attachments(value: object, field: str) -> tuple[Attachment, ...]:
    found = attachments(value, field)
    return found and content_ids.each_once(found, field)


def alternatives(value: object, field: str) -> tuple[Attachment, ...]:
    if value is None or (type(value) in (list, tuple) and not value):
        return ()
    from .attachments import read_alternatives

    return read_alternatives(value, field)


def tags(value: object, field: str) -> tuple[str, ...]:
    if value is None:
        return ()
    found = value if plain(value) is None else [value]
    if isinstance(found, bytes) or not isinstance(found, Iterable):
        raise MessageError(
            f"{field} takes strings, such as ['newsletter-48'], not {shorten(value)}."
        )
    return tuple(dict.fromkeys(_tag(one, field) for one in found))


def _tag(value: object, field: str, example: str = "newsletter-48") -> str:
    text = plain(value)
    if text is None or not text.strip() or len(text) > _LONGEST_TAG:
        raise MessageError(
            f"{field} takes strings of up to {_LONGEST_TAG} characters that are not blank, such as"
            f" {example!r}, not {shorten(value)}."
        )
    return check_text(text, field)


FOR_PROVIDER = ("metadata", "track_opens", "track_clicks", "stream", "provider_options")
"""The fields that only a provider reads. It gets the tags too, which an app has for itself."""
NOTHING: FrozenMapping[t.Any] = FrozenMapping({})


def metadata(value: object, field: str) -> Mapping[str, str]:
    if value is None:
        return NOTHING
    from .provider_data import read_metadata  # few messages have any

    return read_metadata(value, field)


def tracking(value: object, field: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise MessageError(f"{field} takes True, False or None, not {shorten(value)}.")


def stream(value: object, field: str) -> str | None:
    return None if value is None else _tag(value, field, "broadcast")


def provider_options(value: object, field: str) -> Mapping[str, Mapping[str, t.Any]]:
    if value is None:
        return NOTHING
    from .provider_data import read_options  # few messages have any

    return read_options(value, field)


_NOTIFY = ("failure", "delay", "success")


def dsn_notify(value: object, field: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    text = plain(value)
    given = value if text is None else text.split(",")
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise _no_notify(value, field)
    words = {(plain(word) or repr(word)).strip().lower() for word in given} - {""}
    if words == {"never"}:
        return ("never",)
    if not words <= {*_NOTIFY}:
        raise _no_notify(value, field)
    return tuple([word for word in _NOTIFY if word in words])


def _no_notify(value: object, field: str) -> MessageError:
    return MessageError(
        f"{field} takes 'never', or a list of 'failure', 'delay' and 'success', not"
        f" {shorten(value)}."
    )


def dsn_return(value: object, field: str) -> str | None:
    text = None if value is None else plain(value)
    if value is not None and text not in ("headers", "full"):
        raise MessageError(f"{field} takes 'headers' or 'full', not {shorten(value)}.")
    return text


def list_name(value: object, field: str) -> str:
    text = "" if value is None else plain(value)
    if text is None or (text and not text.strip()) or len(text) > _LONGEST_TAG:
        raise MessageError(
            f"{field} takes the name of a list, such as 'newsletter', with up to {_LONGEST_TAG}"
            f" characters, not {shorten(value)}."
        )
    return check_text(text, field)


def message_id(value: object, field: str) -> str | None:
    text = None if value is None else plain(value)
    if value is not None and (text is None or not re.match(MESSAGE_ID, text) or len(text) > 250):
        raise MessageError(
            f"{field} takes '<left@right>' in printable ASCII, up to 250 characters,"
            f" not {shorten(value)}."
        )
    return text


# The messages of a list are often made in the same second: 1.5 µs less for each. tzset() makes a
# new tzname.
_last = (0, time.tzname, datetime.datetime.fromtimestamp(0, datetime.UTC))


def _now() -> datetime.datetime:
    """Return the time in this machine's zone, in whole seconds, faster than astimezone()."""
    global _last
    now = int(time.time())
    second, names, date = _last
    if now == second and names is time.tzname:
        return date
    zone = datetime.timezone(datetime.timedelta(seconds=time.localtime(now).tm_gmtoff))
    date = datetime.datetime.fromtimestamp(now, zone)
    _last = now, time.tzname, date
    return date


def date(value: object, field: str) -> datetime.datetime:
    if value is None:
        return _now()
    if not isinstance(value, datetime.datetime):
        raise MessageError(f"{field} takes a datetime, not {shorten(value)}.")
    if value.utcoffset() is None:
        raise MessageError(f"{field} has no time zone: write datetime.now().astimezone().")
    return value


def shown(value: object) -> str:
    """Return a field as the ``repr`` of a message shows it."""
    if isinstance(value, Addresses):
        return "[" + ", ".join(address.formatted for address in value) + "]"
    return value.formatted if isinstance(value, Address) else repr(value)


def with_names(fields: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return fields with the display names of addresses, by which messages are compared."""

    def named(value: object) -> object:
        if isinstance(value, Addresses):
            return value.named
        return (value.name, str(value)) if isinstance(value, Address) else value

    return {name: named(value) for name, value in fields.items()}


INDEPENDENT: dict[str, Callable[[t.Any, str], object]] = {
    "from_addr": sender,
    "reply_to": parse_addresses,
    "subject": line,
}
"""The readers of the fields that a handler often fills in. No check needs such a field together
with another one."""
