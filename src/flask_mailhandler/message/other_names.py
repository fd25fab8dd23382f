"""What people write who come from another library, and what it is here."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

# Of a field that Message() and replace() take.
_FIELDS = {
    "sender": "from_addr",
    "from_email": "from_addr",
    "from_": "from_addr",
    "recipients": "to",
    "body": "text",
    "html_body": "html",
    "html_message": "html",
    "alts": "alternatives",
    "extra_headers": "headers",
    "msgId": "message_id",
}
_LEAVE_OUT = {
    "charset": "everything is UTF-8",
    "mail_options": "leave it out, what the server offers is used",
    "rcpt_options": "leave it out, what the server offers is used",
    "connection": "leave it out, and write mail.send(message, using=...)",
}
# Of an attribute.
_ASKED = {
    "send": "write mail.send(message)",
    "send_to": "write message.envelope().recipients",
    "as_bytes": "write bytes(message.to_mime())",
    "as_string": "write message.to_mime().as_string()",
    "message": "write message.to_mime()",
    "attach_file": "write Message(attachments=[Attachment.from_path(path)])",
    "attach_alternative": "write Message(html=...), or Message(alternatives=[(data, mimetype)])",
    "content_subtype": "write Message(html=...)",
}


def of_field(name: str, known: Iterable[str]) -> str:
    """Say what to write instead of a field that there is not."""
    if ours := _FIELDS.get(name):
        return f"write {ours}="
    return _LEAVE_OUT.get(name) or f"it has {', '.join(sorted(known))}"


def of_attribute(name: str) -> str | None:
    """Say what to ask a message for instead, or None."""
    ours = _FIELDS.get(name)
    return f"write message.{ours}" if ours else _ASKED.get(name)


def of_change(name: str) -> str:
    """Say how a message is changed in a field that may have another name elsewhere."""
    return f"write message = message.replace({_FIELDS.get(name, name)}=...)"


def of_message(value: object) -> str:
    """Say what to write instead of something that is no message."""
    if isinstance(value, dict):
        return "write Message(subject=..., to=..., text=...), or Message.from_dict(...)"
    module = type(value).__module__.partition(".")[0]
    if hasattr(value, "subject") and (hasattr(value, "recipients") or hasattr(value, "to")):
        return (
            f"that is a {type(value).__name__} of {module}; write flask_mailhandler's"
            " Message(subject=..., from_addr=..., to=..., text=...)"
        )
    return "write Message(subject=..., to=..., text=...)"


# Of send_later(), which many look for in send().
LATER: t.Final = frozenset({"at", "delay", "expires", "key", "priority", "session"})
