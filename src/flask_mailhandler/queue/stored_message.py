"""How a message is stored in a row and its octets, and how it is read back."""

from __future__ import annotations

import json
import time
import typing as t
from collections.abc import Mapping
from email.message import Message as MIMEMessage

from ..address import Address
from ..address import Addresses
from ..content import Content
from ..envelope import DSN
from ..envelope import Envelope
from ..errors import MessageError
from ..handlers import staging
from ..handlers.prepare import Prepared
from ..handlers.traced import call_site
from ..handlers.traced import TracedJob
from ..message.fields import dsn_notify
from ..message.fields import dsn_return
from ..message.fields import FOR_PROVIDER
from ..message.given import for_provider
from ..message.message import Message
from ..message.template_name import mark
from ..message.template_name import origin_of
from ..mime import seven_bit
from ..report import Job
from . import outcomes
from .events.suppression import list_of
from .outcomes import Settled
from .row import Row
from .unreadable import DamagedRowError
from .unreadable import NewerRowError

VERSION = 1
"""Of the JSON in a row."""
_SUBJECT = 200
# Made once: json.dumps makes an encoder in each call, which takes 3 microseconds.
_as_json = json.JSONEncoder(ensure_ascii=False).encode


def options(prepared: Prepared, trace: Mapping[str, str]) -> str:
    """Return everything besides the octets that delivery needs, and that people want to know, as
    JSON. It is called in the call that queues the message, because it stores the line of code.

    :param trace: The span that queues the message. It is not sent with the message.
    """
    job, message = prepared.job, prepared.message
    found: dict[str, t.Any] = {
        "version": VERSION,
        "sender": "" if job is None else str.__str__(job.envelope.sender),
        "smtputf8": job is not None and job.content.smtputf8,
        "eightbit": job is not None and job.content.eightbit,
    }
    if job is not None and job.dsn is not None:
        found["dsn"] = [job.dsn.notify, job.dsn.ret]
    if prepared.again is not None:
        from .sending.written_again import other_headers  # few apps have more than one way out

        if others := other_headers(prepared):
            found["others"] = others
    if site := call_site():
        found["site"] = site
    if trace:
        found["trace"] = dict(trace)
    if isinstance(message, MIMEMessage):
        found["subject"] = str(message["Subject"] or "")[:_SUBJECT]
        found["foreign"] = True
    else:
        if message.tags:
            # Keys after an empty one, so that tag_text() finds each in the text.
            found["tags"] = dict.fromkeys(["", *message.tags])
        if given := for_provider(message):
            # In a string, so that tag_text() does not find a null of an option.
            found["for_provider"] = _as_json(given)
        if template := origin_of(message):
            found["template"] = template
        if name := list_of(message):
            found["list"] = name
        found["subject"] = message.subject[:_SUBJECT]
        found["bcc"] = [str.__str__(address) for address in message.bcc]
    # The name of a file may have bytes that are not UTF-8, which a database cannot store.
    return _as_json(found).encode("utf-8", "replace").decode()


def recipients(prepared: Prepared) -> tuple[Settled, ...]:
    """Return every recipient of the envelope, including those that the staging guard withheld."""
    mine = () if prepared.job is None else prepared.job.envelope.recipients
    withheld = {outcome.recipient: outcomes.settled(outcome) for outcome in prepared.withheld}
    everyone = prepared.recipients or mine
    return tuple(withheld.get(address, Settled(address)) for address in everyone)


def read_options(row: Row) -> dict[str, t.Any]:
    """Read the JSON that :func:`options` returned.

    :raises NewerRowError: if it has the version of a newer release.
    :raises DamagedRowError: if it cannot be read.
    """
    try:
        found = json.loads(row.options)
        version = found["version"]
    except (ValueError, TypeError, LookupError) as error:
        raise DamagedRowError(f"its options cannot be read: {error!r}") from None
    if version != VERSION:
        kind = NewerRowError if isinstance(version, int) and version > VERSION else DamagedRowError
        raise kind(f"it has version {version!r}, and this one knows version {VERSION}")
    return t.cast("dict[str, t.Any]", found)


def tags_in(options: Mapping[str, t.Any]) -> tuple[str, ...]:
    """Return the tags of a message, as far as they can be read from its options."""
    found = options.get("tags")
    return tuple(filter(None, found)) if isinstance(found, dict) else ()


