"""The folder of messages: what is in it, told quickly.

The ``.json`` beside each message holds what a list shows; it is read once in each process. A
message that somebody has read has a third file of its name, ``.seen``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import hashlib
import json
import os
import re
import secrets
import time
import typing as t

from ...handlers.file import NAME
from ...handlers.mailbox import DROPPED
from ...mime.reading.summary import MAX_LISTED
from ...mime.reading.summary import summary

_TOKEN = re.compile(r"[0-9a-f]{64}")
# A folder that changes twice within a tick of its clock shows one time for both.
_TICK = 2.0


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is known of a message without reading it.

    :param id: The name of its files.
    :param facts: Its ``.json``.
    """

    id: str
    time: datetime.datetime
    facts: t.Mapping[str, t.Any] = dataclasses.field(repr=False)
    subject: str
    from_addr: str
    to: tuple[str, ...]
    """Of the header; the envelope's recipients if that names nobody."""
    cc: tuple[str, ...]
    text: str
    attachments: tuple[str, ...]
    sender: str
    recipients: tuple[str, ...]
    """Of the envelope, Bcc among them."""
    size: int

    @functools.cached_property
    def unnamed(self) -> tuple[str, ...]:
        """Recipients whom ``to`` and ``cc`` do not name: blind copies, or where a staging guard
        led."""
        named = "\n".join((*self.to, *self.cc)).casefold()
        return tuple(name for name in self.recipients if not _names(named, name.casefold()))

    @property
    def is_cut(self) -> bool:
        """Whether the header may name more than ``to`` and ``cc`` do: then who is unnamed may be
        no blind copy."""
        return max(len(self.to), len(self.cc)) >= MAX_LISTED

    @functools.cached_property
    def origin(self) -> tuple[tuple[str, str], ...]:
        """What only the app that sent it knew, a label and a text each."""
        found, site = self.facts, self.facts.get("site")
        told = [("Template", str(found["template"]))] if found.get("template") else []
        if isinstance(site, dict):
            file = _short(str(site.get("file")))
            told.append(("Sent by", f"{site.get('function')}, {file}:{site.get('line')}"))
        if isinstance(duration := found.get("duration"), float):
            told.append(
                ("Took", f"{duration:.1f} s" if duration >= 1 else f"{1000 * duration:.1f} ms")
            )
        if original := self.facts["summary"].get("original_to"):
            told.append(("Redirected", f"from {original}"))
        return tuple(told)

    @functools.cached_property
    def words(self) -> str:
        """All that a search looks through, in one case."""
        who = (self.from_addr, *self.to, *self.cc, *self.recipients)
        return "\n".join((self.subject, *who, self.text, *self.attachments)).casefold()


