"""From what was captured to a message, without secrets."""

from __future__ import annotations

import dataclasses
import datetime
import os
import secrets
import socket
import sys
import typing as t

from ...address import Address
from ...message.message import Message
from .captured import Captured
from .counts import Item
from .counts import Parcel
from .frames import written
from .masking import cookies
from .masking import MASK
from .masking import Masker
from .masking import Names
from .masking import query
from .masking import readable
from .options import Options
from .request import header_fields

if t.TYPE_CHECKING:
    from ...templating.package_mail import PackageMail

MARK = "<error-mail."
"""How the Message-ID of each error mail begins, so that what is logged about it is not mailed."""
_HEADERS = {"Auto-Submitted": "auto-generated"}  # RFC 3834
_SUBJECT = 120
_TITLE = 300
# More would make a mail that mail clients cut off: Gmail does so at 102 kB.
_KINDS, _ERRORS, _WITH_TABLES = 50, 10, 3
_TRACEBACKS = 40_000
_ROWS, _VALUE = 30, 400


def compose(
    parcel: Parcel,
    options: Options,
    name: str,
    config: t.Mapping[str, object],
    author: Address | None,
    mails: PackageMail,
) -> Message:
    """Return the message about these errors.

    :param name: The name of the app.
    :param config: Its configuration, whose secrets are masked.
    :param author: The From of the message.
    """
    masker = _masker(parcel, options, config)
    heading, summary = _headings(parcel, masker)
    subject = _one_line(f"{name}: {heading}")
    variables = {
        "app": name,
        "heading": heading,
        "summary": summary,
        "preheader": summary or _one_line(_where(parcel, masker)),
        "digest": parcel.is_digest,
        "kinds": _kinds(parcel, masker),
        "others": parcel.others,
        "footer": _footer(options, name),
    }
    return Message(
        subject=subject,
        text=mails.text("error", variables),
        html=mails.html("error", subject, variables),
        from_addr=options.from_addr,
        to=options.to,
        headers=_HEADERS,
        message_id=author and f"{MARK}{secrets.token_hex(16)}@{_right_part(author)}>",
    )


def compose_briefly(parcel: Parcel, options: Options, name: str, why: str) -> Message:
    """Return a message that says where the errors were, without a text of theirs. It is for errors
    that cannot be written in any other way.

    :param why: Why not.
    """
    lines = [f"{parcel.count} errors of {name} could not be written as a mail: {why}", ""]
    for item in parcel.items[:_KINDS]:
        file, line, function = item.key.place
        lines.append(readable(f"{_times(item.count)}: {file}, line {line}, in {function}"))
    return Message(
        subject=_one_line(f"{name}: {parcel.count} errors"),
        text="\n".join(lines),
        from_addr=options.from_addr,
        to=options.to,
        headers=_HEADERS,
    )


def summary_of(parcel: Parcel, options: Options, config: t.Mapping[str, object]) -> str:
    """Return the titles of errors in one line, for stderr."""
    masker = _masker(parcel, options, config)
    titles = [_one_line(masker.text(item.title)) for item in parcel.items[:5]]
    more = len(parcel.items) - len(titles)
    return "; ".join([*titles, f"and {more} other kinds"] if more else titles)


def with_masked_titles(parcel: Parcel, options: Options, config: t.Mapping[str, object]) -> Parcel:
    """Return the same errors with titles that may be kept when their requests are not."""
    masker = _masker(parcel, options, config)
    items = (dataclasses.replace(item, title=masker.text(item.title)) for item in parcel.items)
    return dataclasses.replace(parcel, items=tuple(items))


def _masker(parcel: Parcel, options: Options, config: t.Mapping[str, object]) -> Masker:
    masker = Masker(Names(options.mask), config)
    for item in parcel.items:
        if item.captured is not None and item.captured.request is not None:
            masker.add_request(item.captured.request)
    return masker


def _right_part(author: Address) -> str:
    domain = author.domain
    return "localhost" if domain.startswith("[") else domain


def _headings(parcel: Parcel, masker: Masker) -> tuple[str, str]:
    """Return the heading and the sentence after it."""
    items = parcel.items
    if not parcel.is_digest:
        often = f"{_times(items[0].count).capitalize()} since {_day(items[0].first)}."
        return _title(items[0], masker), often if items[0].count > 1 else ""
    if not items:
        return f"{parcel.count:,} errors of other kinds", ""
    began = min(item.first for item in items)
    new = sum(item.captured is not None for item in items)
    kinds = "1 kind" if len(items) == 1 else f"{len(items)} kinds"
    if len(items) == 1 and not parcel.others:
        return (
            f"{_times(items[0].count).capitalize()}: {_title(items[0], masker)}",
            f"Since {_day(began)}.",
        )
    told = f"{new or 'None'} of them {'is' if new == 1 else 'are'} new."
    told = "All are new." if new == len(items) else told
    return f"{parcel.count:,} errors of {kinds}", f"{told} Since {_day(began)}."