def tag_text(tag: str) -> str:
    """Return the text that is in the options of a row if its message has this tag, and in no other.

    The tags are the keys of an object, none of them the first, and their values are the only ones
    that are null. Within a string, a backslash precedes each quote, and never a space. So a store
    needs no JSON functions, which every database spells in its own way, and which fail for a
    damaged row. The rows of the app are read one by one: 100,000 of them in SQLite in 0.1 s, which
    is quick enough for the commands and the page. A table of tags would cost each message another
    write.
    """
    text = tag.encode("utf-8", "replace").decode()
    return f" {json.dumps(text, ensure_ascii=False)}: null"


def metadata_in(options: Mapping[str, t.Any]) -> dict[str, str]:
    """Return the metadata of a message, as far as they can be read from its options."""
    try:
        found = _for_provider(options).get("metadata", {})
    except DamagedRowError:
        return {}
    return found if isinstance(found, dict) else {}


def _for_provider(options: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the fields that only a provider reads; a row of an earlier release has none."""
    try:
        found = json.loads(options.get("for_provider", "{}"))
    except (ValueError, TypeError) as error:
        raise DamagedRowError(f"its options cannot be read: {error!r}") from None
    if not isinstance(found, dict):
        raise DamagedRowError("its options cannot be read: the fields for a provider")
    if more := found.keys() - {*FOR_PROVIDER}:
        raise NewerRowError(f"this one does not know the field {min(more)[:80]!r}")
    return found


def job_of(
    row: Row,
    octets: bytes | None,
    to: tuple[Address, ...],
    timeout: float,
    *,
    redirected: bool = False,
    repeats: bool = False,
) -> Job:
    """Return the job that sends exactly these octets to these recipients.

    :param timeout: Seconds for the job in all.
    :param redirected: Whether they are others than those of the row. Then the octets are sent
        without the fields that are only for those.
    :param repeats: Whether an earlier attempt may have been accepted.
    :raises DamagedRowError: if the row cannot be read.
    """
    found = read_options(row)
    if octets is None or len(octets) != row.size:
        raise DamagedRowError("its content is gone, or cut short")
    octets = staging.for_others(octets) if redirected else octets
    try:
        envelope = Envelope(found["sender"], to)
        content = Content(
            octets,
            smtputf8=bool(found["smtputf8"]),
            eightbit=bool(found["eightbit"]),
            rewrite=seven_bit,
        )
        dsn = _dsn(found)
    except (LookupError, TypeError, ValueError, MessageError) as error:
        raise DamagedRowError(f"its options cannot be read: {error!r}") from None
    message = message_of(row, octets)
    return TracedJob(
        message,
        row.message_id,
        envelope,
        content,
        timeout,
        dsn,
        repeats,
        row.account,
        time.perf_counter(),
        found.get("site"),
    )


def _dsn(options: Mapping[str, t.Any]) -> DSN | None:
    if not (found := options.get("dsn")):
        return None
    notify, ret = found
    return DSN(dsn_notify(notify, "dsn") or (), dsn_return(ret, "dsn"))


def message_of(row: Row, octets: bytes) -> Message | MIMEMessage:
    """Return the message of a row, as far as it can be read from its octets.

    :raises DamagedRowError: if the row cannot be read.
    """
    found = read_options(row)
    if found.get("foreign"):
        from ..mime.stdlib.as_sent import AS_SENT  # 20 ms, and most messages are ours
        from ..mime.stdlib.as_sent import AS_SENT_UTF8
        from ..mime.stdlib.body import parse

        return parse(octets, AS_SENT_UTF8 if found.get("smtputf8") else AS_SENT)
    more = {"tags": tags_in(found), "unsubscribe": found.get("list"), **_for_provider(found)}
    message = StoredMessage.of(octets, found.get("bcc", []), more)
    return mark(message, str(template)) if (template := found.get("template")) else message


class StoredMessage(Message):
    """A message that is read from its octets when a field is used. Sending it uses no field."""

    @classmethod
    def of(cls, octets: bytes, bcc: list[str], more: Mapping[str, t.Any]) -> StoredMessage:
        """Return the message that has these octets, and the Bcc recipients and other fields, such
        as tags, which they omit."""
        self = cls.__new__(cls)
        self.__dict__["_unread"] = octets, bcc, more
        return self

    def __getattribute__(self, name: str) -> t.Any:
        if not name.startswith("__"):
            _read(object.__getattribute__(self, "__dict__"))
        return object.__getattribute__(self, name)


def _read(into: dict[str, t.Any]) -> None:
    octets, bcc, more = into.get("_unread", (None, None, {}))
    if octets is None:
        return
    from ..mime.stdlib.body import parse

    message = Message.from_mime(parse(octets))
    # All three are given, even if empty, so that no default is filled in when it is sent again.
    read = message.completed(to=message.to, cc=message.cc, bcc=Addresses(map(Address, bcc)), **more)
    into.update(vars(read))
    del into["_unread"]
