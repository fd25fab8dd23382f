"""A group of mails that share their From, their account, their layout or their templates."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from ..address import AddressesInput
from ..address import AddressInput
from ..app.wrong_arguments import wrong_argument
from ..message.arguments import MessageFields
from ..message.arguments import MetadataInput
from ..message.arguments import ProviderOptionsInput
from ..message.arguments import TagsInput
from ..message.fields import metadata as read_metadata
from ..message.fields import tags as read_tags
from ..message.given import AnyMessage
from ..message.message import Message
from ..text.checks import TextInput
from .mail import current_mail
from .mail import Mail

if t.TYPE_CHECKING:
    from ..queue.send_options import Span
    from ..queue.ticket import Ticket
    from ..report import Report

_M = t.TypeVar("_M", bound=AnyMessage)


class Mailer:
    """What a group of mails shares. A subclass sets the attributes that it needs, and has a method
    for each mail. The method returns a message. ::

        class AccountMailer(Mailer):
            from_addr = "The Shop <accounts@shop.example>"
            folder = "mail/account"

            def welcome(self, user: User) -> Message:
                return self.render("welcome", {"user": user}, to=user.email)


        accounts = AccountMailer(mail)
        accounts.send_later(accounts.welcome(user))

    :param mail: The ``Mail`` to render and send with. Default: the one of the current app.
    """

    folder: str = ""
    """The template folder: :meth:`render` finds ``"welcome"`` in ``folder``."""
    layout: str = ""
    """The layout of mails in Markdown, and of templates that begin with
    ``{% extends mail_layout %}``. Default: ``"mailhandler/layout.html"``."""
    from_addr: AddressInput | None = None
    """The From of each message. Default: ``MAIL_DEFAULT_FROM``."""
    reply_to: AddressesInput = None
    """The Reply-To of each message. Default: ``MAIL_DEFAULT_REPLY_TO``."""
    using: str | None = None
    """The account of ``MAIL_ACCOUNTS`` to send with."""
    priority: str | None = None
    """``"high"``, ``"normal"`` or ``"bulk"``. Default: ``"normal"`` for :meth:`send_later`,
    ``"bulk"`` for :meth:`send_later_each`."""
    tags: TagsInput = ()
    """The tags of each message, next to those that are passed to :meth:`render`."""
    metadata: MetadataInput = None
    """The metadata of each message, next to those that are passed to :meth:`render`."""
    track_opens: bool | None = None
    """Whether the provider tracks who opens the mails."""
    track_clicks: bool | None = None
    """Whether the provider tracks who follows their links."""
    stream: TextInput = None
    """The stream of the provider."""
    provider_options: ProviderOptionsInput = None
    """More fields for the API of a provider."""

    def __init__(self, mail: Mail = current_mail) -> None:
        self.mail: Mail = mail

    def render(
        self,
        template: str,
        context: Mapping[str, t.Any] | None = None,
        /,
        *,
        locale: object = None,
        **fields: t.Unpack[MessageFields],
    ) -> Message:
        """Build a message from templates in :attr:`folder`, like :meth:`.Mail.render`. ::

            return self.render("welcome", {"user": user}, to=user.email)

        :param fields: The other fields of the message. They take precedence over the attributes;
            ``tags=`` and ``metadata=`` are added to :attr:`tags` and :attr:`metadata`.
        """
        shared: MessageFields = {
            "from_addr": self.from_addr,
            "reply_to": self.reply_to,
            "track_opens": self.track_opens,
            "track_clicks": self.track_clicks,
            "stream": self.stream,
            "provider_options": self.provider_options,
        }
        fields = {**shared, **fields}
        if self.tags:
            fields["tags"] = (
                *read_tags(self.tags, f"{type(self).__name__}.tags"),
                *read_tags(fields.get("tags"), "tags"),
            )
        if self.metadata:
            fields["metadata"] = {
                **read_metadata(self.metadata, f"{type(self).__name__}.metadata"),
                **read_metadata(fields.get("metadata"), "metadata"),
            }
        template = f"{self.folder}/{template}" if self.folder else template
        if self.layout:
            context = {"mail_layout": self.layout, **(context or {})}
        return self.mail.render(template, context, locale=locale, **fields)

    def send(
        self,
        message: AnyMessage,
        /,
        *,
        recipients: AddressesInput = None,
        timeout: float | None = None,
        **wrong: t.Never,
    ) -> Report:
        """Send a message with the account :attr:`using`, like :meth:`.Mail.send`. ::

            report = accounts.send(accounts.welcome(user))

        :raises MessageError: if the message cannot be sent as it is. Nothing was sent then.
        :raises DeliveryError: if no recipient accepted the message.
        """
        if wrong:
            raise wrong_argument(self.send, wrong, attributes=["using"])
        return self.mail.send(message, using=self.using, recipients=recipients, timeout=timeout)

    def send_later(
        self,
        message: AnyMessage,
        /,
        *,
        delay: Span | None = None,
        at: datetime.datetime | None = None,
        expires: Span | datetime.datetime | None = None,
        key: str | None = None,
        session: t.Any = None,
        **wrong: t.Never,
    ) -> Ticket:
        """Put a message into the queue with the account :attr:`using` and with :attr:`priority`,
        like :meth:`.Mail.send_later`. ::

            ticket = accounts.send_later(accounts.welcome(user), key=f"welcome:{user.id}")
        """
        if wrong:
            raise wrong_argument(self.send_later, wrong, attributes=["using", "priority"])
        return self.mail.send_later(
            message,
            delay=delay,
            at=at,
            expires=expires,
            key=key,
            priority=self.priority or "normal",
            using=self.using,
            session=session,
        )

    def send_later_each(
        self,
        messages: Iterable[_M],
        /,
        *,
        delay: Span | None = None,
        at: datetime.datetime | None = None,
        expires: Span | datetime.datetime | None = None,
        key: Callable[[_M], str | None] | None = None,
        session: t.Any = None,
        **wrong: t.Never,
    ) -> Iterator[Ticket]:
        """Put any number of messages into the queue with the account :attr:`using` and with
        :attr:`priority`, like :meth:`.Mail.send_later_each`. ::

            messages = (news.week(member) for member in members)
            for ticket in news.send_later_each(messages):
                ...

        Nothing is queued until you iterate over the result.
        """
        if wrong:
            raise wrong_argument(self.send_later_each, wrong, attributes=["using", "priority"])
        return self.mail.send_later_each(
            messages,
            delay=delay,
            at=at,
            expires=expires,
            key=key,
            priority=self.priority or "bulk",
            using=self.using,
            session=session,
        )
