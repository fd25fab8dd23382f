"""Names from other mail libraries, and what to write instead: the hints of errors."""

from __future__ import annotations

import typing as t
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence

# Other names of a field, and ours.
_FIELDS = {
    "sender": "from_addr",
    "from_email": "from_addr",
    "from_address": "from_addr",
    "from_": "from_addr",
    "mail_from": "from_addr",
    "recipients": "to",
    "recipient": "to",
    "to_addr": "to",
    "to_addrs": "to",
    "to_email": "to",
    "to_emails": "to",
    "rcpt_to": "to",
    "reply": "reply_to",
    "title": "subject",
    "topic": "subject",
    "body": "text",
    "content": "text",
    "message": "text",
    "plain": "text",
    "text_body": "text",
    "text_content": "text",
    "html_content": "html",
    "files": "attachments",
    "attach": "attachments",
    "inline_images": "inline_attachments",
    "return_path": "envelope_sender",
    "bounce_to": "envelope_sender",
    "html_body": "html",
    "html_message": "html",
    "alts": "alternatives",
    "extra_headers": "headers",
    "msgId": "message_id",
    "esp_extra": "provider_options",
    "message_stream": "stream",
    "track_links": "track_clicks",
    "tag": "tags",
    "category": "tags",
    "categories": "tags",
    "custom_args": "metadata",
    "variables": "metadata",
}
_LEAVE_OUT = {
    "charset": "everything is UTF-8",
    "mail_options": "leave it out, it is chosen by what the server offers",
    "rcpt_options": "leave it out, it is chosen by what the server offers",
    "connection": "leave it out, and write mail.send(message, using=...)",
    "using": "leave it out, and write mail.send(message, using=...)",
    "account": "leave it out, and write mail.send(message, using=...)",
}
# Attributes and methods of other messages, and what to write instead.
_ASKED = {
    "send": "write mail.send(message)",
    "send_to": "write message.envelope().recipients",
    "as_bytes": "write bytes(message.to_mime())",
    "as_string": "write message.to_mime().as_string()",
    "message": "write message.to_mime()",
    "add_attachment": "write Message(attachments=[Attachment(data, filename=...)])",
    "add_alternative": "write Message(html=...), or Message(alternatives=[(data, mimetype)])",
    "set_content": "write Message(text=...)",
    "set_type": "write Message(html=...)",
    "add_header": "write Message(headers={...})",
    "get_content": "write message.text",
    "get_payload": "write message.text, or message.to_mime()",
    "walk": "write message.to_mime().walk()",
    "is_multipart": "write message.to_mime().is_multipart()",
    "attach_file": "write Message(attachments=[Attachment.from_path(path)])",
    "attach_alternative": "write Message(html=...), or Message(alternatives=[(data, mimetype)])",
    "content_subtype": "write Message(html=...)",
}


def of_field(name: str, known: Iterable[str]) -> str:
    """Say what to write instead of a field that does not exist."""
    import difflib  # only errors need it

    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1, 0.75)
    if ours := _FIELDS.get(name) or next(iter(near), None):
        return f"write {ours}="
    return _LEAVE_OUT.get(name) or f"it has {', '.join(names)}"


def of_call(args: Sequence[object], fields: Iterable[str], known: Collection[str]) -> str:
    """Say what to write instead of a call of ``Message`` that it does not take, all of it at once.

    :param args: The positional arguments. In other libraries, the first one is the subject.
    :param fields: The names of the keyword arguments.
    :param known: The fields of a message.
    """
    if not args:
        stray = sorted(name for name in fields if name not in known)
        return " ".join(
            f"A Message has no field {name!r}: {of_field(name, known)}." for name in stray
        )
    named = [_FIELDS.get(name, name) for name in fields if name not in _LEAVE_OUT]
    names = dict.fromkeys(["subject", *(named or ["text"])])
    call = ", ".join(f"{name}=..." for name in names)
    return f"A Message takes keyword arguments only: write Message({call})."


def of_attribute(name: str) -> str | None:
    """Say what to write instead of an attribute that does not exist, or return None."""
    ours = _FIELDS.get(name)
    return _ASKED.get(name) or (f"write message.{ours}" if ours else None)


def of_change(name: str) -> str:
    """Say how to change a field, which may have its name from another library."""
    return f"write message = message.replace({_FIELDS.get(name, name)}=...)"


C = t.TypeVar("C")


def says_how_to_change(cls: type[C]) -> type[C]:
    """Give a frozen class an error that says how to change a field."""

    def refuse(self: C, name: str, value: object = None) -> t.NoReturn:
        raise AttributeError(f"A {cls.__name__} does not change: {of_change(name)}")

    cls.__setattr__ = refuse  # type: ignore[assignment]
    cls.__delattr__ = refuse  # type: ignore[assignment]
    return cls


class Unchanging:
    """Methods that other libraries use to change a message."""

    def attach(self, *args: object, **fields: object) -> t.NoReturn:
        """Raise an error: a message does not change.

        :raises AttributeError: with what to write instead.
        """
        raise AttributeError(
            "A Message does not change: write Message(attachments=[Attachment(data,"
            " filename=...)]), or message.replace(attachments=[*message.attachments, ...])."
        )

    def add_recipient(self, *args: object) -> t.NoReturn:
        """Raise an error: a message does not change.

        :raises AttributeError: with what to write instead.
        """
        raise AttributeError(
            "A Message does not change: write message.replace(to=[*message.to, address])."
        )


def of_message(value: object) -> str:
    """Say what to write instead of a value that is not a message."""
    if isinstance(value, dict):
        return "write Message(subject=..., to=..., text=...), or Message.from_dict(...)"
    module = type(value).__module__.partition(".")[0]
    if hasattr(value, "subject") and (hasattr(value, "recipients") or hasattr(value, "to")):
        return (
            f"that is a {type(value).__name__} of {module}; write flask_mailhandler's"
            " Message(subject=..., from_addr=..., to=..., text=...)"
        )
    return "write Message(subject=..., to=..., text=...)"


# Arguments of send_later() that callers pass to send() by mistake.
LATER: t.Final = frozenset({"at", "delay", "expires", "key", "priority", "session"})
