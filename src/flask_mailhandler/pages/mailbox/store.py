"""The folder of messages, with quick access to its list.

The ``.json`` file next to each message contains what the list shows. Each process reads it once. A
message that was read has a third file with its name, ``.seen``.
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
from ..sent_by import sent_by

_TOKEN = re.compile(r"[0-9a-f]{64}")
# If a folder changes twice within a tick of its clock, its time of change is the same.
_TICK = 2.0


@dataclasses.dataclass(frozen=True)
class Entry:
    """The facts about a message that are known without parsing it.

    :param id: The name of its files, without the ending.
    :param facts: The content of its ``.json`` file.
    """

    id: str
    time: datetime.datetime
    facts: t.Mapping[str, t.Any] = dataclasses.field(repr=False)
    subject: str
    from_addr: str
    to: tuple[str, ...]
    """The To of the header; the envelope's recipients if it is empty."""
    cc: tuple[str, ...]
    text: str
    attachments: tuple[str, ...]
    sender: str
    recipients: tuple[str, ...]
    """The recipients of the envelope, Bcc included."""
    size: int

    @functools.cached_property
    def unnamed(self) -> tuple[str, ...]:
        """The recipients that are not in ``to`` or ``cc``: those of Bcc, or of a redirection."""
        named = "\n".join((*self.to, *self.cc)).casefold()
        return tuple(name for name in self.recipients if not _names(named, name.casefold()))

    @property
    def is_cut(self) -> bool:
        """Whether ``to`` and ``cc`` may be incomplete, so that others are not certainly Bcc."""
        return max(len(self.to), len(self.cc)) >= MAX_LISTED

    @functools.cached_property
    def origin(self) -> tuple[tuple[str, str], ...]:
        """The facts that only the sending app knew, each as a label and a text."""
        facts = self.facts
        lines = [*sent_by(facts)]
        if self.tags:
            lines.append(("Tags", ", ".join(self.tags)))
        if isinstance(duration := facts.get("duration"), float):
            lines.append(
                ("Took", f"{duration:.1f} s" if duration >= 1 else f"{1000 * duration:.1f} ms")
            )
        if original := facts["summary"].get("original_to"):
            lines.append(("Redirected", f"from {original}"))
        return tuple(lines)

    @property
    def tags(self) -> tuple[str, ...]:
        found = self.facts.get("tags")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    @functools.cached_property
    def words(self) -> str:
        """All text that a search looks at, without case."""
        who = (self.from_addr, *self.to, *self.cc, *self.recipients)
        more = (*self.attachments, *self.tags, str(self.facts.get("for_provider", "")))
        return "\n".join((self.subject, *who, self.text, *more)).casefold()


class Store:
    """The messages of a folder. Any number of processes and threads can use it at once.

    :param folder: The path of the folder, which need not exist.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._known: dict[str, Entry | None] = {}
        # Always replaced as a whole, so that no thread sees a part of it.
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
        """How many messages were dropped, because there were too many, since the last clear()."""
        try:
            return os.path.getsize(os.path.join(self.folder, DROPPED))
        except OSError:
            return 0

    def clear(self) -> None:
        """Delete all messages, and reset the number of dropped ones."""
        self.delete(*self.list().entries)
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.folder, DROPPED))

    def find(self, id: str) -> Entry | None:
        """Return the message with that id."""
        return next((entry for entry in self.list().entries if entry.id == id), None)

    def of_message(self, message_id: str) -> Entry | None:
        """Return the newest message with that Message-ID."""
        entries = self.list().entries
        return next(
            (entry for entry in entries if entry.facts.get("message_id") == message_id), None
        )

    def octets(self, entry: Entry) -> bytes | None:
        """Return the octets of a message; None if it was deleted meanwhile."""
        try:
            with open(self._path(entry.id, "eml"), "rb") as file:
                return file.read()
        except OSError:
            return None

    def mark_read(self, entry: Entry) -> None:
        """Mark a message as read."""
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            os.close(os.open(self._path(entry.id, "seen"), flags, 0o600))

    def delete(self, *entries: Entry) -> None:
        """Delete messages. Another process may have deleted them already."""
        for entry in entries:
            # In this order, a message in the list is always complete.
            for ending in ("json", "eml", "seen"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path(entry.id, ending))

    def token(self) -> str:
        """Return the token that a page needs to change anything. All processes have the same one,
        and only a user who can read the folder can know it."""
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
        # The folder is not writable, so this process uses a token of its own.
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
        with contextlib.suppress(KeyError):  # another thread may remove it
            return self._known[id]
        try:
            with open(self._path(id, "json"), encoding="utf-8") as file:
                facts = json.load(file)
            if "summary" not in facts:  # the plain file handler writes none
                with open(self._path(id, "eml"), "rb") as eml:
                    facts["summary"] = summary(eml.read())
            entry: Entry | None = _read_entry(id, facts)
        except OSError:
            return None  # it was deleted meanwhile
        except Exception:
            # Another program wrote the file, or it is damaged: too deep, or a time before year 1.
            entry = None
        self._known[id] = entry
        return entry


@dataclasses.dataclass(frozen=True)
class Listing:
    """The messages in the folder at one time."""

    entries: tuple[Entry, ...]
    """Newest first."""
    seen: frozenset[str]
    """The ids of the messages that were read."""

    @functools.cached_property
    def version(self) -> str:
        """A text that differs between different lists, and is the same in all processes."""
        ids = "".join(f"{entry.id}{entry.id in self.seen:d}" for entry in self.entries)
        return hashlib.blake2b(ids.encode(), digest_size=12).hexdigest()

    @functools.cached_property
    def unread(self) -> int:
        return len(self.entries) - len(self.seen)


def _read_entry(id: str, facts: t.Any) -> Entry:
    listed, envelope = facts["summary"], facts["envelope"]
    when = datetime.datetime.fromisoformat(facts["time"]).astimezone(datetime.UTC)
    when.astimezone()  # fails if the time cannot be shown in the zone of this machine
    return Entry(
        id=id,
        time=when,
        facts=facts,
        subject=str(listed["subject"]),
        from_addr=str(listed["from_addr"]),
        to=tuple(map(str, listed["to"] or envelope["recipients"])),
        cc=tuple(map(str, listed["cc"])),
        text=str(listed["text"]),
        attachments=tuple(map(str, listed["attachments"])),
        sender=str(envelope["sender"]),
        recipients=tuple(map(str, envelope["recipients"])),
        size=int(facts["size"]),
    )


def _names(listed: str, address: str) -> bool:
    """Whether a text contains an address, and not only as the end of a longer one."""
    return re.search(rf"(?<![^\s<,;:]){re.escape(address)}(?![^\s>,;])", listed) is not None


def _write_new(path: str, text: str) -> None:
    """Create a file that is complete as soon as it exists.

    :raises FileExistsError: if it exists already.
    """
    temporary = f"{path}-{secrets.token_hex(8)}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "w", encoding="ascii") as file:
            file.write(text)
        os.link(temporary, path)
    finally:
        os.unlink(temporary)
