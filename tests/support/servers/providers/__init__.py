"""Strict stand-ins for the APIs of providers, written from their documentation.

::

    fake       what they have in common, and how they may behave
    resend     fields, and the keys by which it recognizes a repeat
    postmark   fields
    sendgrid   fields
    brevo      fields, and the keys by which it recognizes a repeat
    ses        octets
    mailgun    octets, in a form
    addressed  octets whose header says who gets them
    graph      octets in base64
    gmail      octets
"""

from __future__ import annotations

from .brevo import FakeBrevo
from .fake import FakeProvider
from .gmail import FakeGmail
from .graph import FakeGraph
from .mailgun import FakeMailgun
from .postmark import FakePostmark
from .resend import FakeResend
from .sendgrid import FakeSendGrid
from .ses import FakeSES

FAKES: dict[str, type[FakeProvider]] = {
    "resend": FakeResend,
    "postmark": FakePostmark,
    "sendgrid": FakeSendGrid,
    "brevo": FakeBrevo,
    "ses": FakeSES,
    "mailgun": FakeMailgun,
    "graph": FakeGraph,
    "gmail": FakeGmail,
}
