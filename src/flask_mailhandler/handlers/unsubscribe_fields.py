"""List-Unsubscribe and List-Unsubscribe-Post, and the link in the text, for one recipient."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..address import Address
from ..address import LocalizedAddress
from ..errors import ConfigurationError
from ..errors import MessageError
from ..message.headers import ONE_CLICK
from ..message.headers import ONE_CLICK_URL
from ..message.message import Message
from ..message.one_click import PLACEHOLDER
from ..message.template_name import locale_of
from .defaults import Defaults
from .unsubscribe import Subscription

_FIELD, _POST = "List-Unsubscribe", "List-Unsubscribe-Post"


def with_links(
    handler: Defaults, message: Message, recipients: Sequence[Address], to: Sequence[Address]
) -> Message:
    """Return the same mail with both fields, and with the link in its text and its HTML.

    :param recipients: Those that the message is for.
    :param to: Those that it goes to: others, if the staging guard redirects it. Then the link is
        one of theirs, so that a developer does not unsubscribe a customer.
    :raises MessageError: if there are several recipients, or the fields are there already.
    :raises ConfigurationError: if nothing says how recipients unsubscribe.
    """
    own = {*handler.default_cc, *handler.default_bcc}
    others = [one for one in recipients if one not in own] if len(recipients) > 1 else recipients
    if len(others) != 1:
        raise MessageError(
            f"unsubscribe= needs one recipient, and this message has {len(recipients)}: each of"
            " them could unsubscribe the others. Make one message for each recipient, and send"
            " them with mail.send_each(...) or mail.send_later_each(...)."
        )
    recipient = to[0] if handler.redirect_to else others[0]
    locale = locale_of(message) or (
        recipient.locale if isinstance(recipient, LocalizedAddress) else ""
    )
    subscription = Subscription(
        message.unsubscribe, str.__str__(recipient), message.message_id or "", locale
    )
    return _filled(message, _urls(handler, subscription))


def _urls(handler: Defaults, subscription: Subscription) -> list[str]:
    link, mailto = handler.unsubscribe, handler.unsubscribe_mailto
    urls = []
    if link is not None:
        urls.append(link.to(subscription))
    if mailto is not None:
        urls.append(mailto.to(subscription, handler.bounce_delimiter))
    if not urls:
        raise ConfigurationError(
            f"unsubscribe={subscription.list_name!r} needs MAIL_UNSUBSCRIBE = True and"
            " MAIL_BASE_URL, or MAIL_UNSUBSCRIBE_MAILTO."
        )
    return urls


def _filled(message: Message, urls: Sequence[str]) -> Message:
    value = ", ".join(f"<{url}>" for url in urls)
    fields = {_FIELD: value}
    if re.match(ONE_CLICK_URL, value):
        fields[_POST] = ONE_CLICK
    given = message.headers
    if _FIELD in given or _POST in given:
        if given.get(_FIELD) == value and given.get(_POST) == fields.get(_POST):
            return message  # it is sent again
        raise MessageError(
            "unsubscribe= writes List-Unsubscribe and List-Unsubscribe-Post, and headers= has them"
            " already. Leave them out of headers=. To send a message of a report to others, or"
            " changed, make it anew: its link is the one of its recipient."
        )
    return message.completed(
        headers=[*given.pairs, *fields.items()],
        text=message.text.replace(PLACEHOLDER, urls[0]),
        html=message.html.replace(PLACEHOLDER, urls[0]),
    )