def _kinds(parcel: Parcel, masker: Masker) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    shown, new = 0, sum(item.captured is not None for item in parcel.items)
    # The new ones first, then the most frequent.
    ordered = sorted(parcel.items, key=lambda item: (item.captured is None, -item.count))
    for item in ordered[:_KINDS]:
        error = None
        if item.captured is not None and shown < _ERRORS:
            error = _error(item.captured, masker, _TRACEBACKS // min(new, _ERRORS))
            if shown >= _WITH_TABLES:
                error["tables"] = []
            shown += 1
        file, line, function = item.key.place
        fresh = "" if item.captured is None else "new, "
        found.append(
            {
                "title": _title(item, masker),
                "times": _times(item.count).capitalize(),
                "span": f"{fresh}{_span(item.first, item.last)}",
                "place": readable(f"{file}, line {line}, in {function}"),
                "error": error,
            }
        )
    return found


def _error(captured: Captured, masker: Masker, most: int) -> dict[str, object]:
    """Return what is shown of one error: facts, a traceback, and tables.

    :param most: The most characters of the traceback.
    """
    file, line, function = captured.place
    facts = [("Time", _day(captured.created))]
    if request := captured.request:
        facts.append(("Request", f"{request.method} {masker.path(request)}"))
    if request and (host := _host(captured)):
        facts.append(("Host", f"{request.scheme}://{host}"))
    if captured.user:
        facts.append(("User", masker.text(captured.user)))
    if request and request.remote:
        facts.append(("Client", request.remote))
    if message := _message(captured):
        facts.append(("Message", masker.text(message)))
    facts.append(("Place", f"{file}, line {line}, in {function}"))
    facts.append(("Logger", f"{captured.logger}, {captured.level}"))
    if captured.request is None:
        facts.append(("Command", _command(masker)))
    machine = f"{socket.gethostname()}, process {captured.process}, thread {captured.thread}"
    facts.append(("Machine", machine))
    return {
        "facts": [(name, _cut(readable(value), 4 * _VALUE)) for name, value in facts],
        "traceback": written(captured, masker, most),
        "tables": _tables(captured, masker),
    }


def _message(captured: Captured) -> str:
    """Return the message of the record, unless it is the title, or the one that Flask logs."""
    text, request = captured.message, captured.request
    if not captured.raised:
        return text if "\n" in text or len(text) > _TITLE else ""
    flask = "" if request is None else f"Exception on {request.path} [{request.method}]"
    return "" if text == flask else text


def _tables(captured: Captured, masker: Masker) -> list[tuple[str, list[tuple[str, str]]]]:
    facts = captured.request
    if facts is None:
        return []
    headers = header_fields(facts)
    plain = [(name, value) for name, value in headers if name != "Cookie"]
    crumbs = [
        (name, MASK)
        for header, value in headers
        if header == "Cookie"
        for name, _ in cookies(value)
    ]
    tables = [
        ("Query", masker.pairs(query(facts.query))),
        ("Form", masker.pairs(facts.form)),
        ("JSON", masker.pairs(facts.json)),
        ("Session", masker.pairs(facts.session)),
        ("Cookies", crumbs),
        ("Headers", masker.pairs(tuple(plain))),
    ]
    return [
        (name, [(one, _cut(value, _VALUE)) for one, value in rows[:_ROWS]])
        for name, rows in tables
        if rows
    ]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]} ..."


def _host(captured: Captured) -> str:
    """Return the host of the request, as its client wrote it."""
    headers = header_fields(captured.request) if captured.request else []
    return next((value for name, value in headers if name == "Host"), "")


def _command(masker: Masker) -> str:
    words = [os.path.basename(sys.argv[0] or ""), *sys.argv[1:]] if sys.argv else []
    hidden = False
    shown = []
    for word in words:
        # --password secret
        shown.append(MASK if hidden else masker.text(word))
        hidden = word.startswith("-") and "=" not in word and word.lstrip("-") in masker.names
    return " ".join(shown)[:_TITLE]


def _where(parcel: Parcel, masker: Masker) -> str:
    captured = parcel.items[0].captured if parcel.items else None
    if captured is None:
        return ""
    if captured.request is not None:
        return f"{captured.request.method} {masker.path(captured.request)}"
    return f"{captured.place[0]}, line {captured.place[1]}"


def _title(item: Item, masker: Masker) -> str:
    text = masker.text(item.title).strip().partition("\n")[0]
    return _cut(text, _TITLE)


def _footer(options: Options, name: str) -> str:
    hours = options.digest_every / 3600
    often = f"{hours:g} hours" if hours > 1 else f"{options.digest_every / 60:g} minutes"
    often = "hour" if hours == 1 else often
    return (
        f"The app {name} mails the first error of a kind. Later errors of that kind are counted in"
        f" a digest, at most one every {often}, and each process sends at most {options.per_hour}"
        " mails in an hour. Values that look like secrets are masked."
    )


def _one_line(text: str) -> str:
    line = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.split())
    return line if len(line) <= _SUBJECT else f"{line[: _SUBJECT - 4]} ..."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _clock(seconds: float) -> str:
    return _local(seconds).strftime("%H:%M:%S")


def _span(first: float, last: float) -> str:
    shown = _clock if _local(first).date() == _local(last).date() else _day
    return shown(first) if shown(first) == shown(last) else f"{shown(first)} to {shown(last)}"


def _day(seconds: float) -> str:
    return _local(seconds).strftime("%Y-%m-%d %H:%M:%S %z")


def _local(seconds: float) -> datetime.datetime:
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).astimezone()
    except (OverflowError, ValueError, OSError):  # of a record that was made by hand
        return datetime.datetime.fromtimestamp(0, datetime.UTC)
