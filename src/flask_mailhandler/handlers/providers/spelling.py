"""The fields of a message that only a provider reads, and their limits there.

A provider is an entry of the table in :mod:`.spellings`. Its limits are the same by its API and by
SMTP, so that a message means the same either way.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
import uuid
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from ...address import Address
from ...errors import MessageError
from ...frozen import Frozen
from ...text.checks import shorten

if t.TYPE_CHECKING:
    from ...envelope import Envelope
    from ...message.message import Message

Fields: t.TypeAlias = "Iterable[tuple[str, str]]"
# A line of a header has at most 998 octets, and the name of the field and its colon are among them.
_WORD = 900


class Form(Frozen):
    """What a provider takes for a text."""

    pattern: str
    said: str
    """The pattern in words, after "takes"."""

    def check(self, text: str, field: str, provider: str) -> None:
        """Check a text.

        :raises MessageError: if the provider does not take it.
        """
        if not re.fullmatch(self.pattern, text):
            raise MessageError(f"In {field}, {provider} takes {self.said}, not {shorten(text)}.")


ANY: t.Final = Form(r"(?s:.*)", "any text")


class Spelling(Frozen):
    """What the fields of a message become at a provider.

    A field that it does not have is an error, except for tags, which an app has for itself too.

    .. code-block:: python

        ACME = Spelling(
            name="acme",
            provider="Acme",
            tag=ANY,
            in_api=lambda message: {"labels": [*message.tags]},
        )
    """

    name: str
    """Its name in ``provider_options`` and ``MAIL_PROVIDER``."""
    provider: str
    """Its name in texts."""
    servers: str = ""
    """A pattern of the names of its SMTP servers."""
    most_tags: int | None = None
    tag: Form | None = None
    """None if it has no tags: then they are kept, and not sent."""
    metadata_name: Form | None = None
    """None if it has no metadata."""
    metadata_value: Form = ANY
    any_case: bool = False
    """Whether two names of metadata that differ in case only are one."""
    pairs: bool = False
    """Whether tags and metadata are pairs of the same list, so that their names must differ."""
    tracks: bool = False
    """Whether tracking can be chosen for each message."""
    stream: Form | None = None
    """None if it has no streams."""
    returns_ids: bool = False
    """Whether its events do not name the Message-ID of ours, so that it is sent along as metadata,
    if the app has webhooks."""
    sends_ids: bool = False
    """Whether it is sent along by SMTP too: whether the account has webhooks."""
    reserved: frozenset[str] = frozenset()
    """The fields of its API, in lower case, that options must not change."""
    takes_options: bool = True
    """Whether a request has fields into which options can be merged."""
    in_api: Callable[[Message], dict[str, t.Any]] = lambda message: {}
    """Returns the fields for its API."""
    in_header: Callable[[Message], Fields] | None = None
    """Returns the header fields for its SMTP servers. None if it has none for these fields."""
    most_tags_by_smtp: int | None = None
    key_field: str = ""
    """The header field with a key by which it recognizes a repeat."""

    def own_ids(self, message_id: str, list_name: str | None) -> dict[str, str]:
        """Return the metadata by which a webhook names a message of ours; see :func:`.own_ids`."""
        from ...events.webhooks.own_ids import own_ids  # few accounts have webhooks

        takes = re.compile(self.metadata_value.pattern).fullmatch
        return own_ids(message_id, list_name, takes) if self.returns_ids else {}

    def check(self, message: Message, *, by_smtp: bool = False) -> None:
        """Check that the provider has what a message has for it.

        :raises MessageError: saying what it does not have.
        """
        if self.in_header is not None or not by_smtp:  # otherwise no tag is sent
            self._check_tags(message)
        self._check_metadata(message)
        tracked = [name for name in ("track_opens", "track_clicks") if _is_set(message, name)]
        if tracked and not self.tracks:
            raise MessageError(
                f"{self.provider} does not take {tracked[0]}= for a message: leave it out, and set"
                " it in your account there."
            )
        if message.stream is not None:
            if self.stream is None:
                raise MessageError(f"{self.provider} has no streams: leave out stream=.")
            self.stream.check(message.stream, "stream=", self.provider)
        if message.provider_options:
            self._check_options(message.provider_options)

    def _check_tags(self, message: Message) -> None:
        tags = message.tags
        if self.tag is None or not tags:
            return
        if self.most_tags is not None and len(tags) > self.most_tags:
            raise MessageError(
                f"{self.provider} takes at most {self.most_tags} of tags=, not {len(tags)}: put the"
                " others into metadata=."
            )
        for tag in tags:
            self.tag.check(tag, "tags=", self.provider)

    def _check_metadata(self, message: Message) -> None:
        metadata = message.metadata
        if not metadata:
            return
        if self.metadata_name is None:
            raise MessageError(f"{self.provider} does not take metadata=: leave it out.")
        seen = {tag.lower() for tag in message.tags} if self.pairs else set()
        for name, value in metadata.items():
            self.metadata_name.check(name, "a name of metadata=", self.provider)
            self.metadata_value.check(value, f"metadata[{name!r}]", self.provider)
            known = name.lower() if self.any_case or self.pairs else name
            if known in seen:
                raise MessageError(
                    f"{self.provider} has one list of names, and {name!r} is there twice, in tags="
                    " or metadata=: choose another name."
                )
            seen.add(known)

    def _check_options(self, options: Mapping[str, Mapping[str, t.Any]]) -> None:
        if self.name not in options:
            import difflib  # few messages have options, and only for others

            if near := difflib.get_close_matches(self.name, options, 1, 0.75):
                raise MessageError(
                    f"provider_options= has {near[0]!r}: write {self.name!r} for {self.provider}."
                )
        if self.name in options and not self.takes_options:
            raise MessageError(
                f"{self.provider} gets the octets of a message and nothing else: leave out"
                f" provider_options[{self.name!r}]."
            )
        for field in options.get(self.name, ()):
            if field.lower() in self.reserved:
                raise MessageError(
                    f"provider_options[{self.name!r}] cannot have {field!r}, which is made from the"
                    " fields of the message: leave it out."
                )

    def with_options(self, fields: dict[str, t.Any], message: Message) -> dict[str, t.Any]:
        """Return the fields of a request with the options of a message merged into them: an object
        into an object, and any other value in the place of ours."""
        merged: dict[str, t.Any] = _merged(fields, message.provider_options.get(self.name, {}))
        return merged

    def by_smtp(self, message: Message, envelope: Envelope) -> Message:
        """Return the same mail with the header fields for the provider's SMTP servers.

        :raises MessageError: saying what the provider does not have.
        """
        fields = self.header_fields(message)
        own_key = self.key_field and self.key_field not in message.headers
        if own_key and len(envelope.recipients) == 1:
            # With several recipients, a repeat may be for some of them only, and the same octets
            # are sent to each batch: the provider would take them for the same mail.
            fields.append((self.key_field, key_of(message.message_id or "", envelope.recipients)))
        return message.completed(headers=[*message.headers.pairs, *fields]) if fields else message

    def header_fields(self, message: Message) -> list[tuple[str, str]]:
        """Return the header fields that a message gets at the provider's SMTP servers, except those
        that it has already.

        :raises MessageError: saying what the provider does not have.
        """
        self.check(message, by_smtp=True)
        if self.name in message.provider_options:
            raise MessageError(
                f"provider_options[{self.name!r}] are for the API, and this account sends by SMTP:"
                " write headers={...} with the header fields of the provider."
            )
        most = self.most_tags_by_smtp
        if most is not None and len(message.tags) > most:
            raise MessageError(
                f"{self.provider} takes at most {most} of tags= by SMTP, not {len(message.tags)}:"
                " put the others into metadata=, or use its API."
            )
        if self.in_header is None:
            if message.metadata:
                raise MessageError(
                    f"{self.provider} takes metadata= only by its API: leave it out, or set"
                    f" MAIL_URL = '{self.name}://KEY@default'."
                )
            return []
        if self.sends_ids and message.message_id:
            ids = self.own_ids(message.message_id, message.unsubscribe)
            message = message.completed(metadata={**message.metadata, **ids})
        return [pair for pair in self.in_header(message) if pair[0] not in message.headers]


def key_of(message_id: str, recipients: Iterable[Address]) -> str:
    """Return the key of a mail: the same for the same recipients, after a restart too."""
    parts = [message_id, *map(str.__str__, recipients)]
    return str(uuid.UUID(bytes=hashlib.sha256("\n".join(parts).encode()).digest()[:16]))


def _is_set(message: Message, name: str) -> bool:
    return getattr(message, name) is not None


def _merged(ours: t.Any, options: t.Any) -> t.Any:
    if isinstance(options, Mapping):
        known = ours if isinstance(ours, Mapping) else {}
        merged = {name: _merged(known.get(name), value) for name, value in options.items()}
        return {**known, **merged}
    return [_merged(None, item) for item in options] if isinstance(options, tuple) else options


def json_in_header(value: object) -> str:
    """Return JSON for a header field: ASCII that is folded at spaces, and never encoded.

    :raises MessageError: if a text in it has no space for so long that it does not fit in a line.
    """
    # Spaces in a row, and the beginning of an encoded word, would be written in encoded words.
    text = json.dumps(value).replace("  ", " \\u0020").replace("=?", "=\\u003f")
    if any(len(word) > _WORD for word in text.split(" ")):
        raise MessageError(
            f"metadata= has a text of more than {_WORD} characters without a space, which does not"
            " fit in a line of a header: shorten it."
        )
    return text
