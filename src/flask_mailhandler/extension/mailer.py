"""A group of mails that share their From, their account, their layout or their templates."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping

from ..address import AddressesInput
from ..address import AddressInput
from ..message.arguments import MessageFields
from ..message.given import AnyMessage
from ..message.message import Message
from .mail import current_mail
from .mail import Mail

if t.TYPE_CHECKING:
    from ..queue.send_options import Span
    from ..queue.ticket import Ticket
    from ..report import Report


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
    priority: str = "normal"
    """``"high"``, ``"normal"`` or ``"bulk"``, for :meth:`send_later`."""

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

        :param fields: The other fields of the message. ``from_addr=`` and ``reply_to=`` take
            precedence over the attributes.
        """
        shared: MessageFields = {"from_addr": self.from_addr, "reply_to": self.reply_to}
        fields = {**shared, **fields}
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
    ) -> Report:
        """Send a message with the account :attr:`using`, like :meth:`.Mail.send`. ::

            report = accounts.send(accounts.welcome(user))

        :raises MessageError: if the message cannot be sent as it is. Nothing was sent then.
        :raises DeliveryError: if no recipient accepted the message.
        """
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
    ) -> Ticket:
        """Put a message into the queue with the account :attr:`using` and with :attr:`priority`,
        like :meth:`.Mail.send_later`. ::

            ticket = accounts.send_later(accounts.welcome(user), key=f"welcome:{user.id}")
        """
        return self.mail.send_later(
            message,
            delay=delay,
            at=at,
            expires=expires,
            key=key,
            priority=self.priority,
            using=self.using,
            session=session,
        )