class Store:
    """The messages of a folder. Any number of processes and threads may use it at once.

    :param folder: Where they are; it need not be there.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._known: dict[str, Entry | None] = {}
        # Replaced as a whole, so that no thread sees half of it.
        self._listed: tuple[tuple[int, int], float, set[str], Listing] | None = None
        self._token = ""

    def list(self) -> Listing:
        """All messages, newest first."""
        try:
            found = os.stat(self.folder)
        except OSError:
            return Listing((), frozenset())
        state, now = (found.st_ino, found.st_mtime_ns), time.time()
        listed = self._listed
        if listed and listed[0] == state and listed[1] > _TICK:
            return listed[3]
        names = self._names()
        listing = listed[3] if listed and listed[2] == names else self._read(names)
        self._listed = state, now - found.st_mtime, names, listing
        return listing

    @property
    def dropped(self) -> int:
        """How many messages were dropped, for there were too many, since the folder was cleared."""
        try:
            return os.path.getsize(os.path.join(self.folder, DROPPED))
        except OSError:
            return 0

    def clear(self) -> None:
        """Delete the messages that are there, and forget how many were dropped."""
        self.delete(*self.list().entries)
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.folder, DROPPED))

    def find(self, id: str) -> Entry | None:
        """The message of that id."""
        return next((entry for entry in self.list().entries if entry.id == id), None)

    def of_message(self, message_id: str) -> Entry | None:
        """The newest message of that Message-ID."""
        entries = self.list().entries
        return next(
            (entry for entry in entries if entry.facts.get("message_id") == message_id), None
        )

    def octets(self, entry: Entry) -> bytes | None:
        """The octets of a message; None if it has gone meanwhile."""
        try:
            with open(self._path(entry.id, "eml"), "rb") as file:
                return file.read()
        except OSError:
            return None

    def mark_read(self, entry: Entry) -> None:
        """Remember that somebody has read it."""
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            os.close(os.open(self._path(entry.id, "seen"), flags, 0o600))

    def delete(self, *entries: Entry) -> None:
        """Delete messages; it is no fault if another has done so."""
        for entry in entries:
            # In this order a message is never half there.
            for ending in ("json", "eml", "seen"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path(entry.id, ending))

    def token(self) -> str:
        """What a page must know to change anything: the same for all processes, and unknown to
        who cannot read the folder."""
        path = os.path.join(self.folder, ".token")
        with contextlib.suppress(OSError):
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                if not os.path.exists(path):
                    _write_new(path, secrets.token_hex(32))
            with open(path, encoding="ascii", errors="replace") as file:
                found = file.read(100).strip()
            if _TOKEN.fullmatch(found):
                return found
        # The folder cannot be written; then this process is the only one that it holds for.
        self._token = self._token or secrets.token_hex(32)
        return self._token

    def _read(self, names: set[str]) -> Listing:
        ids = sorted((name[:-5] for name in names if name.endswith(".json")), reverse=True)
        entries = [entry for id in ids if NAME.fullmatch(id) and (entry := self._entry(id))]
        for gone in self._known.keys() - set(ids):
            self._known.pop(gone, None)
        seen = frozenset(entry.id for entry in entries if f"{entry.id}.seen" in names)
        return Listing(tuple(entries), seen)

    def _names(self) -> set[str]:
        try:
            return set(os.listdir(self.folder))
        except OSError:
            return set()

    def _path(self, id: str, ending: str) -> str:
        return os.path.join(self.folder, f"{id}.{ending}")

    def _entry(self, id: str) -> Entry | None:
        with contextlib.suppress(KeyError):  # another thread may have seen that it is gone
            return self._known[id]
        try:
            with open(self._path(id, "json"), encoding="utf-8") as file:
                facts = json.load(file)
            if "summary" not in facts:  # of the plain file handler
                with open(self._path(id, "eml"), "rb") as eml:
                    facts["summary"] = summary(eml.read())
            entry: Entry | None = _read_entry(id, facts)
        except OSError:
            return None  # it was deleted meanwhile
        except Exception:
            # No file of ours, or a damaged one: nested too deep, a time before year 1.
            entry = None
        self._known[id] = entry
        return entry


@dataclasses.dataclass(frozen=True)
class Listing:
    """The messages that were there at one time."""

    entries: tuple[Entry, ...]
    """Newest first."""
    seen: frozenset[str]
    """The ids of those that were read."""

    @functools.cached_property
    def version(self) -> str:
        """Another one for another list, in whatever process."""
        ids = "".join(f"{entry.id}{entry.id in self.seen:d}" for entry in self.entries)
        return hashlib.blake2b(ids.encode(), digest_size=12).hexdigest()

    @functools.cached_property
    def unread(self) -> int:
        return len(self.entries) - len(self.seen)


def _read_entry(id: str, facts: t.Any) -> Entry:
    told, envelope = facts["summary"], facts["envelope"]
    when = datetime.datetime.fromisoformat(facts["time"]).astimezone(datetime.UTC)
    when.astimezone()  # what has no time in the zone of this machine cannot be shown
    return Entry(
        id=id,
        time=when,
        facts=facts,
        subject=str(told["subject"]),
        from_addr=str(told["from_addr"]),
        to=tuple(map(str, told["to"] or envelope["recipients"])),
        cc=tuple(map(str, told["cc"])),
        text=str(told["text"]),
        attachments=tuple(map(str, told["attachments"])),
        sender=str(envelope["sender"]),
        recipients=tuple(map(str, envelope["recipients"])),
        size=int(facts["size"]),
    )


def _names(listed: str, address: str) -> bool:
    """Whether an address stands in a text, and not only as the end of a longer one."""
    return re.search(rf"(?<![^\s<,;:]){re.escape(address)}(?![^\s>,;])", listed) is not None


def _short(path: str) -> str:
    """A path from where the app runs, if it is below."""
    return os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path


def _write_new(path: str, text: str) -> None:
    """Make a file that is whole as soon as it is there.

    :raises FileExistsError: if it is there already.
    """
    own = f"{path}-{secrets.token_hex(8)}"
    handle = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "w", encoding="ascii") as file:
            file.write(text)
        os.link(own, path)
    finally:
        os.unlink(own)
