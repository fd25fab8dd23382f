"""The arguments of a message, for type checkers.

Nothing loads this module to send a message: making the TypedDict takes 0.4 ms.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterable
from collections.abc import Mapping

from ..address import AddressesInput
from ..address import AddressInput
from ..attachment import Attachable
from ..attachment import Attachment
from ..text.checks import TextInput
from .headers import HeadersInput

AttachmentsInput: t.TypeAlias = "Attachment | Attachable | Iterable[Attachment | Attachable] | None"
AlternativesInput: t.TypeAlias = (
    "Attachment | Attachable | Iterable[Attachment | Attachable | tuple[str | bytes, str]] | None"
)
TagsInput: t.TypeAlias = "TextInput | Iterable[TextInput]"
MetadataInput: t.TypeAlias = "Mapping[str, str] | None"
ProviderOptionsInput: t.TypeAlias = "Mapping[str, Mapping[str, t.Any]] | None"

NotifyInput: t.TypeAlias = "str | Iterable[str] | None"


class MessageFields(t.TypedDict, total=False):
    """The arguments of :class:`Message`, to annotate a function that passes them on.

    None leaves a field out. You need only one of ``text`` and ``html``: a text is generated from
    the HTML.

    .. code-block:: python

        def welcome(**fields: Unpack[MessageFields]) -> Message:
            return Message(**{"subject": "Welcome", **fields})
    """

    subject: TextInput
    text: TextInput
    html: TextInput
    from_addr: AddressInput | None
    reply_to: AddressesInput
    to: AddressesInput
    cc: AddressesInput
    bcc: AddressesInput
    envelope_sender: AddressInput | None
    headers: HeadersInput
    attachments: AttachmentsInput
    inline_attachments: AttachmentsInput
    alternatives: AlternativesInput
    message_id: str | None
    date: datetime.datetime | None
    tags: TagsInput
    metadata: MetadataInput
    track_opens: bool | None
    track_clicks: bool | None
    stream: TextInput
    provider_options: ProviderOptionsInput
    dsn_notify: NotifyInput
    dsn_return: str | None
    unsubscribe: str | None
